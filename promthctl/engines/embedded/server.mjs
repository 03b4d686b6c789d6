// The embedded engine's API: our own REST (rest/), Auth (auth/), Storage (storage/) and Studio (studio/) before our
// PostgreSQL.
//
// Run from the toolchain's folder as `node --input-type=module - <project>`, joined with the modules it imports by
// program.py, with the configuration as JSON in PROMTHCTL_API: {project, program (what tells this configuration and
// program from others), port, db: {host, port, database, password}, password (of the role postgres), jwtSecret, signingKeys (private JWKs, may be left out), anonKey, serviceKey, publishableKey,
// secretKey, url (of the API), origins, rest: {enabled, schemas, extraSearchPath, maxRows}, auth: see auth_settings.py,
// storage: see storage_settings.py, with its folder, mailFile: where the messages of Auth are kept}.
// It exits with code 75 when the port is taken.

import { timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

import { getRequestListener } from "@hono/node-server";
import postgres from "postgres";

import { Auth } from "./auth/auth.mjs";
import { Keys } from "./rest/keys.mjs";
import { Rest } from "./rest/rest.mjs";
import { bearerOf, isRest, listener } from "./rest/http.mjs";
import { isStorage, Storage } from "./storage/storage.mjs";
import { Studio } from "./studio/studio.mjs";
import { StudioDoor } from "./studio/door.mjs";

const config = JSON.parse(process.env.PROMTHCTL_API ?? "{}");
delete process.env.PROMTHCTL_API;
const PORT_TAKEN = 75; // EX_TEMPFAIL of sysexits.h

// ISO 8601 as GoTrue writes it: "2026-11-22 07:38:16.9+00" is refused by supabase-py's models.
const iso = (text) => text.replace(" ", "T").replace(/\+00$/, "Z").replace(/([+-]\d\d)$/, "$1:00");
const written = (value) => (value instanceof Date ? value.toISOString() : value);
const passThrough = (type, parse) => ({ to: type, from: [type], serialize: written, parse });

const times = { timestamptz: passThrough(1184, iso), timestamp: passThrough(1114, iso) };

const roleOf = (key) => {
  const given = Buffer.from(key);
  const is = (other) => given.length === Buffer.byteLength(other) && timingSafeEqual(given, Buffer.from(other));
  if (is(config.serviceKey) || (config.secretKey && is(config.secretKey))) return "service_role";
  return is(config.anonKey) || (config.publishableKey && is(config.publishableKey)) ? "anon" : null;
};

/** The JWT of a request: what Supabase's gateway puts in the place of a key of the new kind. */
const jwtOf = (key) => (/^sb_/.test(key ?? "") ? { service_role: config.serviceKey, anon: config.anonKey }[roleOf(key)] ?? key : key);

const keys = new Keys(config.jwtSecret, config.signingKeys);
const sql = postgres({ ...config.db, user: "promthctl_api", max: 2, onnotice: () => {} });
const authSql = postgres({
  ...config.db,
  user: "supabase_auth_admin",
  max: 10,
  fetch_types: false,
  onnotice: () => {},
  types: times,
  connection: { application_name: "promthctl auth", TimeZone: "UTC" },
});
const auth = new Auth({
  sql: authSql,
  keys,
  base: `${config.url}/auth/v1`,
  settings: config.auth,
  mailFile: config.mailFile,
  log: (line) => console.error(`${new Date().toISOString()} auth: ${line}`),
});
const storageSql = postgres({
  ...config.db,
  user: "supabase_storage_admin",
  max: 10,
  onnotice: () => {},
  connection: { application_name: "promthctl storage", TimeZone: "UTC" },
});
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
  keys,
  log: (line) => console.error(`${new Date().toISOString()} rest: ${line}`),
});

