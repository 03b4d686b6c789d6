// Listing by cursor (list-v2): objects by the beginning of their names, and with a delimiter the folders among them.
// Source: listObjectsV2 in src/storage/object.ts and search_v2 in migrations/tenant of github.com/supabase/storage.

import { invalid } from "./errors.mjs";

const COLUMNS = ["name", "updated_at", "created_at"];
const MAX = 1000;

function cursorOf(text) {
  if (text === undefined || text === null || text === "") return null;
  try {
    const [name, column, order, at] = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    if (typeof name === "string" && COLUMNS.includes(column) && /^(asc|desc)$/.test(order) && (at === null || !Number.isNaN(Date.parse(at))))
      return { name, column, order, at };
  } catch {
    // said below
  }
  throw invalid("Invalid Parameter continuation token");
}

function checked({ prefix = "", limit = MAX, with_delimiter: folders = false, cursor, sortBy }) {
  if (typeof prefix !== "string") throw invalid("body/prefix must be string");
  if (!Number.isInteger(limit) || limit < 1) throw invalid("body/limit must be >= 1");
  if (typeof folders !== "boolean") throw invalid("body/with_delimiter must be boolean");
  if (cursor !== undefined && typeof cursor !== "string") throw invalid("body/cursor must be string");
  const { column = "name", order = "asc" } = sortBy ?? {};
  if (!COLUMNS.includes(column)) throw invalid("body/sortBy/column must be equal to one of the allowed values");
  if (!/^(asc|desc)$/.test(order)) throw invalid("body/sortBy/order must be equal to one of the allowed values");
  const after = cursorOf(cursor);
  return { prefix, limit: Math.min(limit, MAX), folders, after, column: after?.column ?? column, order: after?.order ?? order };
}

/** {hasNext, nextCursor, nextCursorKey, folders, objects} of the body of a request, as the caller sees them. */
export async function listByCursor(session, { caller, bucket, body }) {
  const { prefix, limit, folders, after, column, order } = checked(body);
  const rows = await session.as(caller, "storage.object.list_v2", (sql) => {
    const rest = sql`substr(o.name, length(${prefix}::text) + 1)`;
    const of = sql`from storage.objects o where o.bucket_id = ${bucket} and starts_with(o.name, ${prefix})`;
    const level = prefix.split("/").length;
    // A folder has the times of its first object, and its slash, by which it differs from an object of that name.
    const entries = folders
      ? sql`select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata ${of} and strpos(${rest}, '/') = 0
            union all select ${prefix}::text || split_part(${rest}, '/', 1) || '/', null, min(o.created_at), min(o.created_at), null, null
            ${of} and strpos(${rest}, '/') > 0 group by 1`
      : sql`select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata ${of}`;
    // Milliseconds: what a cursor keeps of a time.
    const at = column === "name" ? sql`null::timestamptz` : sql`date_trunc('milliseconds', ${sql(column)})`;
    const way = order === "desc" ? sql`desc` : sql`asc`;
    const beyond = order === "desc" ? sql`<` : sql`>`;
    const from = !after
      ? sql``
      : column === "name"
        ? sql`where name collate "C" ${beyond} ${after.name}`
        : sql`where row(${at}, name collate "C") ${beyond} row(${after.at}::timestamptz, ${after.name})`;
    return sql`select *, ${at} as at, split_part(name, '/', ${level}) as key from (${entries}) entries ${from}
      order by ${at} ${way}, name collate "C" ${way} limit ${limit + 1}`;
  });
  const shown = rows.slice(0, limit).map(({ at, key, ...row }) => {
    if (!folders) return row;
    return row.id === null && column === "name" ? { key, ...row, updated_at: null, created_at: null } : { key, ...row };
  });
  const hasNext = rows.length > limit;
  const last = rows[limit - 1];
  const next = hasNext && {
    nextCursor: Buffer.from(JSON.stringify([last.name, column, order, last.at])).toString("base64url"),
    nextCursorKey: last.name,
  };
  return { hasNext, ...next, folders: shown.filter(({ id }) => id === null), objects: shown.filter(({ id }) => id !== null) };
}
