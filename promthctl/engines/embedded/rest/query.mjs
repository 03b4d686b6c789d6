// SQL of plans. One statement does a whole request, and PostgreSQL writes its answer: the server never reads a value.

import { SOURCE } from "./plan.mjs";
import {
  column,
  condition,
  currentSetting,
  fieldSql,
  ident,
  limitOffset,
  literal,
  orderBy,
  qualified,
} from "./sql.mjs";

const casted = (sql, type) => (type === undefined ? sql : `CAST(${sql} AS ${type})`);
const aggregated = (sql, name, type) => (name ? casted(`${name.toUpperCase()}(${sql})`, type) : sql);
const named = (sql, alias) => (alias === undefined ? sql : `${sql} AS ${ident(alias)}`);

function selectItem(table, item, columns) {
  const known = columns?.get(item.field.name);
  const field = fieldSql(table, item.field, known);
  const shown = known?.toJson && item.field.path.length === 0 ? `${known.toJson}(${field})` : field;
  return named(aggregated(casted(shown, item.cast), item.aggregate, item.aggregateCast), item.alias);
}

function embedItems({ child, name, one, empty, spread }) {
  const alias = ident(child.embed);
  if (child.spread === "many")
    return spread.map((item) => {
      const order = orderBy(
        { name: child.embed },
        child.spreadOrder.map(({ term, name: field }) => ({
          ...term,
          relation: undefined,
          field: { name: field, path: [] },
        })),
      );
      return {
        inner: named(`COALESCE(json_agg(${alias}.${ident(item.name)}${order}), '[]')::jsonb`, item.name),
        outer: `${alias}.${ident(item.name)}`,
      };
    });
  if (spread)
    return spread.map((item) => ({
      outer: named(
        aggregated(column({ name: child.embed }, item.name), item.aggregate, item.aggregateCast),
        item.alias,
      ),
    }));
  if (empty) return [];
  if (one) return [{ outer: `row_to_json(${alias}.*)::jsonb AS ${ident(name)}` }];
  return [{ outer: `COALESCE(${alias}.${alias}, '[]') AS ${ident(name)}` }];
}

function join(embed) {
  const { child } = embed;
  const inner = child.join === "inner";
  const alias = ident(child.embed);
  let rows = readSql(child);
  let on = "TRUE";
  if (child.spread === "many" || (!child.spread && !embed.one)) {
    const arrays = child.spread
      ? embedItems(embed)
          .map((item) => `, ${item.inner}`)
          .join("")
      : "";
    rows = `SELECT json_agg(${alias})::jsonb AS ${alias}${arrays} FROM (${rows}) AS ${alias}`;
    if (inner) on = `${alias} IS NOT NULL`;
  }
  return ` ${inner ? "INNER" : "LEFT"} JOIN LATERAL (${rows}) AS ${alias} ON ${on}`;
}

function fromSql({ from, ref, relation, parent, depth }) {
  if (relation?.function)
    return ` FROM ${qualified(relation.function)}(${ident(parent.ref)}::${qualified(relation.table)}) AS ${ident(ref)}`;
  const table = `${qualified(from)}${from.name === ref ? "" : ` AS ${ident(ref)}`}`;
  const junction = relation?.junction
    ? `, ${qualified(relation.junction.table)} AS ${ident(`${relation.junction.table.name}_${depth}`)}`
    : "";
  return ` FROM ${table}${junction}`;
}

/** The conditions that join a node to its parent. */
function joined({ relation, ref, parent, depth }) {
  if (!relation || relation.function) return [];
  const equal = (left, a, right, b) => `${column({ name: left }, a)} = ${column({ name: right }, b)}`;
  if (!relation.junction) return relation.columns.map(([own, its]) => equal(ref, its, parent.ref, own));
  const { table, first, second } = relation.junction;
  const between = `${table.name}_${depth}`;
  return [
    ...second.columns.map(([own, its]) => equal(ref, its, between, own)),
    ...first.columns.map(([own, its]) => equal(parent.ref, its, between, own)),
  ];
}

