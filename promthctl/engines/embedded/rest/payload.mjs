// A request's body: its keys are read here, its values by PostgreSQL alone.

import { ApiError } from "./errors.mjs";
import { pairs } from "./grammar.mjs";
import { literal } from "./sql.mjs";

const invalid = (message) => new ApiError(400, "PGRST102", message);

/** The keys of every object of a JSON text, which must be the same; what is neither is the empty array. */
function keysOf(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("Empty or invalid json");
  }
  if (!Array.isArray(value))
    return value && typeof value === "object" ? { text, keys: Object.keys(value) } : { text: "[]", keys: [] };
  if (value.length === 0) return { text: "[]", keys: [] };
  const isObject = (item) => item && typeof item === "object" && !Array.isArray(item);
  const keys = isObject(value[0]) ? Object.keys(value[0]) : undefined;
  const same = (item) => {
    const own = isObject(item) ? Object.keys(item) : [];
    return isObject(item) && own.length === keys.length && keys.every((key) => Object.hasOwn(item, key));
  };
  if (!keys || !value.every(same)) throw invalid("All object keys must match");
  return { text, keys };
}

/** The rows of a CSV text (RFC 4180) as a JSON array: NULL is null, everything else a string. */
function csv(text) {
  const rows = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^,\r\n"]*))(,|\r?\n|$)/y;
  for (let at = 0; at < text.length; ) {
    cell.lastIndex = at;
    const found = cell.exec(text);
    if (!found) throw invalid(`parse error in the CSV at character ${at + 1}`);
    rows.at(-1).push(found[1] !== undefined ? found[1].replaceAll('""', '"') : found[2]);
    at = cell.lastIndex;
    if (found[3] === "") break;
    if (found[3] === ",") {
      if (at === text.length) rows.at(-1).push("");
    } else if (at < text.length) rows.push([]);
  }
  const [names = [], ...lines] = rows;
  if (lines.some((line) => line.length !== names.length)) throw invalid("All lines must have same number of fields");
  const objects = lines.map((line) =>
    Object.fromEntries(line.map((value, index) => [names[index], value === "NULL" ? null : value])),
  );
  return { text: JSON.stringify(objects), keys: lines.length ? names : [] };
}

/**
 * {text: JSON, keys} of the body of a mutation or a call; for a call also {form: [[name, value]]} or {raw: true}.
 * columns: of the query string, which spares reading the body. Raises PGRST102.
 */
export function readPayload(body, type, { columns, call }) {
  const text = body.toString("utf8");
  if (type === "application/json") {
    if (columns) return { text, keys: columns };
    return call && text === "" ? { text: "{}", keys: [] } : keysOf(text);
  }
  if (type === "text/csv") return csv(text);
  if (type === "application/x-www-form-urlencoded") {
    const form = pairs(text).map(([name, value = ""]) => [name, value]);
    if (call) return { form, keys: [...new Set(form.map(([name]) => name))] };
    return { text: JSON.stringify(Object.fromEntries(form)), keys: [...new Set(form.map(([name]) => name))] };
  }
  if (call && ["text/plain", "text/xml", "application/octet-stream"].includes(type)) return { raw: true, keys: [] };
  throw invalid(`Content-Type not acceptable: ${type}`);
}

/** A body as the only argument of a function, of one of the types that PostgREST knows. */
export const singleArgument = (body, type) =>
  type === "bytea" ? `${literal(`\\x${body.toString("hex")}`)}::bytea` : `${literal(body.toString("utf8"))}::${type}`;
