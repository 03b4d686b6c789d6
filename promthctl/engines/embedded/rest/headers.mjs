// What a request's headers ask for: preferences, media types and ranges.

import { ApiError } from "./errors.mjs";

const PREFERENCES = {
  resolution: ["merge-duplicates", "ignore-duplicates"],
  missing: ["default", "null"],
  return: ["representation", "minimal", "headers-only"],
  count: ["exact", "planned", "estimated"],
  tx: ["commit", "rollback"],
  handling: ["strict", "lenient"],
};

/** Prefer: of one kind only the first counts. unknown: the texts that are none. mayEnd: whether tx= is allowed. */
export function readPreferences(header = "", mayEnd) {
  const found = { unknown: [] };
  for (const text of header
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean)) {
    const at = text.indexOf("=");
    const [name, value] = [text.slice(0, at), text.slice(at + 1)];
    if (name === "timezone") found.timezone ??= value;
    else if (name === "max-affected") {
      if (/^\d+$/.test(value)) found.maxAffected ??= Number(value);
    } else if (PREFERENCES[name]?.includes(value)) {
      if (name !== "tx" || mayEnd) found[name] ??= value;
    } else found.unknown.push(text);
  }
  return found;
}

/** Preference-Applied of those that a kind of request obeys. */
export function appliedPreferences(found, kinds) {
  const applied = Object.keys(PREFERENCES)
    .filter((name) => found[name] && (kinds.includes(name) || ["count", "tx", "handling"].includes(name)))
    .map((name) => `${name}=${found[name]}`);
  if (found.timezone !== undefined) applied.push(`timezone=${found.timezone}`);
  if (found.maxAffected !== undefined && found.handling === "strict" && kinds.includes("maxAffected"))
    applied.push(`max-affected=${found.maxAffected}`);
  return applied.length ? { "preference-applied": applied.join(", ") } : {};
}

/** The parts of a media type: {type, parameters} in lower case. */
function mediaType(text) {
  const [type, ...rest] = text.match(/(?:"[^"]*"|[^;"])+/g) ?? [""];
  const parameters = {};
  for (const part of rest) {
    const [, name, value] = /^\s*([\w-]+)\s*=\s*"?([^"]*?)"?\s*$/.exec(part) ?? [];
    if (name) parameters[name.toLowerCase()] = value;
  }
  return { type: type.trim().toLowerCase(), parameters };
}

export const contentType = (header) => (header === undefined ? "application/json" : mediaType(header).type);

const JSON_SHAPES = {
  "*/*": {},
  "application/json": {},
  "application/vnd.pgrst.object": { single: true },
  "application/vnd.pgrst.object+json": { single: true },
  "application/vnd.pgrst.array": {},
  "application/vnd.pgrst.array+json": {},
};

const WITH_CHARSET = new Set(["application/json", "application/geo+json", "text/csv", "text/plain", "text/xml"]);

function shapeOf({ type, parameters }, { plan, custom }) {
  if (custom && (type === custom.media || custom.media === "*/*")) {
    const made = custom.media === "*/*" ? "application/octet-stream" : type;
    return { kind: "custom", type: WITH_CHARSET.has(made) ? `${made}; charset=utf-8` : made, handler: custom };
  }
  if (type === "text/csv") return { kind: "csv", type: "text/csv; charset=utf-8" };
  if (type === "application/geo+json") return { kind: "geojson", type: "application/geo+json; charset=utf-8" };
  if (type in JSON_SHAPES) {
    const { single = false } = JSON_SHAPES[type];
    const strip = parameters.nulls === "stripped" && type.startsWith("application/vnd.");
    const name = single
      ? "application/vnd.pgrst.object+json"
      : strip
        ? "application/vnd.pgrst.array+json"
        : "application/json";
    return {
      kind: "json",
      single,
      strip,
      mime: `${name}${strip ? ";nulls=stripped" : ""}`,
      type: `${name}${strip ? ";nulls=stripped" : ""}; charset=utf-8`,
    };
  }
  const [, format = ""] = /^application\/vnd\.pgrst\.plan(?:\+(json|text))?$/.exec(type) ?? [];
  if (plan && /^application\/vnd\.pgrst\.plan(\+(json|text))?$/.test(type)) {
    const inner = shapeOf(mediaType(parameters.for ?? "application/json"), { custom });
    const options = (parameters.options ?? "")
      .split("|")
      .filter((word) => /^(analyze|verbose|settings|buffers|wal)$/.test(word));
    const name = `application/vnd.pgrst.plan+${format || "text"}; for="${inner?.mime ?? parameters.for}"`;
    return (
      inner && {
        ...inner,
        explain: { format: format || "text", options },
        type: `${name}${options.length ? `; options=${options.join("|")}` : ""}; charset=utf-8`,
      }
    );
  }
  return undefined;
}

