// The messages Auth would send, and the one-time tokens in them. A message is not sent: it is added to a file, one JSON
// object a line, that `promthctl local mail` shows. Source: internal/api/mail.go of github.com/supabase/auth.

import { createHash, randomInt, randomUUID } from "node:crypto";
import { chmod, open, readFile, rename, writeFile } from "node:fs/promises";

import { AuthError } from "./errors.mjs";
import { duration } from "./checks.mjs";
import { update } from "./users.mjs";

const KEPT = 200; // messages
const SUBJECTS = {
  signup: "Confirm Your Signup",
  invite: "You have been invited",
  recovery: "Reset Your Password",
  magiclink: "Your Magic Link",
  email_change: "Confirm Email Change",
  reauthentication: "Confirm Reauthentication",
};

/** A file of messages, the oldest first; none where there is no path. */
export class Mailbox {
  #path;
  #last = Promise.resolve(); // one write after the other

  constructor(path) {
    this.#path = path;
  }

  add(message) {
    if (!this.#path) return Promise.resolve();
    const line = `${JSON.stringify({ id: randomUUID(), sent_at: new Date().toISOString(), ...message })}\n`;
    return (this.#last = this.#last.catch(() => {}).then(() => this.#write(line)));
  }

  async #write(line) {
    const before = await readFile(this.#path, "utf8").catch(() => "");
    const lines = before.split("\n").filter(Boolean);
    if (lines.length < KEPT) {
      const file = await open(this.#path, "a", 0o600);
      await file.write(line).finally(() => file.close());
    } else {
      const aside = `${this.#path}.new`;
      await writeFile(aside, `${lines.slice(1 - KEPT).join("\n")}\n${line}`, { mode: 0o600 });
      await rename(aside, this.#path);
    }
    await chmod(this.#path, 0o600);
  }
}

export const hashed = (address, code) => createHash("sha224").update(address + code).digest("hex");
export const newCode = (length) => String(randomInt(10 ** Math.min(length, 14))).padStart(length, "0");

/** Where a link of a message leads: to /verify, which leads on to the app. */
export function linkOf(base, token, type, redirectTo) {
  const target = /[&=#]/.test(redirectTo) ? encodeURIComponent(redirectTo) : redirectTo;
  return `${base}/verify?token=${encodeURIComponent(token)}&type=${type}&redirect_to=${target}`;
}

export function storeToken(tx, user, type, relatesTo, hash) {
  return tx`insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to)
    values (${randomUUID()}, ${user}, ${type}, ${hash}, ${relatesTo.toLowerCase()})
    on conflict (user_id, token_type) do update
       set token_hash = excluded.token_hash, relates_to = excluded.relates_to, updated_at = now()`;
}

function checkFrequency(sentAt, maxFrequency) {
  const left = sentAt ? new Date(sentAt).getTime() + duration(maxFrequency) - Date.now() : 0;
  if (left > 0)
    throw new AuthError(429, "over_email_send_rate_limit", `For security purposes, you can only request this after ${Math.floor(left / 1000)} seconds.`);
}

const KINDS = {
  signup: { column: "confirmation", token: "confirmation_token" },
  invite: { column: "confirmation", token: "confirmation_token", unlimited: true },
  recovery: { column: "recovery", token: "recovery_token" },
  magiclink: { column: "recovery", token: "recovery_token" },
  reauthentication: { column: "reauthentication", token: "reauthentication_token" },
};

export class Mailer {
  /** base: the URL of Auth. settings: of [auth]. */
  constructor({ base, settings, mailbox, hooks }) {
    Object.assign(this, { base, settings, mailbox, hooks });
  }

  /** Send a message with a new one-time token of a kind of KINDS. pkce: the link gives a code, not a session. */
  async send(tx, user, type, { pkce = false, redirectTo = "", address = "" } = {}) {
    const kind = KINDS[type];
    if (!kind.unlimited) checkFrequency(user[`${kind.column}_sent_at`], this.settings.maxFrequency);
    const code = newCode(this.settings.otpLength);
    const hash = `${pkce ? "pkce_" : ""}${hashed(user.email, code)}`;
    await storeToken(tx, user.id, kind.token, user.email, hash);
    const now = new Date();
    const changed = await update(tx, user.id, {
      [kind.token]: hash,
      [`${kind.column}_sent_at`]: now,
      ...(type === "invite" && { invited_at: now }),
    });
    await this.#post(tx, changed, { type, to: user.email, code, hash, redirectTo, address });
    return changed;
  }

  /** Send what confirms a change of the address: to the new one, and to the old one as double_confirm_changes says. */
  async sendChange(tx, user, email, { pkce = false, redirectTo = "", address = "" }) {
    checkFrequency(user.email_change_sent_at, this.settings.maxFrequency);
    const prefix = pkce ? "pkce_" : "";
    const code = newCode(this.settings.otpLength);
    const hash = prefix + hashed(email, code);
    const columns = { email_change: email, email_change_token_new: hash, email_change_sent_at: new Date(), email_change_confirm_status: 0 };
    const both = this.settings.doubleConfirmChanges && user.email;
    const oldCode = newCode(this.settings.otpLength);
    const oldHash = both ? prefix + hashed(user.email, oldCode) : "";
    if (both) await storeToken(tx, user.id, "email_change_token_current", user.email, oldHash);
    await storeToken(tx, user.id, "email_change_token_new", email, hash);
    const changed = await update(tx, user.id, { ...columns, ...(both && { email_change_token_current: oldHash }) });
    if (both) await this.#post(tx, changed, { type: "email_change", to: user.email, code: oldCode, hash: oldHash, redirectTo, address });
    await this.#post(tx, changed, { type: "email_change", to: email, code, hash, redirectTo, address });
    return changed;
  }

  async #post(tx, user, { type, to, code, hash, redirectTo, address }) {
    if (this.hooks.has("send_email")) {
      const data = { token: code, token_hash: hash, redirect_to: redirectTo, email_action_type: type, site_url: this.base };
      await this.hooks.call(tx, "send_email", address, { user: { id: user.id, email: user.email }, email_data: data });
      return;
    }
    const link = type === "reauthentication" ? null : linkOf(this.base, hash, type, redirectTo);
    await this.mailbox.add({ to, type, subject: SUBJECTS[type], code, link });
  }
}
