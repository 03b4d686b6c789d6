// Who works in Studio with the rights of service_role: a browser that `promthctl local studio` has opened.
//
// A token in the URL is good once, and becomes a cookie. Cookies know no ports, so that a page of another server on
// this machine can send it, too: a request counts only where the browser says that Studio's own page made it.

import { createHash, randomBytes } from "node:crypto";

const TOKEN_SECONDS = 120;
const SESSION_SECONDS = 12 * 3600;
const HEADERS = { "x-frame-options": "DENY", "content-security-policy": "frame-ancestors 'none'", "cache-control": "no-store", "referrer-policy": "no-referrer" };

const hash = (text) => createHash("sha256").update(text).digest("hex");
const page = (status, text, more = {}) =>
  new Response(`<!doctype html><meta charset="utf-8"><title>Studio</title>${more.refresh ?? ""}<p>${text}</p>`, {
    status,
    headers: { "content-type": "text/html; charset=utf-8", ...HEADERS, ...more.headers },
  });

/** Random texts that are known here by their hashes, each for a while. */
class Known {
  constructor(seconds) {
    this.seconds = seconds;
    this.until = new Map();
  }

  make() {
    const text = randomBytes(32).toString("base64url");
    for (const [one, until] of this.until) if (until < Date.now()) this.until.delete(one);
    this.until.set(hash(text), Date.now() + this.seconds * 1000);
    return text;
  }

  has(text) {
    return (this.until.get(hash(text)) ?? 0) > Date.now();
  }

  /** Whether it was known; it is not from now on. */
  use(text) {
    const known = this.has(text);
    this.until.delete(hash(text));
    return known;
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
    return { token: this.tokens.make(), seconds: TOKEN_SECONDS };
  }

  /** The page that a token opens: it has the cookie set, and leads on to Studio. */
  enter(token) {
    if (!this.tokens.use(token ?? ""))
      return page(401, "This link was used, or is too old. Open Studio again: <code>promthctl local studio</code>");
    const cookie = `${this.name}=${this.sessions.make()}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${SESSION_SECONDS}`;
    // Not a redirect: with one, the cookie is not sent where another site's page led here.
    const refresh = '<meta http-equiv="refresh" content="0; url=/">';
    return page(200, '<a href="/">Studio</a>', { refresh, headers: { "set-cookie": cookie } });
  }

  /** What a browser sees that was not let in. */
  closed() {
    return page(401, "Open Studio with this command: <code>promthctl local studio</code>");
  }

  /** Whether a request, by its headers, comes from a browser that was let in. */
  isOpen({ host, cookie }) {
    const given = (cookie ?? "").split(/;\s*/).find((one) => one.startsWith(`${this.name}=`));
    return given !== undefined && this.isLoopback(host ?? "") && this.sessions.has(given.slice(this.name.length + 1));
  }

  /** Whether Studio's own page made it. A page cannot set Sec-Fetch-Site; another port is not the same origin. */
  isOwn(headers) {
    return headers["sec-fetch-site"] === "same-origin" && this.isOpen(headers);
  }

  /** Studio's page, which no other page may show in a frame. */
  framed(response) {
    const headers = new Headers(response.headers);
    for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
    return new Response(response.body, { status: response.status, headers });
  }
}
