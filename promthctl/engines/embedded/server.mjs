// The embedded engine's API: Supabase Lite's REST, Auth and Studio in front of our PostgreSQL.
//
// Run from the toolchain's folder as `node --input-type=module - <project>`, with the configuration as JSON in
// PROMTHCTL_API: {project, program (a hash of this file), port, db: {host, port, database, password}, jwtSecret,
// anonKey, serviceKey, siteUrl, origins}.
// It exits with code 75 when the port is taken.
//
// `lite start` itself cannot be used: it accepts no JWT-shaped keys, answers with timestamps supabase-py refuses,
// grants everything in every RLS schema to anon on its first request, shows its database URL (password included)
// at /_system/info, and has no Auth admin API. Each section below says when it can go.

import { timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname, resolve, sep } from "node:path";

import { serve } from "@hono/node-server";
import { App } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import postgres from "postgres";

const config = JSON.parse(process.env.PROMTHCTL_API ?? "{}");
delete process.env.PROMTHCTL_API;
const PORT_TAKEN = 75; // EX_TEMPFAIL of sysexits.h

// ISO 8601 as PostgREST and GoTrue write it: "2026-11-22 07:38:16.9+00" is refused by supabase-py's models.
// Can go when Lite's Auth answers in that form with its Postgres driver (it does not in 0.10.0).
const iso = (text) => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
const passThrough = (type, parse) => ({ to: type, from: [type], serialize: (value) => value, parse });

const EXPOSED = new Set(["public", "graphql_public"]);
const exposed = new WeakMap(); // introspection → its exposed part

class Connection extends PostgresConnection {
  // Always set the request's role. Lite's own check grants ALL on every table to anon once it sees a policy,
  // and leaves the role unset where there is none. Can go when Lite takes grants as it finds them.
  async ensureRlsContext() {
    return true;
  }

  // Only what REST exposes. Lite expands `*` and finds foreign keys by a table's bare name: it would take the columns
  // of realtime.messages for those of public.messages. Can go when Lite asks for the schema too (0.10.0 does not).
  async introspect(options) {
    const found = await super.introspect(options);
    if (!exposed.has(found)) {
      const kept = Object.entries(found).map(([kind, entries]) => [
        kind,
        Array.isArray(entries) ? entries.filter(({ schema }) => !schema || EXPOSED.has(schema)) : entries,
      ]);
      exposed.set(found, Object.fromEntries(kept));
    }
    return exposed.get(found);
  }

  // Lite answers 500 without Postgres's code to what it does not list, a check or `raise exception` among it. Its
  // own form for errors that bring their answer along says it as PostgREST does. Can go when Lite lists them.
  normalizeDbError(error) {
    const known = super.normalizeDbError(error);
    if (!/^(23(?!502|503|505)|P0)/.test(known?.code ?? "")) return known;
    const { code, message, detail: details = null, hint = null } = known;
    const status = code.startsWith("P0") && code !== "P0001" ? 500 : 400;
    return {
      code: "PGRST",
      message: JSON.stringify({ code, message, details, hint }),
      detail: JSON.stringify({ status, headers: {} }),
    };
  }
}

// Lite's Auth hands its driver JSON as text, which the driver would encode once more: a trigger on auth.users would
// find a string where hosted Supabase has an object. Can go when Lite stores objects (0.10.0 does not).
const jsonText = { ...passThrough(3802, JSON.parse), serialize: (v) => (typeof v === "string" ? v : JSON.stringify(v)) };

const connect = (user, types = {}) =>
  new Connection({
    postgresOptions: {
      ...config.db,
      user,
      max: 10,
      onnotice: () => {},
      types: { timestamptz: passThrough(1184, iso), timestamp: passThrough(1114, iso), ...types },
    },
  });

const roleOf = (key) => {
  const is = (other) => key.length === other.length && timingSafeEqual(Buffer.from(key), Buffer.from(other));
  return is(config.serviceKey) ? "service_role" : is(config.anonKey) ? "anon" : null;
};

const app = (connection) =>
  new App({
    connection,
    auth: {
      enabled: true,
      jwt_secret: config.jwtSecret,
      site_url: config.siteUrl,
      publishable_key: config.anonKey,
      enable_signup: true,
      email: { enable_confirmations: false, enable_signup: true },
    },
    studio: { enabled: true },
    options: {
      server: {
        admin: false,
        apiKeys: {
          resolver: async (key) => {
            const role = roleOf(key);
            return role && { type: role === "anon" ? "publishable" : "secret", claims: { role } };
          },
        },
      },
    },
  });

