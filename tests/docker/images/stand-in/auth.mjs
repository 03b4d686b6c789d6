// In place of Supabase Auth: sign-up, sign-in and the admin API, with sessions signed by GOTRUE_JWT_SECRET.
import { bearer, startApi } from "./api.mjs";
import { claims, keys } from "./keys.mjs";
import { answer, listen, pass } from "./proxy.mjs";

export async function auth() {
  const { GOTRUE_DB_DATABASE_URL, GOTRUE_JWT_SECRET, GOTRUE_JWT_KEYS, GOTRUE_SITE_URL, GOTRUE_API_PORT } = process.env;
  const known = keys(GOTRUE_JWT_SECRET, GOTRUE_JWT_KEYS);
  const api = await startApi(GOTRUE_DB_DATABASE_URL, GOTRUE_JWT_SECRET, GOTRUE_SITE_URL);

  listen(Number(GOTRUE_API_PORT), "auth", (request, response, path) => {
    if (path === "/health") return answer(response, 200, { name: "GoTrue", description: "a stand-in", version: "0" });
    const token = bearer(request);
    const found = token && claims(token, known);
    const admin = path.startsWith("/admin/");
    if (admin && found?.role !== "service_role")
      return answer(response, found ? 403 : 401, { code: found ? 403 : 401, error_code: "not_admin", msg: "User not allowed" });
    const apikey = admin ? api.serviceKey : api.anonKey;
    const authorization = `Bearer ${found?.sub ? token : apikey}`;
    pass(request, response, `${api.url}/auth/v1${request.url}`, { host: api.host, apikey, authorization });
  });
}
