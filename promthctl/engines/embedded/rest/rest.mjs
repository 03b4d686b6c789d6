// PostgREST's REST API over PostgreSQL: a request becomes one transaction, and its answer what PostgreSQL wrote.

import { STATUS_CODES } from "node:http";

import { readCatalog } from "./catalog.mjs";
import { ApiError, databaseError } from "./errors.mjs";
import { readQuery } from "./grammar.mjs";
import {
  acceptsOpenApi,
  appliedPreferences,
  contentRange,
  contentType,
  rangeAnswer,
  readPreferences,
  unacceptable,
} from "./headers.mjs";
import { findFunction, returnsVoid } from "./functions.mjs";
import { Tokens } from "./jwt.mjs";
import { describe } from "./openapi.mjs";
import { readName, readSettings } from "./settings.mjs";
import { ident, qualified, setting } from "./sql.mjs";
import { call, findTable, mutation, readStatement } from "./statements.mjs";

const RETRY_MS = 1000;
const ISOLATION = /^(read committed|repeatable read|serializable)$/i;

/** The statements before a request's own, all in its transaction. */
function prologue({ request, settings, role, claims, headers }, { readOnly, found }) {
  const assumed = settings.roles[role] ?? {};
  const isolation = [found?.isolation, assumed.default_transaction_isolation].find((level) => ISOLATION.test(level));
  const { default_transaction_isolation: _, ...roleSettings } = assumed;
  const hoisted = Object.entries(found?.settings ?? {}).filter(
    ([name]) => settings.hoisted.includes(name) && !name.startsWith("default_transaction"),
  );
  const path = [request.schema, ...settings.extraSearchPath].map(ident).join(", ");
  const set = [
    ["search_path", path],
    ...Object.entries(roleSettings),
    ["role", role],
    ["request.jwt.claims", JSON.stringify({ ...claims, role })],
    ["request.method", request.method],
    ["request.path", request.path],
    ["request.headers", headers.text],
    ["request.cookies", headers.cookies],
    ...(request.preferences.timezone === undefined ? [] : [["timezone", request.preferences.timezone]]),
    ...hoisted,
  ];
  return [
    `set transaction isolation level ${isolation ?? "read committed"} ${readOnly ? "read only" : "read write"}`,
    `select ${set.map(([name, value]) => setting(name, value)).join(", ")}`,
    ...(settings.preRequest ? [`select ${qualified(readName(settings.preRequest))}()`] : []),
  ];
}

function headerSettings(headers) {
  const { cookie = "", ...others } = headers;
  const cookies = cookie
    .split(";")
    .map((pair) => pair.trim())
    .filter(Boolean)
    .map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
    });
  return { text: JSON.stringify(others), cookies: JSON.stringify(Object.fromEntries(cookies)) };
}

/** response.headers and response.status, which SQL may set. */
function chosenBySql({ headers, status }) {
  let list = [];
  if (headers !== null) {
    try {
      list = JSON.parse(headers).map((entry) => {
        const [[name, value], ...others] = Object.entries(entry);
        if (others.length || typeof value !== "string") throw new TypeError();
        return [name.toLowerCase(), value];
      });
    } catch {
      const message =
        "response.headers guc must be a JSON array composed of objects with a single key and a string value";
      throw new ApiError(500, "PGRST111", message);
    }
  }
  if (status !== null && !/^\d{3}/.test(status))
    throw new ApiError(500, "PGRST112", "response.status guc must be a valid status code");
  return { list, status: status === null ? undefined : Number(status.slice(0, 3)) };
}

export class Rest {
  #loading; // the reading that is under way, or was the last
  #next; // the one after it, where one was asked for
  #loaded;
  #failed; // when it failed, in milliseconds

  /**
   * sql: a `postgres` client logged in as authenticator. configured: see readSettings. keys: of the tokens.
   * log: takes a line of text.
   */
  constructor({ sql, configured, keys, log }) {
    Object.assign(this, { sql, configured, log });
    this.tokens = new Tokens(keys);
  }

