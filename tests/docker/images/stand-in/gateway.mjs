// In place of Kong: the routes and the rules for keys are read from the configuration that the CLI writes for Kong.
import { readFileSync } from "node:fs";

import { answer, listen, pass } from "./proxy.mjs";

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT",
};

/** Each service's url with its paths and whether it wants the key turned into a bearer token, longest path first. */
function routes(text) {
  return text
    .split(/^  - name: /m)
    .slice(1)
    .flatMap((service) => {
      const url = /^    url: (\S+)/m.exec(service)?.[1];
      const paths = [...service.matchAll(/^          - (\/\S*)/gm)].map((match) => match[1]);
      return paths.map((path) => ({ url, path, bearer: /"Authorization: /.test(service) }));
    })
    .sort((a, b) => b.path.length - a.path.length);
}

export function gateway() {
  const text = readFileSync(process.env.KONG_DECLARATIVE_CONFIG, "utf8");
  const known = routes(text);
  // (headers.apikey == 'sb_secret_…' and 'Bearer eyJ…')
  const tokens = new Map([...text.matchAll(/headers\.apikey == '([^']*)' and '([^']*)'/g)].map((match) => match.slice(1)));

  listen(8000, "gateway", (request, response, path) => {
    const route = known.find((each) => path.startsWith(each.path));
    if (!route) return answer(response, 404, { message: "no Route matched with those values" }, CORS);
    if (request.method === "OPTIONS") {
      const asked = request.headers["access-control-request-headers"];
      return answer(response, 200, "", { ...CORS, ...(asked && { "access-control-allow-headers": asked }) });
    }
    const { authorization: given, apikey } = request.headers;
    const own = given && !given.startsWith("Bearer sb_") ? given : undefined;
    const authorization = route.bearer ? (own ?? tokens.get(apikey) ?? apikey) : given;
    const rest = request.url.slice(route.path.length).replace(/^\//, "");
    pass(request, response, `${route.url.replace(/\/$/, "")}/${rest}`.replace(/\/(\?|$)/, "$1"), { authorization }, CORS);
  });
}
