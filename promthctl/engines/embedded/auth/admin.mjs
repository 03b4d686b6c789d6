// Auth's admin API: users, and links to send by other means.
// Source: internal/api/admin.go, pagination.go and adminGenerateLink in mail.go of github.com/supabase/auth.

import { randomBytes } from "node:crypto";

import { absent, AuthError, invalid } from "./errors.mjs";
import { checkPassword, duration, emailOf, mayRedirect, phoneOf, UUID } from "./checks.mjs";
import { hashed, linkOf, newCode, storeToken } from "./mail.mjs";
import { hashOf } from "./signup.mjs";
import * as users from "./users.mjs";

const EXISTS = "A user with this email address has already been registered";
const NIL = "00000000-0000-0000-0000-000000000000";

function bannedUntil(text) {
  const time = text === "none" ? 0 : duration(String(text));
  if (time === null) throw invalid(`invalid format for ban duration: time: invalid duration "${text}"`);
  return time === 0 ? null : new Date(Date.now() + time);
}

function passwordHash(hash) {
  if (/^\$(argon2|fbscrypt)/.test(hash)) throw absent("A password hash other than bcrypt");
  if (!/^\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) throw new AuthError(500, "unexpected_failure", "Error creating user");
  return hash;
}

export class Admin {
  constructor({ sql, settings, base, signup, factors }) {
    Object.assign(this, { sql, settings, base, signup, mfa: factors });
  }

