// Which tables, views and functions can be embedded into which, found as PostgREST finds it.
// Source: https://docs.postgrest.org/en/v14/references/api/resource_embedding.html

const LIST = ":targetList ";

/** The nodes {…} of a view's target list in pg_node_tree: {number, table, column} of what it shows. */
export function targets(tree) {
  // A subquery has a target list, too: the view's own stands right in "({QUERY …})".
  const found = [];
  let depth = 0;
  let entry;
  let inside = false;
  for (let at = 0; at < tree.length; at++) {
    const char = tree[at];
    if (char === "\\") at++;
    else if (char === "(" || char === "{") {
      depth++;
      if (depth === 3) inside = tree.slice(at - LIST.length, at) === LIST;
      if (depth === 4 && inside) entry = at;
    } else if (char === ")" || char === "}") {
      if (depth === 4 && inside && entry !== undefined) {
        const text = tree.slice(entry, at);
        const [, number] = /.* :resno (\d+)/s.exec(text) ?? [];
        const [, table, column] = /.* :resorigtbl (\d+) :resorigcol (\d+)/s.exec(text) ?? [];
        if (table > 0) found.push({ number: Number(number), table: Number(table), column: Number(column) });
        entry = undefined;
      }
      if (depth === 3) inside = false;
      depth--;
    }
  }
  return found;
}

/** For each view its columns by "table oid/column number" of the tables behind it, through views of views. */
function sources(views) {
  const byOid = new Map(views.map((view) => [view.oid, { ...view, shows: targets(view.tree) }]));
  const follow = (view, seen) =>
    view.shows.flatMap(({ number, table, column }) => {
      const behind = byOid.get(table);
      const inner = behind && !seen.has(table) ? follow(behind, new Set([...seen, table])) : [];
      const through = inner.filter(([, , shown]) => shown === column).map(([oid, origin]) => [oid, origin, number]);
      return [[table, column, number], ...through];
    });
  const found = new Map();
  for (const view of byOid.values()) {
    const columns = new Map();
    for (const [table, column, number] of follow(view, new Set([view.oid]))) {
      const source = `${table}/${column}`;
      columns.set(source, [...(columns.get(source) ?? []), view.columns[number]]);
    }
    found.set(view.oid, columns);
  }
  return found;
}

/** Every choice of one of each list: [[a, b], [c]] → [[a, c], [b, c]]. */
const choices = (lists) =>
  lists.reduce((made, list) => made.flatMap((head) => list.map((item) => [...head, item])), [[]]);

/** The keys of a view's columns for a key of a table behind it: [[view columns]], one for each way. */
function viewKeys(columns, oid, numbers) {
  const lists = numbers.map((number) => columns.get(`${oid}/${number}`) ?? []);
  return lists.every((list) => list.length > 0) ? choices(lists) : [];
}

/**
 * All relationships: {table, foreign, self, kind: "m2o" | "o2m" | "o2o" | "m2m", constraint, columns: [[own, its]],
 * junction?, tableIsView, foreignIsView}, or {function, table, foreign, one} for a computed one.
 * Writes the keys of views into `tables`.
 */
export function relationships(tables, keys, views, primaryKeys, computed) {
  const behind = sources(views);
  const exposedViews = tables.filter((table) => table.view && behind.has(table.oid));
  for (const view of exposedViews)
    view.keys = primaryKeys.flatMap(([oid, numbers]) => viewKeys(behind.get(view.oid), oid, numbers)[0] ?? []);

  const direct = keys.flatMap((found) => {
    const ends = (end, side) => [
      [end, [found.columns.map((pair) => pair[side])], false],
      ...exposedViews
        .map((view) => [
          view,
          viewKeys(
            behind.get(view.oid),
            end.oid,
            found.numbers.map((pair) => pair[side]),
          ),
          true,
        ])
        .filter(([, ways]) => ways.length > 0),
    ];
    return ends(found.table, 0).flatMap(([table, ways, tableIsView]) =>
      ends(found.foreign, 1).flatMap(([foreign, foreignWays, foreignIsView]) =>
        ways.flatMap((own) =>
          foreignWays.map((its) => ({
            table,
            foreign,
            tableIsView,
            foreignIsView,
            self: table.oid === foreign.oid,
            kind: found.one ? "o2o" : "m2o",
            constraint: found.name,
            columns: own.map((name, index) => [name, its[index]]),
          })),
        ),
      ),
    );
  });
  const inverse = direct.map((found) => ({
    ...found,
    table: found.foreign,
    foreign: found.table,
    tableIsView: found.foreignIsView,
    foreignIsView: found.tableIsView,
    kind: found.kind === "m2o" ? "o2m" : "o2o",
    columns: found.columns.map(([own, its]) => [its, own]),
  }));
  return [...direct, ...inverse, ...manyToMany(tables, direct), ...computed];
}

/** Tables joined by a third whose primary key has the columns of both foreign keys. */
function manyToMany(tables, direct) {
  const primary = new Map(tables.map((table) => [table.oid, new Set(table.keys)]));
  const byTable = new Map();
  for (const item of direct) byTable.set(item.table.oid, [...(byTable.get(item.table.oid) ?? []), item]);
  return [...byTable].flatMap(([oid, found]) => {
    const keys = primary.get(oid);
    if (!keys) return [];
    const toOne = found.filter(({ kind, columns }) => kind === "m2o" && columns.every(([own]) => keys.has(own)));
    return toOne.flatMap((first) =>
      toOne
        .filter((second) => second.constraint !== first.constraint)
        .map((second) => ({
          table: first.foreign,
          foreign: second.foreign,
          tableIsView: first.foreignIsView,
          foreignIsView: second.foreignIsView,
          self: first.foreign.oid === second.foreign.oid,
          kind: "m2m",
          junction: { table: first.table, first, second },
        })),
    );
  });
}

const KINDS = ["o2m", "m2o", "o2o", "m2m"];

// The order in which PostgREST names them where a request is ambiguous.
const sortKey = ({ foreign, self, kind, constraint, junction, function: computed }) =>
  JSON.stringify([
    computed ? 1 : 0,
    foreign.schema,
    foreign.name,
    self,
    KINDS.indexOf(kind),
    constraint ?? (junction ? [junction.table.name, junction.first.constraint, junction.second.constraint] : ""),
  ]);

/** The relationships between exposed tables by [schema, table, schema of the other]; computed ones replace found ones. */
export function byPair(found, exposed) {
  const computed = found.filter((relation) => relation.function);
  const replaced = new Set(
    computed.map(({ table, function: { schema, name } }) => JSON.stringify([table.schema, table.name, schema, name])),
  );
  const pairs = new Map();
  for (const relation of found) {
    const { table, foreign, junction } = relation;
    const names = JSON.stringify([table.schema, table.name, foreign.schema, foreign.name]);
    if (!relation.function && replaced.has(names)) continue;
    if (!exposed.has(table.schema) || !exposed.has(foreign.schema)) continue;
    const other = relation.function ? relation.function.schema : foreign.schema;
    const pair = JSON.stringify([table.schema, table.name, other]);
    if (junction && !exposed.has(junction.table.schema)) {
      if (!pairs.has(pair)) pairs.set(pair, []); // it has relationships, though none that can be used
      continue;
    }
    pairs.set(pair, [...(pairs.get(pair) ?? []), relation]);
  }
  for (const list of pairs.values()) list.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  return pairs;
}
