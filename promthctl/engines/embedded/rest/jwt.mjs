// The JSON Web Token of a request: signed with one of the stack's keys, and valid now.
// Source: https://docs.postgrest.org/en/v14/references/auth.html

import { ApiError } from "./errors.mjs";

const SKEW = 30; // seconds, as PostgREST allows

function refused(code, message, details = null) {
  const headers = { "www-authenticate": `Bearer error="invalid_token", error_description="${message}"` };
  return new ApiError(401, code, message, { details, headers });
}

const json = (part) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));

function verified(token, keys) {
  const parts = token.split(".");
  if (token === "") throw refused("PGRST301", "Empty JWT is sent in Authorization header");
  if (parts.length !== 3) throw refused("PGRST301", `Expected 3 parts in JWT; got ${parts.length}`);
  let header;
  try {
    header = json(parts[0]);
  } catch {
    throw refused("PGRST301", "JWT couldn't be decoded");
  }
  if (!/^(none|HS|RS|ES|PS|EdDSA)/.test(header?.alg)) throw refused("PGRST301", "Wrong or unsupported encoding algorithm");
  if (!keys.verifies(header, `${parts[0]}.${parts[1]}`, Buffer.from(parts[2], "base64url")))
    throw refused("PGRST301", "No suitable key or wrong key type", "None of the keys was able to decode the JWT");
  try {
    const claims = json(parts[1]);
    if (claims && typeof claims === "object" && !Array.isArray(claims)) return claims;
  } catch {
    // no object either
  }
  throw refused("PGRST303", "Parsing claims failed");
}

function checkTimes(claims, now) {
  for (const [name, wrong, message] of [
    ["exp", (time) => now - SKEW > time, "JWT expired"],
    ["nbf", (time) => now + SKEW < time, "JWT not yet valid"],
    ["iat", (time) => now + SKEW < time, "JWT issued at future"],
  ]) {
    const time = claims[name];
    if (time === undefined || time === null) continue;
    if (typeof time !== "number") throw refused("PGRST303", `The JWT '${name}' claim must be a number`);
    if (wrong(Math.floor(time))) throw refused("PGRST303", message);
  }
}

/** Reads tokens; one that was verified is not verified again. */
export class Tokens {
  #known = new Map();
  #keys;

  /** keys: Keys. */
  constructor(keys) {
    this.#keys = keys;
  }

  /** The claims of a token. Raises ApiError PGRST301 or PGRST303. audience: what `aud` must have, if anything. */
  claims(token, audience) {
    let claims = this.#known.get(token);
    if (!claims) {
      claims = verified(token, this.#keys);
      if (this.#known.size >= 500) this.#known.clear();
      this.#known.set(token, claims);
    }
    checkTimes(claims, Math.floor(Date.now() / 1000));
    const { aud } = claims;
    const listed = Array.isArray(aud) ? aud : aud === undefined || aud === null ? [] : [aud];
    if (!listed.every((one) => typeof one === "string"))
      throw refused("PGRST303", "The JWT 'aud' claim must be a string or an array of strings");
    if (audience && listed.length && !listed.includes(audience)) throw refused("PGRST303", "JWT not in audience");
    return claims;
  }
}
