// JSON Web Tokens: verified against the keys the CLI hands out, and signed for the API server behind a stand-in.
import { createHmac, createPublicKey, timingSafeEqual, verify } from "node:crypto";

const decode = (part) => JSON.parse(Buffer.from(part, "base64url").toString());
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const hmac = (secret, text) => createHmac("sha256", secret).update(text).digest();

/** The symmetric and public keys in GOTRUE_JWT_KEYS or PGRST_JWT_SECRET: a JWK set, a list of JWKs or a plain secret. */
export function keys(...sources) {
  return sources.filter(Boolean).flatMap((source) => {
    if (!/^\s*[[{]/.test(source)) return [{ kty: "oct", k: Buffer.from(source).toString("base64url") }];
    const parsed = JSON.parse(source);
    return parsed.keys ?? parsed;
  });
}

/** The claims of a token that one of the keys has signed and that has not expired, else null. */
export function claims(token, known) {
  try {
    const [head, body, signature] = token.split(".");
    const { alg } = decode(head);
    const text = `${head}.${body}`;
    const signed = Buffer.from(signature, "base64url");
    const good = known.some((key) => {
      if (alg === "HS256" && key.kty === "oct") {
        const right = hmac(Buffer.from(key.k, "base64url"), text);
        return right.length === signed.length && timingSafeEqual(right, signed);
      }
      if (alg === "ES256" && key.kty === "EC") {
        const { kty, crv, x, y } = key;
        const publicKey = createPublicKey({ key: { kty, crv, x, y }, format: "jwk" });
        return verify("sha256", Buffer.from(text), { key: publicKey, dsaEncoding: "ieee-p1363" }, signed);
      }
      return false;
    });
    const found = decode(body);
    return good && !(found.exp * 1000 < Date.now()) ? found : null;
  } catch {
    return null;
  }
}

/** A token with these claims, HS256. */
export function sign(content, secret) {
  const text = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(content)}`;
  return `${text}.${hmac(secret, text).toString("base64url")}`;
}