const where = (conditions) => (conditions.length ? ` WHERE ${conditions.join(" AND ")}` : "");

function groupBy({ select, embeds, columns }, table) {
  const some =
    select.some(({ aggregate }) => aggregate) ||
    embeds.some(({ spread }) => spread?.some(({ aggregate }) => aggregate));
  if (!some) return "";
  const terms = [
    ...select
      .filter(({ aggregate }) => !aggregate)
      .map((item) =>
        item.alias === undefined ? fieldSql(table, item.field, columns?.get(item.field.name)) : ident(item.alias),
      ),
    ...embeds.flatMap(({ name, spread, child }) =>
      spread
        ? spread
            .filter(({ aggregate }) => !aggregate)
            .map((item) => `${ident(child.embed)}.${ident(item.alias ?? item.name)}`)
        : [ident(name)],
    ),
  ];
  return terms.length ? ` GROUP BY ${terms.join(", ")}` : "";
}

/** The rows of a plan. */
export function readSql(each) {
  const { select, children, embeds, filters, order, range, columns, spreadOrder = [] } = each;
  const table = { name: each.ref };
  const all = select.length === 0 && children.length === 0 ? [{ field: { name: "*", path: [] } }] : select;
  const items = [
    ...all.map((item) => selectItem(table, item, columns)),
    ...spreadOrder.map(({ term, name }) =>
      named(
        fieldSql(
          term.relation ? { name: term.relation } : table,
          term.field,
          term.relation ? undefined : columns?.get(term.field.name),
        ),
        name,
      ),
    ),
    ...embeds.flatMap((embed) => embedItems(embed).map(({ outer }) => outer)),
  ];
  const conditions = [...filters.map((tree) => condition(table, tree, columns)), ...joined(each)];
  return (
    `SELECT ${items.join(", ")}${fromSql(each)}${embeds.map(join).join("")}${where(conditions)}` +
    groupBy(each, table) +
    orderBy(table, order, columns) +
    limitOffset(range)
  );
}

/** As many rows as the plan has without its range; columns are not computed. */
export function countSql(each) {
  const table = { name: each.ref };
  const counted = (tree) => {
    if (tree.items) return `${tree.not ? "NOT " : ""}(${tree.items.map(counted).join(tree.or ? " OR " : " AND ")})`;
    if (tree.child) return `${tree.not ? "" : "NOT "}EXISTS (${countSql(tree.child)})`;
    return condition(table, tree, each.columns);
  };
  const needed = each.children.filter((child) => child.join === "inner").map((child) => `EXISTS (${countSql(child)})`);
  return `SELECT 1${fromSql(each)}${where([...each.filters.map(counted), ...joined(each), ...needed])}`;
}

const inserted = (more) =>
  `set_config('pgrst.inserted', (coalesce(${currentSetting("pgrst.inserted")}::int, 0) ${more ? "+" : "-"} 1)::text, true) <> '${more ? "0" : "-1"}'`;

