// Storage (/storage/v1) as hosted Supabase answers it: github.com/supabase/storage on the tables of the schema storage.
//
// Every request's statements run in one transaction as the role of its token, so that policies decide.

import { pipeline } from "node:stream/promises";

import { bearerOf } from "../rest/http.mjs";
import { Tokens } from "../rest/jwt.mjs";
import { readJson } from "./body.mjs";
import { Buckets } from "./buckets.mjs";
import { absent, denied, ofDatabase, StorageError } from "./errors.mjs";
import { Files } from "./files.mjs";
import { listByCursor } from "./listing.mjs";
import { Objects } from "./objects.mjs";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const EXPOSED = "Accept-Ranges, Cache-Control, Content-Disposition, Content-Length, Content-Range, Content-Type, ETag, Last-Modified";

export const isStorage = (url) => /^\/storage\/v1(?=[/?]|$)/.test(url);

/** Transactions on behalf of a caller. sql: a `postgres` client as supabase_storage_admin. */
class Session {
  constructor(sql) {
    this.sql = sql;
    this.service = this.callerOf({ role: "service_role" });
  }

  callerOf(claims) {
    const id = typeof claims.sub === "string" ? claims.sub : undefined;
    const role = typeof claims.role === "string" ? claims.role : "anon";
    return { claims, role, id, uuid: UUID.test(id ?? "") ? id : undefined };
  }

  as({ claims, role, id }, operation, work) {
    return this.sql.begin(async (sql) => {
      await sql`select set_config('request.jwt.claims', ${JSON.stringify({ ...claims, role })}, true),
        set_config('request.jwt.claim.sub', ${id ?? ""}, true), set_config('request.jwt.claim.role', ${role}, true),
        set_config('storage.operation', ${operation}, true), set_config('storage.allow_delete_query', 'true', true),
        set_config('role', ${role}, true)`;
      return work(sql);
    });
  }

  asService(operation, work) {
    return this.as(this.service, operation, work);
  }
}

export class Storage {
  /** config: {enabled, fileSizeLimit (bytes), buckets, folder}. roleOf, jwtOf, isLoopback, mayRead: see rest/http.mjs. */
  constructor({ sql, secret, keys, config, roleOf, jwtOf, isLoopback, mayRead, log }) {
    const session = new Session(sql);
    const files = new Files(config.folder);
    const tokens = new Tokens(keys);
    const buckets = new Buckets({ session, files, configured: config.buckets });
    const objects = new Objects({ session, buckets, files, secret, tokens, limit: config.fileSizeLimit });
    Object.assign(this, { config, session, files, tokens, buckets, objects, roleOf, jwtOf, isLoopback, mayRead, log });
  }

  /** Make the buckets of config.toml, once for a database; those that failed are tried, and told, again. */
  prepare() {
    this.prepared ??= (this.config.enabled ? this.buckets.prepare() : Promise.resolve([])).then((failed) => {
      if (failed.length) this.prepared = undefined;
      return failed;
    });
    return this.prepared;
  }

  /** The database was exchanged for another. */
  forget() {
    this.prepared = undefined;
  }

  async listener(request, response) {
    try {
      await this.#answer(request, response);
    } catch (error) {
      const told = ofDatabase(error);
      if (!told) this.log(error?.stack ?? String(error));
      if (response.headersSent) return void response.destroy();
      const { answered, body } = told
        ? { answered: told.answered, body: told.body() }
        : { answered: 500, body: new StorageError(500, "InternalError", "Internal server error").body() };
      // What is left of a refused upload is not read.
      this.#json(request, response, answered, body, request.complete ? {} : { connection: "close" });
    }
  }

