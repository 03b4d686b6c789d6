// Which relationship `origin?select=target!hint(…)` means.

import { ApiError } from "./errors.mjs";
import { similar } from "./similar.mjs";

export const isToOne = ({ kind, one }) => kind === "m2o" || kind === "o2o" || one === true;

const single = (relation, side) => (relation.columns?.length === 1 ? relation.columns[0][side] : undefined);

/** Whether a relationship is meant by a target and a hint, which may name a table, a constraint, a column or a junction. */
function isMeant(relation, target, hint) {
  const { foreign, kind, constraint, junction, foreignIsView, self } = relation;
  if (relation.function) return relation.function.name === target;
  const named = foreign.name === target;
  if (self) {
    // One foreign key is two relationships: the table's name means the children, the column's the parent.
    if (hint === undefined) return (named && kind === "o2m") || (kind === "m2o" && single(relation, 0) === target);
    return named && kind === "o2m" && single(relation, 1) === hint;
  }
  if (hint === undefined)
    return (
      named || (!foreignIsView && (constraint === target || single(relation, 0) === target) && target !== undefined)
    );
  return (
    named &&
    (constraint === hint ||
      single(relation, 0) === hint ||
      single(relation, 1) === hint ||
      junction?.table.name === hint)
  );
}

/** The one relationship. Raises PGRST200 for none and PGRST201 for several. */
export function findRelationship(catalog, schema, origin, target, hint) {
  const all = catalog.related(schema, origin);
  const found = (all ?? []).filter((relation) => isMeant(relation, target, hint));
  if (found.length === 1) return found[0];
  if (found.length > 1) throw ambiguous(origin, target, found);
  const using = hint === undefined ? "" : `' using the hint '${hint}`;
  throw new ApiError(
    400,
    "PGRST200",
    `Could not find a relationship between '${origin}' and '${target}' in the schema cache`,
    {
      details: `Searched for a foreign key relationship between '${origin}' and '${target}${using}' in the schema '${schema}', but no matches were found.`,
      hint: suggestion(catalog, schema, origin, target, all),
    },
  );
}

function suggestion(catalog, schema, origin, target, all) {
  if (all) {
    const child = similar(new Set(all.map(({ foreign }) => foreign.name)), target, { exact: false });
    const known = all.some(({ foreign }) => foreign.name === target);
    return child && !known ? `Perhaps you meant '${child}' instead of '${target}'.` : null;
  }
  const parents = [...catalog.relations.keys()]
    .map((pair) => JSON.parse(pair))
    .filter(([from, , to]) => from === schema && to === schema);
  const parent = similar(new Set(parents.map(([, name]) => name)), origin);
  return parent ? `Perhaps you meant '${parent}' instead of '${origin}'.` : null;
}

const CARDINALITY = { o2m: "one-to-many", m2o: "many-to-one", o2o: "one-to-one", m2m: "many-to-many" };

function described({ table, foreign, kind, constraint, columns, junction }) {
  const list = (names) => `(${names.join(", ")})`;
  const relationship = junction
    ? `${junction.table.name} using ${junction.first.constraint}${list(junction.first.columns.map(([own]) => own))}` +
      ` and ${junction.second.constraint}${list(junction.second.columns.map(([own]) => own))}`
    : `${constraint} using ${table.name}${list(columns.map(([own]) => own))} and ${foreign.name}${list(columns.map(([, its]) => its))}`;
  return { cardinality: CARDINALITY[kind], embedding: `${table.name} with ${foreign.name}`, relationship };
}

function ambiguous(origin, target, found) {
  const hints = found.map(
    ({ foreign, junction, constraint }) => `'${foreign.name}!${junction ? junction.table.name : constraint}'`,
  );
  return new ApiError(
    300,
    "PGRST201",
    `Could not embed because more than one relationship was found for '${origin}' and '${target}'`,
    {
      details: found.map(described),
      hint: `Try changing '${target}' to one of the following: ${hints.join(", ")}. Find the desired relationship in the 'details' key.`,
    },
  );
}
