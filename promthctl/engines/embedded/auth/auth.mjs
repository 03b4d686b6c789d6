// Auth (/auth/v1) as hosted Supabase answers it: github.com/supabase/auth on the tables of the schema auth.
//
// Our own because Supabase Auth's binary is in no package registry. What is not here answers 501: see MISSING, and docs/embedded.md.

import { absent, AuthError, errorAnswer, failed, invalid } from "./errors.mjs";
import { Admin } from "./admin.mjs";
import { mayRedirect } from "./checks.mjs";
import { Factors } from "./mfa.mjs";
import { Hooks } from "./hooks.mjs";
import { Mailbox, Mailer } from "./mail.mjs";
import { Sessions, verified } from "./tokens.mjs";
import { Signup } from "./signup.mjs";
import { Verify } from "./verify.mjs";

const MAX_BODY = 1024 * 1024; // bytes
const MISSING = [
  [/^\/(admin\/)?oauth(\/|$)|^\/user\/oauth\//, "Auth as an OAuth server"],
  [/^\/(passkeys|admin\/users\/[^/]+\/passkeys)(\/|$)/, "Passkeys"],
  [/^\/(admin\/sso|sso\/saml|scim)(\/|$)/, "Single sign-on"],
  [/^\/admin\/(audit|custom-providers)(\/|$)/, "This part of the admin API"],
  [/^\/callback(\/|$)/, "Sign-in by other providers"],
];
const OBJECTS = new Set(["data", "user_metadata", "app_metadata"]);
const TEXTS = new Set([
  ...["email", "phone", "password", "password_hash", "new_email", "token", "token_hash", "type", "redirect_to", "nonce", "id", "role", "aud"],
  ...["refresh_token", "auth_code", "code_verifier", "code_challenge", "code_challenge_method", "ban_duration", "channel"],
  ...["factor_type", "friendly_name", "issuer", "code", "challenge_id"],
]);
const ADMIN = new Set(["service_role", "supabase_admin"]);

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const fits = ([name, value]) =>
  value === null || (OBJECTS.has(name) ? isObject(value) : !TEXTS.has(name) || typeof value === "string");

export class Auth {
  /**
   * sql: as supabase_auth_admin. keys: of the JWTs. base: the URL of Auth. settings: of [auth], see auth_settings in
   * api.py. mailFile: where messages go. log: takes a line.
   */
  constructor({ sql, keys, base, settings, mailFile, log }) {
    const hooks = new Hooks(settings.hooks);
    const sessions = new Sessions({ keys, issuer: base, settings, hooks });
    const mailer = new Mailer({ base, settings, mailbox: new Mailbox(mailFile), hooks });
    const parts = { sql, settings, sessions, mailer, hooks, base };
    const signup = new Signup(parts);
    const verify = new Verify({ ...parts, signup });
    const factors = new Factors({ ...parts, signup });
    const admin = new Admin({ ...parts, signup, factors });
    Object.assign(this, { sql, keys, settings, sessions, verify, log });
    const user = "(?:/)?$";
    const route = (method, pattern, needs, work) => ({ method, pattern: new RegExp(`^${pattern}${user}`), needs, work });
    this.routes = [
      route("GET", "/health", null, () => ({ body: { name: "GoTrue", version: "embedded", description: "promthctl's Auth" } })),
      route("GET", "/settings", null, () => ({ body: this.#settings() })),
      route("GET", "/\\.well-known/jwks\\.json", null, () => ({ body: { keys: keys.published() } })),
      route("POST", "/signup", null, (asked) => signup.signup(asked)),
      route("POST", "/token", null, (asked) => this.#token(asked)),
      route("POST", "/otp", null, (asked) => signup.otp(asked)),
      route("POST", "/magiclink", null, (asked) => signup.magicLink(asked)),
      route("POST", "/recover", null, (asked) => signup.recover(asked)),
      route("POST", "/resend", null, (asked) => signup.resend(asked)),
      route("GET", "/verify", null, (asked) => verify.link(asked)),
      route("POST", "/verify", null, (asked) => verify.code(asked)),
      route("GET", "/authorize", null, (asked) => this.#authorize(asked)),
      route("POST", "/sso", null, () => this.#sso()),
      route("GET", "/user", "user", (asked) => verify.userGet(asked)),
      route("PUT", "/user", "user", (asked) => verify.userUpdate(asked)),
      route("GET", "/user/identities/authorize", "user", () => this.#linking()),
      route("DELETE", "/user/identities/([^/]+)", "user", (asked) => verify.unlink(asked)),
      route("GET", "/reauthenticate", "user", (asked) => verify.reauthenticate(asked)),
      route("POST", "/logout", "user", (asked) => verify.logout(asked)),
      route("POST", "/factors", "user", (asked) => factors.enroll(asked)),
      route("POST", "/factors/([^/]+)/challenge", "user", (asked) => factors.challenge(asked)),
      route("POST", "/factors/([^/]+)/verify", "user", (asked) => factors.verify(asked)),
      route("DELETE", "/factors/([^/]+)", "user", (asked) => factors.unenroll(asked)),
      route("POST", "/invite", "admin", (asked) => signup.invite(asked)),
      route("POST", "/admin/generate_link", "admin", (asked) => admin.generateLink(asked)),
      route("GET", "/admin/users", "admin", (asked) => admin.list(asked)),
      route("POST", "/admin/users", "admin", (asked) => admin.create(asked)),
      route("GET", "/admin/users/([^/]+)", "admin", (asked) => admin.get(asked)),
      route("PUT", "/admin/users/([^/]+)", "admin", (asked) => admin.update(asked)),
      route("DELETE", "/admin/users/([^/]+)", "admin", (asked) => admin.remove(asked)),
      route("GET", "/admin/users/([^/]+)/factors", "admin", (asked) => admin.factors(asked)),
      route("PUT", "/admin/users/([^/]+)/factors/([^/]+)", "admin", (asked) => admin.updateFactor(asked)),
      route("DELETE", "/admin/users/([^/]+)/factors/([^/]+)", "admin", (asked) => admin.removeFactor(asked)),
    ];
  }

  /** Answer a Request. path: below /auth/v1, decoded. token: the bearer's, a JWT. Resolves to a Response. */
  async answer(request, { path, token, address }) {
    const version = request.headers.get("x-supabase-api-version");
    let made;
    try {
      made = await this.#answer(request, path, token, address);
    } catch (error) {
      const known = error instanceof AuthError ? error : failed("Unexpected failure, please check server logs for more information");
      const cause = error instanceof AuthError ? error.cause : error;
      if (cause) this.log(`${request.method} ${path}: ${cause.code ?? cause.name} ${cause.message}`);
      made = errorAnswer(known, version);
    }
    const headers = { "content-type": "application/json", "access-control-expose-headers": "X-Total-Count, Link, X-Supabase-Api-Version", ...made.headers };
    const body = made.body === undefined ? null : JSON.stringify(made.body);
    if (body === null) delete headers["content-type"];
    return new Response(body, { status: made.status ?? 200, headers });
  }

  async #answer(request, path, token, address) {
    const fitting = this.routes.filter(({ pattern }) => pattern.test(path));
    const route = fitting.find(({ method }) => method === request.method);
    if (!route) {
      const missing = MISSING.find(([pattern]) => pattern.test(path));
      if (missing) throw absent(missing[1]);
      if (fitting.length) throw new AuthError(405, "unknown", "Method Not Allowed");
      throw new AuthError(404, "unknown", "404 page not found");
    }
    const who = route.needs && (await this.#who(route.needs, token));
    const query = new URL(request.url).searchParams;
    const body = ["POST", "PUT", "DELETE"].includes(request.method) ? await this.#body(request, path) : {};
    const wanted = [request.headers.get("redirect_to"), query.get("redirect_to"), request.headers.get("referer")];
    return route.work({
      body,
      query,
      path: `/auth/v1${path}`,
      found: route.pattern.exec(path),
      who,
      client: { address, agent: request.headers.get("user-agent") },
      redirectTo: wanted.find((target) => mayRedirect(target, this.settings)) ?? this.settings.siteUrl,
    });
  }

  async #who(needs, token) {
    if (!token) throw new AuthError(401, "no_authorization", "This endpoint requires a valid Bearer token");
    if (needs === "user") return this.sessions.who(this.sql, token);
    const claims = verified(token, this.keys);
    if (!ADMIN.has(claims.role)) throw new AuthError(403, "not_admin", "User not allowed");
    return claims;
  }

  async #body(request, path) {
    const text = await request.text();
    if (Buffer.byteLength(text) > MAX_BODY) throw new AuthError(413, "validation_failed", "The request's body is too large");
    if (text === "" && (request.method === "DELETE" || path === "/logout" || path.endsWith("/challenge"))) return {};
    try {
      const body = JSON.parse(text);
      if (isObject(body) && Object.entries(body).every(fits)) return body;
    } catch {
      // said below
    }
    throw new AuthError(400, "bad_json", "Could not parse request body as JSON");
  }

  async #token(asked) {
    const { body, client, query } = asked;
    switch (query.get("grant_type")) {
      case "password":
        return this.verify.password(asked);
      case "refresh_token":
        return { body: await this.sessions.refresh(this.sql, body.refresh_token, client) };
      case "pkce":
        return this.verify.pkce(asked);
      case "id_token":
        throw absent("Sign-in by other providers");
      case "web3":
        throw absent("Sign-in with a wallet");
      default:
        throw new AuthError(400, "invalid_credentials", "unsupported_grant_type");
    }
  }

  #authorize({ query }) {
    if (this.settings.providers.includes(query.get("provider"))) throw absent("Sign-in by other providers");
    throw invalid("Unsupported provider: provider is not enabled");
  }

  #sso() {
    if (this.settings.saml) throw absent("Single sign-on");
    throw new AuthError(404, "saml_provider_disabled", "SAML 2.0 is disabled");
  }

  #linking() {
    if (this.settings.enableManualLinking) throw absent("Sign-in by other providers");
    throw new AuthError(404, "manual_linking_disabled", "Manual linking is disabled");
  }

  #settings() {
    const { settings } = this;
    const external = Object.fromEntries(settings.providers.map((name) => [name, true]));
    return {
      external: { ...external, anonymous_users: settings.enableAnonymous, email: settings.email.enableSignup, phone: settings.phone.enableSignup },
      disable_signup: !settings.enableSignup,
      mailer_autoconfirm: !settings.email.enableConfirmations,
      phone_autoconfirm: !settings.phone.enableConfirmations,
      sms_provider: "",
      saml_enabled: false,
      passkeys_enabled: false,
    };
  }
}
