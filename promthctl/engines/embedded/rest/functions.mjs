// Which function /rpc/name means, and what it is called with.

import { ApiError } from "./errors.mjs";
import { singleArgument } from "./payload.mjs";
import { similar } from "./similar.mjs";

const UNNAMED = {
  "application/json": ["json", "jsonb"],
  "text/plain": ["text"],
  "text/xml": ["xml"],
  "application/octet-stream": ["bytea"],
};
const onlyUnnamed = (type, post) => post && ["text/plain", "text/xml", "application/octet-stream"].includes(type);

export const returnsScalar = (found) => !found.composite;
export const returnsSingle = (found) => !found.set;
export const returnsVoid = ({ set, composite, returns }) =>
  !set && !composite && returns.schema === "pg_catalog" && returns.name === "void";

function matches(found, keys, type, post) {
  const parameters = found.arguments;
  if (parameters.length === 0) return keys.size === 0 && !onlyUnnamed(type, post);
  const required = parameters.filter((parameter) => parameter.required);
  const names = new Set(parameters.map(({ name }) => name));
  return required.every(({ name }) => keys.has(name)) && [...keys].every((key) => names.has(key));
}

/**
 * The function of a call. keys: the names of its arguments. type: the body's media type. post: called by POST.
 * Raises PGRST202 for none and PGRST203 for several.
 */
export function findFunction(catalog, schema, name, keys, type, post) {
  const overloads = catalog.overloads(schema, name);
  const wanted = new Set(keys);
  const named = overloads.filter((found) => matches(found, wanted, type, post));
  const unnamed = (found) =>
    post &&
    found.arguments.length === 1 &&
    found.arguments[0].name === "" &&
    UNNAMED[type]?.includes(found.arguments[0].type);
  const candidates = named.length ? named : overloads.filter(unnamed);
  if (candidates.length === 1) return candidates[0];
  if (candidates.length > 1) throw ambiguous(candidates);
  throw notFound(catalog, schema, name, keys, type, post, overloads);
}

function ambiguous(candidates) {
  const signature = ({ schema, name, arguments: parameters }) =>
    `${schema}.${name}(${parameters.map((parameter) => `${parameter.name} => ${parameter.type}`).join(", ")})`;
  const list = candidates.map(signature).join(", ");
  return new ApiError(300, "PGRST203", `Could not choose the best candidate function between: ${list}`, {
    hint: "Try renaming the parameters or the function itself in the database so function overloading can be resolved",
  });
}

function notFound(catalog, schema, name, keys, type, post, overloads) {
  const sorted = [...keys].sort();
  const only = onlyUnnamed(type, post);
  const shown = sorted.length ? `(${sorted.join(", ")})` : " without parameters";
  const searched = sorted.length
    ? ` with parameter${sorted.length > 1 ? "s" : ""} ${sorted.join(", ")}`
    : " without parameters";
  const kind = only ? ` with a single unnamed ${UNNAMED[type][0]} parameter` : searched;
  const json = post && type === "application/json" ? " or with a single unnamed json/jsonb parameter" : "";
  const text = (found) =>
    `(${found.arguments
      .map((parameter) => parameter.name)
      .sort()
      .join(", ")})`;
  const meant = overloads.length
    ? similar(overloads.map(text), `(${sorted.join(", ")})`)
    : similar(catalog.functionNames(schema), name, { least: 0.75 });
  const call = meant && (overloads.length ? `${name}${meant}` : meant);
  return new ApiError(
    404,
    "PGRST202",
    `Could not find the function ${schema}.${name}${only ? "" : shown} in the schema cache`,
    {
      details: `Searched for the function ${schema}.${name}${kind}${json}, but no matches were found in the schema cache.`,
      hint: !only && call ? `Perhaps you meant to call the function ${schema}.${call}` : null,
    },
  );
}

/** The arguments of a call for query.mjs, and the parameters they are for. given: [[name, text]] or {text} or a body. */
export function callArguments(found, keys, { pairs, payload, body }) {
  const [first, ...others] = found.arguments;
  if (first && others.length === 0 && first.name === "") {
    if (pairs)
      return {
        args: { single: { sql: singleArgument(Buffer.from(JSON.stringify(Object.fromEntries(pairs))), first.type) } },
      };
    return { args: { single: { sql: singleArgument(body, first.type) } } };
  }
  const parameters = found.arguments.filter(({ name }) => keys.includes(name));
  if (!pairs) return { args: { json: payload.text ?? "{}" }, parameters };
  const variadic = new Set(found.arguments.filter((parameter) => parameter.variadic).map(({ name }) => name));
  const direct = new Map();
  for (const [name, value] of pairs)
    direct.set(name, variadic.has(name) ? [...(direct.get(name) ?? []), value] : value);
  return { args: { direct }, parameters };
}
