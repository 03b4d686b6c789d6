// A request as SQL: what it reads, writes or calls, and what must hold of the result.

import { ApiError } from "./errors.mjs";
import { callArguments, findFunction, returnsScalar, returnsSingle } from "./functions.mjs";
import { negotiate, rootRange } from "./headers.mjs";
import { readPayload } from "./payload.mjs";
import { filterNames, neededColumns, planRead, SOURCE } from "./plan.mjs";
import { answerSql, callSql, countSql, deleteSql, insertSql, readSql, updateSql } from "./query.mjs";
import { similar } from "./similar.mjs";

export function findTable(catalog, schema, name) {
  const table = catalog.table(schema, name);
  if (table) return table;
  const meant = similar(catalog.tableNames(schema), name, { least: 0.75 });
  throw new ApiError(404, "PGRST205", `Could not find the table '${schema}.${name}' in the schema cache`, {
    hint: meant ? `Perhaps you meant the table '${schema}.${meant}'` : null,
  });
}

function checkPreferences({ unknown, handling }) {
  if (handling === "strict" && unknown.length)
    throw new ApiError(400, "PGRST122", "Invalid preferences given with handling=strict", {
      details: `Invalid preferences: ${unknown.join(", ")}`,
    });
}

/** The counts of a reading statement: {count} for answerSql and {explain} for what the planner must guess. */
function counts({ count }, plan, range, maxRows, call) {
  if (!count) return {};
  const explain = !call && count !== "exact" ? `EXPLAIN (FORMAT JSON) ${countSql(plan)}` : undefined;
  if (count === "planned") return { explain };
  if (count === "estimated" && !call)
    return {
      explain: maxRows === null ? undefined : explain,
      count: `${countSql(plan)}${maxRows === null ? "" : ` LIMIT ${maxRows + 1}`}`,
    };
  const all = maxRows === null && range.offset === 0 && range.limit === null;
  return { count: all ? "page" : countSql(plan) };
}

const readOptions = (request, { catalog, settings }) => ({
  catalog,
  aggregates: settings.aggregates,
  select: request.query.select,
  order: request.query.order,
});

/** GET and HEAD of a table: {sql, shape, range, explain, access}. */
export function readStatement(request, context) {
  const { catalog, settings } = context;
  const table = findTable(catalog, request.schema, request.name);
  const range = rootRange(request.method, request.headers.range, request.query.ranges);
  const plan = planRead({
    ...readOptions(request, context),
    table,
    filters: request.query.filters,
    logic: request.query.logic,
    ranges: request.query.ranges,
    maxRows: settings.maxRows,
  });
  const shape = shapeFor(request, settings);
  checkPreferences(request.preferences);
  const { count, explain } = counts(request.preferences, plan, range, settings.maxRows);
  const body = request.method === "HEAD" ? { ...shape, kind: "none" } : shape;
  const sql = answerSql({ source: readSql(plan), rows: `SELECT * FROM ${SOURCE}`, shape: body, count });
  return { kind: "read", sql, shape, range, explain, readOnly: true, maxRows: settings.maxRows };
}

const shapeFor = (request, settings, custom) => negotiate(request.headers.accept, { plan: settings.plan, custom });

function columnsOf(table, keys) {
  return [...keys].sort().map((key) => {
    const found = table.columns.get(key);
    if (!found)
      throw new ApiError(400, "PGRST204", `Could not find the '${key}' column of '${table.name}' in the schema cache`);
    return found;
  });
}

