// Multi-factor sign-in with one-time codes of an authenticator app (TOTP, RFC 6238).
// Source: internal/api/mfa.go, admin.go and internal/models/factor.go of github.com/supabase/auth.

import { createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";

import { absent, AuthError, failed, invalid } from "./errors.mjs";
import { phoneOf, UUID } from "./checks.mjs";
import { qrCode } from "./qr.mjs";
import * as users from "./users.mjs";

const CHALLENGE_SECONDS = 300; // how long a challenge is good
const EXPIRY_SECONDS = 300; // after which a factor that was never tried goes
const PERIOD = 30; // seconds of a code
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const REJECTED = "Further MFA verification attempts will be rejected.";
const NAMES = { totp: "TOTP", phone: "Phone", webauthn: "WebAuthn" };

const refused = (code, message) => new AuthError(422, code, message);

/** Bytes in base 32, without padding: RFC 4648. */
function base32(bytes) {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g).map((part) => LETTERS[parseInt(part.padEnd(5, "0"), 2)]).join("");
}

function fromBase32(text) {
  const bits = [...text].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)));
}

/** The code of six digits for a count of periods: RFC 4226. */
function codeOf(secret, count) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(count));
  const hash = createHmac("sha1", fromBase32(secret)).update(counter).digest();
  const at = hash[hash.length - 1] & 15;
  return String((hash.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Whether a code is right now, a period ago or in one. */
function isRight(secret, code) {
  const given = Buffer.from(code.trim());
  const now = Math.floor(Date.now() / 1000 / PERIOD);
  return [now, now + 1, now - 1].some((count) => given.length === 6 && timingSafeEqual(given, Buffer.from(codeOf(secret, count))));
}

export class Factors {
  constructor({ sql, settings, sessions, hooks, signup }) {
    Object.assign(this, { sql, settings: settings.mfa, site: settings.siteUrl, sessions, hooks, signup });
  }

  #allowed(type, what) {
    if (!Object.hasOwn(NAMES, type)) throw invalid("factor_type needs to be totp, phone, or webauthn");
    if (!this.settings[type][what]) {
      const words = what === "enroll" ? "MFA enroll" : "MFA verification";
      throw refused(`mfa_${type}_${what}_not_enabled`, `${words} is disabled for ${NAMES[type]}`);
    }
    if (type !== "totp") throw absent(`Multi-factor sign-in by ${type === "phone" ? "SMS" : "WebAuthn"}`);
  }

  #known({ claims, session }) {
    if (claims.is_anonymous) throw new AuthError(403, "no_authorization", "Anonymous user not allowed to perform these actions");
    if (!session) throw failed("A valid session and a registered user are required to enroll a factor");
  }

  async #factor(sql, userId, id) {
    if (!UUID.test(id)) throw new AuthError(404, "validation_failed", "factor_id must be an UUID");
    const [factor] = await sql`select * from auth.mfa_factors where id = ${id} and user_id = ${userId}`;
    if (!factor) throw new AuthError(404, "mfa_factor_not_found", "Factor not found");
    return factor;
  }

  async enroll({ body, who }) {
    this.#known(who);
    const { user, session } = who;
    this.#allowed(body.factor_type, "enroll");
    if (!body.issuer && !URL.canParse(this.site)) throw failed("site url is improperly formatted");
    const issuer = body.issuer || new URL(this.site).host;
    const name = body.friendly_name ?? "";
    const secret = base32(randomBytes(20));
    const part = (text) => encodeURIComponent(text.toWellFormed());
    const uri = `otpauth://totp/${part(issuer)}:${part(user.email ?? "")}?algorithm=SHA1&digits=6&issuer=${part(issuer)}&period=${PERIOD}&secret=${secret}`;
    const picture = user.email ? qrCode(uri) : null;
    if (!picture) throw failed("Error generating QR Code");
    const id = randomUUID();
    await this.signup.change("Database error creating factor", async (tx) => {
      await tx`select from auth.users where id = ${user.id} for update`; // two at once must not pass the limits together
      await tx`delete from auth.mfa_factors where user_id = ${user.id} and status <> 'verified' and created_at < now() - make_interval(secs => ${EXPIRY_SECONDS})
        and not exists (select from auth.mfa_challenges where factor_id = mfa_factors.id)`;
      this.#checkAnother(await tx`select * from auth.mfa_factors where user_id = ${user.id}`, name, session);
      const row = { id, user_id: user.id, friendly_name: name, factor_type: "totp", status: "unverified", secret, created_at: new Date(), updated_at: new Date() };
      await tx`insert into auth.mfa_factors ${tx(row)}`;
    });
    return { body: { id, type: "totp", friendly_name: name, totp: { qr_code: picture, secret, uri } } };
  }

  /** Raises where a user with these factors may not have one more. */
  #checkAnother(factors, name, session) {
    const verified = factors.filter(({ status }) => status === "verified");
    if (factors.some(({ friendly_name: one }) => (one ?? "") === name))
      throw refused("mfa_factor_name_conflict", `A factor with the friendly name ${JSON.stringify(name)} for this user already exists`);
    if (factors.length >= this.settings.maxEnrolledFactors)
      throw refused("too_many_enrolled_mfa_factors", "Maximum number of verified factors reached, unenroll to continue");
    if (verified.length && session.aal !== "aal2") throw new AuthError(403, "insufficient_aal", "AAL2 required to enroll a new factor");
  }

  async challenge({ who, client, found: [, factorId] }) {
    this.#known(who);
    const factor = await this.#factor(this.sql, who.user.id, factorId);
    this.#allowed(factor.factor_type, "verify");
    const row = { id: randomUUID(), factor_id: factor.id, created_at: new Date(), ip_address: client.address };
    await this.signup.change("Database error creating challenge", async (tx) => {
      await tx`insert into auth.mfa_challenges ${tx(row)}`;
      await tx`update auth.mfa_factors set last_challenged_at = clock_timestamp() where id = ${factor.id}`;
    });
    const expires = Math.floor(row.created_at.getTime() / 1000) + CHALLENGE_SECONDS;
    return { body: { id: row.id, type: factor.factor_type, expires_at: expires } };
  }

  async verify({ body, who, client, found: [, factorId] }) {
    this.#known(who);
    const { user, session } = who;
    const factor = await this.#factor(this.sql, user.id, factorId);
    if (!body.code && factor.factor_type !== "webauthn") throw invalid("Code needs to be non-empty");
    this.#allowed(factor.factor_type, "verify");
    if (!UUID.test(body.challenge_id ?? "")) throw new AuthError(400, "bad_json", "Could not parse request body as JSON");
    const [challenge] = await this.sql`select *, ip_address is distinct from ${client.address}::inet as elsewhere,
      created_at < now() - make_interval(secs => ${CHALLENGE_SECONDS}) as expired
      from auth.mfa_challenges where id = ${body.challenge_id} and factor_id = ${factor.id}`;
    if (!challenge) throw refused("mfa_factor_not_found", "MFA factor with the provided challenge ID not found");
    const used = () => refused("mfa_ip_address_mismatch", "Challenge and verify IP addresses mismatch.");
    if (challenge.verified_at || challenge.elsewhere) throw used();
    if (challenge.expired) {
      await this.sql`delete from auth.mfa_challenges where id = ${challenge.id}`;
      throw refused("mfa_challenge_expired", `MFA challenge ${challenge.id} has expired, verify against another challenge or create a new challenge.`);
    }
    const valid = isRight(factor.secret ?? "", body.code);
    await this.#hook(user, factor, valid, client);
    if (!valid) throw refused("mfa_verification_failed", "Invalid TOTP code entered");
    return this.signup.change("Database error verifying factor", async (tx) => {
      const [mine] = await tx`update auth.mfa_challenges set verified_at = now() where id = ${challenge.id} and verified_at is null returning id`;
      if (!mine) throw used();
      await tx`update auth.mfa_factors set status = 'verified', updated_at = now() where id = ${factor.id} and status <> 'verified'`;
      const tokens = await this.sessions.raise(tx, user, session.id, factor, "totp", client);
      await tx`delete from auth.sessions where user_id = ${user.id} and aal < 'aal2'`;
      await tx`delete from auth.mfa_factors where user_id = ${user.id} and status = 'unverified' and factor_type = 'totp'`;
      return { body: { ...tokens, user: await users.show(tx, user) } };
    });
  }

  async #hook(user, factor, valid, client) {
    if (!this.hooks.has("mfa_verification_attempt")) return;
    const input = { user_id: user.id, factor_id: factor.id, factor_type: factor.factor_type, valid };
    const said = await this.sql.begin((tx) => this.hooks.call(tx, "mfa_verification_attempt", client.address, input));
    if (said.decision !== "reject") return;
    await this.sql`delete from auth.sessions where user_id = ${user.id}`;
    throw new AuthError(403, "mfa_verification_rejected", said.message || REJECTED);
  }

  async unenroll({ who, found: [, factorId] }) {
    this.#known(who);
    const factor = await this.#factor(this.sql, who.user.id, factorId);
    if (factor.status === "verified" && who.session.aal !== "aal2")
      throw refused("insufficient_aal", "AAL2 required to unenroll verified factor");
    await this.#remove(factor);
    return { body: { id: factor.id } };
  }

  /** Remove a factor; the sessions that it raised are of aal1 again. */
  #remove({ id, factor_type: type }) {
    const method = { totp: "totp", phone: "mfa/phone", webauthn: "mfa/webauthn" }[type];
    return this.signup.change("Database error deleting factor", async (tx) => {
      await tx`delete from auth.mfa_factors where id = ${id}`;
      await tx`delete from auth.mfa_amr_claims where authentication_method = ${method} and session_id in (select id from auth.sessions where factor_id = ${id})`;
      await tx`update auth.sessions set aal = 'aal1', factor_id = null where factor_id = ${id}`;
    });
  }

  // For the admin API. user: its row.

  async list(user) {
    return { body: (await users.factorsOf(this.sql, user.id)).map(users.factor) };
  }

  async remove(user, factorId) {
    const factor = await this.#factor(this.sql, user.id, factorId);
    await this.#remove(factor);
    return { body: users.factor(factor) };
  }

  async update(user, factorId, { friendly_name: name, phone }) {
    const factor = await this.#factor(this.sql, user.id, factorId);
    const columns = { ...(name && { friendly_name: name }), ...(phone && factor.factor_type === "phone" && { phone: phoneOf(phone) }) };
    return this.signup.change("Database error updating factor", async (tx) => {
      const [changed] = await tx`update auth.mfa_factors set ${tx({ ...columns, updated_at: new Date() })} where id = ${factor.id} returning *`;
      return { body: users.factor(changed) };
    });
  }
}
