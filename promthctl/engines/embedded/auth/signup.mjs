// How users come in: sign-up with a password, anonymously, by a link or code in a message, by invitation.
// Source: internal/api/signup.go, anonymous.go, otp.go, magic_link.go, recover.go, resend.go, invite.go of
// github.com/supabase/auth.

import { randomBytes, randomUUID } from "node:crypto";

import bcrypt from "bcryptjs";

import { absent, AuthError, databaseError, invalid } from "./errors.mjs";
import { checkChallenge, checkPassword, emailOf, phoneOf } from "./checks.mjs";
import * as users from "./users.mjs";

const COST = 10; // Go's bcrypt.DefaultCost
export const hashOf = (password) => bcrypt.hash(password, COST);
const randomPassword = () => `${randomBytes(24).toString("base64url")}aA1!`;
const pkce = (body) => Boolean(body.code_challenge);
const EXISTS = "A user with this email address has already been registered";

export class Signup {
  constructor({ sql, settings, sessions, mailer, hooks }) {
    Object.assign(this, { sql, settings, sessions, mailer, hooks });
  }

  /** Run changes in one transaction. message: what a failure of the database is called. */
  async change(message, work) {
    try {
      return await this.sql.begin(work);
    } catch (error) {
      throw databaseError(error, message);
    }
  }

  async signup({ body, client, redirectTo }) {
    if (!this.settings.enableSignup) throw new AuthError(422, "signup_disabled", "Signups not allowed for this instance");
    if (!body.email && !body.phone) return this.#anonymous(body, client);
    if (!body.password) throw invalid("Signup requires a valid password");
    checkPassword(body.password, this.settings);
    if (body.email && body.phone) throw invalid("Only an email address or phone number should be provided on signup.");
    if (body.phone && body.code_challenge) throw invalid("PKCE not supported for phone signups");
    checkChallenge(body);
    const provider = body.email ? "email" : "phone";
    if (!this.settings[provider].enableSignup)
      throw new AuthError(400, `${provider}_provider_disabled`, `${provider === "email" ? "Email" : "Phone"} signups are disabled`);
    const address = body.email ? emailOf(body.email) : phoneOf(body.phone);
    const confirmed = provider === "email" ? "email_confirmed_at" : "phone_confirmed_at";
    const autoconfirm = !this.settings[provider].enableConfirmations;
    if (provider === "phone" && !autoconfirm) throw absent("A code by SMS");
    const known = provider === "email" ? await users.ofEmail(this.sql, address) : await users.byPhone(this.sql, address);
    if (known?.[confirmed]) {
      if (!this.settings.email.enableConfirmations || !this.settings.phone.enableConfirmations)
        throw new AuthError(422, "user_already_exists", "User already registered");
      return { body: this.#veiled(body, provider, address) };
    }
    const data = body.data ?? {};
    const password = known ? null : await hashOf(body.password);
    return this.change("Database error saving new user", async (tx) => {
      let user = known ?? (await this.create(tx, { [provider]: address, password, provider, meta: data, client }));
      if (!(await users.identityOf(tx, user.id, provider))) {
        const own = { sub: user.id, ...(user.email && { email: user.email }), email_verified: false, phone_verified: false };
        await users.insertIdentity(tx, user, provider, { ...data, ...own });
        user = await users.updateMeta(tx, user, "raw_user_meta_data", { ...data, ...own });
        user = await users.updateProviders(tx, user);
      }
      if (autoconfirm) {
        user = await (provider === "email" ? users.confirmEmail : users.confirmPhone)(tx, user);
        return { body: await this.sessions.start(tx, user, "password", client) };
      }
      if (pkce(body)) await this.flowState(tx, user, "email", "email/signup", body);
      user = await this.mailer.send(tx, user, "signup", { pkce: pkce(body), redirectTo, address: client.address });
      const shown = await users.show(tx, user);
      return { body: user.invited_at ? { ...shown, user_metadata: {}, identities: [] } : shown };
    });
  }

  async #anonymous(body, client) {
    if (!this.settings.enableAnonymous)
      throw new AuthError(422, "anonymous_provider_disabled", "Anonymous sign-ins are disabled");
    return this.change("Database error creating anonymous user", async (tx) => {
      const user = await this.create(tx, { meta: body.data ?? {}, anonymous: true, client });
      return { body: await this.sessions.start(tx, user, "anonymous", client) };
    });
  }

  /** Add a user, if the hook before it has nothing against that. */
  async create(tx, { email, phone, password, provider, meta, anonymous, client }) {
    const app = provider ? { provider, providers: [provider] } : {};
    const wanted = { id: randomUUID(), email, phone, password, app, meta, anonymous };
    if (this.hooks.has("before_user_created")) {
      const row = { ...wanted, aud: users.AUDIENCE, role: "", raw_app_meta_data: app, raw_user_meta_data: meta };
      const now = new Date().toISOString();
      const user = users.shown({ ...row, created_at: now, updated_at: now, is_anonymous: Boolean(anonymous) }, []);
      await this.hooks.call(tx, "before_user_created", client.address, { user });
    }
    return users.insertUser(tx, wanted);
  }