/** FROM the JSON text of a body, each row as pgrst_body. columns: of the catalog. defaults: for keys that are missing. */
function bodySql(body, columns, { defaults, one } = {}) {
  const object = /^[ \t\n\r]*\{/.test(body);
  const type = defaults ? "jsonb" : "json";
  const payload = `(SELECT ${literal(body)}::${type} AS json_data) pgrst_payload`;
  const parsed = columns.map(({ name, fromJson }) =>
    fromJson ? `${fromJson}(${ident(name)}) AS ${ident(name)}` : ident(name),
  );
  const types = columns.map(({ name, nominal, fromJson }) => `${ident(name)} ${fromJson ? "json" : nominal}`);
  let source = "pgrst_payload.json_data";
  let filled = "";
  if (defaults) {
    const pairs = columns
      .filter((known) => known.default)
      .map((known) => `${literal(known.name)}::text, ${known.default}`);
    const filling = `jsonb_build_object(${pairs.join(", ")})`;
    source = "pgrst_defaults.val";
    filled = object
      ? `LATERAL (SELECT ${filling} || pgrst_payload.json_data AS val) pgrst_defaults, `
      : `LATERAL (SELECT jsonb_agg(${filling} || elem) AS val FROM jsonb_array_elements(pgrst_payload.json_data) elem) pgrst_defaults, `;
  }
  const rows = columns.length
    ? `${type}_to_record${object ? "" : "set"}(${source}) AS _(${types.join(", ")})${one ? " LIMIT 1" : ""}`
    : object
      ? "(VALUES (1)) _"
      : `${type}_array_elements(${source}) _`;
  return `FROM ${payload}, ${filled}LATERAL (SELECT ${parsed.join(", ")} FROM ${rows}) pgrst_body`;
}

const returning = (table, names) =>
  ` RETURNING ${names.length ? names.map((name) => column(table, name)).join(", ") : "1"}`;

/**
 * The statement of an insert. conflict: {columns, ignore} or undefined. matching: what a PUT's row must equal.
 * counting: whether to count in pgrst.inserted how many rows were new.
 */
export function insertSql({ table, columns, body, defaults, conflict, matching, counting, names, known }) {
  const list = columns.map(({ name }) => ident(name)).join(", ");
  const values = columns.map(({ name }) => `pgrst_body.${ident(name)}`).join(", ");
  const conditions = [
    ...(counting ? [inserted(true)] : []),
    ...matching.map((tree) => condition({ name: "pgrst_body" }, tree, known)),
  ];
  let upsert = "";
  if (conflict?.columns.length) {
    const target = conflict.columns.map(ident).join(", ");
    const set = columns.map(({ name }) => `${ident(name)} = EXCLUDED.${ident(name)}`).join(", ");
    upsert =
      ` ON CONFLICT (${target}) ` +
      (conflict.ignore || set === ""
        ? "DO NOTHING"
        : `DO UPDATE SET ${set}${counting ? ` WHERE ${inserted(false)}` : ""}`);
  }
  return (
    `INSERT INTO ${qualified(table)}${list ? `(${list})` : ""} SELECT ${values} ${bodySql(body, columns, { defaults })}` +
    where(conditions) +
    upsert +
    returning(table, names)
  );
}

export function updateSql({ table, columns, body, defaults, filters, names, known }) {
  if (columns.length === 0) {
    const shown = names.map((name) => column({ name: table.name }, name)).join(", ") || "NULL";
    return `SELECT ${shown} FROM ${qualified(table)} WHERE false`;
  }
  const set = columns.map(({ name }) => `${ident(name)} = pgrst_body.${ident(name)}`).join(", ");
  const conditions = filters.map((tree) => condition(table, tree, known));
  return `UPDATE ${qualified(table)} SET ${set} ${bodySql(body, columns, { defaults })}${where(conditions)}${returning(table, names)}`;
}

export const deleteSql = ({ table, filters, names, known }) =>
  `DELETE FROM ${qualified(table)}${where(filters.map((tree) => condition(table, tree, known)))}${returning(table, names)}`;

/**
 * The rows of a function. args: {json: text} for the keys of a body, {direct: Map} of texts (lists for variadic), or
 * {single: {sql}} for its only, unnamed argument. names: the columns that are needed, ["*"] for all.
 */
export function callSql({ call, parameters, args, scalar, names }) {
  const value = ({ name, wide, variadic }) => {
    const given = args.direct.get(name);
    const text = variadic ? `ARRAY[${given.map(literal).join(", ")}]` : literal(given);
    return `${variadic ? "VARIADIC " : ""}${ident(name)} := ${text}::${wide}`;
  };
  let body = "";
  let list = "";
  if (args.single) list = args.single.sql;
  else if (args.direct) list = parameters.map(value).join(", ");
  else if (parameters.length) {
    body = `${bodySql(
      args.json,
      parameters.map(({ name, wide }) => ({ name, nominal: wide })),
      { one: true },
    )}, LATERAL `;
    list = parameters
      .map(({ name, variadic }) => `${variadic ? "VARIADIC " : ""}${ident(name)} := pgrst_body.${ident(name)}`)
      .join(", ");
  }
  const called = `${qualified(call)}(${list})`;
  if (scalar) return `SELECT pgrst_call.pgrst_scalar ${body || "FROM "}(SELECT ${called} pgrst_scalar) pgrst_call`;
  const shown =
    names.length === 0 || names[0] === "*"
      ? names.length
        ? "pgrst_call.*"
        : "*"
      : names.map((name) => `pgrst_call.${ident(name)}`).join(", ");
  return `SELECT ${shown} ${body || "FROM "}${called} pgrst_call`;
}

const stripped = (sql, strip) => (strip ? `json_strip_nulls(${sql})` : sql);

/** The body of an answer from the rows "_postgrest_t". shape: {kind, strip, single, scalar, handler}. */
function bodyOf({ kind, strip, single, scalar, handler }) {
  const row = scalar ? "_postgrest_t.pgrst_scalar" : "_postgrest_t";
  if (kind === "none") return "''::text";
  if (kind === "custom")
    return `${qualified(handler.call)}(${scalar ? row : handler.target ? `_postgrest_t::${qualified(handler.target)}` : row})`;
  if (kind === "csv") {
    const head = `(SELECT coalesce(string_agg(a.k, ','), '') FROM (SELECT json_object_keys(r)::text AS k FROM (SELECT row_to_json(hh) AS r FROM ${SOURCE} AS hh LIMIT 1) s) a)`;
    return `${head} || E'\\n' || coalesce(string_agg(substring(_postgrest_t::text, 2, length(_postgrest_t::text) - 2), E'\\n'), '')`;
  }
  if (kind === "geojson")
    return "json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(ST_AsGeoJSON(_postgrest_t)::json), '[]'))";
  return single
    ? `coalesce(${stripped(`json_agg(${row})->0`, strip)}, 'null')`
    : `coalesce(${stripped(`json_agg(${row})`, strip)}, '[]')`;
}

const location = (keys) =>
  `CASE WHEN count(_postgrest_t) = 1 THEN coalesce((SELECT json_agg(json_build_array(json_data.key, json_data.value))
    FROM (SELECT row_to_json(_) AS row FROM ${SOURCE} AS _ LIMIT 1) data CROSS JOIN json_each_text(data.row) AS json_data
    WHERE json_data.key IN (${keys.map(literal).join(", ")}))::text, '[]') ELSE '[]' END`;

/**
 * One row: total (null where not asked for), page, body, headers, status, location, inserted.
 * source: the statement behind SOURCE. rows: the SQL of what is answered. one: it is one row by its nature.
 */
export function answerSql({ source, rows, shape, count, one, keys, counting }) {
  const page = one ? "1" : "count(_postgrest_t)";
  const total = count === "page" ? page : count ? "(SELECT count(*) FROM pgrst_source_count)" : "null::bigint";
  return (
    `WITH ${SOURCE} AS (${source})${count && count !== "page" ? `, pgrst_source_count AS (${count})` : ""} ` +
    `SELECT ${total} AS total, ${page} AS page, ${bodyOf(shape)} AS body, ` +
    `${currentSetting("response.headers")} AS headers, ${currentSetting("response.status")} AS status, ` +
    `${keys?.length ? location(keys) : "null"} AS location, ` +
    `${counting ? `${currentSetting("pgrst.inserted")}::int` : "null"} AS inserted FROM (${rows}) _postgrest_t`
  );
}
