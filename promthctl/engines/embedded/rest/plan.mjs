// The plan of a reading request: a tree of tables, each with its columns, filters, order and range, and the
// relationship that joins it to the one above. query.mjs turns it into SQL.

import { ApiError } from "./errors.mjs";
import { findRelationship, isToOne } from "./embedding.mjs";

/** What a result is taken from when it is no table itself: the rows that a mutation or a function returned. */
export const SOURCE = "pgrst_source";

const node = (depth, name, extra = {}) => ({
  depth,
  name,
  select: [],
  children: [],
  filters: [],
  order: [],
  range: { offset: 0, limit: null },
  ...extra,
});

/**
 * Plan what a request selects.
 * table: {schema, name} of the root. from: SOURCE after a mutation or a call, undefined for the table itself.
 * filters, logic: what applies to it, as grammar.mjs reads them. ranges: empty for mutations.
 * maxRows: as many rows as any level may have, null for no limit. aggregates: whether they are allowed.
 * Raises ApiError for what is not there, ambiguous or not allowed.
 */
export function planRead({ table, from, select, filters, logic, order, ranges, maxRows, aggregates, catalog }) {
  const root = node(0, table.name, { table, from: from ? { name: from } : table, alias: undefined, ref: table.name });
  addItems(root, select);
  for (const [path, filter] of filters) at(root, path).filters.push(filter);
  for (const [path, tree] of logic) at(root, path).filters.push(tree);
  for (const [path, terms] of order) at(root, path).order = terms;
  for (const [path, range] of ranges) at(root, path === "" ? [] : path.split(".")).range = range;
  relate(root, table.schema, catalog);
  every(root, addAliases);
  expandStars(root, false);
  every(root, (each) => each.order.forEach((term) => relateOrder(each, term)));
  every(root, (each) => (each.filters = each.filters.map((tree) => embedFilter(each, tree))));
  addEmbeds(root);
  every(root, (each) => {
    if (!aggregates && each.select.some(({ aggregate }) => aggregate))
      throw new ApiError(400, "PGRST123", "Use of aggregate functions is not allowed");
  });
  hoist(root);
  every(root, orderSpread);
  if (maxRows !== null) every(root, ({ range }) => limit(range, maxRows));
  return root;
}

export const limit = (range, most) => {
  if (range.limit === null || range.limit > most) range.limit = most;
};

function every(each, visit) {
  visit(each);
  for (const child of each.children) every(child, visit);
}

function addItems(parent, items) {
  for (const item of items) {
    if (item.relation === undefined) parent.select.push({ ...item });
    else {
      const { relation, alias, hint, join, spread } = item;
      const child = node(parent.depth + 1, relation, { alias, hint, join, spread: spread ? "one" : undefined });
      addItems(child, item.items);
      parent.children.push(child);
    }
  }
}

/** The node of an embedded resource, by its name or its alias. */
function at(root, path) {
  let here = root;
  for (const name of path) {
    const found = here.children.find((child) => child.name === name || child.alias === name);
    if (!found)
      throw new ApiError(400, "PGRST108", `'${name}' is not an embedded resource in this request`, {
        hint: `Verify that '${name}' is included in the 'select' query parameter.`,
      });
    here = found;
  }
  return here;
}

/** Join every node to the one above it. */
function relate(parent, schema, catalog) {
  parent.columns = catalog.table(parent.table.schema, parent.table.name)?.columns;
  for (const child of parent.children) {
    const relation = findRelationship(catalog, schema, parent.table.name, child.name, child.hint);
    const { schema: foreignSchema, name } = relation.foreign;
    child.relation = relation;
    child.table = child.from = { schema: foreignSchema, name };
    child.ref = `${name}_${child.depth}`;
    child.embed = `${relation.table.name}_${child.alias ?? child.name}_${child.depth}`;
    child.parent = parent;
    if (child.spread && !isToOne(relation)) child.spread = "many";
    relate(child, schema, catalog);
  }
}

/** What a field is called in the answer, where that is not the column's own name. */
function addAliases({ select, spread, columns }) {
  for (const item of select) {
    if (item.alias !== undefined) continue;
    if (item.aggregate) {
      if (spread) item.alias = item.aggregate;
    } else if (item.field.path.length > 0) {
      const key = item.field.path.findLast((step) => step.key !== undefined)?.key;
      item.alias = item.field.path.at(-1).key ?? key ?? item.field.name;
    } else if (columns?.get(item.field.name)?.toJson) item.alias = item.field.name;
  }
}

