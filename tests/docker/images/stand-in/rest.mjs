// In place of PostgREST: the role comes from the token in Authorization, without one it is PGRST_DB_ANON_ROLE.
import { randomBytes } from "node:crypto";

import { bearer, startApi } from "./api.mjs";
import { claims, keys, sign } from "./keys.mjs";
import { answer, listen, pass } from "./proxy.mjs";

export async function rest() {
  const { PGRST_DB_URI, PGRST_JWT_SECRET, PGRST_ADMIN_SERVER_PORT } = process.env;
  const known = keys(PGRST_JWT_SECRET);
  const secret = randomBytes(32).toString("hex");
  const api = await startApi(PGRST_DB_URI, secret, "http://127.0.0.1");
  const refused = { code: "PGRST301", message: "No suitable key or wrong key type", details: null, hint: null };

  listen(3000, "rest", (request, response) => {
    const token = bearer(request);
    const found = token === null ? { role: "anon" } : claims(token, known);
    if (!found) return answer(response, 401, refused, { "www-authenticate": 'Bearer error="invalid_token"' });
    const apikey = found.role === "service_role" ? api.serviceKey : api.anonKey;
    const person = !["anon", "service_role"].includes(found.role);
    const authorization = `Bearer ${person ? sign(found, secret) : apikey}`;
    pass(request, response, `${api.url}/rest/v1${request.url}`, { host: api.host, apikey, authorization });
  });
  listen(Number(PGRST_ADMIN_SERVER_PORT), "rest's health", async (request, response) => {
    const asked = await fetch(`${api.url}/_promthctl/status`, { headers: { apikey: api.serviceKey } }).catch(() => null);
    answer(response, asked?.ok ? 200 : 503, "");
  });
}
