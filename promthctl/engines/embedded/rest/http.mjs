// HTTP around rest.mjs: who may ask at all, the request's body, the answer's headers.

const MOST = 256 * 1024 * 1024; // bytes of a body, which is kept in memory
const EMPTY = Buffer.alloc(0);

/** The whole body of a request as a Buffer; null for one that is too large. */
async function readBody(request) {
  const { "content-length": length, "transfer-encoding": coding } = request.headers;
  if (coding === undefined && (length === undefined || length === "0")) return EMPTY;
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const EXPOSED =
  "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit";

export const isRest = (url) => /^\/rest\/v1(?=[/?]|$)/.test(url);
export const bearerOf = (authorization) => authorization?.match(/^Bearer\s+(.*)$/i)?.[1];

const refusal = (status, message, more = {}) => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ message, ...more }),
});

function isText(path) {
  try {
    return decodeURIComponent(path) !== undefined;
  } catch {
    return false;
  }
}

const preflight = (headers) => ({
  status: 200,
  headers: {
    "access-control-allow-methods": "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
    "access-control-allow-headers": headers["access-control-request-headers"] ?? "*",
    "access-control-max-age": "86400",
  },
  body: "",
});

/** The answer to a request for a path below /rest/v1. */
async function answer(request, { rest, enabled, roleOf, jwtOf, isLoopback }) {
  const { headers, method, url } = request;
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const pairs = mark < 0 ? [] : url.slice(mark + 1).split("&");
  if (!isText(path)) return refusal(400, "The path is not UTF-8");
  // A page of another site, by DNS rebinding, reaches nothing.
  if (!isLoopback(headers.host ?? "")) return refusal(421, "Not a loopback host");
  if (method === "OPTIONS" && headers.origin && headers["access-control-request-method"]) return preflight(headers);
  const bearer = bearerOf(headers.authorization);
  const inQuery = pairs.find((pair) => pair.startsWith("apikey="))?.slice("apikey=".length);
  const key = headers.apikey ?? inQuery;
  if (method !== "OPTIONS" && ![key, inQuery, bearer].some((text) => text && roleOf(text)))
    return refusal(401, "No API key found in request");
  if (!enabled)
    return refusal(404, "The REST API is disabled", {
      hint: "set enabled = true under [api] in supabase/config.toml, then: promthctl local up",
    });
  const token = jwtOf(bearer ?? key);
  if (/^\/rest\/v1\/?$/.test(path) && method !== "OPTIONS" && roleOf(token) !== "service_role")
    return refusal(403, "Access to schema is forbidden", {
      hint: "Accessing the schema via the Data API is only allowed using a secret API key.",
    });
  const search = pairs.filter((pair) => !pair.startsWith("apikey=")).join("&");
  const body = await readBody(request);
  if (body === null) return refusal(413, "The request's body is too large");
  return rest.answer({ method, path: path.slice("/rest/v1".length) || "/", search, headers, token, body });
}

/** Write an answer. */
function write(request, response, { status, reason, headers, body }, mayRead) {
  const { origin } = request.headers;
  const all = { ...headers };
  if (origin !== undefined) {
    all.vary = "Origin";
    if (mayRead(origin)) {
      all["access-control-allow-origin"] = origin;
      all["access-control-expose-headers"] = EXPOSED;
    } else delete all["access-control-allow-origin"];
  }
  // A page that a function makes has an origin of its own: Studio's rights are not for its scripts.
  if (!/^application\/json/.test(all["content-type"] ?? "")) {
    const own = all["content-security-policy"]; // what the function sets, which holds besides
    all["content-security-policy"] = `${own ? `${own}, ` : ""}sandbox allow-scripts allow-forms`;
  }
  if (request.method !== "HEAD" && status !== 204) all["content-length"] = Buffer.byteLength(body);
  if (reason) response.statusMessage = reason.replace(/[^\t\x20-\x7e\x80-\xff]/g, " ");
  response.writeHead(status, all);
  response.end(request.method === "HEAD" || status === 204 ? undefined : body);
}

/**
 * A listener of node:http. rest: see rest.mjs. enabled: `[api] enabled`. roleOf: the role of one of the stack's keys.
 * jwtOf: the JWT that a key stands for.
 * isLoopback: of a Host header. mayRead: whether a page of an origin may read answers.
 */
export function listener(door) {
  return async (request, response) => {
    try {
      write(request, response, await answer(request, door), door.mayRead);
    } catch (error) {
      // Such as a header that SQL chose and that is none.
      console.error(error);
      if (response.headersSent) response.destroy();
      else write(request, response, refusal(500, "The answer could not be sent"), door.mayRead);
    }
  };
}