  /**
   * Read settings and catalogs again; requests go on with the old ones. Asked again while it reads, it reads once more
   * after that. Rejects when they cannot be read: then requests are answered 503 until they can.
   */
  reload() {
    const reading = (this.#loading ?? Promise.resolve()).catch(() => {});
    this.#next ??= reading.then(() => {
      this.#loading = this.#next;
      this.#next = undefined;
      return this.#load();
    });
    const asked = this.#next;
    asked.catch(() => {}); // #load has said it
    this.#loading ??= asked;
    return asked;
  }

  async #load() {
    const query = async (text) => this.sql.unsafe(text).simple();
    try {
      const settings = await readSettings(query, this.configured);
      for (const name of settings.ignored) this.log(`${name} is not obeyed by the embedded engine`);
      this.#loaded = { settings, catalog: await readCatalog(query, settings.schemas) };
      this.#failed = undefined;
      return this.#loaded;
    } catch (error) {
      this.#failed = Date.now();
      this.#loaded = undefined;
      this.log(`the schema cache was not loaded: ${error.message}`);
      throw error;
    }
  }

  async #context() {
    if (this.#loaded) return this.#loaded;
    const idle = this.#failed !== undefined && Date.now() - this.#failed > RETRY_MS;
    const reading = this.#next ?? (idle ? this.reload() : (this.#loading ?? this.reload()));
    return reading.catch((error) => {
      const message = "Could not query the database for the schema cache. Retrying.";
      throw new ApiError(503, "PGRST002", message, { details: error.message });
    });
  }

  /**
   * Answer a request. asked: {method, path (below /rest/v1, as it was sent), search, headers, token, body: a Buffer}.
   * Resolves to {status, reason, headers, body}; rejects never.
   */
  async answer(asked) {
    let authenticated = false;
    try {
      const context = await this.#context();
      const { settings } = context;
      const claims = asked.token === undefined ? {} : this.tokens.claims(asked.token, settings.audience);
      const role = typeof claims.role === "string" ? claims.role : settings.anonRole;
      authenticated = role !== settings.anonRole;
      const request = this.#request(asked, settings);
      return await this.#respond({ request, role, claims, headers: headerSettings(asked.headers), ...context });
    } catch (error) {
      const known = error instanceof ApiError ? error : databaseError(error, authenticated);
      if (known.status >= 500 && !(error instanceof ApiError))
        this.log(error.name === "PostgresError" ? `${error.code} ${error.message}` : (error.stack ?? String(error)));
      const headers = {
        "content-type": "application/json; charset=utf-8",
        "proxy-status": `PostgREST; error=${known.code}`,
      };
      return {
        status: known.status,
        reason: known.reason ?? STATUS_CODES[known.status] ?? "",
        headers: { ...headers, ...known.headers },
        body: asked.method === "HEAD" ? "" : known.body(),
      };
    }
  }

  #request({ method, path, search, headers, body }, settings) {
    const profile = headers[["DELETE", "PATCH", "POST", "PUT"].includes(method) ? "content-profile" : "accept-profile"];
    const parts = path
      .split("/")
      .slice(1)
      .map(decodeURIComponent)
      .filter((part, index, all) => part !== "" || index < all.length - 1);
    const rpc = parts.length === 2 && parts[0] === "rpc";
    if (parts.length > 1 && !rpc) throw new ApiError(404, "PGRST125", "Invalid path specified in request URL");
    if (profile !== undefined && !settings.schemas.includes(profile))
      throw new ApiError(406, "PGRST106", `Invalid schema: ${profile}`, {
        hint: `Only the following schemas are exposed: ${settings.schemas.join(", ")}`,
      });
    const name = rpc ? parts[1] : parts[0];
    if (rpc && !["GET", "HEAD", "POST", "OPTIONS"].includes(method))
      throw new ApiError(405, "PGRST101", `Cannot use the ${method} method on RPC`);
    const known = ["GET", "HEAD", "OPTIONS", ...(name === undefined ? [] : ["POST", "PUT", "PATCH", "DELETE"])];
    if (!known.includes(method)) throw new ApiError(405, "PGRST117", `Unsupported HTTP method: ${method}`);
    return {
      method,
      path,
      headers,
      body,
      rpc,
      name,
      schema: profile ?? settings.schemas[0],
      profiled: profile !== undefined || settings.schemas.length > 1,
      query: readQuery(search, rpc && method !== "POST"),
      preferences: readPreferences(headers.prefer, settings.end.endsWith("allow-override")),
      type: contentType(headers["content-type"]),
    };
  }

  async #respond(asked) {
    const { request, settings, catalog } = asked;
    if (request.name === undefined && settings.rootSpec && request.method !== "OPTIONS")
      Object.assign(request, { rpc: true, name: readName(settings.rootSpec).name });
    if (request.method === "OPTIONS") return allowed(request, catalog);
    if (request.name === undefined) return this.#root(asked);
    const statement = request.rpc
      ? call(request, asked)
      : ["GET", "HEAD"].includes(request.method)
        ? readStatement(request, asked)
        : mutation(request, asked);
    return this.#run(asked, statement);
  }

  async #root({ request, settings, catalog, role }) {
    if (settings.openapi === "disabled") throw new ApiError(404, "PGRST126", "Root endpoint metadata is disabled");
    if (!acceptsOpenApi(request.headers.accept)) throw unacceptable(request.headers.accept);
    const body = JSON.stringify(
      await describe(this.sql, catalog, request.schema, role, settings.openapi === "ignore-privileges"),
    );
    return {
      status: 200,
      headers: { "content-type": "application/openapi+json; charset=utf-8", ...profileOf(request) },
      body: request.method === "HEAD" ? "" : body,
    };
  }

  /** Run a statement in its transaction. One round trip, unless the result decides whether it is kept. */
  async #run(asked, statement) {
    const { preferences } = asked.request;
    const before = prologue(asked, statement);
    const { explain } = statement.shape;
    const main = explain
      ? `EXPLAIN (${[`FORMAT ${explain.format}`, ...explain.options].join(", ").toUpperCase()}) ${statement.sql}`
      : statement.sql;
    const batch = [...before, main, ...(statement.explain && !explain ? [statement.explain] : [])].join(";\n");
    const rollback =
      preferences.tx === "rollback" || (asked.settings.end.startsWith("rollback") && preferences.tx !== "commit");
    const examined =
      !explain && (statement.shape.single || statement.kind === "PUT" || preferences.maxAffected !== undefined);
    const finish = (results) => {
      const rows = results[before.length];
      if (explain) return explained(rows, asked.request, statement);
      return respond(asked.request, statement, rows[0], results[before.length + 1]?.[0]);
    };
    if (statement.readOnly || (!rollback && !examined)) return finish(await this.sql.unsafe(batch).simple());
    const connection = await this.sql.reserve();
    try {
      const results = await connection
        .unsafe(`begin;${batch}${rollback ? ";set constraints all immediate" : ""}`)
        .simple();
      const answer = finish(results); // `begin` and `set transaction` have one result together
      await connection.unsafe(rollback ? "rollback" : "commit").simple();
      return answer;
    } catch (error) {
      await connection
        .unsafe("rollback")
        .simple()
        .catch(() => {});
      throw error;
    } finally {
      connection.release();
    }
  }
}

