// Objects: rows of storage.objects, as the caller may see and change them, and the files of their contents.

import { createHmac } from "node:crypto";

import { readUpload } from "./body.mjs";
import { denied, invalid, noObject, StorageError, wrongMime } from "./errors.mjs";

const KEY = /^[A-Za-z0-9_/!.*'() &$=@;:+,?-]+$/;
const COLUMNS = new Set(["name", "updated_at", "created_at", "last_accessed_at"]);
const UPLOAD_SECONDS = 7200; // how long a signed upload URL is good, as hosted
const UNDO = Symbol("undo");

export function checkKey(key) {
  if (typeof key !== "string" || !KEY.test(key) || key.length > 1024) {
    throw new StorageError(400, "InvalidKey", `Invalid key: ${key}`);
  }
}

function allows(types, type) {
  const [kind, rest] = type.split(";")[0].trim().toLowerCase().split("/");
  return rest !== undefined && types.some((one) => [`${kind}/*`, `${kind}/${rest}`, "*/*"].includes(one.toLowerCase()));
}

const wholeSeconds = (value) => {
  const seconds = Number(value);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 1e10) throw invalid("body/expiresIn must be >= 1");
  return seconds;
};

export class Objects {
  /** session, secret: see storage.mjs. limit: bytes of an object where its bucket sets none. tokens: see jwt.mjs. */
  constructor({ session, buckets, files, secret, tokens, limit }) {
    Object.assign(this, { session, buckets, files, secret, tokens, limit });
  }

