// A small HTTP proxy: the gateway, and what stands before the embedded engine's API server in auth and rest.
import http from "node:http";

export const answer = (response, status, body, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
};

/** Pass the request on to `url` with `headers` (undefined removes one); the answer is passed back, plus `added`. */
export function pass(request, response, url, headers, added = {}) {
  const { host, connection, ...sent } = request.headers;
  for (const [name, value] of Object.entries(headers)) value === undefined ? delete sent[name] : (sent[name] = value);
  const onward = http.request(url, { method: request.method, headers: sent }, (back) => {
    const { connection: _, ...kept } = back.headers;
    response.writeHead(back.statusCode, { ...kept, ...added });
    back.pipe(response);
  });
  onward.on("error", (error) => {
    console.error(`${request.method} ${request.url}: ${error.message}`);
    if (!response.headersSent) answer(response, 503, { message: "name resolution failed" }, added);
    else response.destroy();
  });
  request.pipe(onward);
}

/** Listen on every address of the container; `handle` gets the request, its answer and the path without its query. */
export function listen(port, name, handle) {
  const server = http.createServer((request, response) => {
    const [path] = request.url.split("?");
    response.on("finish", () => {
      if (!path.startsWith("/health")) console.log(`${request.method} ${request.url} ${response.statusCode}`);
    });
    handle(request, response, path);
  });
  server.listen(port, "0.0.0.0", () => console.log(`${name} (stand-in) listening on port ${port}`));
  process.on("SIGTERM", () => process.exit(0));
  process.on("SIGINT", () => process.exit(0));
}
