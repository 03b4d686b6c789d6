// What a request's values must be: addresses, passwords, code challenges, and where a link may lead.
// Source: internal/api/mail.go, password.go, pkce.go and internal/utilities/request.go of github.com/supabase/auth.

import { AuthError, invalid } from "./errors.mjs";

const LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
const EMAIL = new RegExp(`^[a-zA-Z0-9.!#$%&'*+/=?^_\`{|}~-]+@${LABEL}(?:\\.${LABEL})*$`);
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An address as it is stored. */
export function emailOf(value) {
  if (typeof value !== "string" || value === "") throw invalid("An email address is required");
  if (value.length > 255) throw invalid("An email address is too long");
  if (!EMAIL.test(value)) throw invalid("Unable to validate email address: invalid format");
  return value.toLowerCase();
}

/** A phone number as it is stored: digits alone. */
export function phoneOf(value) {
  const phone = String(value ?? "").replace(/^\+/, "").replaceAll(" ", "");
  if (!/^[1-9][0-9]{1,14}$/.test(phone)) throw invalid("Invalid phone number format (E.164 required)");
  return phone;
}

/** Why a password is too weak: {message, reasons}; null where it is not. Raises for one that cannot be hashed. */
export function weakness(password, { minimumPasswordLength, requiredCharacters }) {
  if (Buffer.byteLength(password) > 72) throw invalid("Password cannot be longer than 72 characters");
  const reasons = [];
  const messages = [];
  if (Buffer.byteLength(password) < minimumPasswordLength) {
    reasons.push("length");
    messages.push(`Password should be at least ${minimumPasswordLength} characters.`);
  }
  if (!requiredCharacters.every((set) => [...set].some((character) => password.includes(character)))) {
    reasons.push("characters");
    messages.push(`Password should contain at least one character of each: ${requiredCharacters.join(", ")}.`);
  }
  return reasons.length ? { message: messages.join(" "), reasons } : null;
}

export function checkPassword(password, settings) {
  const weak = weakness(password, settings);
  if (weak) throw new AuthError(422, "weak_password", weak.message, { weak_password: { reasons: weak.reasons } });
}

/** Raises unless code_challenge and its method are both there and right, or both are not there. */
export function checkChallenge({ code_challenge: challenge, code_challenge_method: method }) {
  if (!challenge !== !method) throw invalid("PKCE flow requires code_challenge_method and code_challenge");
  if (!challenge) return;
  if (challenge.length < 43 || challenge.length > 128)
    throw invalid("code challenge has to be between 43 and 128 characters");
  if (!/^[a-zA-Z._~0-9-]+$/.test(challenge))
    throw invalid("code challenge can only contain alphanumeric characters, hyphens, periods, underscores and tildes");
  if (!/^(s256|plain)$/i.test(method)) throw invalid(`unsupported code_challenge method "${method}"`);
}

/** Milliseconds of a duration as Go writes it, "1h30m"; null for what is none. Source: https://pkg.go.dev/time#ParseDuration */
export function duration(text) {
  const units = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const found = /^([-+]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (!found) return text === "0" ? 0 : null;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) total += Number(number) * units[unit];
  return found[1] === "-" ? -total : total;
}

/** A pattern of additional_redirect_urls: * and ? stop at . and /, ** does not. Source: github.com/gobwas/glob */
function glob(pattern) {
  const source = pattern.replace(/\*\*|\*|\?|\[!?[^\]]+\]|\{[^}]*\}|[\s\S]/g, (part) => {
    if (part === "**") return ".*";
    if (part === "*") return "[^./]*";
    if (part === "?") return "[^./]";
    if (part.length > 1 && part[0] === "[") return `[${part.slice(1, -1).replace(/^!/, "^").replace(/[\\\]]/g, "\\$&")}]`;
    if (part.length > 1) return `(?:${part.slice(1, -1).split(",").map((one) => glob(one).source.slice(1, -1)).join("|")})`;
    return part.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  });
  return new RegExp(`^${source}$`);
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Whether a link may lead there: to the site, or to an address that additional_redirect_urls matches. */
export function mayRedirect(target, { siteUrl, redirectUrls }) {
  if (typeof target !== "string" || !URL.canParse(target) || !URL.canParse(siteUrl)) return false;
  const [site, wanted] = [new URL(siteUrl), new URL(target)];
  const sameHost = site.hostname !== "" && site.hostname === wanted.hostname && site.protocol === wanted.protocol;
  if (sameHost && (site.port === wanted.port || LOOPBACK.test(wanted.hostname))) return true;
  if (/^\d+$/.test(wanted.hostname)) return false;
  if (/^(\d+(\.\d+){3}|\[.*\])$/.test(wanted.hostname)) return LOOPBACK.test(wanted.hostname);
  return redirectUrls.some((pattern) => glob(pattern).test(target.split("#")[0]));
}