  async #user(id) {
    if (!UUID.test(id)) throw new AuthError(404, "validation_failed", "user_id must be an UUID");
    const user = await users.byId(this.sql, id);
    if (!user) throw new AuthError(404, "user_not_found", "User not found");
    return user;
  }

  async list({ query, path }) {
    const number = (name, usual) => {
      const text = query.get(name) || String(usual);
      if (!/^\d{1,9}$/.test(text))
        throw invalid(`Bad Pagination Parameters: strconv.ParseUint: parsing "${text}": invalid syntax`);
      return Number(text);
    };
    const page = Math.max(number("page", 1), 1);
    const perPage = number("per_page", 50) || 20;
    const [name, direction = "desc"] = (query.get("sort") ?? "created_at desc").split(" ");
    if (name !== "created_at" || !/^(asc|desc)$/i.test(direction)) throw invalid(`Bad Sort Parameters: bad field for sort '${name}'`);
    const { sql } = this;
    const like = `%${query.get("filter") ?? ""}%`;
    const where = sql`where aud = ${users.AUDIENCE}
      and (${!query.get("filter")} or email like ${like} or raw_user_meta_data ->> 'full_name' ilike ${like})`;
    const order = /^asc$/i.test(direction) ? sql`created_at, id` : sql`created_at desc, id desc`;
    const rows = await sql`select * from auth.users ${where} order by ${order} limit ${perPage} offset ${(page - 1) * perPage}`;
    const [{ total }] = await sql`select count(*)::int as total from auth.users ${where}`;
    const identities = rows.length ? await sql`select * from auth.identities where user_id in ${sql(rows.map(({ id }) => id))} order by created_at, id` : [];
    const factors = rows.length ? await sql`select * from auth.mfa_factors where user_id in ${sql(rows.map(({ id }) => id))} order by created_at, id` : [];
    const of = (all, id) => all.filter(({ user_id: owner }) => owner === id);
    const pages = Math.ceil(total / perPage);
    const link = (number, rel) => {
      const asked = new URLSearchParams(query);
      asked.set("page", String(number));
      asked.sort();
      return `<${path}?${asked}>; rel="${rel}"`;
    };
    return {
      headers: { link: [...(pages > page ? [link(page + 1, "next")] : []), link(pages, "last")].join(", "), "x-total-count": String(total) },
      body: { users: rows.map((row) => users.shown(row, of(identities, row.id), of(factors, row.id))), aud: users.AUDIENCE },
    };
  }

  async get({ found: [, id] }) {
    return { body: await users.show(this.sql, await this.#user(id)) };
  }

  async create({ body }) {
    if (!body.email && !body.phone) throw invalid("Cannot create a user without either an email or phone");
    const email = body.email ? emailOf(body.email) : "";
    const phone = body.phone ? phoneOf(body.phone) : "";
    if (email && (await users.ofEmail(this.sql, email))) throw new AuthError(422, "email_exists", EXISTS);
    if (phone && (await users.byPhone(this.sql, phone)))
      throw new AuthError(422, "phone_exists", "Phone number already registered by another user");
    if (typeof body.password === "string" && body.password_hash)
      throw invalid("Only a password or a password hash should be provided");
    if (body.id && !UUID.test(body.id)) throw invalid("ID must conform to the uuid v4 format");
    if (body.id === NIL) throw invalid("ID cannot be a nil uuid");
    if (Buffer.byteLength(body.password ?? "") > 72) throw invalid("bcrypt: password length exceeds 72 bytes");
    const ban = body.ban_duration ? { banned_until: bannedUntil(body.ban_duration) } : null;
    const password = body.password_hash ? passwordHash(body.password_hash) : await hashOf(body.password || randomBytes(48).toString("base64url"));
    const providers = [...(email ? ["email"] : []), ...(phone ? ["phone"] : [])];
    const app = { provider: providers[0], providers };
    return this.signup.change("Database error creating new user", async (tx) => {
      const wanted = { id: body.id || undefined, email, phone, password, aud: body.aud || undefined, app, meta: body.user_metadata ?? {} };
      let user = await users.insertUser(tx, { ...wanted, role: String(body.role ?? "").trim() || undefined });
      if (email) await users.insertIdentity(tx, user, "email", { email });
      if (phone) await users.insertIdentity(tx, user, "phone", { phone });
      if (body.app_metadata) user = await users.updateMeta(tx, user, "raw_app_meta_data", body.app_metadata);
      if (body.email_confirm) user = await users.confirmEmail(tx, user);
      if (body.phone_confirm) user = await users.confirmPhone(tx, user);
      if (ban) user = await users.update(tx, user.id, ban);
      return { body: await users.show(tx, user) };
    });
  }

  async update({ body, found: [, id] }) {
    const user = await this.#user(id);
    const email = body.email ? emailOf(body.email) : "";
    const phone = body.phone ? phoneOf(body.phone) : "";
    const ban = body.ban_duration ? { banned_until: bannedUntil(body.ban_duration) } : null;
    if (typeof body.password === "string") checkPassword(body.password, this.settings);
    const hash = typeof body.password !== "string" ? null : body.password ? await hashOf(body.password) : "";
    return this.signup.change("Error updating user", async (tx) => {
      let changed = user;
      if (body.role) changed = await users.update(tx, id, { role: String(body.role).trim() });
      if (body.email_confirm) changed = await users.confirmEmail(tx, changed);
      if (body.phone_confirm) changed = await users.confirmPhone(tx, changed);
      if (hash !== null) changed = await users.setPassword(tx, changed, hash || null);
      for (const [provider, address, confirmed] of [["email", email, body.email_confirm], ["phone", phone, body.phone_confirm]]) {
        if (!address) continue;
        await users.setIdentity(tx, changed, provider, { [provider]: address, [`${provider}_verified`]: Boolean(confirmed) });
        changed = await users.update(tx, id, { [provider]: address, ...(confirmed && { is_anonymous: false }) });
      }
      if (body.app_metadata) changed = await users.updateMeta(tx, changed, "raw_app_meta_data", body.app_metadata);
      if (body.user_metadata) changed = await users.updateMeta(tx, changed, "raw_user_meta_data", body.user_metadata);
      if (ban) changed = await users.update(tx, id, ban);
      return { body: await users.show(tx, changed) };
    });
  }

  async remove({ body, found: [, id] }) {
    const user = await this.#user(id);
    await this.signup.change("Database error deleting user", (tx) =>
      body.should_soft_delete ? users.softDelete(tx, user) : tx`delete from auth.users where id = ${id}`,
    );
    return { body: {} };
  }

  async factors({ found: [, id] }) {
    return this.mfa.list(await this.#user(id));
  }

  async updateFactor({ body, found: [, id, factor] }) {
    return this.mfa.update(await this.#user(id), factor, body);
  }

  async removeFactor({ found: [, id, factor] }) {
    return this.mfa.remove(await this.#user(id), factor);
  }

  async generateLink({ body, client, redirectTo: usual }) {
    const email = emailOf(body.email);
    let { type } = body;
    const redirectTo = mayRedirect(body.redirect_to, this.settings) ? body.redirect_to : usual;
    const known = await users.byEmail(this.sql, email);
    let { password } = body;
    if (!known && type === "magiclink") {
      type = "signup";
      password = `${randomBytes(24).toString("base64url")}aA1!`;
    }
    const isChange = type === "email_change_current" || type === "email_change_new";
    if (!known && (type === "recovery" || isChange)) throw new AuthError(404, "user_not_found", "User with this email not found");
    if (!["signup", "magiclink", "recovery", "invite"].includes(type) && !isChange)
      throw invalid(`Invalid email action link type requested: ${type}`);
    if ((type === "signup" || type === "invite") && known?.email_confirmed_at) throw new AuthError(422, "email_exists", EXISTS);
    if (type === "signup" && !known) {
      if (!password) throw invalid("Signup requires a valid password");
      checkPassword(password, this.settings);
    }
    const newEmail = isChange ? await this.#newEmail(type, body.new_email, known) : null;
    const hash = type === "signup" && !known ? await hashOf(password) : undefined;
    const code = newCode(this.settings.otpLength);
    const token = hashed(type === "email_change_new" ? newEmail : email, code);
    return this.signup.change("Database error saving new user", async (tx) => {
      let user = known ?? (await this.signup.invited(tx, email, body.data, client, hash));
      if (known && type === "signup" && body.data) user = await users.updateMeta(tx, user, "raw_user_meta_data", body.data);
      const now = new Date();
      const columns = {
        signup: { confirmation_token: token, confirmation_sent_at: now },
        invite: { confirmation_token: token, confirmation_sent_at: now, invited_at: now },
        email_change_current: { email_change_token_current: token },
        email_change_new: { email_change_token_new: token },
      }[type] ?? { recovery_token: token, recovery_sent_at: now };
      const [kind] = Object.keys(columns);
      if (isChange) Object.assign(columns, { email_change: newEmail, email_change_sent_at: now, email_change_confirm_status: 0 });
      user = await users.update(tx, user.id, columns);
      await storeToken(tx, user.id, kind, type === "email_change_new" ? newEmail : email, token);
      const link = linkOf(this.base, token, isChange ? "email_change" : type, redirectTo);
      const said = { action_link: link, email_otp: code, hashed_token: token, verification_type: type, redirect_to: redirectTo };
      return { body: { ...(await users.show(tx, user)), ...said } };
    });
  }

  async #newEmail(type, value, user) {
    if (!this.settings.doubleConfirmChanges && type === "email_change_current")
      throw invalid("Enable secure email change to generate link for current email");
    const email = emailOf(value);
    if (await users.ofEmail(this.sql, email, user.id)) throw new AuthError(422, "email_exists", EXISTS);
    return email;
  }
}
