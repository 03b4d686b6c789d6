// Buckets: rows of storage.buckets, as the caller may see and change them.

import { invalid, noBucket, StorageError } from "./errors.mjs";

const NAME = /^[A-Za-z0-9_!.*'() &$=@;:+,?-]{1,100}$/;
const UNITS = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9 };
const SORTED = new Set(["id", "name", "created_at", "updated_at"]);

const columns = (sql) => sql`id, name, coalesce(owner_id, owner::text, '') as owner, public, type,
  file_size_limit::float8 as file_size_limit, allowed_mime_types, created_at, updated_at`;

/** Bytes of 1000, "1000", "20MB"; null for none. */
function bytesOf(value) {
  if (value === null || value === undefined) return value;
  const found = String(value).match(/^(\d+(?:\.\d+)?)(b|kb|mb|gb)?$/i);
  if (!found) throw invalid("Invalid file size format, hint: use 20GB / 20MB / 30KB / 3B");
  return Math.floor(Number(found[1]) * UNITS[(found[2] ?? "b").toLowerCase()]) || null;
}

/** The properties of a bucket in a request's body; undefined where it says nothing. */
function properties({ public: open, file_size_limit: limit, allowed_mime_types: types }) {
  if (open !== undefined && open !== null && typeof open !== "boolean") throw invalid("body/public must be boolean");
  if (types !== undefined && types !== null && !(Array.isArray(types) && types.every((one) => typeof one === "string")))
    throw invalid("body/allowed_mime_types must be array of strings");
  return { public: open ?? undefined, file_size_limit: bytesOf(limit), allowed_mime_types: types?.filter(Boolean) ?? types };
}

const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

export class Buckets {
  /** session: see storage.mjs. files: see files.mjs. configured: of [storage.buckets], made when the database is up. */
  constructor({ session, files, configured }) {
    Object.assign(this, { session, files, configured });
  }

  /** Make the buckets of config.toml, or give those that are there what it says of them. Resolves to those that failed. */
  async prepare() {
    const failed = [];
    for (const { id, objects_path: _, ...values } of this.configured) {
      const set = given(values);
      await this.session
        .asService("storage.bucket.create", (sql) => sql`insert into storage.buckets ${sql({ id, name: id, ...set })}
          on conflict (id) do update set ${sql({ name: id, ...set })}, updated_at = now()`)
        .catch((error) => failed.push({ bucket: id, message: error.message }));
    }
    return failed;
  }

  /** A bucket whoever asks; raises 404. */
  async known(id) {
    const [bucket] = await this.session.asService("storage.bucket.get", (sql) =>
      sql`select ${columns(sql)} from storage.buckets where id = ${id}`);
    if (!bucket) throw noBucket();
    return bucket;
  }

  list({ caller, query }) {
    const sorted = query.get("sortColumn") ?? "name";
    const direction = query.get("sortOrder") ?? "asc";
    const limit = Number(query.get("limit") ?? 1000);
    const offset = Number(query.get("offset") ?? 0);
    if (!SORTED.has(sorted) || !/^(asc|desc)$/.test(direction)) throw invalid("querystring/sortColumn is wrong");
    if (!Number.isInteger(limit) || limit < 1 || !Number.isInteger(offset) || offset < 0)
      throw invalid("querystring/limit must be integer");
    const like = `%${(query.get("search") ?? "").replace(/[\\%_]/g, "\\$&")}%`;
    return this.session.as(caller, "storage.bucket.list", (sql) => sql`
      select ${columns(sql)} from storage.buckets where name ilike ${like}
       order by ${sql(sorted)} ${sql.unsafe(direction)} limit ${limit} offset ${offset}`);
  }

  async get({ caller, bucket }) {
    const [found] = await this.session.as(caller, "storage.bucket.get", (sql) =>
      sql`select ${columns(sql)} from storage.buckets where id = ${bucket}`);
    if (!found) throw noBucket();
    const { type, ...shown } = found; // as hosted: only the list tells it
    return shown;
  }

  async create({ caller, body }) {
    const { name } = body;
    const id = body.id || name;
    if (typeof name !== "string") throw invalid("body must have required property 'name'");
    if (body.type && body.type !== "STANDARD") throw invalid("Only STANDARD buckets are there on the embedded engine");
    for (const one of [name, id])
      if (!NAME.test(one)) throw new StorageError(400, "InvalidBucketName", "Bucket name invalid", { error: "Invalid Input" });
    const row = given({ id, name, owner: caller.uuid, owner_id: caller.id, ...properties(body) });
    await this.session.as(caller, "storage.bucket.create", (sql) => sql`insert into storage.buckets ${sql(row)}`);
    return { name };
  }

  async update({ caller, bucket, body }) {
    const values = given(properties(body));
    if (!Object.keys(values).length) throw invalid("body must NOT have fewer than 1 properties");
    const done = await this.session.as(caller, "storage.bucket.update", (sql) =>
      sql`update storage.buckets set ${sql(values)}, updated_at = now() where id = ${bucket}`);
    if (!done.count) throw noBucket();
    return { message: "Successfully updated" };
  }

  async remove({ caller, bucket }) {
    await this.get({ caller, bucket });
    const done = await this.session.as(caller, "storage.bucket.delete", async (sql) => {
      await sql`set local role service_role`; // who may not see an object must not delete it with its bucket
      const [{ used }] = await sql`select exists (select from storage.objects where bucket_id = ${bucket}) as used`;
      if (used) throw new StorageError(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty");
      await sql`select set_config('role', ${caller.role}, true)`;
      return sql`delete from storage.buckets where id = ${bucket}`;
    });
    if (!done.count) throw noBucket();
    return { message: "Successfully deleted" };
  }

  /** At once, where hosted Storage does it later. */
  async empty({ caller, bucket }) {
    await this.get({ caller, bucket });
    const gone = await this.session.as(caller, "storage.bucket.empty", (sql) =>
      sql`delete from storage.objects where bucket_id = ${bucket} returning version`);
    await this.files.remove(...gone.map(({ version }) => version));
    return { message: "Empty bucket has been queued. Completion may take up to an hour." };
  }
}
