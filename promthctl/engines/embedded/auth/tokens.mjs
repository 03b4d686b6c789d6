// Sessions: access tokens (JWT), and refresh tokens that take turns.
// Source: internal/tokens/service.go and internal/models/refresh_token.go of github.com/supabase/auth.

import { randomInt, randomUUID } from "node:crypto";

import { AuthError, failed } from "./errors.mjs";
import { UUID, duration } from "./checks.mjs";
import { byId, isBanned, NO_INSTANCE, show, update } from "./users.mjs";

const badJwt = (why) => new AuthError(403, "bad_jwt", `invalid JWT: unable to parse or verify signature, ${why}`);
const LETTERS = "abcdefghijklmnopqrstuvwxyz234567";
const REQUIRED = ["aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous"];

/** The claims of a JWT signed with one of the keys and valid now. Raises AuthError bad_jwt. */
export function verified(token, keys) {
  const parts = token.split(".");
  if (parts.length !== 3) throw badJwt(`token is malformed: token contains an invalid number of segments`);
  let header, claims;
  try {
    [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8")));
  } catch {
    throw badJwt("token is malformed: could not JSON decode it");
  }
  if (!keys.verifies(header ?? {}, `${parts[0]}.${parts[1]}`, Buffer.from(parts[2], "base64url")))
    throw badJwt("token signature is invalid: signature is invalid");
  const now = Date.now() / 1000;
  if (claims === null || typeof claims !== "object") throw badJwt("token has invalid claims");
  if (claims.exp !== undefined && !(claims.exp > now)) throw badJwt("token has invalid claims: token is expired");
  if (claims.nbf !== undefined && !(claims.nbf <= now)) throw badJwt("token has invalid claims: token is not valid yet");
  return claims;
}

export class Sessions {
  /** keys: Keys. settings: of [auth]. hooks: Hooks. */
  constructor({ keys, issuer, settings, hooks }) {
    Object.assign(this, { keys, issuer, settings, hooks });
  }

  /** Start a session and return its tokens and user. method: how the user signed in, as amr says it. */
  async start(tx, user, method, client) {
    const id = randomUUID();
    const row = {
      id,
      user_id: user.id,
      created_at: new Date(),
      updated_at: new Date(),
      aal: "aal1",
      user_agent: client.agent,
      ip: client.address,
    };
    await tx`insert into auth.sessions ${tx(row)}`;
    const refresh = await this.#refreshToken(tx, user.id, id, null);
    await this.#used(tx, id, method);
    const current = await update(tx, user.id, { last_sign_in_at: new Date() });
    return this.#answer(tx, current, id, method, refresh, client);
  }

  /** Raise a session to aal2 by a factor, whose row is given, and return new tokens. */
  async raise(tx, user, id, factor, method, client) {
    const [session] = await tx`update auth.sessions set aal = 'aal2', factor_id = ${factor.id}, updated_at = now() where id = ${id} returning id`;
    if (!session) throw new AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    await this.#used(tx, id, method);
    // An earlier refresh token, which one factor opened, must not be exchanged for a session of two.
    await tx`delete from auth.refresh_tokens where session_id = ${id}`;
    return this.#answer(tx, user, id, method, await this.#refreshToken(tx, user.id, id, null), client);
  }

  /** Record how the user of a session signed in. */
  async #used(tx, session, method) {
    await tx`insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at, authentication_method)
      values (${randomUUID()}, ${session}, now(), now(), ${method})
      on conflict on constraint mfa_amr_claims_session_id_authentication_method_pkey do update set updated_at = now()`;
  }

  /** The next tokens of a session. The transaction is kept also where a token used twice is refused. */
  async refresh(sql, token, client) {
    if (typeof token !== "string" || token === "") throw new AuthError(400, "validation_failed", "refresh_token required");
    const outcome = await sql.begin(async (tx) => {
      const [known] = await tx`select * from auth.refresh_tokens where token = ${token}`;
      if (!known) throw new AuthError(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found");
      // The session's row is the lock: requests with the same token come one after the other.
      const [session] = await tx`select * from auth.sessions where id = ${known.session_id} for update`;
      const user = session && (await byId(tx, session.user_id));
      if (!user) throw new AuthError(400, "session_not_found", "Invalid Refresh Token: No Valid Session Found");
      if (isBanned(user)) throw new AuthError(400, "user_banned", "Invalid Refresh Token: User Banned");
      this.#checkAge(session);
      const [current] = await tx`select * from auth.refresh_tokens where id = ${known.id}`;
      let next;
      if (current.revoked) {
        const [active] = await tx`select token, parent from auth.refresh_tokens
          where session_id = ${session.id} and not revoked order by id::bigint desc limit 1`;
        if (active?.parent === token) next = active.token;
        else if (Date.now() > new Date(current.updated_at).getTime() + this.settings.refreshTokenReuseInterval * 1000) {
          if (this.settings.refreshTokenRotation)
            await tx`update auth.refresh_tokens set revoked = true, updated_at = now() where session_id = ${session.id} and not revoked`;
          return new AuthError(400, "refresh_token_already_used", "Invalid Refresh Token: Already Used");
        }
      }
      if (!next) {
        await tx`update auth.refresh_tokens set revoked = true, updated_at = now() where id = ${current.id}`;
        next = await this.#refreshToken(tx, user.id, session.id, token);
      }
      const now = new Date().toISOString().replace("Z", "");
      await tx`update auth.sessions set refreshed_at = ${now}, updated_at = now(), user_agent = ${client.agent}, ip = ${client.address}
        where id = ${session.id}`;
      return this.#answer(tx, user, session.id, "token_refresh", next, client);
    });
    if (outcome instanceof AuthError) throw outcome;
    return outcome;
  }

  #checkAge(session) {
    const expired = (what) => new AuthError(400, "session_expired", `Invalid Refresh Token: Session Expired${what}`);
    const { timebox, inactivityTimeout } = this.settings;
    const started = new Date(session.created_at).getTime();
    const used = session.refreshed_at ? new Date(`${session.refreshed_at}Z`).getTime() : started;
    if (session.not_after && new Date(session.not_after) < new Date()) throw expired("");
    if (duration(timebox) > 0 && Date.now() > started + duration(timebox)) throw expired("");
    if (duration(inactivityTimeout) > 0 && Date.now() > used + duration(inactivityTimeout)) throw expired(" (Inactivity)");
  }

  async #refreshToken(tx, user, session, parent) {
    const token = Array.from({ length: 12 }, () => LETTERS[randomInt(LETTERS.length)]).join("");
    const row = {
      instance_id: NO_INSTANCE,
      token,
      user_id: user,
      parent,
      session_id: session,
      revoked: false,
      created_at: new Date(),
      updated_at: new Date(),
    };
    await tx`insert into auth.refresh_tokens ${tx(row)}`;
    return token;
  }

  async #answer(tx, user, session, method, refresh, client) {
    const claims = await this.#claims(tx, user, session);
    let given = claims;
    if (this.hooks.has("custom_access_token")) {
      const input = { user_id: user.id, claims, authentication_method: method };
      given = (await this.hooks.call(tx, "custom_access_token", client.address, input)).claims;
      if (given === null || typeof given !== "object") throw failed("output claims field is missing");
      const missing = REQUIRED.filter((name) => !Object.hasOwn(given, name));
      if (missing.length)
        throw failed(`output claims do not conform to the expected schema: \n${missing.map((name) => `- (root): ${name} is required\n`).join("")}`);
    }
    return {
      access_token: this.keys.sign(given),
      token_type: "bearer",
      expires_in: this.settings.jwtExpiry,
      expires_at: claims.exp,
      refresh_token: refresh,
      user: await show(tx, user),
    };
  }

  async #claims(tx, user, session) {
    const [{ aal }] = await tx`select aal from auth.sessions where id = ${session}`;
    const used = await tx`select authentication_method as method, floor(extract(epoch from updated_at))::int as timestamp
      from auth.mfa_amr_claims where session_id = ${session} order by updated_at desc`;
    const now = Math.floor(Date.now() / 1000);
    return {
      iss: this.issuer,
      sub: user.id,
      aud: user.aud,
      exp: now + this.settings.jwtExpiry,
      iat: now,
      email: user.email ?? "",
      phone: user.phone ?? "",
      app_metadata: user.raw_app_meta_data ?? {},
      user_metadata: user.raw_user_meta_data ?? {},
      role: user.role,
      aal: aal ?? "aal1",
      amr: used.map(({ method, timestamp }) => ({ method, timestamp })),
      session_id: session,
      is_anonymous: user.is_anonymous,
    };
  }

  /** The user and the session that a bearer token names. Raises AuthError. */
  async who(sql, token) {
    const claims = verified(token, this.keys);
    if (!claims.sub) throw new AuthError(403, "bad_jwt", "invalid claim: missing sub claim");
    if (!UUID.test(claims.sub)) throw new AuthError(400, "bad_jwt", "invalid claim: sub claim must be a UUID");
    const user = await byId(sql, claims.sub);
    if (!user) throw new AuthError(403, "user_not_found", "User from sub claim in JWT does not exist");
    let session = null;
    if (claims.session_id) {
      if (!UUID.test(claims.session_id)) throw new AuthError(403, "bad_jwt", "invalid claim: session_id claim must be a UUID");
      [session] = await sql`select * from auth.sessions where id = ${claims.session_id}`;
      if (!session) throw new AuthError(403, "session_not_found", "Session from session_id claim in JWT does not exist");
    }
    if (isBanned(user)) throw new AuthError(403, "user_banned", "User is banned");
    return { user, session, claims };
  }
}
