// The rows of auth.users and auth.identities, as GoTrue writes and shows them.
// Source: internal/models/user.go and identity.go of github.com/supabase/auth.

import { createHash, randomUUID } from "node:crypto";

export const NO_INSTANCE = "00000000-0000-0000-0000-000000000000";
export const AUDIENCE = "authenticated";

const first = ([row]) => row ?? null;
export const byId = async (sql, id) => first(await sql`select * from auth.users where id = ${id}`);
export const byEmail = async (sql, email) =>
  first(await sql`select * from auth.users where lower(email) = ${email} and aud = ${AUDIENCE} and not is_sso_user`);
export const byPhone = async (sql, phone) =>
  first(await sql`select * from auth.users where phone = ${phone} and aud = ${AUDIENCE} and not is_sso_user`);

/** The user, other than `except`, who has the address, also as one of several identities. */
export async function ofEmail(sql, email, except = null) {
  const found = await sql`
    select u.* from auth.users u where u.aud = ${AUDIENCE} and u.id is distinct from ${except}
       and ((lower(u.email) = ${email} and not u.is_sso_user)
            or exists (select from auth.identities i where i.user_id = u.id and i.email = ${email} and i.provider !~ '^sso:'))`;
  return first(found);
}

/** Add a user. It is inserted without a role and gets one by an update, as triggers see it on the hosted platform. */
export async function insertUser(tx, { id, email, phone, password, aud, role, app, meta, anonymous }) {
  const row = {
    instance_id: NO_INSTANCE,
    id: id ?? randomUUID(),
    aud: aud ?? AUDIENCE,
    role: "",
    email: email || null,
    phone: phone || null,
    encrypted_password: password ?? "",
    confirmation_token: "",
    recovery_token: "",
    email_change_token_new: "",
    email_change: "",
    raw_app_meta_data: tx.json(app ?? {}),
    raw_user_meta_data: tx.json(meta ?? {}),
    is_anonymous: anonymous ?? false,
    created_at: new Date(),
    updated_at: new Date(),
  };
  await tx`insert into auth.users ${tx(row)}`;
  return update(tx, row.id, { role: role ?? AUDIENCE });
}

/** Change columns of a user and return the row, as triggers left it. */
export async function update(tx, id, columns) {
  return first(await tx`update auth.users set ${tx({ ...columns, updated_at: new Date() })} where id = ${id} returning *`);
}

/** Merge into the metadata: null takes a key away. which: raw_user_meta_data or raw_app_meta_data. */
export function updateMeta(tx, user, which, changes) {
  const merged = { ...(user[which] ?? {}) };
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete merged[key];
    else merged[key] = value;
  }
  return update(tx, user.id, { [which]: tx.json(merged) });
}

export const identitiesOf = (sql, id) => sql`select * from auth.identities where user_id = ${id} order by created_at, id`;
export const factorsOf = (sql, id) => sql`select * from auth.mfa_factors where user_id = ${id} order by created_at, id`;
export const identityOf = async (sql, id, provider) =>
  first(await sql`select * from auth.identities where provider_id = ${id} and provider = ${provider}`);

export async function insertIdentity(tx, user, provider, data) {
  const row = {
    id: randomUUID(),
    provider_id: user.id,
    user_id: user.id,
    provider,
    identity_data: tx.json({ sub: user.id, email_verified: false, phone_verified: false, ...data }),
    last_sign_in_at: new Date(),
    created_at: new Date(),
    updated_at: new Date(),
  };
  await tx`insert into auth.identities ${tx(row)}`;
}

/** Make or change the user's own identity of a provider, "email" or "phone". */
export async function setIdentity(tx, user, provider, data) {
  const known = await identityOf(tx, user.id, provider);
  if (!known) return insertIdentity(tx, user, provider, data);
  const merged = tx.json({ ...known.identity_data, ...data });
  await tx`update auth.identities set identity_data = ${merged}, updated_at = now() where id = ${known.id}`;
}

/** What app_metadata says of the providers, brought to what the identities are. */
export async function updateProviders(tx, user) {
  const providers = [...new Set((await identitiesOf(tx, user.id)).map(({ provider }) => provider))];
  const first = providers.length ? { provider: providers[0] } : {};
  return updateMeta(tx, user, "raw_app_meta_data", { providers, ...first });
}

export const clearTokens = (tx, id) => tx`delete from auth.one_time_tokens where user_id = ${id}`;

export async function confirmEmail(tx, user) {
  await update(tx, user.id, { confirmation_token: "", email_confirmed_at: new Date() });
  await clearTokens(tx, user.id);
  return updateMeta(tx, user, "raw_user_meta_data", { email_verified: true });
}