// As PostgREST does: what is known of the schema is forgotten when the database says that it has changed, also when
// the connection that says so comes back.
const heard = () => rest.reload().catch(() => {}); // what REST could not read it has said, and tries again
let listening; // once the database is up; from then on the driver reconnects by itself
const listen = () =>
  (listening ??= sql.listen("pgrst", heard, heard).catch((error) => {
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
  const unmade = await storage.prepare();
  const applied = ready ? await sql`select version from supabase_migrations.schema_migrations order by 1` : [];
  const { project, program } = config;
  return json({ project, program, pid: process.pid, applied: applied.map((row) => row.version), unmade });
}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

const door = new StudioDoor(config.port, (host) => LOOPBACK.test(host));
const studio = new Studio({
  door,
  options: { ...config.db, user: "postgres", password: config.password },
  auth: (request, path, address) => authAnswer(request, path, [config.serviceKey], address),
});

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
const ENTRANCE = "/_promthctl/studio";

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

const hasKey = (...keys) => keys.some((key) => key && roleOf(key));

async function route(request, peerAddress, said) {
  const url = new URL(request.url);
  const path = decoded(url.pathname);
  if (path === null) return json({ message: "The path is not UTF-8" }, 400);
  // A page of another site, by DNS rebinding, must not reach what needs no key.
  if (!LOOPBACK.test(request.headers.get("host") ?? "")) return json({ message: "Not a loopback host" }, 421);
  if (path === ENTRANCE && request.method === "GET") return door.enter(url.searchParams.get("token"));
  if (path.startsWith(`${ENTRANCE}/`)) return studio.answer(request, path.slice(ENTRANCE.length), said, peerAddress);
  const needsKey = API.test(path) && !OPEN.test(path) && request.method !== "OPTIONS";
  const keys = [
    request.headers.get("apikey"),
    url.searchParams.get("apikey"),
    bearerOf(request.headers.get("authorization")),
  ];
  if (needsKey && !hasKey(...keys)) return json({ message: "No API key found in request" }, 401);
  if (path === "/_promthctl/status" || path === ENTRANCE) {
    if (roleOf(request.headers.get("apikey") ?? "") !== "service_role") return json({ message: "Forbidden" }, 403);
    if (path === ENTRANCE) return json(door.token());
    if (request.method === "POST") {
      storage.forget(); // the database was exchanged for another
      await rest.reload();
    }
    return status();
  }
  if (path.startsWith("/auth/v1/")) return authAnswer(request, path.slice(8), keys, peerAddress);
  if (/^\/(rest|storage)\//.test(path)) return json({ message: "Not found" }, 404); // a spelling that isRest and isStorage do not know
  const missing = MISSING.find(([pattern]) => pattern.test(path));
  if (missing) return json(absent(missing[1]), 501);
  if (path === "/" && request.method === "GET" && !hasKey(...keys)) return studio.page(said);
  return json({ message: "Not found" }, 404);
}

function authAnswer(request, path, [key, inQuery, bearer], address) {
  const headers = {
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-headers": request.headers.get("access-control-request-headers") ?? "*",
    "access-control-max-age": "3600",
  };
  if (request.method === "OPTIONS") return new Response(null, { status: 200, headers });
  if (!config.auth.enabled) {
    const msg = "Auth is disabled: set enabled = true under [auth] in supabase/config.toml, then: promthctl local up";
    return json({ code: 404, error_code: "not_enabled", msg }, 404);
  }
  return auth.answer(request, { path, token: jwtOf(bearer || key || inQuery), address });
}

const LOOPBACK_ORIGIN = /^https?:\/\/(([a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/** Which pages may read an answer: those of this machine and of the project's own site_url. */
const mayRead = (origin) => LOOPBACK_ORIGIN.test(origin) || config.origins.includes(origin.toLowerCase());

/** The answer, which a page of another site may not read. */
async function answer(request, { socket, headers: said }) {
  const response = await route(request, socket.remoteAddress ?? null, said).catch((error) => {
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

const others = getRequestListener((request, env) => answer(request, env.incoming));

const restListener = listener({
  rest,
  enabled: config.rest.enabled,
  roleOf,
  jwtOf,
  isLoopback: (host) => LOOPBACK.test(host),
  mayRead,
});

const storage = new Storage({
  sql: storageSql,
  secret: config.jwtSecret,
  keys,
  config: config.storage,
  roleOf,
  jwtOf,
  isLoopback: (host) => LOOPBACK.test(host),
  mayRead,
  log: (line) => console.error(`${new Date().toISOString()} storage: ${line}`),
});

const server = createServer((request, response) => {
  if (isStorage(request.url)) return storage.listener(request, response);
  return (isRest(request.url) ? restListener : others)(request, response);
});
server.keepAliveTimeout = 65_000; // clients keep connections for some seconds, and must not meet one that just closes
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
  await Promise.allSettled([sql.end(), authSql.end(), restSql.end(), storageSql.end()]);
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