const profileOf = (request) => (request.profiled ? { "content-profile": request.schema } : {});

function explained(rows, request, { shape }) {
  const body = `${[...rows].map((row) => row["QUERY PLAN"]).join("\n")}\n`;
  return { status: 200, headers: { "content-type": shape.type, ...profileOf(request) }, body };
}

function check({ kind, shape }, { preferences }, page) {
  if (kind === "PUT") {
    if (page !== 1) throw new ApiError(400, "PGRST115", "Payload values do not match URL in primary key column(s)");
    return;
  }
  if (shape.kind === "json" && shape.single && page !== 1)
    throw new ApiError(406, "PGRST116", "Cannot coerce the result to a single JSON object", {
      details: `The result contains ${page} rows`,
    });
  const limited =
    preferences.handling === "strict" &&
    preferences.maxAffected !== undefined &&
    ["PATCH", "DELETE", "call"].includes(kind);
  if (limited && page > preferences.maxAffected)
    throw new ApiError(400, "PGRST124", "Query result exceeds max-affected preference constraint", {
      details: `The query affects ${page} rows`,
    });
}

/** The HTTP answer of a statement's row. guess: the planner's, where it was asked for. */
function respond(request, statement, row, guess) {
  const { kind, shape, range } = statement;
  const { preferences } = request;
  const page = Number(row?.page ?? 0);
  let total = row?.total == null ? null : Number(row.total);
  check(statement, request, page);
  if (guess) {
    const rows = JSON.parse(guess["QUERY PLAN"])[0].Plan["Plan Rows"];
    if (preferences.count === "planned" || total > statement.maxRows) total = Math.max(total ?? 0, rows);
  }
  const counted = preferences.count === "exact" || preferences.count === "estimated" ? page : null;
  const content = { "content-type": shape.type, ...profileOf(request) };
  const full = preferences.return === "representation";
  let answer;
  if (kind === "read" || kind === "call") {
    const { status, header } = rangeAnswer(range.offset, page, total);
    const applied = appliedPreferences(preferences, kind === "call" ? ["maxAffected"] : []);
    const place =
      kind === "read"
        ? { "content-location": `${request.path}${request.query.canonical ? `?${request.query.canonical}` : ""}` }
        : {};
    answer =
      kind === "call" && returnsVoid(statement.found)
        ? { status: 204, headers: { "content-range": header, ...applied }, body: "" }
        : { status, headers: { "content-range": header, ...place, ...content, ...applied }, body: row.body };
  } else if (kind === "POST") {
    const kinds = ["missing", "return", ...(statement.resolved ? ["resolution"] : [])];
    const pairs = JSON.parse(row?.location ?? "[]");
    const query = pairs.map(
      ([name, value]) =>
        `${encodeURIComponent(name)}=${value === null ? "is.null" : `eq.${encodeURIComponent(value)}`}`,
    );
    answer = {
      status: preferences.resolution === "merge-duplicates" && !(Number(row?.inserted ?? 0) > 0) ? 200 : 201,
      headers: {
        ...(query.length ? { location: `${request.path}?${query.join("&")}` } : {}),
        "content-range": contentRange(1, 0, counted),
        ...appliedPreferences(preferences, kinds),
        ...(full ? content : {}),
      },
      body: full ? row.body : "",
    };
  } else {
    const inserted = kind === "PUT" && Number(row?.inserted) > 0;
    const kinds =
      kind === "PATCH"
        ? ["missing", "return", "maxAffected"]
        : kind === "DELETE"
          ? ["return", "maxAffected"]
          : ["return"];
    const shown = kind === "PATCH" ? contentRange(0, page - 1, counted) : contentRange(1, 0, counted);
    const headers = {
      ...(kind === "PUT" ? {} : { "content-range": shown }),
      ...appliedPreferences(preferences, kinds),
    };
    answer = full
      ? { status: inserted ? 201 : 200, headers: { ...headers, ...content }, body: row.body }
      : { status: 204, headers, body: "" };
  }
  const chosen = chosenBySql(row ?? { headers: null, status: null });
  answer.status = chosen.status ?? answer.status;
  // SQL's headers replace ours; several of one name stay several.
  for (const name of new Set(chosen.list.map(([name]) => name))) {
    const values = chosen.list.filter(([own]) => own === name).map(([, value]) => value);
    answer.headers[name] = values.length > 1 ? values : values[0];
  }
  return answer;
}

/** OPTIONS: what may be done. */
function allowed(request, catalog) {
  let methods = "OPTIONS,GET,HEAD";
  if (request.rpc) {
    const keys = [...new Set(request.query.args.map(([name]) => name))];
    const found = findFunction(catalog, request.schema, request.name, keys, "application/json", false);
    methods = found.volatility === "v" ? "OPTIONS,POST" : "OPTIONS,GET,HEAD,POST";
  } else if (request.name !== undefined) {
    const { insertable, updatable, deletable, keys } = findTable(catalog, request.schema, request.name);
    methods = [
      methods,
      insertable && "POST",
      insertable && updatable && keys.length && "PUT",
      updatable && "PATCH",
      deletable && "DELETE",
    ]
      .filter(Boolean)
      .join(",");
  }
  return { status: 200, headers: { allow: methods }, body: "" };
}
