// Who works in Studio with the rights of postgres: a browser that `promthctl local studio` has opened.
//
// A token in the URL is good once, and becomes a cookie and a secret. Cookies know no ports, so that a program of somebody
// else that listens on this machine can be sent it, too. The secret is kept in the page's storage, which is of this port
// alone, and is sent as a header; both are needed.

import { createHash, randomBytes } from "node:crypto";

const TOKEN_SECONDS = 120;
const SESSION_SECONDS = 12 * 3600;
const HEADERS = {
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
const POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const KEEP = 'localStorage.setItem("studio", document.querySelector("meta[name=secret]").content); location.replace("/");';

const digest = (text, form) => createHash("sha256").update(text).digest(form);
const hash = (text) => digest(text, "hex");
const random = () => randomBytes(32).toString("base64url");

/** An answer that no other page can show or read. policy: more of the Content-Security-Policy. */
export const guarded = (body, type, { status = 200, policy = "", headers = {} } = {}) =>
  new Response(body, {
    status,
    headers: { ...HEADERS, "content-type": type, "content-security-policy": POLICY + policy, ...headers },
  });

const page = (status, text, { head = "", ...more } = {}) =>
  guarded(`<!doctype html><meta charset="utf-8">${head}<title>Studio</title><p>${text}</p>`, "text/html; charset=utf-8", { status, ...more });

/** Random texts that are known here by their hashes, each for a while, each with what belongs to it. */
class Known {
  constructor(seconds) {
    this.seconds = seconds;
    this.entries = new Map();
  }

  add(text, value = true) {
    for (const [one, { until }] of this.entries) if (until < Date.now()) this.entries.delete(one);
    this.entries.set(hash(text), { value, until: Date.now() + this.seconds * 1000 });
    return text;
  }

  /** What belongs to a text, undefined where it is not known. */
  get(text) {
    const entry = this.entries.get(hash(text));
    return entry && entry.until > Date.now() ? entry.value : undefined;
  }

  /** The same; it is not known from now on. */
  use(text) {
    const value = this.get(text);
    this.entries.delete(hash(text));
    return value;
  }
}

export class StudioDoor {
  /** port: of the API, by which the cookies of several stacks differ. isLoopback: whether a Host header names this machine. */
  constructor(port, isLoopback) {
    this.name = `promthctl_studio_${port}`;
    this.isLoopback = isLoopback;
    this.tokens = new Known(TOKEN_SECONDS);
    this.sessions = new Known(SESSION_SECONDS);
  }

  /** For `promthctl local studio`. */
  token() {
    return { token: this.tokens.add(random()), seconds: TOKEN_SECONDS };
  }

  /** The page that a token opens: it has the cookie set, keeps the secret, and leads on to Studio. */
  enter(token) {
    if (!this.tokens.use(token ?? ""))
      return page(401, "This link was used, or is too old. Open Studio again: <code>promthctl local studio</code>");
    const secret = random();
    const session = this.sessions.add(random(), hash(secret));
    const cookie = `${this.name}=${session}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${SESSION_SECONDS}`;
    // Not a redirect: with one, the cookie is not sent where another site's page led here.
    const head = `<meta name="secret" content="${secret}">`;
    const policy = `; script-src 'sha256-${digest(KEEP, "base64")}'`;
    return page(200, `<a href="/">Studio</a><script>${KEEP}</script>`, { head, policy, headers: { "set-cookie": cookie } });
  }

  /** What a browser sees that was not let in. */
  closed() {
    return page(401, "Open Studio with this command: <code>promthctl local studio</code>");
  }

  /** The hash of the secret that belongs to a request's cookie; undefined without a good one. headers: of node:http. */
  #session({ host, cookie }) {
    const given = (cookie ?? "").split(/;\s*/).find((one) => one.startsWith(`${this.name}=`));
    return given && this.isLoopback(host ?? "") ? this.sessions.get(given.slice(this.name.length + 1)) : undefined;
  }

  /** Whether a browser that was let in asks for the page, which has nothing of the database in it. */
  isOpen(headers) {
    return this.#session(headers) !== undefined;
  }

  /** Whether Studio's own page made the request. Another port is another origin. */
  isOwn(headers) {
    const { host, origin, "sec-fetch-site": site, "x-studio-secret": secret } = headers;
    const fromHere = site === "same-origin" && (origin === undefined || origin === `http://${host}`);
    return fromHere && secret !== undefined && this.#session(headers) === hash(secret);
  }
}
