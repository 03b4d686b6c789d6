// PostgREST's settings: of supabase/config.toml, and over them those of `alter role authenticator set pgrst.…`.
// Source: https://docs.postgrest.org/en/v14/references/configuration.html#in-database-configuration

const ROLE_SETTINGS = `
select coalesce(json_object_agg(name, value), '{}')::text as own from (
  select distinct on (name) split_part(s, '=', 1) as name, substr(s, strpos(s, '=') + 1) as value
  from pg_db_role_setting r, unnest(r.setconfig) s
  where r.setrole = current_user::regrole and s like 'pgrst.%'
    and r.setdatabase in (0, (select oid from pg_database where datname = current_database()))
  order by name, r.setdatabase desc) settings`;

// What the role of a request has set for itself: a login would get it, a change of the role does not.
const ASSUMED = `
select coalesce(json_object_agg(rolname, settings), '{}')::text as roles from (
  select m.rolname, json_object_agg(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)) as settings
  from pg_roles m, unnest(m.rolconfig) s
  join pg_settings p on p.name = split_part(s, '=', 1) and p.context = 'user'
  where pg_has_role(current_user, m.oid, 'member') and m.rolname <> current_user
  group by m.rolname) assumed`;

const list = (text) =>
  text
    .split(",")
    .map((part) => part.trim().replace(/^"(.*)"$/, "$1"))
    .filter(Boolean);
const flag = (text) => /^(true|on|yes|1)$/i.test(text);

const READERS = {
  db_schemas: (text) => ({ schemas: list(text) }),
  db_schema: (text) => ({ schemas: list(text) }),
  db_extra_search_path: (text) => ({ extraSearchPath: list(text) }),
  db_max_rows: (text) => ({ maxRows: text.trim() === "" ? null : Number(text) }),
  max_rows: (text) => ({ maxRows: text.trim() === "" ? null : Number(text) }),
  db_pre_request: (text) => ({ preRequest: text.trim() || undefined }),
  db_aggregates_enabled: (text) => ({ aggregates: flag(text) }),
  db_plan_enabled: (text) => ({ plan: flag(text) }),
  db_tx_end: (text) => ({ end: text.trim() }),
  db_anon_role: (text) => ({ anonRole: text.trim() }),
  db_root_spec: (text) => ({ rootSpec: text.trim() || undefined }),
  db_hoisted_tx_settings: (text) => ({ hoisted: list(text) }),
  openapi_mode: (text) => ({ openapi: text.trim() }),
  jwt_aud: (text) => ({ audience: text.trim() || undefined }),
  // These change nothing that an answer says.
  db_prepared_statements: () => ({}),
  server_timing_enabled: () => ({}),
  server_trace_header: () => ({}),
  jwt_cache_max_lifetime: () => ({}),
  db_channel_enabled: () => ({}),
};

const DEFAULTS = {
  aggregates: false,
  plan: false,
  end: "commit",
  anonRole: "anon",
  openapi: "follow-privileges",
  hoisted: ["statement_timeout", "plan_filter.statement_cost_limit", "default_transaction_isolation"],
};

/** A name as SQL wrote it, "schema.function", as {schema, name}. */
export function readName(text) {
  const parts = text.match(/"(?:[^"]|"")*"|[^."]+/g) ?? [text];
  const plain = parts.map((part) => (part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part));
  return plain.length > 1 ? { schema: plain[0], name: plain[1] } : { name: plain[0] };
}

/**
 * All settings: {schemas, extraSearchPath, maxRows, preRequest, aggregates, plan, end, anonRole, …, roles, ignored}.
 * query: as for readCatalog. configured: {schemas, extraSearchPath, maxRows} of config.toml.
 * ignored: the names of pgrst settings that are not obeyed.
 */
export async function readSettings(query, configured) {
  const [[{ own }], [{ roles }]] = await query(`${ROLE_SETTINGS};${ASSUMED}`);
  const settings = { ...DEFAULTS, ...configured, roles: JSON.parse(roles), ignored: [] };
  for (const [name, value] of Object.entries(JSON.parse(own))) {
    const read = READERS[name.slice("pgrst.".length)];
    if (read) Object.assign(settings, read(value));
    else settings.ignored.push(name);
  }
  return settings;
}
