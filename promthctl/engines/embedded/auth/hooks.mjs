// The hooks of [auth.hook.*] that are functions in the database: pg-functions://postgres/<schema>/<function>.
// Source: internal/hooks of github.com/supabase/auth, and https://supabase.com/docs/guides/auth/auth-hooks

import { randomUUID } from "node:crypto";

import { absent, AuthError, failed } from "./errors.mjs";

const NAMES = {
  custom_access_token: "customize-access-token",
  password_verification_attempt: "password-verification-attempt",
  mfa_verification_attempt: "mfa-verification-attempt",
  before_user_created: "before-user-created",
  send_email: "send-email",
};
const TIMEOUT = 2000; // milliseconds, as GoTrue gives it

/** The hooks of a project. configured: {name: uri} of those that are enabled. */
export class Hooks {
  constructor(configured) {
    this.configured = configured;
  }

  has(name) {
    return Object.hasOwn(this.configured, name);
  }

  /** What the hook's function answers to the input. Raises AuthError for what it refuses. */
  async call(tx, name, address, input) {
    const found = /^pg-functions:\/\/[^/]+\/([^/]+)\/([^/]+)$/i.exec(this.configured[name]);
    if (!found) throw absent(`A hook at ${this.configured[name].split(":")[0]}:// ([auth.hook.${name}])`);
    const metadata = { uuid: randomUUID(), time: new Date().toISOString(), name: NAMES[name], ip_address: address };
    let answer;
    try {
      await tx`select set_config('statement_timeout', ${String(TIMEOUT)}, true)`;
      [{ answer }] = await tx`select ${tx(found[1])}.${tx(found[2])}(${{ metadata, ...input }}) as answer`;
      await tx`select set_config('statement_timeout', '0', true)`;
    } catch (error) {
      throw Object.assign(failed(`Error running hook URI: ${this.configured[name]}`), { cause: error });
    }
    const parsed = typeof answer === "string" && answer !== "" ? JSON.parse(answer) : answer;
    const refused = parsed?.error;
    if (refused?.message) throw new AuthError(refused.http_code || 500, "unknown", refused.message);
    return parsed ?? {};
  }
}