/** Name the columns of `*` where a statement groups by them or a type has its own JSON. */
function expandStars(each, grouped) {
  const here = grouped || each.spread === "many" || each.select.some(({ aggregate }) => aggregate);
  const represented = [...(each.columns?.values() ?? [])].some(({ toJson }) => toJson);
  if ((here || represented) && each.columns)
    each.select = each.select.flatMap((item) => {
      if (item.field.name !== "*") return [item];
      if (!item.aggregate)
        return [...each.columns.values()].map(({ name, toJson }) => ({
          field: { name, path: [] },
          alias: toJson ? name : undefined,
        }));
      return each.spread ? [{ ...item, field: { ...item.field, fullRow: true } }] : [item];
    });
  for (const child of each.children) expandStars(child, here);
}

function relateOrder(each, term) {
  if (term.relation === undefined) return;
  const found = each.children.find((child) => (child.alias ?? child.name) === term.relation);
  if (!found)
    throw new ApiError(400, "PGRST108", `'${term.relation}' is not an embedded resource in this request`, {
      hint: `Verify that '${term.relation}' is included in the 'select' query parameter.`,
    });
  if (!isToOne(found.relation))
    throw new ApiError(400, "PGRST118", `A related order on '${term.relation}' is not possible`, {
      details: `'${each.table.name}' and '${term.relation}' do not form a many-to-one or one-to-one relationship`,
    });
  term.relation = found.embed;
}

/** clients=not.is.null: whether an embedded resource has rows. */
function embedFilter(each, tree) {
  if (tree.items) return { ...tree, items: tree.items.map((item) => embedFilter(each, item)) };
  if (tree.op !== "is" || tree.field.path.length > 0 || !/null$/.test(tree.value)) return tree;
  const found = each.children.find((child) => (child.alias ?? child.name) === tree.field.name);
  return found ? { embed: [found.embed], child: found, not: tree.not !== (tree.value === "not_null") } : tree;
}

const selectsNothing = (each) => each.select.length === 0 && each.children.every(selectsNothing);

/** How each child appears among the columns of its parent. */
function addEmbeds(each) {
  each.children.forEach(addEmbeds);
  each.embeds = each.children.map((child) => {
    if (child.spread)
      return {
        child,
        spread: [
          ...child.select.map(({ field, alias }) => ({ name: alias ?? field.name })),
          ...child.embeds.flatMap(
            (embed) => embed.spread?.map(({ name, alias }) => ({ name: alias ?? name })) ?? [{ name: embed.name }],
          ),
        ],
      };
    return { child, name: child.alias ?? child.name, one: isToOne(child.relation), empty: selectsNothing(child) };
  });
}

/** Aggregates of a to-one spread are computed where it is spread: the sums of one row say nothing. */
function hoist(each) {
  const below = each.children.flatMap(hoist);
  const spread = each.depth > 0 && each.spread === "one";
  const moved = [];
  if (spread)
    for (const item of each.select)
      if (item.aggregate) {
        const { aggregate, aggregateCast, alias } = item;
        moved.push({ embed: each.embed, name: alias ?? item.field.name, aggregate, aggregateCast, alias });
        delete item.aggregate;
        delete item.aggregateCast;
      }
  if (spread) return [...moved, ...below.map((item) => ({ ...item, embed: each.embed }))];
  for (const { child, spread: names } of each.embeds)
    for (const item of names ?? []) {
      const found = below.find(({ embed, name }) => embed === child.embed && name === item.name);
      if (found)
        Object.assign(item, { aggregate: found.aggregate, aggregateCast: found.aggregateCast, alias: found.alias });
    }
  return [];
}

/** The order of a to-many spread is the order within its arrays: what it orders by is selected under a name of its own. */
function orderSpread(each) {
  if (each.spread !== "many") return;
  if (
    each.select.some(({ aggregate }) => aggregate) ||
    each.embeds.some(({ spread }) => spread?.some(({ aggregate }) => aggregate))
  )
    throw new ApiError(400, "PGRST127", "Feature not implemented", {
      details: "Aggregates are not implemented for one-to-many or many-to-many spreads.",
    });
  each.spreadOrder = each.order.map((term, index) => ({
    term,
    name: `${each.embed}_${term.field.name}_${index + 1}`,
  }));
  each.order = [];
}

/** The columns a mutation or a call must return so that what is selected, and the joins, find them; ["*"] for all. */
export function neededColumns(root, keys = []) {
  const names = root.select.map(({ field }) => field.name);
  if (names.includes("*") || root.children.some(({ relation }) => relation.function)) return ["*"];
  const joined = root.children.flatMap(({ relation }) =>
    relation.junction ? relation.junction.first.columns.map(([, its]) => its) : relation.columns.map(([own]) => own),
  );
  return [...new Set([...names, ...joined, ...keys])];
}

/** The names of fields that a tree of filters asks for. */
export const filterNames = (trees) =>
  trees.flatMap((tree) => (tree.items ? filterNames(tree.items) : tree.field ? [tree.field.name] : []));