  #headers({ headers: { origin } }, more) {
    const shared = { ...more, "x-content-type-options": "nosniff" };
    if (origin === undefined) return shared;
    const allowed = this.mayRead(origin) && { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED };
    return { ...shared, vary: "Origin", ...allowed };
  }

  #json(request, response, status, value, more = {}) {
    const body = JSON.stringify(value);
    const headers = { "content-type": "application/json; charset=utf-8", "content-length": Buffer.byteLength(body), ...more };
    response.writeHead(status, this.#headers(request, headers));
    response.end(request.method === "HEAD" ? undefined : body);
  }

  async #answer(request, response) {
    const { headers, method } = request;
    if (!this.isLoopback(headers.host ?? "")) throw new StorageError(421, "AccessDenied", "Not a loopback host", { answered: 421 });
    if (method === "OPTIONS") {
      const allowed = headers["access-control-request-headers"] ?? "*";
      const methods = { "access-control-allow-methods": "GET, POST, PUT, DELETE, HEAD, OPTIONS" };
      response.writeHead(204, this.#headers(request, { ...methods, "access-control-allow-headers": allowed }));
      return response.end();
    }
    const url = new URL(request.url, "http://localhost");
    let parts;
    try {
      parts = request.url.split("?")[0].slice("/storage/v1".length).split("/").slice(1).map(decodeURIComponent);
    } catch {
      throw new StorageError(400, "InvalidRequest", "The path is not UTF-8");
    }
    const [area, ...path] = parts;
    const query = url.searchParams;
    const bearer = bearerOf(headers.authorization);
    const key = headers.apikey ?? query.get("apikey");
    const open = this.#open(method, area, path);
    if (!open && ![key, bearer].some((one) => one && this.roleOf(one)))
      return this.#json(request, response, 401, { message: "No API key found in request" });
    if (!this.config.enabled)
      throw new StorageError(404, "FeatureNotEnabled", "Storage is disabled: set enabled = true under [storage] in supabase/config.toml, then: promthctl local up", { answered: 404 });
    const caller = this.session.callerOf(open ? {} : this.#claims(this.jwtOf(bearer || key)));
    const asked = { caller, query, request, upsert: headers["x-upsert"] === "true", token: query.get("token") };
    if (area === "bucket") return this.#json(request, response, 200, await this.#bucket(method, path, asked));
    if (area === "object") return this.#object(request, response, method, path, asked);
    const missing = { render: "Image transformation", upload: "Resumable upload", s3: "The S3 protocol", iceberg: "Analytics buckets", vector: "Vector buckets", cdn: "A CDN" };
    if (Object.hasOwn(missing, area)) throw absent(missing[area]);
    if (area === "status" && method === "GET") return this.#json(request, response, 200, {});
    throw this.#noRoute(method);
  }

  /** What needs no key: public and signed URLs. */
  #open(method, area, [kind, next]) {
    if (area !== "object") return false;
    if (method === "PUT") return kind === "upload" && next === "sign";
    if (method !== "GET" && method !== "HEAD") return false;
    return kind === "public" || kind === "sign" || (kind === "info" && next === "public");
  }

  #claims(token) {
    try {
      return this.tokens.claims(token);
    } catch (error) {
      throw denied(error.message);
    }
  }

  #noRoute(method) {
    return new StorageError(404, "NotFound", `Route ${method} is not there`, { answered: 404, error: "Not Found" });
  }

  async #bucket(method, [bucket, action, more], asked) {
    const at = { ...asked, bucket };
    if (more !== undefined) throw this.#noRoute(method);
    if (action === "empty" && method === "POST") return this.buckets.empty(at);
    if (action) throw this.#noRoute(method);
    if (!bucket && method === "GET") return this.buckets.list(at);
    if (!bucket && method === "POST") return this.buckets.create({ ...at, body: await readJson(asked.request) });
    if (!bucket) throw this.#noRoute(method);
    if (method === "GET" || method === "HEAD") return this.buckets.get(at);
    if (method === "PUT") return this.buckets.update({ ...at, body: await readJson(asked.request) });
    if (method === "DELETE") return this.buckets.remove(at);
    throw this.#noRoute(method);
  }

  async #object(request, response, method, path, asked) {
    const [kind, ...rest] = path;
    const at = (parts) => ({ ...asked, bucket: parts[0], key: parts.slice(1).join("/") });
    const send = async (work) => this.#json(request, response, 200, await work);
    const body = () => readJson(request);
    if (method === "GET" || method === "HEAD") {
      const named = ["public", "authenticated", "sign", "info"].includes(kind);
      if (kind === "info") {
        const open = rest[0] === "public";
        const place = at(open || rest[0] === "authenticated" ? rest.slice(1) : rest);
        return method === "HEAD" ? this.#head(request, response, place, open) : send(this.objects.info({ ...place, open }));
      }
      const place = at(named ? rest : path);
      const operation = kind === "public" ? "storage.object.get_public" : "storage.object.get_authenticated";
      const row = kind === "sign" ? await this.objects.signedRow(place) : await this.objects.readable({ ...place, open: kind === "public", operation });
      return this.#content(request, response, row, asked.query);
    }
    if (method === "POST") {
      if (kind === "list" && rest.length === 1) return send(this.objects.list({ ...at(rest), body: await body() }));
      if (kind === "list-v2" && rest.length === 1) return send(listByCursor(this.session, { ...at(rest), body: await body() }));
      if (kind === "copy" && !rest.length) return send(this.objects.copy({ ...asked, body: await body() }));
      if (kind === "move" && !rest.length) return send(this.objects.move({ ...asked, body: await body() }));
      if (kind === "sign" && rest.length === 1) return send(this.objects.signMany({ ...at(rest), body: await body() }));
      if (kind === "sign") return send(this.objects.sign({ ...at(rest), body: await body() }));
      if (kind === "upload" && rest[0] === "sign") return send(this.objects.signUpload(at(rest.slice(1))));
    }
    if (method === "PUT" && kind === "upload" && rest[0] === "sign") return send(this.objects.uploadSigned(at(rest.slice(1))));
    if (method === "DELETE" && path.length === 1) return send(this.objects.removeMany({ ...at(path), body: await body() }));
    const place = at(kind === "authenticated" ? rest : path);
    if (method === "DELETE") return send(this.objects.remove(place));
    if (method === "POST") return send(this.objects.upload(place));
    if (method === "PUT") return send(this.objects.upload({ ...place, upsert: true, operation: "storage.object.upload_update" }));
    throw this.#noRoute(method);
  }

  async #head(request, response, place, open) {
    const row = await this.objects.readable({ ...place, open, operation: "object.head_authenticated_info" });
    return this.#content(request, response, row, place.query);
  }

  /** Send an object's content, or the part that was asked for. */
  async #content(request, response, { version, metadata, updated_at: updated }, query) {
    const size = await this.files.size(version);
    const { eTag: etag = `"${version}"`, mimetype = "application/octet-stream", cacheControl = "no-cache" } = metadata ?? {};
    const safe = (text, other) => (/^[\t\x20-\x7e]*$/.test(text) ? text : other);
    const headers = {
      "accept-ranges": "bytes",
      // As hosted: a page that somebody uploaded is shown as text. No script runs on the origin that Studio has too.
      "content-type": /text\/html/i.test(mimetype) ? "text/plain" : safe(mimetype, "application/octet-stream"),
      "content-security-policy": "default-src 'none'; sandbox",
      etag,
      "last-modified": new Date(updated).toUTCString(),
      "cache-control": safe(cacheControl, "no-cache"),
      "x-robots-tag": "none",
    };
    const download = query.get("download");
    if (download === "") headers["content-disposition"] = "attachment;";
    else if (download !== null) {
      const name = encodeURIComponent(download.toWellFormed());
      headers["content-disposition"] = `attachment; filename=${name}; filename*=UTF-8''${name}`;
    }
    const since = Date.parse(request.headers["if-modified-since"] ?? "");
    const match = request.headers["if-none-match"];
    const same = match === undefined ? since >= Math.floor(new Date(updated).getTime() / 1000) * 1000 : match.split(/\s*,\s*/).some((one) => one === "*" || one.replace(/^W\//, "") === etag);
    if (same) {
      response.writeHead(304, this.#headers(request, headers));
      return response.end();
    }
    let [start, end, status] = [0, size - 1, 200];
    const range = request.headers.range?.match(/^bytes=(\d*)-(\d*)$/);
    if (range && (range[1] || range[2])) {
      start = range[1] ? Number(range[1]) : Math.max(0, size - Number(range[2]));
      if (range[1] && range[2]) end = Math.min(end, Number(range[2]));
      if (start > end) {
        throw new StorageError(416, "InvalidRange", "The requested range is not satisfiable", { error: "invalid_range", answered: 416 });
      }
      status = 206;
      headers["content-range"] = `bytes ${start}-${end}/${size}`;
    }
    headers["content-length"] = end - start + 1;
    response.writeHead(status, this.#headers(request, headers));
    if (request.method === "HEAD" || size === 0) return response.end();
    await pipeline(this.files.read(version, start, end), response);
  }
}
