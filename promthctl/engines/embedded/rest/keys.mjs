// The keys that tokens are signed with: the stack's secret (HS256), and those of `[auth] signing_keys_path` (ES256, RS256).

import { createHmac, createPrivateKey, createPublicKey, sign, timingSafeEqual, verify } from "node:crypto";

const ALGORITHMS = { EC: "ES256", RSA: "RS256" };
const PUBLIC = ["kty", "kid", "crv", "x", "y", "n", "e"];
const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Keys {
  /** secret: of the stack. jwks: private JSON Web Keys, the first of which signs from now on. */
  constructor(secret, jwks = []) {
    this.secret = secret;
    this.pairs = jwks.map((jwk) => {
      const own = createPrivateKey({ key: jwk, format: "jwk" });
      return { jwk, alg: ALGORITHMS[jwk.kty], own, open: createPublicKey(own) };
    });
  }

  #mac(text) {
    return createHmac("sha256", this.secret).update(text).digest();
  }

  /** Whether a signature is right. The key decides which algorithm may be used, not the token's header. */
  verifies({ alg, kid }, text, signature) {
    if (alg === "HS256") {
      const made = this.#mac(text);
      return made.length === signature.length && timingSafeEqual(made, signature);
    }
    return this.pairs.some(
      (pair) =>
        pair.alg === alg &&
        (kid === undefined || kid === pair.jwk.kid) &&
        verify("sha256", Buffer.from(text), { key: pair.open, dsaEncoding: "ieee-p1363" }, signature),
    );
  }

  /** A JWT of the claims. */
  sign(claims) {
    const [pair] = this.pairs;
    const header = pair ? { alg: pair.alg, ...(pair.jwk.kid && { kid: pair.jwk.kid }), typ: "JWT" } : { alg: "HS256", typ: "JWT" };
    const text = `${part(header)}.${part(claims)}`;
    const made = pair ? sign("sha256", Buffer.from(text), { key: pair.own, dsaEncoding: "ieee-p1363" }) : this.#mac(text);
    return `${text}.${made.toString("base64url")}`;
  }

  /** What everybody may know of them: the answer at /.well-known/jwks.json. */
  published() {
    return this.pairs.map(({ jwk, alg }) => ({
      ...Object.fromEntries(PUBLIC.filter((name) => jwk[name] !== undefined).map((name) => [name, jwk[name]])),
      ...{ alg, use: "sig", key_ops: ["verify"] },
    }));
  }
}