  /** What a taken address is answered with, so that the answer does not tell that it is taken. */
  #veiled(body, provider, address) {
    const now = new Date().toISOString();
    const app = { provider, providers: [provider] };
    const row = { id: randomUUID(), aud: users.AUDIENCE, [provider]: address, raw_app_meta_data: app, raw_user_meta_data: body.data ?? {} };
    return users.shown({ ...row, created_at: now, updated_at: now, confirmation_sent_at: now, is_anonymous: false }, []);
  }

  flowState(tx, user, provider, method, body) {
    const row = {
      id: randomUUID(),
      user_id: user.id,
      auth_code: randomUUID(),
      code_challenge: body.code_challenge,
      code_challenge_method: body.code_challenge_method.toLowerCase(),
      provider_type: provider,
      authentication_method: method,
      created_at: new Date(),
      updated_at: new Date(),
    };
    return tx`insert into auth.flow_state ${tx(row)}`;
  }

  async otp({ body, client, redirectTo }) {
    if (body.email && body.phone) throw invalid("Only an email address or phone number should be provided");
    if (body.email && body.channel) throw invalid("Channel should only be specified with Phone OTP");
    checkChallenge(body);
    if (body.create_user === false) {
      const known = body.email
        ? await users.byEmail(this.sql, emailOf(body.email))
        : body.phone && (await users.byPhone(this.sql, phoneOf(body.phone)));
      if (known === null) throw new AuthError(422, "otp_disabled", "Signups not allowed for otp");
    }
    if (body.phone) {
      if (!this.settings.phone.enableSignup) throw new AuthError(400, "phone_provider_disabled", "Unsupported phone provider");
      phoneOf(body.phone);
      throw absent("A code by SMS");
    }
    if (!body.email) throw invalid("One of email or phone must be set");
    return this.magicLink({ body, client, redirectTo });
  }

  async magicLink({ body, client, redirectTo }) {
    if (!this.settings.email.enableSignup) throw new AuthError(422, "email_provider_disabled", "Email logins are disabled");
    if (!body.email) throw invalid("Password recovery requires an email", 422);
    checkChallenge(body);
    const email = emailOf(body.email);
    let known = await users.byEmail(this.sql, email);
    if (!known?.email_confirmed_at) {
      const password = randomPassword();
      await this.signup({ body: { ...body, phone: undefined, password }, client, redirectTo });
      if (this.settings.email.enableConfirmations) return { body: {} };
      known = await users.byEmail(this.sql, email);
    }
    return this.change("Error sending magic link email", async (tx) => {
      if (pkce(body)) await this.flowState(tx, known, "magiclink", "magiclink", body);
      await this.mailer.send(tx, known, "magiclink", { pkce: pkce(body), redirectTo, address: client.address });
      return { body: {} };
    });
  }

  async recover({ body, client, redirectTo }) {
    if (!body.email) throw invalid("Password recovery requires an email");
    const email = emailOf(body.email);
    checkChallenge(body);
    const user = await users.byEmail(this.sql, email);
    if (!user) return { body: {} };
    return this.change("Error sending recovery email", async (tx) => {
      if (pkce(body)) await this.flowState(tx, user, "recovery", "recovery", body);
      await this.mailer.send(tx, user, "recovery", { pkce: pkce(body), redirectTo, address: client.address });
      return { body: {} };
    });
  }

  async resend({ body, client, redirectTo }) {
    const { type } = body;
    if (!["signup", "email_change", "sms", "phone_change"].includes(type))
      throw invalid("Missing one of these types: signup, email_change, sms, phone_change");
    if (type === "signup" || type === "email_change") checkChallenge(body);
    if (!body.email && type === "signup") throw invalid("Type provided requires an email address");
    if (!body.phone && type === "sms") throw invalid("Type provided requires a phone number");
    if (body.email && body.phone) throw invalid("Only an email address or phone number should be provided.");
    if (!body.email && !body.phone) throw invalid("Missing email address or phone number");
    const provider = body.email ? "email" : "phone";
    if (!this.settings[provider].enableSignup)
      throw new AuthError(400, `${provider}_provider_disabled`, `${body.email ? "Email" : "Phone"} logins are disabled`);
    const user = body.email ? await users.byEmail(this.sql, emailOf(body.email)) : await users.byPhone(this.sql, phoneOf(body.phone));
    const nothing = { signup: user?.email_confirmed_at, sms: user?.phone_confirmed_at, email_change: !user?.email_change, phone_change: !user?.phone_change };
    if (!user || nothing[type]) return { body: {} };
    if (type === "sms" || type === "phone_change") throw absent("A code by SMS");
    const options = { pkce: pkce(body), redirectTo, address: client.address };
    return this.change("Error sending confirmation email", async (tx) => {
      const method = type === "signup" ? "email/signup" : "email_change";
      if (pkce(body)) await this.flowState(tx, user, method, method, body);
      if (type === "signup") await this.mailer.send(tx, user, "signup", options);
      else await this.mailer.sendChange(tx, user, user.email_change, options);
      return { body: {} };
    });
  }

  async invite({ body, client, redirectTo }) {
    const email = emailOf(body.email);
    const known = await users.byEmail(this.sql, email);
    if (known?.email_confirmed_at) throw new AuthError(422, "email_exists", EXISTS);
    return this.change("Error inviting user", async (tx) => {
      let user = known ?? (await this.invited(tx, email, body.data, client));
      user = await this.mailer.send(tx, user, "invite", { redirectTo, address: client.address });
      return { body: await users.show(tx, user) };
    });
  }

  /** A new user with an e-mail identity and, if it is given, a password. */
  async invited(tx, email, meta, client, password) {
    const user = await this.create(tx, { email, password, provider: "email", meta: meta ?? {}, client });
    await users.insertIdentity(tx, user, "email", { email });
    return user;
  }
}
