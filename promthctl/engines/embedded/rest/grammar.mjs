// The grammar of a request's query string: select, filters, order, and, or, columns, on_conflict, limit, offset.
// Source: https://docs.postgrest.org/en/v14/references/api/url_grammar.html and the pages beside it.

import { Reader } from "./reader.mjs";

const SIMPLE = /neq|cs|cd|ov|sl|sr|nxr|nxl|adj/y;
const QUANTIFIABLE = /(eq|gte|gt|lte|lt|like|ilike|match|imatch)(?:\((any|all)\))?(?=\.)/y;
const SEARCH = /(fts|plfts|phfts|wfts)(?:\(([\p{L}\p{Nd}_ $]+)\))?(?=\.)/uy;
const AGGREGATE = /\.(sum|avg|count|max|min)\(\)/y;

/** [items] of a select: {field, cast, aggregate, aggregateCast, alias} or {relation, alias, hint, join, spread, items}. */
export function readSelect(text) {
  const reader = new Reader(text, "select parameter", text);
  return selectItems(reader); // what comes after an embedded resource and no comma is not read, as in PostgREST
}

function selectItems(reader) {
  reader.blanks();
  if (reader.done || reader.sees(")")) return [];
  return reader.list(() => selectItem(reader));
}

function selectItem(reader) {
  const relation = reader.attempt(() => relationHead(reader));
  if (!relation) return selectField(reader);
  reader.needs("(");
  relation.items = selectItems(reader);
  reader.needs(")", '","');
  return relation;
}

function relationHead(reader) {
  const spread = reader.takes("...");
  const alias = spread ? undefined : readAlias(reader);
  const relation = reader.name();
  if (relation === "count" && !spread) reader.fail();
  let hint, join;
  for (let i = 0; i < 2 && reader.takes("!"); i++) {
    const word = reader.takes("left") ? "left" : reader.takes("inner") ? "inner" : undefined;
    if (word) join ??= word;
    else {
      const name = reader.name();
      hint ??= name;
    }
  }
  reader.blanks();
  if (!reader.sees("(")) reader.fail('"("');
  return { relation, alias, hint, join, spread };
}

const readAlias = (reader) =>
  reader.attempt(() => {
    const name = reader.name();
    if (!reader.match(/:(?!:)/y)) reader.fail();
    return name;
  });

function cast(reader) {
  if (!reader.takes("::")) return undefined;
  const name = reader.identifier();
  if (name === "") reader.fail("letter", "digit");
  return name;
}

function selectField(reader) {
  const item = { alias: undefined };
  const ends = () => reader.done || reader.sees(",") || reader.sees(")");
  if (reader.takes("*")) {
    if (!ends()) reader.fail('")"', '","', "end of input");
    return { ...item, field: { name: "*", path: [] } };
  }
  item.alias = readAlias(reader);
  if (reader.takes("count()")) {
    item.aggregateCast = cast(reader);
    return { ...item, field: { name: "*", path: [] }, aggregate: "count" };
  }
  item.field = reader.field();
  item.cast = cast(reader);
  item.aggregate = reader.match(AGGREGATE)?.[1];
  item.aggregateCast = item.aggregate && cast(reader);
  reader.blanks();
  if (!ends()) reader.fail("letter", "digit", '"-"', '"->>"', '"->"', '"::"', '"."', '")"', '","', "end of input");
  return item;
}

/** What stands after the field: {not, op, value, quantifier, language}. plain: how a value is read. */
function operator(reader, plain) {
  const start = reader.at;
  const not = reader.takes("not.");
  const unknown = () => {
    reader.at = not ? start + 4 : start;
    reader.fail(...(not ? [] : ['"not"']), "operator (eq, gt, ...)");
  };
  const dot = () => reader.takes(".") || unknown();
  if (reader.takes("in.")) return { not, op: "in", value: values(reader) };
  if (reader.takes("is.")) {
    const word = reader.match(/null|not_null|true|false|unknown/iy);
    if (!word) reader.fail("isVal: (null, not_null, true, false, unknown)");
    return { not, op: "is", value: word[0].toLowerCase() };
  }
  if (reader.takes("isdistinct.")) return { not, op: "isdistinct", value: plain() };
  const search = reader.match(SEARCH);
  if (search) return dot() && { not, op: search[1], language: search[2]?.trim(), value: plain() };
  const quantifiable = reader.match(QUANTIFIABLE);
  if (quantifiable) return dot() && { not, op: quantifiable[1], quantifier: quantifiable[2], value: plain() };
  const simple = reader.match(SIMPLE);
  if (simple) return dot() && { not, op: simple[0], value: plain() };
  return unknown();
}

/** (a,"b,c"): the elements of `in`. */
function values(reader) {
  reader.blanks();
  reader.needs("(");
  reader.blanks();
  const found = [];
  do {
    const quoted = reader.attempt(() => {
      const text = reader.quoted();
      if (!reader.done && !/[,)]/.test(reader.text[reader.at])) reader.fail();
      return text;
    });
    found.push(quoted ?? reader.match(/[^,)]*/y)[0]);
  } while (reader.takes(","));
  reader.needs(")", '","');
  reader.blanks();
  return found;
}

function logicValue(reader) {
  const quoted = reader.attempt(() => {
    const text = reader.quoted();
    if (!reader.done && !/[,)]/.test(reader.text[reader.at])) reader.fail();
    return text;
  });
  return quoted ?? (reader.match(/\{[^{}]*\}/y) ?? reader.match(/[^,)]*/y))[0];
}