  #sign(claims, seconds) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const iat = Math.floor(Date.now() / 1000);
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, iat, exp: iat + seconds })}`;
    return `${signed}.${createHmac("sha256", this.secret).update(signed).digest("base64url")}`;
  }

  /** The claims of a signed URL's token, which must be for this object and this use. */
  #signed(token, scope, bucket, key) {
    let claims;
    try {
      claims = this.tokens.claims(token ?? "");
    } catch (error) {
      throw new StorageError(400, "InvalidJWT", error.message);
    }
    if (claims.url !== `${bucket}/${key}` || claims.scope !== scope)
      throw new StorageError(400, "InvalidSignature", "Invalid signature");
    if (!(claims.exp > Date.now() / 1000)) throw new StorageError(400, "InvalidJWT", "JWT expired");
    return claims;
  }

  /** The row that a caller sees; raises 404. */
  async #find(caller, operation, bucket, key) {
    const [row] = await this.session.as(caller, operation, (sql) =>
      sql`select * from storage.objects where bucket_id = ${bucket} and name = ${key}`);
    if (!row) throw noObject();
    return row;
  }

  /** Raise what the database says when the caller writes this row, and write nothing. */
  async #mayWrite(caller, operation, row, upsert) {
    await this.session
      .as(caller, operation, async (sql) => {
        await this.#write(sql, { ...row, version: "1" }, upsert, upsert);
        throw UNDO;
      })
      .catch((error) => {
        if (error !== UNDO) throw error;
      });
  }

  #write(sql, row, upsert, returning = true) {
    const { bucket_id: _, name: __, ...rest } = row;
    return sql`insert into storage.objects ${sql(row)}
      ${upsert ? sql`on conflict (bucket_id, name) do update set ${sql(rest)}, updated_at = now()` : sql``}
      ${returning ? sql`returning *` : sql``}`;
  }

  /** Put the row and its file in place, and remove the file that it replaces. */
  async #complete(operation, row, upsert) {
    let replaced;
    try {
      const [written] = await this.session.asService(operation, async (sql) => {
        const [old] = await sql`
          select version from storage.objects where bucket_id = ${row.bucket_id} and name = ${row.name} for update`;
        replaced = old?.version;
        const rows = await this.#write(sql, row, upsert);
        await this.files.keep(row.version);
        return rows;
      });
      if (replaced) await this.files.remove(replaced);
      return written;
    } catch (error) {
      await this.files.remove(row.version);
      throw error;
    }
  }

  async upload({ caller, bucket, key, request, upsert, operation = "storage.object.upload", checked = false }) {
    checkKey(key);
    const known = await this.buckets.known(bucket);
    const { chunks, mimetype, cacheControl, metadata } = await readUpload(request);
    if (known.allowed_mime_types?.length && !allows(known.allowed_mime_types, mimetype)) throw wrongMime(mimetype);
    const row = { bucket_id: bucket, name: key, owner: caller.uuid ?? null, owner_id: caller.id ?? null, user_metadata: metadata ?? {} };
    if (!checked) await this.#mayWrite(caller, operation, { ...row, metadata: { mimetype } }, upsert);
    const limit = Math.min(this.limit, known.file_size_limit || this.limit);
    const { version, size, etag } = await this.files.receive(chunks, limit);
    const told = { eTag: etag, size, mimetype, cacheControl, lastModified: new Date().toISOString(), contentLength: size, httpStatusCode: 200 };
    const { id } = await this.#complete(operation, { ...row, metadata: told, version }, upsert);
    return { Id: id, Key: `${bucket}/${key}` };
  }

  async copy({ caller, body, upsert }) {
    const { bucketId, sourceKey, destinationKey, destinationBucket = bucketId } = this.#pair(body);
    const operation = "storage.object.copy";
    const { metadata, user_metadata, version } = await this.#find(caller, operation, bucketId, sourceKey);
    await this.buckets.known(destinationBucket);
    const row = {
      ...{ bucket_id: destinationBucket, name: destinationKey, user_metadata },
      metadata: body.copyMetadata === false ? { ...metadata, ...body.metadata } : metadata,
      ...{ owner: caller.uuid ?? null, owner_id: caller.id ?? null },
    };
    await this.#mayWrite(caller, operation, row, upsert);
    const written = await this.#complete(operation, { ...row, version: await this.files.copy(version) }, upsert);
    return { Id: written.id, Key: `${destinationBucket}/${destinationKey}`, ...written };
  }

  async move({ caller, body }) {
    const { bucketId, sourceKey, destinationKey, destinationBucket = bucketId } = this.#pair(body);
    const [row] = await this.session.as(caller, "storage.object.move", async (sql) => {
      const [seen] = await sql`select id from storage.objects where bucket_id = ${bucketId} and name = ${sourceKey}`;
      if (!seen) throw noObject();
      return sql`update storage.objects set bucket_id = ${destinationBucket}, name = ${destinationKey}, updated_at = now()
        where bucket_id = ${bucketId} and name = ${sourceKey} returning id, name`;
    });
    if (!row) throw noObject();
    return { message: "Successfully moved", Id: row.id, Key: row.name };
  }

  #pair(body) {
    for (const name of ["bucketId", "sourceKey", "destinationKey"])
      if (typeof body[name] !== "string") throw invalid(`body must have required property '${name}'`);
    checkKey(body.destinationKey);
    return body;
  }

  async remove({ caller, bucket, key }) {
    await this.#find(this.session.service, "storage.object.delete", bucket, key);
    const gone = await this.session.as(caller, "storage.object.delete", (sql) =>
      sql`delete from storage.objects where bucket_id = ${bucket} and name = ${key} returning version`);
    if (!gone.length) throw denied("Access denied");
    await this.files.remove(...gone.map(({ version }) => version));
    return { message: "Successfully deleted" };
  }

  async removeMany({ caller, bucket, body: { prefixes } }) {
    if (!Array.isArray(prefixes) || !prefixes.length || prefixes.length > 1000 || !prefixes.every((one) => typeof one === "string"))
      throw invalid("body/prefixes must be 1 to 1000 strings");
    const gone = await this.session.as(caller, "storage.object.delete_many", (sql) =>
      sql`delete from storage.objects where bucket_id = ${bucket} and name in ${sql(prefixes)} returning *`);
    await this.files.remove(...gone.map(({ version }) => version));
    return [...gone];
  }

  list({ caller, bucket, body: { prefix, limit = 100, offset = 0, sortBy = {}, search = "" } }) {
    if (typeof prefix !== "string" || typeof search !== "string") throw invalid("body must have required property 'prefix'");
    const { column = "name", order = "asc" } = sortBy ?? {};
    if (!COLUMNS.has(column) || !/^(asc|desc)$/.test(order)) throw invalid("body/sortBy/column must be equal to one of the allowed values");
    if (!Number.isInteger(limit) || limit < 1 || !Number.isInteger(offset) || offset < 0) throw invalid("body/limit must be >= 1");
    const folder = prefix && !prefix.endsWith("/") ? `${prefix}/` : prefix;
    return this.session.as(caller, "storage.object.list", (sql) => sql`
      select * from storage.search(${folder}, ${bucket}, ${limit}, ${folder.split("/").length}, ${offset}, ${search}, ${column}, ${order})`);
  }

  async info({ caller, bucket, key, open }) {
    const row = await this.readable({ caller, bucket, key, open, operation: "object.get_authenticated_info" });
    const { id, name, version, bucket_id, created_at, updated_at, metadata, user_metadata } = row;
    const { size = null, mimetype = null, cacheControl = null, eTag = null } = metadata ?? {};
    return {
      ...{ id, name, version, bucket_id, size, content_type: mimetype, cache_control: cacheControl, etag: eTag },
      ...{ metadata: user_metadata ?? {}, last_modified: updated_at, created_at },
    };
  }

  /** The row of an object to be sent. open: by a public URL. */
  async readable({ caller, bucket, key, open, operation }) {
    const known = await this.buckets.known(bucket);
    if (open && !known.public) throw new StorageError(404, "NoSuchBucket", "Bucket not found", { error: "Bucket not found" });
    return this.#find(open || known.public ? this.session.service : caller, operation, bucket, key);
  }

  async signedRow({ bucket, key, token }) {
    this.#signed(token, "download", bucket, key);
    return this.#find(this.session.service, "storage.object.get_signed", bucket, key);
  }

  async sign({ caller, bucket, key, body }) {
    const seconds = wholeSeconds(body.expiresIn);
    await this.#find(caller, "storage.object.sign", bucket, key);
    return { signedURL: this.#url(bucket, key, seconds) };
  }

  #url(bucket, key, seconds) {
    const path = [bucket, ...key.split("/")].map(encodeURIComponent).join("/");
    return `/object/sign/${path}?token=${this.#sign({ url: `${bucket}/${key}`, scope: "download" }, seconds)}`;
  }

  async signMany({ caller, bucket, body: { paths, expiresIn } }) {
    const seconds = wholeSeconds(expiresIn);
    if (!Array.isArray(paths) || !paths.length || paths.length > 1000 || !paths.every((one) => typeof one === "string"))
      throw invalid("body/paths must be 1 to 1000 strings");
    const rows = await this.session.as(caller, "storage.object.sign_many", (sql) =>
      sql`select name from storage.objects where bucket_id = ${bucket} and name in ${sql(paths)}`);
    const seen = new Set(rows.map(({ name }) => name));
    const error = "Either the object does not exist or you do not have access to it";
    return paths.map((path) =>
      seen.has(path) ? { error: null, path, signedURL: this.#url(bucket, path, seconds) } : { error, path, signedURL: null });
  }

  async signUpload({ caller, bucket, key, upsert }) {
    checkKey(key);
    await this.buckets.known(bucket);
    const row = { bucket_id: bucket, name: key, owner: caller.uuid ?? null, owner_id: caller.id ?? null, metadata: {} };
    await this.#mayWrite(caller, "storage.object.sign_upload_url", row, upsert);
    const token = this.#sign({ url: `${bucket}/${key}`, owner: caller.id, upsert, scope: "upload" }, UPLOAD_SECONDS);
    const path = [bucket, ...key.split("/")].map(encodeURIComponent).join("/");
    return { url: `/object/upload/sign/${path}?token=${token}`, token };
  }

  async uploadSigned({ bucket, key, token, request }) {
    const { owner, upsert } = this.#signed(token, "upload", bucket, key);
    const caller = this.session.callerOf({ sub: owner, role: "service_role" });
    const operation = "storage.object.upload_signed";
    const { Key } = await this.upload({ caller, bucket, key, request, upsert: Boolean(upsert), operation, checked: true });
    return { Key };
  }
}
