// Node's HTTP request and response around an answer of rest.mjs.

const MOST = 256 * 1024 * 1024; // bytes of a body, which is kept in memory

/** The whole body of a request as a Buffer; null for one that is too large. */
export async function readBody(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const EXPOSED = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit";

/** Write an answer {status, reason, headers, body}. mayRead: whether a page of an origin may read it. */
export function restResponse(request, response, { status, reason, headers, body }, mayRead) {
  const { origin } = request.headers;
  const all = { ...headers };
  if (origin !== undefined) {
    all.vary = "Origin";
    if (mayRead(origin)) {
      all["access-control-allow-origin"] = origin;
      all["access-control-expose-headers"] = EXPOSED;
    }
  }
  if (request.method !== "HEAD" && status !== 204) all["content-length"] = Buffer.byteLength(body);
  if (reason) response.statusMessage = reason.replace(/[^\t\x20-\x7e\x80-\xff]/g, " ");
  response.writeHead(status, all);
  response.end(request.method === "HEAD" || status === 204 ? undefined : body);
}
