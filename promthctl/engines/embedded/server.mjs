// The embedded engine's API: our own REST (rest/), Supabase Lite's Auth and Studio, in front of our PostgreSQL.
//
// Run from the toolchain's folder as `node --input-type=module - <project>`, joined with the modules it imports by
// program.py, with the configuration as JSON in PROMTHCTL_API: {project, program (what tells this configuration and
// program from others), port, db: {host, port, database, password}, jwtSecret, anonKey, serviceKey, siteUrl, origins,
// rest: {enabled, schemas, extraSearchPath, maxRows}}.
// It exits with code 75 when the port is taken.
//
// `lite start` itself cannot be used: it accepts no JWT-shaped keys, answers with timestamps supabase-py refuses,
// grants everything in every RLS schema to anon on its first request, shows its database URL (password included)
// at /_system/info, and has no Auth admin API. Each section below says when it can go.

import { timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, resolve, sep } from "node:path";

import { getRequestListener } from "@hono/node-server";
import { App } from "@supabase/lite";
import { PostgresConnection } from "@supabase/lite/postgres";
import postgres from "postgres";

import { Rest } from "./rest/rest.mjs";
import { readBody, restResponse } from "./rest/http.mjs";

const config = JSON.parse(process.env.PROMTHCTL_API ?? "{}");
delete process.env.PROMTHCTL_API;
const PORT_TAKEN = 75; // EX_TEMPFAIL of sysexits.h

// ISO 8601 as PostgREST and GoTrue write it: "2026-11-22 07:38:16.9+00" is refused by supabase-py's models.
// Can go when Lite's Auth answers in that form with its Postgres driver (it does not in 0.10.0).
const iso = (text) => text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
const passThrough = (type, parse) => ({ to: type, from: [type], serialize: (value) => value, parse });