/** and(…), or(…), not.and(…) or field.operator.value: {items, or, not} or a filter. */
function logic(reader) {
  const start = reader.at;
  let error;
  try {
    const field = reader.field();
    reader.needs(".");
    return { field, ...operator(reader, () => logicValue(reader)) };
  } catch (failed) {
    error = failed;
    reader.at = start;
  }
  const not = reader.takes("not.");
  const word = reader.match(/and|or/y)?.[0];
  if (!word) {
    if (not) reader.fail("logic operator (and, or)");
    if (error.details.includes("field name") && error.at === start)
      reader.fail("field name (* or [a..z0..9_$])", "negation operator (not)", "logic operator (and, or)");
    throw error;
  }
  reader.blanks();
  reader.needs("(");
  const items = reader.list(() => logic(reader));
  reader.needs(")", '","');
  reader.blanks();
  return { not, or: word === "or", items };
}

/** The path of embedded resources and the field of a parameter's name: [["clients"], {name, path}]. */
function target(name) {
  const reader = new Reader(name, "tree path");
  const names = [reader.name()];
  while (reader.takes(".")) names.push(reader.name());
  const path = reader.path();
  return [names.slice(0, -1), { name: names.at(-1), path }];
}

/** A filter: [embedPath, {field, not, op, value …}], or null for what is an argument of a function called by GET. */
function filter(name, text, ofFunction) {
  const [path, field] = target(name);
  const reader = new Reader(text, "filter");
  const read = () => operator(reader, () => reader.text.slice(reader.at));
  const found = ofFunction ? reader.attempt(read) : read();
  return found ? [path, { field, ...found }] : null;
}

function order(text) {
  const reader = new Reader(text, "order");
  const terms = reader.list(() => {
    const start = reader.at;
    const related = reader.attempt(() => {
      const relation = reader.name();
      reader.needs("(");
      const field = reader.field();
      reader.needs(")");
      return { relation, field };
    });
    if (!related) reader.at = start;
    const term = related ?? { field: reader.field() };
    term.direction = reader.match(/\.(asc|desc)/y)?.[1];
    term.nulls = reader.match(/\.nulls(first|last)/y)?.[1];
    if (!reader.done && !reader.sees(",")) {
      if (reader.takes(".") && !term.nulls)
        reader.fail(...(term.direction ? [] : ['"asc"', '"desc"']), '"nullsfirst"', '"nullslast"');
      reader.fail(...(term.nulls ? [] : ["delimiter (.)"]), '","', "end of input");
    }
    return term;
  });
  return terms;
}

function names(text, what) {
  const reader = new Reader(text, `${what} parameter`, text);
  return reader.list(() => reader.name());
}

function decoded(text) {
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced.replace(/%[0-9a-f]{2}/gi, (code) => String.fromCharCode(parseInt(code.slice(1), 16)));
  }
}

/** [[name, value]] of a query string or of a form's body; no value where there was no "=". */
export const pairs = (text) =>
  text
    .split("&")
    .filter(Boolean)
    .map((pair) => {
      const at = pair.indexOf("=");
      return at < 0 ? [decoded(pair), undefined] : [decoded(pair.slice(0, at)), decoded(pair.slice(at + 1))];
    });

const whole = (text) => (/^-?\d+$/.test(text.trim()) ? Number(text) : null);

/**
 * A query string as the request means it.
 * ofFunction: it calls a function by GET: what has no operator is an argument.
 * ranges: {offset, limit} by the path of the embedded resource joined by dots, "" for the root.
 */
export function readQuery(text, ofFunction) {
  const query = {
    select: undefined,
    filters: [],
    order: [],
    logic: [],
    ranges: new Map(),
    columns: undefined,
    onConflict: undefined,
    args: [],
    filterNames: new Set(),
    canonical: "",
  };
  const all = pairs(text);
  const range = (path) => {
    if (!query.ranges.has(path)) query.ranges.set(path, { offset: 0, limit: null });
    return query.ranges.get(path);
  };
  for (const [name, value] of all) {
    if (value === undefined) continue;
    const words = name.split(".");
    const last = words.at(-1);
    if (name === "select") query.select ??= value;
    else if (name === "columns") query.columns ??= names(value, "columns");
    else if (name === "on_conflict") query.onConflict ??= names(value, "on_conflict");
    else if (last === "order") query.order.push([target(name)[0], order(value)]);
    else if (last === "limit") range(target(name)[0].join(".")).limit = whole(value);
    else if (last === "offset") range(target(name)[0].join(".")).offset = whole(value) ?? 0;
    else if (last === "and" || last === "or") {
      const path = target(name)[0];
      const not = path.includes("not") ? "not." : "";
      const reader = new Reader(`${not}${last}${value}`, "logic tree", value);
      query.logic.push([path.filter((word) => word !== "not"), logic(reader)]);
    } else {
      query.filterNames.add(name);
      const found = filter(name, value, ofFunction);
      if (found) query.filters.push(found);
      else query.args.push([target(name)[1].name, value]);
    }
  }
  query.select = readSelect(query.select ?? "*");
  query.canonical = all
    .map(([name, value = ""]) => [name, value])
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map((pair) => pair.map(encodeURIComponent).join("="))
    .join("&");
  return query;
}
