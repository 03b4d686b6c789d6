// The body of an upload as it comes: raw, or the file of a form. Never whole in memory.

import { invalid, tooLarge } from "./errors.mjs";

const MAX_JSON = 1024 * 1024; // bytes, as storage-api
const MAX_FIELDS = 64 * 1024; // bytes of a form beside its file

/** The JSON object of a request; {} for an empty body. */
export async function readJson(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MAX_JSON) throw tooLarge();
    parts.push(part);
  }
  if (!size) return {};
  try {
    const body = JSON.parse(Buffer.concat(parts).toString("utf8"));
    if (body && typeof body === "object" && !Array.isArray(body)) return body;
  } catch {
    // no JSON
  }
  throw invalid("The body must be a JSON object");
}

class Reader {
  constructor(stream) {
    this.chunks = stream[Symbol.asyncIterator]();
    this.rest = Buffer.from("\r\n"); // so that the first boundary is found as all others
  }

  /** The bytes before `mark`, which is passed over. */
  async *before(mark) {
    for (;;) {
      const at = this.rest.indexOf(mark);
      const ready = at < 0 ? this.rest.length - mark.length + 1 : at;
      if (ready > 0) yield this.rest.subarray(0, ready);
      if (at >= 0) {
        this.rest = this.rest.subarray(at + mark.length);
        return;
      }
      this.rest = this.rest.subarray(Math.max(ready, 0));
      const { value, done } = await this.chunks.next();
      if (done) throw invalid("Unexpected end of form");
      this.rest = Buffer.concat([this.rest, value]);
    }
  }

  async text(mark) {
    const parts = [];
    let size = 0;
    for await (const part of this.before(mark)) {
      size += part.length;
      if (size > MAX_FIELDS) throw invalid("The form's fields are too large");
      parts.push(part);
    }
    return Buffer.concat(parts).toString("utf8");
  }
}

function parsed(text) {
  try {
    const value = JSON.parse(text);
    if (value && typeof value === "object") return value;
  } catch {
    // no JSON: none
  }
  return null;
}

/** {chunks, mimetype, cacheControl, metadata (an object or null)} of an upload. */
export async function readUpload(request) {
  const { headers } = request;
  const type = headers["content-type"] ?? "";
  if (!/^multipart\/form-data/i.test(type)) {
    const given = headers["x-metadata"];
    return {
      chunks: request,
      mimetype: type || "application/octet-stream",
      cacheControl: headers["cache-control"] ?? "no-cache",
      metadata: given ? parsed(Buffer.from(given, "base64").toString("utf8")) : null,
    };
  }
  const boundary = type.match(/boundary=(?:"([^"]+)"|([^;\s]+))/i);
  if (!boundary) throw invalid("Multipart: Boundary not found");
  const mark = Buffer.from(`\r\n--${boundary[1] ?? boundary[2]}`);
  const reader = new Reader(request);
  const fields = {};
  await reader.text(mark);
  for (let count = 0; count < 12; count++) {
    const head = await reader.text(Buffer.from("\r\n"));
    if (head.startsWith("--")) break;
    const about = await reader.text(Buffer.from("\r\n\r\n"));
    const name = about.match(/[;\s]name="([^"]*)"/i)?.[1] ?? "";
    if (!/filename\*?=/i.test(about)) {
      fields[name] = await reader.text(mark);
      continue;
    }
    return {
      chunks: reader.before(mark),
      mimetype: fields.contentType || about.match(/^content-type:\s*(.+?)\s*$/im)?.[1] || "application/octet-stream",
      cacheControl: fields.cacheControl ? `max-age=${fields.cacheControl}` : "no-cache",
      metadata: parsed(fields.metadata ?? fields.userMetadata ?? ""),
    };
  }
  throw invalid("No content provided");
}