class Connection extends PostgresConnection {
  // Always set the request's role. Lite's own check grants ALL on every table to anon once it sees a policy,
  // and leaves the role unset where there is none. Can go when Lite takes grants as it finds them.
  async ensureRlsContext() {
    return true;
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

// Logins as hosted Supabase has them: Auth writes as the owner of its tables, REST can only become a client role.
const studio = app(connect("promthctl_api"));
const auth = app(connect("supabase_auth_admin", { jsonb: jsonText }));
const sql = postgres({ ...config.db, user: "promthctl_api", max: 2, onnotice: () => {} });
const authSql = postgres({ ...config.db, user: "supabase_auth_admin", max: 2, onnotice: () => {} });
const text = { to: 25, from: [114, 3802], serialize: (value) => value, parse: (value) => value };
const restSql = postgres({
  ...config.db,
  user: "authenticator",
  max: 10,
  max_pipeline: 1, // a request must not wait for one that happened to get the same connection
  fetch_types: false,
  onnotice: () => {},
  types: { json: text },
  connection: { application_name: "promthctl rest" },
});
const rest = new Rest({
  sql: restSql,
  configured: config.rest,
  secret: config.jwtSecret,
  log: (line) => console.error(`${new Date().toISOString()} rest: ${line}`),
});

// As PostgREST does: what is known of the schema is forgotten when the database says that it has changed, also when
// the connection that says so comes back. Lite itself reads the schema once and for all (0.10.0).
const forget = () => {
  const reloaded = rest.reload().catch(() => {}); // it has said so itself
  return Promise.all([reloaded, ...[studio, auth].map(({ connection }) => connection.clearSchemaCache())]);
};
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

// Services of a Supabase project that only the Docker engine has.
const MISSING = [
  [/^\/functions(\/|$)/, "Edge Functions"],
  [/^\/realtime(\/|$)/, "Realtime"],
  [/^\/graphql(\/|$)/, "GraphQL"],
];
const absent = (service) => ({
  code: "not_implemented",
  message: `${service} is not there on the embedded engine`,
  details: null,
  hint: "promthctl local up --engine docker has it",
});

const bearerOf = (authorization) => authorization?.match(/^Bearer\s+(.*)$/i)?.[1];
const hasKey = (...keys) => keys.some((key) => key && roleOf(key));

async function route(request, peerAddress) {
  const url = new URL(request.url);
  const path = decoded(url.pathname);
  if (path === null) return json({ message: "The path is not UTF-8" }, 400);
  // A page of another site, by DNS rebinding, must not reach what needs no key.
  if (!LOOPBACK.test(request.headers.get("host") ?? "")) return json({ message: "Not a loopback host" }, 421);
  // Studio's own page asks these without a key; a browser says truly where a request comes from.
  const ofStudio = path.startsWith("/_system/") && request.headers.get("sec-fetch-site") === "same-origin";
  const needsKey = API.test(path) && !OPEN.test(path) && request.method !== "OPTIONS";
  const keys = [request.headers.get("apikey"), url.searchParams.get("apikey"), bearerOf(request.headers.get("authorization"))];
  if (needsKey && !ofStudio && !hasKey(...keys)) return json({ message: "No API key found in request" }, 401);
  if (path === "/_promthctl/status") {
    if (roleOf(request.headers.get("apikey") ?? "") !== "service_role") return json({ message: "Forbidden" }, 403);
    if (request.method === "POST") await forget(); // the database was exchanged for another
    return status();
  }
  // Lite shows its database options here, the password among them; Studio needs the rest.
  if (path.startsWith("/_system/info") && request.method !== "OPTIONS")
    return json({ ...(await (await studio.fetch(request)).json()), connection: {} });
  if (path.startsWith("/auth/v1/admin/") && request.method !== "OPTIONS") return admin(request, path.slice(15));
  if (path.startsWith("/static/")) return asset(path.slice(8));
  const missing = MISSING.find(([pattern]) => pattern.test(path));
  if (missing) return json(absent(missing[1]), 501);
  return (path.startsWith("/auth/") ? auth : studio).fetch(request, { peerAddress });
}

const LOOPBACK_ORIGIN = /^https?:\/\/(([a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** Which pages may read an answer: those of this machine and of the project's own site_url. */
const mayRead = (origin) => LOOPBACK_ORIGIN.test(origin) || config.origins.includes(origin.toLowerCase());

/** The answer, which a page of another site may not read. */
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
  if (mayRead(origin)) headers.set("access-control-allow-origin", origin);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** What REST answers to a request for a path below /rest/v1. Resolves to {status, reason, headers, body}. */
async function restAnswer(request, url) {
  const refuse = (status, message, more = {}) => ({
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message, ...more }),
  });
  const path = decoded(url.pathname);
  if (path === null) return refuse(400, "The path is not UTF-8");
  const { headers, method } = request;
  if (!LOOPBACK.test(headers.host ?? "")) return refuse(421, "Not a loopback host");
  if (method === "OPTIONS" && headers.origin && headers["access-control-request-method"])
    return {
      status: 200,
      headers: {
        "access-control-allow-methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
        "access-control-allow-headers": headers["access-control-request-headers"] ?? "*",
        "access-control-max-age": "86400",
      },
      body: "",
    };
  const bearer = bearerOf(headers.authorization);
  const [key, ...others] = [headers.apikey, url.searchParams.get("apikey"), bearer].filter((text) => text !== undefined && text !== null);
  if (method !== "OPTIONS" && !hasKey(key, ...others)) return refuse(401, "No API key found in request");
  if (!config.rest.enabled)
    return refuse(404, "The REST API is disabled", { hint: "set enabled = true under [api] in supabase/config.toml, then: promthctl local up" });
  const token = bearer ?? key;
  if (/^\/rest\/v1\/?$/.test(path) && method !== "OPTIONS" && roleOf(token) !== "service_role")
    return refuse(403, "Access to schema is forbidden", { hint: "Accessing the schema via the Data API is only allowed using a secret API key." });
  const search = url.search.slice(1).split("&").filter((pair) => !pair.startsWith("apikey=")).join("&");
  const body = await readBody(request);
  if (body === null) return refuse(413, "The request's body is too large");
  return rest.answer({ method, path: path.slice(8) || "/", search, headers, token, body });
}

const others = getRequestListener((request, env) => answer(request, env.incoming.socket.remoteAddress ?? null));

const server = createServer((request, response) => {
  if (!/^\/rest\/v1(?=[/?]|$)/.test(request.url)) return others(request, response);
  restAnswer(request, new URL(request.url, "http://localhost"))
    .catch((error) => {
      console.error(error);
      return { status: 500, headers: { "content-type": "application/json" }, body: JSON.stringify({ message: "The server failed" }) };
    })
    .then((made) => restResponse(request, response, made, mayRead));
});
server.on("upgrade", (request, socket) => {
  const body = JSON.stringify(absent("Realtime"));
  socket.end(`HTTP/1.1 501 Not Implemented\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
});
server.on("error", (error) => {
  console.error(error.message);
  process.exit(error.code === "EADDRINUSE" ? PORT_TAKEN : 1);
});
server.listen(config.port, "127.0.0.1", () =>
  console.log(`${new Date().toISOString()} listening on 127.0.0.1:${server.address().port}`),
);

async function stop() {
  server.close();
  server.closeAllConnections?.();
  await Promise.allSettled([studio.connection.close(), auth.connection.close(), sql.end(), authSql.end(), restSql.end()]);
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
