// What a link or code of a message opens, and the user's own changes.
// Source: internal/api/verify.go, token.go, user.go, reauthenticate.go, logout.go, identity.go of github.com/supabase/auth.

import { createHash, timingSafeEqual } from "node:crypto";

import bcrypt from "bcryptjs";

import { absent, AuthError, invalid } from "./errors.mjs";
import { checkChallenge, checkPassword, emailOf, phoneOf, UUID, weakness } from "./checks.mjs";
import { hashed } from "./mail.mjs";
import { hashOf } from "./signup.mjs";
import * as users from "./users.mjs";

const EMAIL_TYPES = ["email", "signup", "invite", "recovery", "magiclink", "email_change"];
const ONE_OF_TWO = "Confirmation link accepted. Please proceed to confirm link sent to the other email";
const OAUTH = { 400: "invalid_request", 401: "unauthorized_client", 403: "access_denied", 500: "server_error" };
const expired = (message) => new AuthError(403, "otp_expired", message);
const LINK = "Email link is invalid or has expired";
const TOKEN = "Token has expired or is invalid";
const FLOW_SECONDS = 300;

export const compare = (password, hash) => {
  if (!hash) return false;
  if (/^\$(argon2|fbscrypt)/.test(hash)) throw absent("A password hash other than bcrypt");
  return bcrypt.compare(password, hash);
};

export class Verify {
  constructor({ sql, settings, sessions, mailer, hooks, signup }) {
    Object.assign(this, { sql, settings, sessions, mailer, hooks, signup });
  }

  change(message, work) {
    return this.signup.change(message, work);
  }

  async password({ body, client }) {
    if (body.email && body.phone) throw invalid("Only an email address or phone number should be provided on login.");
    if (!body.email && !body.phone) throw invalid("missing email or phone");
    const provider = body.email ? "email" : "phone";
    if (!this.settings[provider].enableSignup)
      throw new AuthError(422, `${provider}_provider_disabled`, `${body.email ? "Email" : "Phone"} logins are disabled`);
    const user = body.email
      ? await users.byEmail(this.sql, String(body.email).toLowerCase())
      : await users.byPhone(this.sql, String(body.phone).replace(/^\+/, "").replaceAll(" ", ""));
    const wrong = (message = "Invalid login credentials") => new AuthError(400, "invalid_credentials", message);
    if (!user?.encrypted_password) throw wrong();
    if (users.isBanned(user)) throw new AuthError(400, "user_banned", "User is banned");
    const right = await compare(String(body.password ?? ""), user.encrypted_password);
    if (this.hooks.has("password_verification_attempt")) {
      const input = { user_id: user.id, valid: right };
      const said = await this.sql.begin((tx) => this.hooks.call(tx, "password_verification_attempt", client.address, input));
      if (said.decision === "reject") {
        if (said.should_logout_user) await this.sql`delete from auth.sessions where user_id = ${user.id}`;
        throw wrong(said.message || "Invalid login credentials");
      }
    }
    if (!right) throw wrong();
    if (body.email && !user.email_confirmed_at) throw new AuthError(400, "email_not_confirmed", "Email not confirmed");
    if (body.phone && !user.phone_confirmed_at) throw new AuthError(400, "phone_not_confirmed", "Phone not confirmed");
    const tokens = await this.change("Database error granting user", (tx) => this.sessions.start(tx, user, "password", client));
    const weak = weakness(body.password, this.settings);
    return { body: weak ? { ...tokens, weak_password: weak } : tokens };
  }

  async pkce({ body, client }) {
    if (!body.auth_code || !body.code_verifier)
      throw invalid("invalid request: both auth code and code verifier should be non-empty");
    const [flow] = await this.sql`select * from auth.flow_state where auth_code = ${body.auth_code}`;
    if (!flow?.user_id) throw new AuthError(404, "flow_state_not_found", "invalid flow state, no valid flow state found");
    const since = flow.auth_code_issued_at && flow.authentication_method === "magiclink" ? flow.auth_code_issued_at : flow.created_at;
    if (Date.now() > new Date(since).getTime() + FLOW_SECONDS * 1000)
      throw new AuthError(422, "flow_state_expired", "invalid flow state, flow state has expired");
    const verifier = String(body.code_verifier);
    const made = flow.code_challenge_method === "s256" ? createHash("sha256").update(verifier).digest("base64url") : verifier;
    const [given, wanted] = [Buffer.from(made), Buffer.from(flow.code_challenge ?? "")];
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
      throw new AuthError(400, "bad_code_verifier", "code challenge does not match previously saved code verifier");
    return this.change("Database error granting user", async (tx) => {
      const gone = await tx`delete from auth.flow_state where id = ${flow.id} returning id`;
      const user = gone.length ? await users.byId(tx, flow.user_id) : null;
      if (!user) throw new AuthError(404, "flow_state_not_found", "invalid flow state, no valid flow state found");
      return { body: await this.sessions.start(tx, user, flow.authentication_method, client) };
    });
  }

