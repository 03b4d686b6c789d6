// What Auth answers when it refuses: {code, error_code, msg}, or {code, message} to clients that ask for API version
// 2024-01-01. Source: internal/api/apierrors and internal/api/errors.go of github.com/supabase/auth.

export const VERSION_HEADER = "x-supabase-api-version";
const VERSION = "2024-01-01";

/** An answer other than success. status: of HTTP. code: GoTrue's error_code. more: further fields of the body. */
export class AuthError extends Error {
  constructor(status, code, message, more = {}) {
    super(message);
    Object.assign(this, { status, code, more });
  }
}

export const invalid = (message, status = 400) => new AuthError(status, "validation_failed", message);
export const failed = (message) => new AuthError(500, "unexpected_failure", message);
export const absent = (what) =>
  new AuthError(501, "not_implemented", `${what} is not there on the embedded engine`, {
    hint: "promthctl local up --engine docker has it",
  });

/** What a statement on the tables of Auth failed with: a trigger's own words are for its author, not for every client. */
export function databaseError(error, message) {
  if (error instanceof AuthError || error?.name !== "PostgresError") return error;
  const made = failed(message);
  const known = /^(P0001|23\d\d\d)$/.test(error.code) ? 500 : Number(/^PT(\d{3})$/.exec(error.code)?.[1] ?? 0);
  made.cause = error;
  if (known) made.shown = { status: known, body: { code: error.code, message: error.message, hint: error.hint, detail: error.detail } };
  return made;
}

/** The error's status, headers and body for a request. */
export function errorAnswer(error, asked) {
  const headers = { "content-type": "application/json", "x-sb-error-code": error.code };
  if (/^\d{4}-\d\d-\d\d$/.test(asked ?? "") && asked >= VERSION) {
    const body = { code: error.code, message: error.message, ...error.more };
    return { status: error.status, headers: { ...headers, [VERSION_HEADER]: VERSION }, body };
  }
  if (error.shown) return { headers, ...error.shown };
  return { status: error.status, headers, body: { code: error.status, error_code: error.code, msg: error.message, ...error.more } };
}