// Two logins, as hosted Supabase has: Auth writes as the owner of its tables, REST can only become a client role.
const rest = app(connect("promthctl_api"));
const auth = app(connect("supabase_auth_admin", { jsonb: jsonText }));
const sql = postgres({ ...config.db, user: "promthctl_api", max: 2, onnotice: () => {} });
const authSql = postgres({ ...config.db, user: "supabase_auth_admin", max: 2, onnotice: () => {} });

// As PostgREST does: what is known of the schema is forgotten when the database says that it has changed, also when
// the connection that says so comes back. Lite itself reads the schema once and for all (0.10.0).
const forget = () => Promise.all([rest, auth].map(({ connection }) => connection.clearSchemaCache()));
let listening; // once the database is up; from then on the driver reconnects by itself
const listen = () =>
  (listening ??= sql.listen("pgrst", forget, forget).catch((error) => {
    listening = undefined;
    throw error;
  }));

const json = (body, status = 200, headers = {}) =>
  new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "access-control-allow-origin": "*", ...headers },
  });

/** What `promthctl local up` and `status` ask: is everything answering, and which migrations are applied. */
async function status() {
  const [{ ready }] = await sql`select to_regclass('supabase_migrations.schema_migrations') is not null as ready`;
  await listen();
  const applied = ready ? await sql`select version from supabase_migrations.schema_migrations order by 1` : [];
  const { project, program } = config;
  return json({ project, program, pid: process.pid, applied: applied.map((row) => row.version) });
}

const user = (row) => ({
  id: row.id,
  aud: row.aud ?? "authenticated",
  role: row.role ?? "authenticated",
  email: row.email ?? "",
  phone: row.phone ?? "",
  email_confirmed_at: row.email_confirmed_at,
  confirmed_at: row.confirmed_at,
  last_sign_in_at: row.last_sign_in_at,
  app_metadata: row.raw_app_meta_data ?? {},
  user_metadata: row.raw_user_meta_data ?? {},
  identities: [],
  created_at: row.created_at,
  updated_at: row.updated_at,
  is_anonymous: row.is_anonymous ?? false,
});

/** The Auth admin API supabase clients use to find, make and remove users. Can go when Lite has its own. */
async function admin(request, path) {
  const key = request.headers.get("apikey") ?? "";
  const bearer = request.headers.get("authorization")?.replace(/^Bearer\s+/i, "") ?? key;
  if (roleOf(key) !== "service_role" || roleOf(bearer) !== "service_role")
    return json({ code: 403, error_code: "not_admin", msg: "User not allowed" }, 403);
  const id = path.match(/^users\/([0-9a-f-]{36})$/i)?.[1];
  const url = new URL(request.url);
  if (path === "users" && request.method === "GET") {
    const perPage = Math.min(Math.max(Number(url.searchParams.get("per_page")) || 50, 1), 1000);
    const page = Math.max(Number(url.searchParams.get("page")) || 1, 1);
    const rows = await authSql`select * from auth.users order by created_at desc, id
      limit ${perPage} offset ${(page - 1) * perPage}`;
    const [{ total }] = await authSql`select count(*)::int as total from auth.users`;
    return json({ users: rows.map(user), aud: "authenticated" }, 200, { "x-total-count": String(total) });
  }
  if (path === "users" && request.method === "POST") {
    const wanted = await request.json();
    const answer = await auth.fetch(
      new Request(new URL("/auth/v1/signup", url), {
        method: "POST",
        headers: { apikey: config.anonKey, "content-type": "application/json" },
        body: JSON.stringify({ email: wanted.email, password: wanted.password, data: wanted.user_metadata ?? {} }),
      }),
    );
    const made = await answer.json();
    return answer.ok ? json(made.user ?? made) : json(made, answer.status);
  }
  if (id && (request.method === "GET" || request.method === "DELETE")) {
    const [row] =
      request.method === "GET"
        ? await authSql`select * from auth.users where id = ${id}`
        : await authSql`delete from auth.users where id = ${id} returning *`;
    return row ? json(user(row)) : json({ code: 404, error_code: "user_not_found", msg: "User not found" }, 404);
  }
  return json({ code: 501, error_code: "not_implemented", msg: "Not available on the embedded engine" }, 501);
}