  /** A link was followed: lead on to the app with a session, a code, or an error. */
  async link({ query, client, redirectTo }) {
    const type = query.get("type") ?? "";
    const hash = query.get("token") ?? "";
    if (!type) throw invalid("Verify requires a verification type");
    if (!hash) throw invalid("Verify requires a token or a token hash");
    const coded = hash.startsWith("pkce_");
    let done;
    try {
      done = await this.change("Database error updating user", async (tx) => {
        const { user, kind } = await this.#byHash(tx, type, hash);
        const opened = await this.#open(tx, user, kind, hash);
        if (!opened) return { message: ONE_OF_TWO };
        if (!coded) return { tokens: await this.sessions.start(tx, opened, "otp", client) };
        const method = { signup: "email/signup", invite: "invite" }[kind] ?? kind;
        const [flow] = await tx`update auth.flow_state set auth_code_issued_at = now(), updated_at = now()
          where id = (select id from auth.flow_state where user_id = ${opened.id} and authentication_method = ${method}
                       order by created_at desc limit 1) returning auth_code`;
        if (!flow) throw new AuthError(400, "flow_state_not_found", "No associated flow state found. No valid flow state found for user.");
        return { code: flow.auth_code };
      });
    } catch (error) {
      if (!(error instanceof AuthError) || error.status === 501) throw error;
      const said = { error: OAUTH[error.status] ?? "server_error", error_code: error.code, error_description: error.message };
      return redirect(redirectTo, coded ? said : {}, { ...said, sb: "" });
    }
    if (done.code) return redirect(redirectTo, { code: done.code });
    if (done.message) return redirect(redirectTo, coded ? { message: done.message } : {}, { message: done.message, sb: "" });
    const { access_token, token_type, expires_in, expires_at, refresh_token } = done.tokens;
    return redirect(redirectTo, {}, { access_token, expires_at, expires_in, refresh_token, sb: "", token_type, type });
  }

  async code({ body, client }) {
    const { type, token, token_hash: hash } = body;
    if (!type) throw invalid("Verify requires a verification type");
    if (!token === !hash) throw invalid("Verify requires either a token or a token hash");
    if (hash && (body.email || body.phone || body.redirect_to)) throw invalid("Only the token_hash and type should be provided");
    if (token && body.phone && !body.email) {
      phoneOf(body.phone);
      if ((type === "sms" || type === "phone_change") && !(await users.byPhone(this.sql, phoneOf(body.phone)))) throw expired(TOKEN);
      throw absent("A code by SMS");
    }
    if (token && (!body.email || body.phone)) throw invalid("Only an email address or phone number should be provided on verify");
    if (!EMAIL_TYPES.includes(type)) throw invalid(hash ? "Invalid email verification type" : "Unsupported verification type");
    return this.change("Database error updating user", async (tx) => {
      const email = token && emailOf(body.email);
      const used = hash ?? hashed(email, String(token));
      const found = hash ? await this.#byHash(tx, type, hash) : await this.#byCode(tx, type, email, used);
      const opened = await this.#open(tx, found.user, found.kind, found.hash ?? used);
      if (!opened) return { body: { msg: ONE_OF_TWO, code: "200" } };
      return { body: await this.sessions.start(tx, opened, "otp", client) };
    });
  }

