// A program of an app's author: two users over supabase-js, each with rows in every table.
// Environment: SUPABASE_URL, SUPABASE_ANON_KEY, SUPABASE_SERVICE_ROLE_KEY. rows.json says what the rows are.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { createClient } from "@supabase/supabase-js";

const { SUPABASE_URL: url, SUPABASE_ANON_KEY: anonKey, SUPABASE_SERVICE_ROLE_KEY: serviceKey } = process.env;
const tables = JSON.parse(readFileSync(new URL("rows.json", import.meta.url), "utf8"));
const password = "fake-password-of-a-test";
const DENIED = "42501"; // insufficient_privilege

const client = (key) => createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });
const anon = client(anonKey);
const service = client(serviceKey);

const good = ({ data, error }) => {
  assert.equal(error, null);
  return data;
};

/** rows.json with this user's ids in place of its $names. */
function rowsOf(user) {
  const ids = { user: user.id, email: user.email };
  const filled = (value) => {
    if (typeof value !== "string" || !value.startsWith("$")) return value;
    return (ids[value.slice(1)] ??= randomUUID());
  };
  return Object.fromEntries(
    Object.entries(tables).map(([table, { row }]) => [
      table,
      Object.fromEntries(Object.entries(row).map(([column, value]) => [column, filled(value)])),
    ]),
  );
}

async function person() {
  const db = client(anonKey);
  const email = `js-${randomUUID()}@example.com`;
  const made = good(await db.auth.signUp({ email, password, options: { data: { name: "Somebody" } } }));
  assert.equal(made.user.user_metadata.name, "Somebody");
  const { user, session } = good(await db.auth.signInWithPassword({ email, password }));
  assert.equal(user.id, made.user.id);
  assert.ok(session.access_token);
  const rows = rowsOf(user);
  for (const [table, row] of Object.entries(rows)) good(await db.from(table).insert(row));
  return { db, id: user.id, rows };
}

let alice, bob;
before(async () => {
  [alice, bob] = await Promise.all([person(), person()]);
});
after(async () => {
  for (const { id } of [alice, bob]) good(await service.auth.admin.deleteUser(id));
});

for (const [table, { change, kept }] of Object.entries(tables)) {
  test(`${table}: the owner reads and changes the row`, async () => {
    const { id } = alice.rows[table];
    const [row, ...others] = good(await alice.db.from(table).select("*"));
    assert.deepEqual(others, []);
    assert.deepEqual({ ...row, ...alice.rows[table] }, row);
    const written = row.created_at ?? row.connected_at;
    assert.ok(Math.abs(new Date(written) - Date.now()) < 3600_000, written);
    const changed = good(await alice.db.from(table).update(change).eq("id", id).select().single());
    assert.deepEqual({ ...changed, ...change }, changed);
  });

  test(`${table}: others neither see nor touch it`, async () => {
    const { id } = bob.rows[table];
    assert.deepEqual(good(await alice.db.from(table).select("id").eq("id", id)), []);
    assert.deepEqual(good(await alice.db.from(table).update(change).eq("id", id).select()), []);
    const removed = await alice.db.from(table).delete().eq("id", id).select();
    if (kept) assert.equal(removed.error?.code, DENIED);
    else assert.deepEqual(good(removed), []);
    const stolen = await alice.db.from(table).insert({ ...bob.rows[table], id: randomUUID() });
    assert.equal(stolen.error?.code, DENIED);
    assert.equal(good(await bob.db.from(table).select("id")).length, 1);
  });

  test(`${table}: nothing without a sign-in, everything with the service key`, async () => {
    assert.equal((await anon.from(table).select("id")).error?.code, DENIED);
    assert.equal((await anon.from(table).insert({ ...alice.rows[table], id: randomUUID() })).error?.code, DENIED);
    const ids = [alice, bob].map(({ rows }) => rows[table].id);
    assert.equal(good(await service.from(table).select("id").in("id", ids)).length, 2);
  });
}

test("queries an app makes", async () => {
  const { id: session_id } = alice.rows.chat_sessions;
  const messages = Array.from({ length: 5 }, (_, n) => ({ session_id, role: "assistant", content: `answer ${n}` }));
  good(await alice.db.from("messages").insert(messages));
  const page = await alice.db
    .from("messages")
    .select("content", { count: "exact" })
    .eq("role", "assistant")
    .order("content", { ascending: false })
    .range(1, 2);
  assert.deepEqual(good(page), [{ content: "answer 3" }, { content: "answer 2" }]);
  assert.equal(page.count, 5);
  const [chat] = good(await alice.db.from("chat_sessions").select("*, messages(content)").eq("id", session_id));
  assert.equal(chat.messages.length, 6);
  const upserted = { ...alice.rows.chat_sessions, metadata: { model: { name: "m" } } };
  good(await alice.db.from("chat_sessions").upsert(upserted));
  const found = await alice.db.from("chat_sessions").select("id").contains("metadata", { model: { name: "m" } });
  assert.deepEqual(good(found), [{ id: session_id }]);
  const none = await alice.db.from("messages").select("*").eq("role", "system").single();
  assert.equal(none.error.code, "PGRST116");
});

test("a session can be renewed and ended", async () => {
  const { session } = good(await alice.db.auth.refreshSession());
  assert.equal(good(await alice.db.auth.getUser(session.access_token)).user.id, alice.id);
  const wrong = await client(anonKey).auth.signInWithPassword({ email: alice.rows.user_profiles.email, password: "no" });
  assert.equal(wrong.error?.code, "invalid_credentials");
});