const TYPES = { ".css": "text/css", ".js": "text/javascript", ".ico": "image/x-icon", ".woff2": "font/woff2" };

/** The files of Lite's Studio page; Lite leaves serving them to whoever embeds it. */
async function asset(name) {
  const root = resolve("node_modules/@supabase/lite/dist/static");
  const file = resolve(root, name);
  if (!file.startsWith(root + sep)) return new Response(null, { status: 404 });
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  return readFile(file).then(
    (body) => new Response(body, { headers: { "content-type": type } }),
    () => new Response(null, { status: 404 }),
  );
}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return null;
  }
}

// What needs a key: everything but pages. As at Supabase's gateway, links in e-mails and sign-in by others do without.
const API = /^\/(rest|auth|storage|graphql|functions|realtime|pg|mcp|_[a-z]+)(\/|$)/;
const OPEN = /^\/auth\/v1\/(verify|callback|authorize|sso\/saml|\.well-known)(\/|$)/;

function hasKey(request, url) {
  const bearer = request.headers.get("authorization")?.replace(/^Bearer\s+/i, "");
  return [request.headers.get("apikey"), url.searchParams.get("apikey"), bearer].some((key) => key && roleOf(key));
}

async function route(request, peerAddress) {
  const url = new URL(request.url);
  const path = decoded(url.pathname);
  if (path === null) return json({ message: "The path is not UTF-8" }, 400);
  // A page of another site, by DNS rebinding, must not reach what needs no key.
  if (!LOOPBACK.test(request.headers.get("host") ?? "")) return json({ message: "Not a loopback host" }, 421);
  // Studio's own page asks these without a key; a browser says truly where a request comes from.
  const ofStudio = path.startsWith("/_system/") && request.headers.get("sec-fetch-site") === "same-origin";
  const needsKey = API.test(path) && !OPEN.test(path) && request.method !== "OPTIONS";
  if (needsKey && !ofStudio && !hasKey(request, url)) return json({ message: "No API key found in request" }, 401);
  if (path === "/_promthctl/status") {
    if (roleOf(request.headers.get("apikey") ?? "") !== "service_role") return json({ message: "Forbidden" }, 403);
    if (request.method === "POST") await forget(); // the database was exchanged for another
    return status();
  }
  // Lite shows its database options here, the password among them; Studio needs the rest.
  if (path.startsWith("/_system/info") && request.method !== "OPTIONS")
    return json({ ...(await (await rest.fetch(request)).json()), connection: {} });
  if (path.startsWith("/auth/v1/admin/") && request.method !== "OPTIONS") return admin(request, path.slice(15));
  if (path.startsWith("/static/")) return asset(path.slice(8));
  return (path.startsWith("/auth/") ? auth : rest).fetch(request, { peerAddress });
}

const LOOPBACK_ORIGIN = /^https?:\/\/(([a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** The answer, which a page of another site may not read: only this machine's and the project's own site_url may. */
async function answer(request, peerAddress) {
  const response = await route(request, peerAddress).catch((error) => {
    console.error(error);
    return json({ message: "The database did not answer", details: error?.code ?? null }, 503);
  });
  const origin = request.headers.get("origin");
  if (origin === null) return response;
  const headers = new Headers(response.headers);
  headers.delete("access-control-allow-origin");
  headers.delete("access-control-allow-credentials");
  headers.append("vary", "Origin");
  if (LOOPBACK_ORIGIN.test(origin) || config.origins.includes(origin.toLowerCase()))
    headers.set("access-control-allow-origin", origin);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

const server = serve(
  {
    hostname: "127.0.0.1",
    port: config.port,
    fetch: (request, env) => answer(request, env.incoming.socket.remoteAddress ?? null),
  },
  ({ port }) => console.log(`${new Date().toISOString()} listening on 127.0.0.1:${port}`),
);
server.on("error", (error) => {
  console.error(error.message);
  process.exit(error.code === "EADDRINUSE" ? PORT_TAKEN : 1);
});

async function stop() {
  server.close();
  server.closeAllConnections?.();
  await Promise.allSettled([rest.connection.close(), auth.connection.close(), sql.end(), authSql.end()]);
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