/** The media types of Accept, the best first. */
function accepted(header) {
  const parts = (header ?? "*/*").match(/(?:"[^"]*"|[^,"])+/g) ?? ["*/*"];
  return parts
    .map((text) => ({ text: text.trim(), ...mediaType(text) }))
    .map((media) => ({ ...media, q: Number(media.parameters.q ?? 1), wild: media.type === "*/*" }))
    .sort((a, b) => b.q - a.q || a.wild - b.wild);
}

/** The shape of the answer: {kind: "json" | "csv" | "geojson" | "custom", single, strip, explain, type}. */
export function negotiate(header, possible) {
  const medias = accepted(header);
  for (const media of medias) {
    const shape = shapeOf(media, possible);
    if (shape) return shape;
  }
  const names = medias.map(({ text }) => text).join(", ");
  throw new ApiError(406, "PGRST107", `None of these media types are available: ${names}`);
}

/** Whether the root of the API may answer with its description. */
export const acceptsOpenApi = (header) =>
  accepted(header).some(({ type }) => ["application/openapi+json", "application/json", "*/*"].includes(type));

export const unacceptable = (header) =>
  new ApiError(
    406,
    "PGRST107",
    `None of these media types are available: ${accepted(header)
      .map(({ type }) => type)
      .join(", ")}`,
  );

const invalidRange = (details) => new ApiError(416, "PGRST103", "Requested range not satisfiable", { details });

/**
 * The range of the root, {offset, limit}, of the Range header (of GET) and limit and offset; written into ranges.
 * Raises PGRST103 for a range that is none and PGRST114 for one on PUT.
 */
export function rootRange(method, header, ranges) {
  const asked = ranges.get("") ?? { offset: 0, limit: null };
  let { offset, limit } = asked;
  if (offset < 0) {
    // From before the first row: as many rows fewer.
    if (limit !== null && limit !== 0) limit += offset;
    offset = 0;
  }
  if (limit !== null && limit < 0) throw invalidRange("Limit should be greater than or equal to zero.");
  const [, from, to] = (method === "GET" && /^(\d+)-(\d*)$/.exec(header ?? "")) || [];
  if (from !== undefined && limit !== 0) {
    if (to !== "" && Number(to) < Number(from))
      throw invalidRange("The lower boundary must be lower than or equal to the upper boundary in the Range header.");
    const upper = Math.min(to === "" ? Infinity : Number(to), limit === null ? Infinity : offset + limit - 1);
    offset = Math.max(offset, Number(from));
    limit = upper === Infinity ? null : upper - offset + 1;
    if (limit !== null && limit < 0) throw invalidRange("Limit should be greater than or equal to zero.");
  }
  if (method === "PUT" && (offset !== 0 || limit !== null))
    throw new ApiError(400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT");
  const range = { offset, limit };
  ranges.set("", range);
  return range;
}

/** Content-Range of rows lower to upper of total (null: not counted). */
export const contentRange = (lower, upper, total) =>
  `${total !== 0 && lower <= upper ? `${lower}-${upper}` : "*"}/${total ?? "*"}`;

/** The status and Content-Range of `page` rows from an offset of `total`. Raises PGRST103 for an offset behind them. */
export function rangeAnswer(offset, page, total) {
  const header = contentRange(offset, offset + page - 1, total);
  if (total !== null && offset > total)
    throw Object.assign(invalidRange(`An offset of ${offset} was requested, but there are only ${total} rows.`), {
      headers: { "content-range": header },
    });
  return { status: total !== null && page < total ? 206 : 200, header };
}
