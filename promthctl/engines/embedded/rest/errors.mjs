// Errors in the API's own JSON, with PostgREST's codes and HTTP statuses.
// Source: https://docs.postgrest.org/en/v14/references/errors.html

/** An answer that says why a request was refused: {code, message, details, hint}. No Error: nobody needs its stack. */
export class ApiError {
  constructor(status, code, message, { details = null, hint = null, headers = {}, reason } = {}) {
    Object.assign(this, { status, code, message, details, hint, headers, reason });
  }

  body() {
    const { code, details, hint, message } = this;
    return JSON.stringify({ code, details, hint, message });
  }
}

export const parseError = (message, details) => new ApiError(400, "PGRST100", message, { details });
export const notImplemented = (what) =>
  new ApiError(501, "PGRST127", "Feature not implemented", {
    details: `${what} is not there on the embedded engine`,
    hint: "promthctl local up --engine docker has it",
  });

const EXACT = {
  23503: 409, // foreign_key_violation
  23505: 409, // unique_violation
  25006: 405, // read_only_sql_transaction
  42883: 404, // undefined_function
  "42P01": 404, // undefined_table
  "42P17": 500, // infinite recursion
  53400: 500, // configuration limit exceeded
  "57P01": 503, // admin_shutdown
  P0001: 400, // raise_exception
};
const CLASSES = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  25: 500,
  28: 403,
  "2D": 500,
  38: 500,
  39: 500,
  "3B": 500,
  40: 500,
  53: 503,
  54: 500,
  55: 500,
  57: 500,
  58: 500,
  F0: 500,
  HV: 500,
  P0: 500,
  XX: 500,
};

function statusOf({ code, message }, authenticated) {
  if (code === "42501") return authenticated ? 403 : 401;
  if (code === "21000") return message.endsWith("requires a WHERE clause") ? 400 : 500;
  if (code === "22023") return message.startsWith("role") && message.endsWith("does not exist") ? 401 : 400;
  if (code === "42883" && message.startsWith("function xmlagg(")) return 406;
  return EXACT[code] ?? CLASSES[code.slice(0, 2)] ?? 400;
}

function parsed(text, what) {
  try {
    const value = JSON.parse(text);
    const needed = what === "MESSAGE" ? ["code", "message"] : ["status", "headers"];
    if (needed.every((key) => value?.[key] !== undefined)) return value;
  } catch {
    // what follows says so
  }
  const hint =
    what === "MESSAGE"
      ? "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'."
      : "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.";
  const details =
    text === undefined ? "DETAIL is missing in the RAISE statement" : `Invalid JSON value for ${what}: '${text}'`;
  const message = `Could not parse JSON in the "RAISE SQLSTATE 'PGRST'" error`;
  throw new ApiError(500, "PGRST121", message, { details, hint });
}

/** `raise sqlstate 'PGRST'`: the database chooses the whole answer. */
function chosen({ message, detail }) {
  try {
    const body = parsed(message, "MESSAGE");
    const answer = parsed(detail, "DETAIL");
    const { details = null, hint = null } = body;
    return new ApiError(answer.status, body.code, body.message, {
      details,
      hint,
      headers: answer.headers,
      reason: answer.status_text,
    });
  } catch (error) {
    return error;
  }
}

/** What PostgreSQL, or the way to it, answered. authenticated: the request has another role than anon. */
export function databaseError(error, authenticated) {
  const { code = "", message, detail, hint } = error;
  if (error.name !== "PostgresError" || !/^[0-9A-Z]{5}$/.test(code)) {
    if (code === "") return new ApiError(500, "PGRSTX00", "The server failed"); // a mistake of its own: the log has it
    return new ApiError(503, "PGRST001", "Database client error. Retrying the connection.", { details: code });
  }
  if (code === "PGRST") return chosen(error);
  const custom = code.startsWith("PT") ? Number(code.slice(2)) : NaN;
  const status = Number.isInteger(custom) ? custom : code.startsWith("PT") ? 500 : statusOf(error, authenticated);
  const headers = status === 401 ? { "www-authenticate": "Bearer" } : {};
  const reason = Number.isInteger(custom) ? message : undefined;
  return new ApiError(status, code, message, { details: detail, hint, headers, reason });
}
