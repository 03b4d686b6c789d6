// Pieces of SQL. What comes from a request enters a statement as literal() or ident() and in no other way.

const NUL = /\0/g;

/** A string constant, whatever standard_conforming_strings says; its type is for PostgreSQL to find. */
export const literal = (text) => `E'${String(text).replace(NUL, "").replace(/\\/g, "\\\\").replace(/'/g, "''")}'`;

export const ident = (name) => `"${String(name).replace(NUL, "").replace(/"/g, '""')}"`;

/** A name with its schema; no schema for what a statement itself names. */
export const qualified = ({ schema, name }) => (schema ? `${ident(schema)}.${ident(name)}` : ident(name));

export const column = (table, name) => (name === "*" ? `${qualified(table)}.*` : `${qualified(table)}.${ident(name)}`);

/** The literal of an array, whose element type is for PostgreSQL to find. */
export const arrayLiteral = (values) =>
  literal(`{${values.map((value) => `"${value.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`).join(",")}}`);

/** set_config for this transaction only. */
export const setting = (name, value) => `set_config(${literal(name)}, ${literal(value)}, true)`;

export const currentSetting = (name) => `nullif(current_setting('${name}', true), '')`;

const jsonPath = (path) =>
  path
    .map(({ arrow, key, index }) => `${arrow}${index === undefined ? literal(key) : `${literal(index)}::int`}`)
    .join("");

/**
 * A field of a table: a column, a path into its JSON, or a computed field.
 * known: the column as the catalog has it, undefined for what only PostgreSQL can resolve.
 * language: of a full text search in a column that is no tsvector, undefined for other uses.
 */
export function fieldSql(table, { name, path, fullRow }, known, search) {
  let sql = fullRow ? ident(table.name) : column(table, name);
  if (path?.length) sql = (/^jsonb?$/.test(known?.nominal) ? sql : `to_jsonb(${sql})`) + jsonPath(path);
  if (search && known && known.type !== "tsvector")
    sql = `to_tsvector(${search.language === undefined ? "" : `${literal(search.language)}, `}${sql})`;
  return sql;
}

const SIMPLE = { neq: "<>", cs: "@>", cd: "<@", ov: "&&", sl: "<<", sr: ">>", nxr: "&<", nxl: "&>", adj: "-|-" };
const QUANTIFIABLE = {
  eq: "=",
  gte: ">=",
  gt: ">",
  lte: "<=",
  lt: "<",
  like: "like",
  ilike: "ilike",
  match: "~",
  imatch: "~*",
};
const SEARCH = { fts: "to_tsquery", plfts: "plainto_tsquery", phfts: "phraseto_tsquery", wfts: "websearch_to_tsquery" };
const IS = { null: "NULL", not_null: "NOT NULL", true: "TRUE", false: "FALSE", unknown: "UNKNOWN" };

function operation({ op, value, quantifier, language }, parse) {
  const text = parse ? `${parse}(${literal(value)})` : literal(value);
  if (op in SIMPLE) return `${SIMPLE[op]} ${text}`;
  if (op in QUANTIFIABLE) {
    const operand = op.endsWith("like") ? literal(value.replaceAll("*", "%")) : text;
    return `${QUANTIFIABLE[op]} ${quantifier ? `${quantifier.toUpperCase()}(${operand})` : operand}`;
  }
  if (op in SEARCH)
    return `@@ ${SEARCH[op]}(${language === undefined ? "" : `${literal(language)}, `}${literal(value)})`;
  if (op === "is") return `IS ${IS[value]}`;
  if (op === "isdistinct") return `IS DISTINCT FROM ${literal(value)}`;
  // `= ANY` and not IN: IN () is no SQL. in.() is the empty list, as in PostgREST.
  const values = value.length === 1 && value[0] === "" ? [] : value;
  if (parse) return `= ANY (SELECT ${parse}(unnest(${arrayLiteral(values)}::text[])))`;
  return `= ANY (${arrayLiteral(values)})`;
}

/**
 * A condition. tree: {and|or: [tree], not} or a filter {field, op, value, not …} as grammar.mjs reads it, or
 * {embed, not}: whether an embedded resource (by its alias in the statement) has rows.
 * columns: those of the table by name.
 */
export function condition(table, tree, columns) {
  if (tree.items) {
    const joined = tree.items.map((item) => condition(table, item, columns)).join(tree.or ? " OR " : " AND ");
    return `${tree.not ? "NOT " : ""}(${joined})`;
  }
  if (tree.embed) return `${tree.embed.map(ident).join(".")} IS ${tree.not ? "" : "NOT "}DISTINCT FROM NULL`;
  const known = columns?.get(tree.field.name);
  const field = fieldSql(table, tree.field, known, tree.op in SEARCH ? { language: tree.language } : undefined);
  return `${tree.not ? "NOT " : ""}${field} ${operation(tree, known?.fromText)}`;
}

/** ORDER BY of terms {field, relation?, direction?, nulls?}. */
export const orderBy = (table, terms, columns) =>
  terms.length === 0
    ? ""
    : ` ORDER BY ${terms
        .map(({ field, relation, direction, nulls }) => {
          const of = relation === undefined ? table : { name: relation };
          const known = relation === undefined ? columns?.get(field.name) : undefined;
          return [fieldSql(of, field, known), direction?.toUpperCase(), nulls && `NULLS ${nulls.toUpperCase()}`]
            .filter(Boolean)
            .join(" ");
        })
        .join(", ")}`;

/** LIMIT and OFFSET of a range {offset, limit: a number or null}. */
export const limitOffset = ({ offset, limit }) =>
  offset === 0 && limit === null ? "" : ` LIMIT ${limit ?? "ALL"} OFFSET ${offset}`;