/** POST, PUT, PATCH and DELETE of a table. */
export function mutation(request, context) {
  const { catalog, settings } = context;
  const { method, query, preferences } = request;
  const table = findTable(catalog, request.schema, request.name);
  const range = rootRange(method, undefined, query.ranges);
  const columns = method === "POST" || method === "PATCH" ? query.columns : undefined;
  const payload = method === "DELETE" ? undefined : readPayload(request.body, request.type, { columns });
  const below = (entries) => entries.filter(([path]) => path.length > 0);
  const plan = planRead({
    ...readOptions(request, context),
    table,
    from: SOURCE,
    filters: below(query.filters),
    logic: below(query.logic),
    ranges: [],
    maxRows: null,
  });
  const own = [...query.filters, ...query.logic].filter(([path]) => path.length === 0).map(([, tree]) => tree);
  const names = ["representation", "headers-only"].includes(preferences.return) ? neededColumns(plan, table.keys) : [];
  const common = {
    table,
    names,
    known: table.columns,
    filters: own,
    body: payload?.text,
    defaults: preferences.missing === "default",
    columns: payload && columnsOf(table, payload.keys),
    matching: [],
  };
  const keys = query.onConflict ?? table.keys;
  let source, counting;
  if (method === "DELETE") source = deleteSql(common);
  else if (method === "PATCH") source = updateSql(common);
  else if (method === "POST") {
    counting = preferences.resolution === "merge-duplicates";
    const conflict = preferences.resolution && { columns: keys, ignore: !counting };
    source = insertSql({ ...common, conflict, counting });
  } else {
    checkPut(table, query);
    counting = true;
    source = insertSql({ ...common, defaults: false, conflict: { columns: table.keys }, matching: own, counting });
  }
  checkPreferences(preferences);
  const shape = shapeFor(request, settings);
  const body = preferences.return === "representation" ? shape : { ...shape, kind: "none" };
  const located = method === "POST" && preferences.return === "headers-only" ? table.keys : undefined;
  const rows = body.kind === "none" ? `SELECT * FROM ${SOURCE}` : readSql(plan);
  const sql = answerSql({ source, rows, shape: body, keys: located, counting });
  return { kind: method, sql, shape, range, resolved: keys.length > 0, readOnly: false };
}

function checkPut(table, { logic, filters, filterNames: asked }) {
  const equal = filters.every(
    ([path, { op, not, quantifier }]) => path.length > 0 || (op === "eq" && !not && !quantifier),
  );
  const all = table.keys.length > 0 && table.keys.length === asked.size && table.keys.every((key) => asked.has(key));
  if (!all || !equal || logic.length)
    throw new ApiError(405, "PGRST105", "Filters must include all and only primary key columns with 'eq' operators");
}

/** GET, HEAD and POST of /rpc/name. */
export function call(request, context) {
  const { catalog, settings } = context;
  const { method, query, preferences, type } = request;
  const post = method === "POST";
  const range = rootRange(method, request.headers.range, query.ranges);
  const payload = post ? readPayload(request.body, type, { columns: query.columns, call: true }) : undefined;
  const pairs = post ? payload.form : query.args;
  const keys = post ? payload.keys : [...new Set(query.args.map(([name]) => name))];
  const found = findFunction(catalog, request.schema, request.name, keys, post ? type : "application/json", post);
  const table = { schema: found.schema, name: found.composite ? found.returns.name : found.name };
  const plan = planRead({
    ...readOptions(request, context),
    table,
    from: SOURCE,
    filters: query.filters,
    logic: query.logic,
    ranges: query.ranges,
    maxRows: settings.maxRows,
  });
  const scalar = returnsScalar(found);
  const needed = neededColumns(plan);
  const names =
    needed.length === 0 || needed[0] === "*" ? needed : [...new Set([...needed, ...filterNames(plan.filters)])];
  const { args, parameters } = callArguments(found, keys, { pairs, payload, body: request.body });
  const custom = found.media && { media: found.media, call: found.mediaType };
  const shape = shapeFor(request, settings, custom);
  checkPreferences(preferences);
  if (preferences.handling === "strict" && preferences.maxAffected !== undefined && returnsSingle(found))
    throw new ApiError(
      400,
      "PGRST128",
      "Function must return SETOF or TABLE when max-affected preference is used with handling=strict",
    );
  const single = shape.single || returnsSingle(found);
  const body = method === "HEAD" ? { ...shape, kind: "none" } : { ...shape, single, scalar };
  const { count } = counts(preferences, plan, range, settings.maxRows, true);
  const sql = answerSql({
    source: callSql({ call: found, parameters, args, scalar, names }),
    rows: readSql(plan),
    shape: body,
    count,
    one: returnsSingle(found),
  });
  return { kind: "call", sql, shape, range, found, readOnly: !post || found.volatility !== "v" };
}