  #fresh(sentAt) {
    return sentAt !== null && Date.now() <= new Date(sentAt).getTime() + this.settings.otpExpiry * 1000;
  }

  async #byHash(tx, type, hash) {
    if (!EMAIL_TYPES.includes(type)) throw invalid("Invalid email verification type");
    const wanted = {
      email: ["confirmation_token", "recovery_token"],
      signup: ["confirmation_token"],
      invite: ["confirmation_token"],
      recovery: ["recovery_token"],
      magiclink: ["recovery_token"],
      email_change: ["email_change_token_current", "email_change_token_new"],
    }[type];
    const [token] = await tx`select user_id, token_type from auth.one_time_tokens
      where token_hash = ${hash} and token_type::text in ${tx(wanted)} for update`;
    const user = token && (await users.byId(tx, token.user_id));
    if (!user) throw expired(LINK);
    if (users.isBanned(user)) throw new AuthError(403, "user_banned", "User is banned");
    const sent = { c: user.confirmation_sent_at, r: user.recovery_sent_at, e: user.email_change_sent_at }[token.token_type[0]];
    if (!this.#fresh(sent)) throw expired(LINK);
    return { user, hash, kind: type === "email" ? (token.token_type === "recovery_token" ? "magiclink" : "signup") : type };
  }

  async #byCode(tx, type, email, hash) {
    const either = [hash, `pkce_${hash}`];
    const of = (user, column, sentAt) => either.includes(user[column] || null) && this.#fresh(user[sentAt]);
    if (type === "email_change") {
      const [user] = await tx`select * from auth.users where email_change <> '' and (lower(email) = ${email} or lower(email_change) = ${email})
        and (email_change_token_current in ${tx(either)} or email_change_token_new in ${tx(either)}) for update`;
      if (!user || !this.#fresh(user.email_change_sent_at)) throw expired(TOKEN);
      if (users.isBanned(user)) throw new AuthError(403, "user_banned", "User is banned");
      const column = ["email_change_token_current", "email_change_token_new"].find((name) => either.includes(user[name]));
      return { user, kind: type, hash: user[column] };
    }
    const [user] = await tx`select * from auth.users where lower(email) = ${email} and aud = ${users.AUDIENCE} and not is_sso_user for update`;
    if (!user) throw expired(TOKEN);
    if (users.isBanned(user)) throw new AuthError(403, "user_banned", "User is banned");
    const confirms = of(user, "confirmation_token", "confirmation_sent_at");
    const recovers = of(user, "recovery_token", "recovery_sent_at");
    if (type === "email" && (confirms || recovers)) return { user, kind: confirms ? "signup" : "magiclink" };
    if ((type === "signup" || type === "invite") && confirms) return { user, kind: type };
    if ((type === "recovery" || type === "magiclink") && recovers) return { user, kind: type };
    throw expired(TOKEN);
  }

  /** Do what the token was for. Resolves to the user; null where the other address has to confirm too. */
  async #open(tx, user, kind, hash) {
    let opened = user;
    if (kind === "email_change") {
      const both = this.settings.doubleConfirmChanges && this.settings.email.enableConfirmations && user.email;
      if (both && user.email_change_confirm_status === 0) {
        const column = user.email_change_token_current === hash ? "email_change_token_current" : "email_change_token_new";
        await users.update(tx, user.id, { email_change_confirm_status: 1, [column]: "" });
        await tx`delete from auth.one_time_tokens where user_id = ${user.id} and token_type = ${column}`;
        return null;
      }
      opened = await this.changeEmail(tx, user, user.email_change);
    } else if (kind === "signup" || kind === "invite") {
      if (!user.encrypted_password && user.invited_at)
        opened = await users.setPassword(tx, user, await hashOf(crypto.randomUUID() + "aA1!"));
      opened = await users.confirmEmail(tx, opened);
      const own = await users.identityOf(tx, user.id, "email");
      if (own?.email === user.email) await users.setIdentity(tx, user, "email", { email_verified: true });
    } else {
      opened = await users.update(tx, user.id, { recovery_token: "" });
      await users.clearTokens(tx, user.id);
      if (!opened.email_confirmed_at) opened = await users.confirmEmail(tx, opened);
    }
    return users.updateProviders(tx, opened);
  }

  async changeEmail(tx, user, email) {
    await users.setIdentity(tx, user, "email", { email, email_verified: true });
    let changed = await users.update(tx, user.id, {
      email,
      email_change: "",
      email_change_token_current: "",
      email_change_token_new: "",
      email_change_confirm_status: 0,
      is_anonymous: false,
    });
    await users.clearTokens(tx, user.id);
    if (!changed.email_confirmed_at) changed = await users.confirmEmail(tx, changed);
    return changed;
  }

  async userGet({ who }) {
    return { body: await users.show(this.sql, who.user) };
  }

  async userUpdate({ body, who, client, redirectTo }) {
    const { user, session } = who;
    const email = body.email ? emailOf(body.email) : "";
    const phone = body.phone ? phoneOf(body.phone) : "";
    const { password } = body;
    if (typeof password === "string") checkPassword(password, this.settings);
    if (body.app_metadata) throw new AuthError(403, "not_admin", "Updating app_metadata requires admin privileges");
    checkChallenge(body);
    const secured = password || (email && email !== user.email) || (phone && phone !== user.phone);
    if (secured && session?.aal !== "aal2" && (await users.factorsOf(this.sql, user.id)).some(({ status }) => status === "verified"))
      throw new AuthError(401, "insufficient_aal", "AAL2 session is required to update email or password when MFA is enabled.");
    if (user.is_anonymous && password && !email && !phone)
      throw invalid("Updating password of an anonymous user without an email or phone is not allowed", 422);
    if (email && email !== user.email && (await users.ofEmail(this.sql, email, user.id)))
      throw new AuthError(422, "email_exists", "A user with this email address has already been registered");
    if (phone && phone !== user.phone) {
      if (await users.byPhone(this.sql, phone))
        throw new AuthError(422, "phone_exists", "A user with this phone number has already been registered");
      if (this.settings.phone.enableConfirmations) throw absent("A code by SMS");
    }
    if (password) await this.#checkNewPassword(body, user, session);
    const hash = password ? await hashOf(password) : null;
    return this.change("Error updating user", async (tx) => {
      let changed = user;
      if (hash) changed = await users.setPassword(tx, user, hash, session?.id);
      if (body.data) changed = await users.updateMeta(tx, changed, "raw_user_meta_data", body.data);
      if (email && email !== user.email) {
        if (user.is_anonymous && !this.settings.email.enableConfirmations) {
          changed = await this.changeEmail(tx, changed, email);
          changed = await users.updateProviders(tx, changed);
        } else {
          if (body.code_challenge) await this.signup.flowState(tx, user, "email_change", "email_change", body);
          const options = { pkce: Boolean(body.code_challenge), redirectTo, address: client.address };
          changed = await this.mailer.sendChange(tx, changed, email, options);
        }
      }
      if (phone && phone !== user.phone) {
        await users.setIdentity(tx, changed, "phone", { phone, phone_verified: true });
        await users.update(tx, user.id, { phone, phone_change: "", phone_confirmed_at: new Date(), is_anonymous: false });
        changed = await users.updateProviders(tx, await users.byId(tx, user.id));
      }
      return { body: await users.show(tx, changed) };
    });
  }

  async #checkNewPassword(body, user, session) {
    const old = !session || Date.now() > new Date(session.created_at).getTime() + 24 * 3_600_000;
    if (this.settings.securePasswordChange && old) {
      if (!body.nonce) throw new AuthError(400, "reauthentication_needed", "Password update requires reauthentication");
      const right = hashed(user.email ?? "", String(body.nonce)) === user.reauthentication_token;
      if (!right || !this.#fresh(user.reauthentication_sent_at))
        throw new AuthError(422, "reauthentication_not_valid", "Nonce has expired or is invalid");
    }
    if (await compare(body.password, user.encrypted_password))
      throw new AuthError(422, "same_password", "New password should be different from the old password.");
  }

  async reauthenticate({ who, client }) {
    const { user } = who;
    if (!user.email && !user.phone) throw invalid("Reauthentication requires the user to have an email or a phone number");
    if (!user.email) throw absent("A code by SMS");
    if (!user.email_confirmed_at) throw new AuthError(422, "email_not_confirmed", "Please verify your email first.");
    await this.change("Error sending reauthentication email", (tx) => this.mailer.send(tx, user, "reauthentication", { address: client.address }));
    return { body: {} };
  }

  async logout({ who, query }) {
    const scope = query.get("scope") || "global";
    if (!["global", "local", "others"].includes(scope)) throw invalid(`Unsupported logout scope "${scope}"`);
    const { user, session } = who;
    if (session && scope === "local") await this.sql`delete from auth.sessions where id = ${session.id}`;
    else if (session && scope === "others") await this.sql`delete from auth.sessions where user_id = ${user.id} and id <> ${session.id}`;
    else await this.sql`delete from auth.sessions where user_id = ${user.id}`;
    return { status: 204 };
  }

  async unlink({ who, found: [, id] }) {
    if (!UUID.test(id)) throw new AuthError(404, "validation_failed", "identity_id must be an UUID");
    const own = await users.identitiesOf(this.sql, who.user.id);
    if (own.length <= 1)
      throw new AuthError(422, "single_identity_not_deletable", "User must have at least 1 identity after unlinking");
    const gone = own.find((one) => one.id === id);
    if (!gone) throw new AuthError(422, "identity_not_found", "Identity doesn't exist");
    if (gone.provider !== "phone") throw absent("Unlinking an e-mail identity");
    await this.change("Database error deleting identity", async (tx) => {
      await tx`delete from auth.identities where id = ${id}`;
      const changed = await users.update(tx, who.user.id, { phone: null, phone_confirmed_at: null });
      await users.updateProviders(tx, changed);
    });
    return { body: {} };
  }
}

function redirect(target, query, fragment) {
  const url = new URL(target);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  if (fragment) url.hash = String(new URLSearchParams(fragment));
  return { status: 303, headers: { location: url.href } };
}