export async function confirmPhone(tx, user) {
  await clearTokens(tx, user.id);
  return update(tx, user.id, { confirmation_token: "", phone_confirmed_at: new Date() });
}

/** Set a password's hash. session: the one that stays; all others end. */
export async function setPassword(tx, user, hash, session) {
  const changed = await update(tx, user.id, {
    encrypted_password: hash,
    confirmation_token: "",
    confirmation_sent_at: null,
    recovery_token: "",
    recovery_sent_at: null,
    email_change_token_current: "",
    email_change_token_new: "",
    email_change_sent_at: null,
    phone_change_token: "",
    phone_change_sent_at: null,
    reauthentication_token: "",
    reauthentication_sent_at: null,
  });
  await clearTokens(tx, user.id);
  await tx`delete from auth.sessions where user_id = ${user.id} and id is distinct from ${session ?? null}`;
  return changed;
}

const obscured = (id, value) => createHash("sha256").update(id + (value ?? "")).digest("base64url");

/** Keep the row, so that what refers to it stays, with nothing in it that tells who it was. */
export async function softDelete(tx, user) {
  if (user.deleted_at) return;
  await update(tx, user.id, {
    email: obscured(user.id, user.email),
    phone: obscured(user.id, user.phone).slice(0, 15),
    email_change: obscured(user.id, user.email_change),
    phone_change: obscured(user.id, user.phone_change).slice(0, 15),
    encrypted_password: null,
    confirmation_token: "",
    recovery_token: "",
    email_change_token_current: "",
    email_change_token_new: "",
    phone_change_token: "",
    raw_user_meta_data: tx.json({}),
    raw_app_meta_data: tx.json({}),
    deleted_at: new Date(),
  });
  await clearTokens(tx, user.id);
  for (const one of await identitiesOf(tx, user.id)) {
    const provider = obscured(user.id, `${one.provider}:${one.provider_id}`);
    await tx`update auth.identities set identity_data = ${tx.json({})}, provider_id = ${provider} where id = ${one.id}`;
  }
  await tx`delete from auth.mfa_factors where user_id = ${user.id}`;
  await tx`delete from auth.sessions where user_id = ${user.id}`;
}

export const isBanned = (user) => user.banned_until !== null && new Date(user.banned_until) > new Date();

const identity = (row) => ({
  identity_id: row.id,
  id: row.provider_id,
  user_id: row.user_id,
  identity_data: row.identity_data,
  provider: row.provider,
  ...(row.last_sign_in_at && { last_sign_in_at: row.last_sign_in_at }),
  created_at: row.created_at,
  updated_at: row.updated_at,
  ...(row.email && { email: row.email }),
});

const OPTIONAL = {
  email_confirmed_at: "email_confirmed_at",
  invited_at: "invited_at",
  phone_confirmed_at: "phone_confirmed_at",
  confirmation_sent_at: "confirmation_sent_at",
  confirmed_at: "confirmed_at",
  recovery_sent_at: "recovery_sent_at",
  new_email: "email_change",
  email_change_sent_at: "email_change_sent_at",
  new_phone: "phone_change",
  phone_change_sent_at: "phone_change_sent_at",
  reauthentication_sent_at: "reauthentication_sent_at",
  last_sign_in_at: "last_sign_in_at",
  banned_until: "banned_until",
  deleted_at: "deleted_at",
};

/** A factor of multi-factor sign-in as the API shows it: without its secret. */
export const factor = (row) => ({
  id: row.id,
  created_at: row.created_at,
  updated_at: row.updated_at,
  status: row.status,
  ...(row.friendly_name && { friendly_name: row.friendly_name }),
  factor_type: row.factor_type,
  phone: row.phone ?? "",
  last_challenged_at: row.last_challenged_at,
});

/** A user as the API shows it. identities, factors: their rows. */
export function shown(row, identities, factors = []) {
  const optional = Object.entries(OPTIONAL).filter(([, column]) => row[column]);
  return {
    id: row.id,
    aud: row.aud ?? "",
    role: row.role ?? "",
    email: row.email ?? "",
    phone: row.phone ?? "",
    ...Object.fromEntries(optional.map(([name, column]) => [name, row[column]])),
    app_metadata: row.raw_app_meta_data ?? {},
    user_metadata: row.raw_user_meta_data ?? {},
    ...(factors.length && { factors: factors.map(factor) }),
    identities: identities.map(identity),
    created_at: row.created_at,
    updated_at: row.updated_at,
    is_anonymous: row.is_anonymous,
  };
}

export const show = async (sql, row) => shown(row, await identitiesOf(sql, row.id), await factorsOf(sql, row.id));
