// The root of the API: what it offers, as an OpenAPI 2.0 document.
// Source: https://docs.postgrest.org/en/v14/references/api/openapi.html

import { literal } from "./sql.mjs";

const ACCESS = (schema, role) => `
select json_build_object(
  'schema', obj_description(${literal(schema)}::regnamespace, 'pg_namespace'),
  'tables', (select coalesce(json_object_agg(c.relname, json_build_object(
      'about', obj_description(c.oid, 'pg_class'),
      'columns', (select json_object_agg(a.attname, col_description(c.oid, a.attnum)) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped))), '{}')
    from pg_class c where c.relnamespace = ${literal(schema)}::regnamespace and c.relkind in ('r', 'v', 'm', 'f', 'p')
      and (has_table_privilege(${literal(role)}, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        or has_any_column_privilege(${literal(role)}, c.oid, 'SELECT, INSERT, UPDATE'))),
  'functions', (select coalesce(json_object_agg(p.oid::int8, coalesce(obj_description(p.oid, 'pg_proc'), '')), '{}') from pg_proc p
    where p.pronamespace = ${literal(schema)}::regnamespace and has_function_privilege(${literal(role)}, p.oid, 'EXECUTE'))
)::text as access`;

const KINDS = [
  [/^(smallint|integer|bigint)$/, "integer"],
  [/^(numeric|real|double precision)/, "number"],
  [/^boolean$/, "boolean"],
  [/\[\]$/, "array"],
  [/^jsonb?$/, undefined],
];

function property({ type, default: fallback }) {
  const [, kind = "string"] = KINDS.find(([pattern]) => pattern.test(type)) ?? [undefined, "string"];
  return {
    ...(type.startsWith("json") ? {} : { type: kind }),
    format: type,
    ...(kind === "array" ? { items: property({ type: type.slice(0, -2) }) } : {}),
    ...(fallback && !/[(:]/.test(fallback) ? { default: fallback } : {}),
  };
}

const described = (about) => (about ? { description: about } : {});
const reference = (name) => ({ $ref: `#/parameters/${name}` });
const OK = { 200: { description: "OK" } };

function tablePaths(table, access) {
  const tags = [table.name];
  const rows = {
    200: { description: "OK", schema: { type: "array", items: { $ref: `#/definitions/${table.name}` } } },
  };
  const filters = [...table.columns.keys()].map((name) => reference(`rowFilter.${table.name}.${name}`));
  const common = { tags, ...described(access.about) };
  const paging = ["select", "order", "range", "rangeUnit", "offset", "limit", "preferCount"].map(reference);
  return {
    get: { ...common, parameters: [...filters, ...paging], responses: rows },
    ...(table.insertable && {
      post: {
        ...common,
        parameters: [reference(`body.${table.name}`), reference("select"), reference("preferPost")],
        responses: { 201: { description: "Created" } },
      },
    }),
    ...(table.updatable && {
      patch: {
        ...common,
        parameters: [...filters, reference(`body.${table.name}`), reference("preferReturn")],
        responses: { 204: { description: "No Content" } },
      },
    }),
    ...(table.deletable && {
      delete: {
        ...common,
        parameters: [...filters, reference("preferReturn")],
        responses: { 204: { description: "No Content" } },
      },
    }),
  };
}

function functionPaths(found, about) {
  const required = found.arguments.filter((argument) => argument.required).map(({ name }) => name);
  const properties = Object.fromEntries(found.arguments.map(({ name, type }) => [name, property({ type })]));
  const tags = [`(rpc) ${found.name}`];
  const schema = { type: "object", properties, ...(required.length ? { required } : {}) };
  const post = {
    tags,
    ...described(about),
    parameters: [{ in: "body", name: "args", required: true, schema }],
    responses: OK,
  };
  if (found.volatility === "v") return { post };
  const parameters = found.arguments.map(({ name, type, required: needed }) => ({
    in: "query",
    name,
    required: needed,
    ...property({ type }),
  }));
  return { get: { tags, ...described(about), parameters, responses: OK }, post };
}

const text = (name, where, more = {}) => ({ in: where, name, required: false, type: "string", ...more });
const PARAMETERS = {
  preferReturn: text("Prefer", "header", { enum: ["return=representation", "return=minimal", "return=none"] }),
  preferPost: text("Prefer", "header", {
    enum: ["return=representation", "return=minimal", "resolution=ignore-duplicates", "resolution=merge-duplicates"],
  }),
  preferCount: text("Prefer", "header", { enum: ["count=none"] }),
  select: text("select", "query"),
  order: text("order", "query"),
  range: text("Range", "header"),
  rangeUnit: text("Range-Unit", "header", { default: "items" }),
  offset: text("offset", "query"),
  limit: text("limit", "query"),
};

/** The document for what a role may reach in a schema; everything in it where `all`. sql: a `postgres` client. */
export async function describe(sql, catalog, schema, role, all) {
  const [row] = await sql.unsafe(ACCESS(schema, role)).simple();
  const access = JSON.parse(row.access);
  const tables = [...catalog.tables.values()].filter(
    (table) => table.schema === schema && (all || access.tables[table.name]),
  );
  const functions = [...catalog.functions.values()]
    .flat()
    .filter((found) => found.schema === schema && (all || found.oid in access.functions));
  const paths = {
    "/": {
      get: {
        tags: ["Introspection"],
        summary: "OpenAPI description (this document)",
        produces: ["application/openapi+json", "application/json"],
        responses: OK,
      },
    },
  };
  const definitions = {};
  const parameters = { ...PARAMETERS };
  for (const table of tables) {
    const about = access.tables[table.name] ?? { columns: {} };
    paths[`/${table.name}`] = tablePaths(table, about);
    const columns = [...table.columns.values()];
    const required = columns.filter(({ nullable }) => !nullable).map(({ name }) => name);
    definitions[table.name] = {
      ...described(about.about),
      ...(required.length ? { required } : {}),
      type: "object",
      properties: Object.fromEntries(
        columns.map((column) => {
          const notes = [
            about.columns?.[column.name],
            table.keys.includes(column.name) && "Note:\nThis is a Primary Key.<pk/>",
          ].filter(Boolean);
          return [column.name, { ...property(column), ...described(notes.join("\n\n")) }];
        }),
      ),
    };
    parameters[`body.${table.name}`] = {
      in: "body",
      name: table.name,
      required: false,
      schema: { $ref: `#/definitions/${table.name}` },
    };
    for (const { name, type } of columns)
      parameters[`rowFilter.${table.name}.${name}`] = text(name, "query", { format: type });
  }
  for (const found of functions) paths[`/rpc/${found.name}`] = functionPaths(found, access.functions[found.oid]);
  const [title, ...rest] = (access.schema ?? "").split("\n");
  return {
    swagger: "2.0",
    info: { title: title || "standard public schema", description: rest.join("\n").trim(), version: "14" },
    basePath: "/rest/v1",
    schemes: ["http"],
    consumes: ["application/json", "text/csv"],
    produces: ["application/json", "text/csv"],
    paths,
    definitions,
    parameters,
  };
}
