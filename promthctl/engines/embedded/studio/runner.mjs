// SQL as a person has typed it: run as it is, on a connection of its own, so that nothing of it reaches the next run.
//
// With the driver `pg`, which is loaded when it is first used: `postgres`, that of the others, gives a text of several
// statements fewer results than it has.

const MOST_ROWS = 1000; // of one result that are sent; the rest is counted
const MOST_NOTICES = 100;
const ROLES = new Set(["postgres", "service_role", "anon", "authenticated"]);

/** A text, sent as it is; its results in order: pg calls these methods with the server's messages. */
class Run {
  constructor(text) {
    Object.assign(this, { text, results: [], open: null });
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
  }

  submit(connection) {
    connection.query(this.text);
  }

  handleRowDescription({ fields }) {
    this.open = { columns: fields.map(({ name, dataTypeID: type }) => ({ name, type })), rows: [], met: 0 };
  }

  handleDataRow({ fields }) {
    this.open.met += 1;
    if (this.open.rows.length < MOST_ROWS) this.open.rows.push(fields);
  }

  handleCommandComplete({ text: tag }) {
    const [, command, count] = tag.match(/^(.*?)(?: (\d+)){0,2}$/);
    const { columns = [], rows = [], met } = this.open ?? {};
    this.results.push({ command, count: count === undefined ? (met ?? null) : Number(count), columns, rows });
    this.open = null;
  }

  handleCopyInResponse(connection) {
    connection.sendCopyFail("Studio has no rows to send: use psql, or a file of [db.seed] sql_paths");
  }

  handleError(error) {
    this.reject(error);
  }

  handleReadyForQuery() {
    this.resolve(this.results);
  }

  handleCopyData({ chunk }) {
    this.open ??= { columns: [{ name: "copy", type: 25 }], rows: [], met: 0 };
    this.handleDataRow({ fields: [chunk.toString().replace(/\n$/, "")] });
  }

  handleEmptyQuery() {}
}

/** What is said of an error; line and column, from 1, where PostgreSQL names a place in the text. */
function failure({ code = null, message, detail, hint, where, position }, text) {
  const before = position ? [...text].slice(0, Number(position) - 1).join("").split("\n") : null;
  const place = before && { line: before.length, column: [...before.at(-1)].length + 1 };
  return { code, message, detail, hint, where, ...place };
}

/** Become a role for the session, with the claims that REST would set. user: an id, for authenticated. */
async function become(client, role, user) {
  if (role === "postgres") return;
  const { rows } = await client.query(
    `select case when $1 = 'authenticated' then (
       select jsonb_build_object('sub', id, 'aud', aud, 'role', role, 'email', coalesce(email, ''), 'phone', coalesce(phone, ''),
         'app_metadata', coalesce(raw_app_meta_data, '{}'), 'user_metadata', coalesce(raw_user_meta_data, '{}'),
         'is_anonymous', is_anonymous, 'aal', 'aal1')
       from auth.users where id::text = $2)
     else jsonb_build_object('role', $1::text) end::text as claims`,
    [role, user ?? ""],
  );
  if (rows[0].claims === null) throw new Error("There is no such user");
  await client.query("select set_config('request.jwt.claims', $1, false), set_config('role', $2, false)", [rows[0].claims, role]);
}

/** Put the names of types in the place of their numbers. */
async function nameTypes(client, results) {
  const columns = results.flatMap((result) => result.columns);
  const { rows } = await client.query(
    "select oid, pg_catalog.format_type(oid, null) as name from pg_catalog.unnest($1::pg_catalog.oid[]) as given (oid)",
    [[...new Set(columns.map(({ type }) => type))]],
  );
  const names = new Map(rows.map(({ oid, name }) => [oid, name]));
  for (const column of columns) column.type = names.get(column.type);
}

async function cancel(client, pid) {
  client.on("error", () => {});
  await client.connect();
  await client.query("select pg_catalog.pg_cancel_backend($1)", [pid]);
  await client.end();
}

/**
 * Run SQL. options: of the driver, as postgres. asked: {text, role, user}. signal: ends it.
 * Resolves to {results: [{command, count, columns: [{name, type}], rows}], notices, error, open (a transaction was left), ms}.
 */
export async function run(options, { text, role = "postgres", user }, signal) {
  const said = { results: [], notices: [], error: null, open: false, ms: 0 };
  if (typeof text !== "string" || !ROLES.has(role)) return { ...said, error: { code: null, message: "There is no such role, or no text" } };
  const { default: pg } = await import("pg");
  const client = new pg.Client({ ...options, application_name: "promthctl studio", options: "-c standard_conforming_strings=on" });
  client.on("error", () => {}); // a connection that ends: the run fails, and says so
  client.on("notice", ({ severity, message, detail, hint }) => {
    if (said.notices.length < MOST_NOTICES) said.notices.push({ severity, message, detail, hint });
  });
  client.connection.on("readyForQuery", ({ status }) => (said.open = status === "T"));
  const stop = () => cancel(new pg.Client(options), client.processID).catch(() => {});
  let begun;
  try {
    await client.connect();
    await become(client, role, user);
    signal?.addEventListener("abort", stop);
    begun = performance.now();
    said.results = await client.query(new Run(text)).done;
    said.ms = Math.round(performance.now() - begun);
    const { open } = said;
    await nameTypes(client, said.results);
    return { ...said, open };
  } catch (error) {
    return { ...said, results: [], open: false, error: failure(error, text), ms: begun ? Math.round(performance.now() - begun) : 0 };
  } finally {
    signal?.removeEventListener("abort", stop);
    await client.end().catch(() => {});
  }
}
