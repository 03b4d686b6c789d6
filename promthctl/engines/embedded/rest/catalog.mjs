// The schema cache: what the catalogs say of the exposed schemas. As PostgREST it is read at the start, on
// `notify pgrst, 'reload schema'`, and never in between.
// Source: https://docs.postgrest.org/en/v14/references/schema_cache.html

import { literal } from "./sql.mjs";
import { byPair, relationships } from "./relationships.mjs";

const schemaList = (schemas) => `array[${schemas.map(literal).join(",")}]::text[]`;

const TABLES = (schemas) => `
with recursive bases as (
  select oid, oid as base, typnamespace as base_schema from pg_type where typbasetype = 0
  union all
  select t.oid, b.base, b.base_schema from bases b join pg_type t on t.typbasetype = b.oid
)
select coalesce(json_agg(json_build_object(
  'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'view', c.relkind in ('v', 'm'),
  'insertable', writable.every or updatable.bits & 8 = 8,
  'updatable', writable.every or updatable.bits & 4 = 4,
  'deletable', writable.every or updatable.bits & 16 = 16,
  'keys', coalesce((select json_agg(a.attname order by a.attname) from pg_constraint k
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey)
    where k.conrelid = c.oid and k.contype = 'p'), '[]'),
  'columns', coalesce((select json_agg(json_build_array(
      a.attname,
      case when b.base_schema = 'pg_catalog'::regnamespace then format_type(b.base, null)
           else format_type(a.atttypid, a.atttypmod) end,
      format_type(a.atttypid, a.atttypmod),
      case when t.typbasetype <> 0 and d.adbin is null then pg_get_expr(t.typdefaultbin, 0)
           when a.attidentity = 'd' then format('nextval(%L)', i.objid::regclass)
           when a.attgenerated <> '' then null
           else pg_get_expr(d.adbin, d.adrelid) end,
      not (a.attnotnull or t.typtype = 'd' and t.typnotnull)
    ) order by a.attnum)
    from pg_attribute a
    join pg_type t on t.oid = a.atttypid
    join bases b on b.oid = t.oid
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_depend i on i.refobjid = a.attrelid and i.refobjsubid = a.attnum and i.deptype = 'i'
      and i.refclassid = 'pg_class'::regclass and i.classid = 'pg_class'::regclass
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]')
)), '[]')::text as tables
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral (select c.relkind in ('r', 'p') as every) writable
cross join lateral (select case when c.relkind in ('v', 'f') then pg_relation_is_updatable(c.oid, true) else 0 end as bits)
  updatable
where c.relkind in ('r', 'v', 'm', 'f', 'p') and not c.relispartition and n.nspname = any (${schemaList(schemas)})`;

const FOREIGN_KEYS = `
select coalesce(json_agg(json_build_object(
  'name', k.conname, 'self', k.conrelid = k.confrelid,
  'table', json_build_object('schema', n.nspname, 'name', t.relname, 'oid', t.oid::int8),
  'foreign', json_build_object('schema', fn.nspname, 'name', ft.relname, 'oid', ft.oid::int8),
  'columns', pairs.names, 'numbers', pairs.numbers,
  'one', exists (select from pg_constraint u where u.conrelid = k.conrelid and u.contype in ('p', 'u')
    and u.conkey <@ k.conkey and k.conkey <@ u.conkey)
) order by k.conrelid, k.conname), '[]')::text as keys
from pg_constraint k
join pg_class t on t.oid = k.conrelid join pg_namespace n on n.oid = t.relnamespace
join pg_class ft on ft.oid = k.confrelid join pg_namespace fn on fn.oid = ft.relnamespace
cross join lateral (
  select json_agg(json_build_array(a.attname, f.attname) order by position) as names,
    json_agg(json_build_array(col, ref) order by position) as numbers
  from unnest(k.conkey, k.confkey) with ordinality as _ (col, ref, position)
  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = col
  join pg_attribute f on f.attrelid = k.confrelid and f.attnum = ref) pairs
where k.contype = 'f' and k.conparentid = 0`;

// A view's target list says which column of which table each of its columns is: relationships.mjs reads it.
const VIEWS = (schemas) => `
with recursive wanted as (
  select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('v', 'm') and n.nspname = any (${schemaList(schemas)})
  union
  select c.oid from wanted w
  join pg_rewrite r on r.ev_class = w.oid
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
  join pg_class c on c.oid = d.refobjid and c.relkind in ('v', 'm')
)
select coalesce(json_agg(json_build_object('oid', w.oid::int8, 'tree', r.ev_action::text,
  'columns', (select json_object_agg(attnum, attname) from pg_attribute where attrelid = w.oid and attnum > 0)
)), '[]')::text as views
from wanted w join pg_rewrite r on r.ev_class = w.oid and r.ev_type = '1'`;

const PRIMARY_KEYS = `
select coalesce(json_agg(json_build_array(k.conrelid::int8, k.conkey)), '[]')::text as primary_keys
from pg_constraint k where k.contype = 'p' and k.conparentid = 0`;

const FUNCTIONS = (schemas) => `
with recursive bases as (
  select oid, oid as base from pg_type where typbasetype = 0
  union all
  select t.oid, b.base from bases b join pg_type t on t.typbasetype = b.oid
)
select coalesce(json_agg(json_build_object(
  'oid', p.oid::int8, 'schema', n.nspname, 'name', p.proname, 'volatility', p.provolatile, 'variadic', p.provariadic <> 0,
  'set', p.proretset,
  'composite', t.typtype = 'c' or coalesce(p.proargmodes::text[] && '{t,b,o}', false),
  'returns', json_build_object('schema', tn.nspname, 'name', coalesce(rc.relname, t.typname)),
  'media', case when rt.typtype = 'd' and rt.typname ~ '^[A-Za-z0-9.-]+/[A-Za-z0-9.+-]+$|^[*]/[*]$' then rt.typname end,
  'mediaType', json_build_object('schema', rn.nspname, 'name', rt.typname),
  'isolation', (select split_part(s, '=', 2) from unnest(p.proconfig) s where s like 'default_transaction_isolation=%'),
  'settings', (select json_object_agg(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1)) from unnest(p.proconfig) s),
  'arguments', coalesce(args.list, '[]')
)), '[]')::text as functions
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
join bases b on b.oid = p.prorettype
join pg_type rt on rt.oid = p.prorettype join pg_namespace rn on rn.oid = rt.typnamespace
join pg_type t on t.oid = b.base
join pg_namespace tn on tn.oid = t.typnamespace
left join pg_class rc on rc.oid = t.typrelid
cross join lateral (
  select json_agg(json_build_object('name', coalesce(name, ''), 'type', format_type(type, null),
      'wide', case format_type(type, null) when 'bit' then 'bit varying' when 'bit[]' then 'bit varying[]'
        when 'character' then 'character varying' when 'character[]' then 'character varying[]'
        else format_type(type, null) end,
      'required', position <= p.pronargs - p.pronargdefaults, 'variadic', coalesce(mode = 'v', false)) order by position) as list,
    count(*) - count(nullif(name, '')) as unnamed,
    count(*) as number,
    min(type::regtype::text) as first
  from unnest(p.proargtypes::oid[], p.proargnames, p.proargmodes) with ordinality as _ (type, name, mode, position)
  where type is not null) args
where p.prokind = 'f' and t.typname <> 'trigger' and n.nspname = any (${schemaList(schemas)})
  and (args.unnamed = 0 or args.number = 1 and args.first in ('bytea', 'json', 'jsonb', 'text', 'xml'))`;

const COMPUTED = `
select coalesce(json_agg(json_build_object(
  'function', json_build_object('schema', n.nspname, 'name', p.proname),
  'table', json_build_object('schema', an.nspname, 'name', a.relname),
  'foreign', json_build_object('schema', rn.nspname, 'name', r.relname),
  'one', not p.proretset or p.prorows = 1)), '[]')::text as computed
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
join pg_class a on a.reltype = p.proargtypes[0] and a.relkind in ('v', 'r', 'm', 'f', 'p')
join pg_namespace an on an.oid = a.relnamespace
join pg_class r on r.reltype = p.prorettype and r.relkind in ('v', 'r', 'm', 'f', 'p')
join pg_namespace rn on rn.oid = r.relnamespace
where p.pronargs = 1 and p.proargtypes[0] <> 0`;

// Casts that are functions from or to a domain: data representations.
// Source: https://docs.postgrest.org/en/v14/references/api/domain_representations.html
const CASTS = `
select coalesce(json_agg(json_build_array(format_type(c.castsource, null), format_type(c.casttarget, null),
  c.castfunc::regproc::text)), '[]')::text as casts
from pg_cast c join pg_type s on s.oid = c.castsource join pg_type t on t.oid = c.casttarget
where c.castcontext = 'i' and c.castmethod = 'f' and (
  s.typtype = 'd' and c.casttarget in ('json'::regtype, 'text'::regtype)
  or t.typtype = 'd' and c.castsource in ('json'::regtype, 'text'::regtype))`;

const key = ({ schema, name }) => JSON.stringify([schema, name]);

/** The catalogs of one moment, and what is found in them. */
export class Catalog {
  constructor({ tables, keys, views, primary_keys, functions, computed, casts }) {
    const representation = new Map(casts.map(([from, to, call]) => [`${from}>${to}`, call]));
    for (const table of tables) {
      table.columns = new Map(
        table.columns.map(([name, type, nominal, fallback, nullable]) => {
          const [toJson, fromText, fromJson] = [`${nominal}>json`, `text>${nominal}`, `json>${nominal}`].map((cast) =>
            representation.get(cast),
          );
          return [name, { name, type, nominal, default: fallback, nullable, toJson, fromText, fromJson }];
        }),
      );
      table.represented = [...table.columns.values()].some((column) => column.toJson);
    }
    this.tables = new Map(tables.map((table) => [key(table), table]));
    this.functions = new Map();
    for (const found of functions) {
      const name = key(found);
      this.functions.set(name, [...(this.functions.get(name) ?? []), found]);
    }
    const text = JSON.stringify;
    for (const overloaded of this.functions.values())
      overloaded.sort(
        (a, b) => a.arguments.length - b.arguments.length || (text(a.arguments) < text(b.arguments) ? -1 : 1),
      );
    const exposed = new Set(tables.map(({ schema }) => schema));
    this.relations = byPair(relationships(tables, keys, views, primary_keys, computed), exposed);
  }

  table(schema, name) {
    return this.tables.get(key({ schema, name }));
  }

  /** Every function of that name, fewest arguments first. */
  overloads(schema, name) {
    return this.functions.get(key({ schema, name })) ?? [];
  }

  tableNames(schema) {
    return [...this.tables.values()].filter((table) => table.schema === schema).map(({ name }) => name);
  }

  functionNames(schema) {
    return [...this.functions.values()].filter(([found]) => found.schema === schema).map(([{ name }]) => name);
  }

  /** The relationships of a table with those of a schema; undefined when the table has none. */
  related(schema, name, foreignSchema = schema) {
    return this.relations.get(JSON.stringify([schema, name, foreignSchema]));
  }
}

/**
 * Read the catalogs. query: runs SQL and resolves to the results of its statements. schemas: those of the API.
 * Raises what PostgreSQL raises when one of them does not exist (3F000), as PostgREST's own query does.
 */
export async function readCatalog(query, schemas) {
  const parts = [TABLES(schemas), FOREIGN_KEYS, VIEWS(schemas), PRIMARY_KEYS, FUNCTIONS(schemas), COMPUTED, CASTS];
  const exist = schemas.map((schema) => `${literal(`"${schema.replaceAll('"', '""')}"`)}::regnamespace`).join(", ");
  // The driver makes one result of all the statements without rows at the start.
  // With an empty search path format_type and regproc write names with their schemas.
  const results = await query(
    `set transaction read only; set local search_path to ''; select ${exist}; ${parts.join("; ")}`,
  );
  const found = Object.assign({}, ...results.slice(2).map(([row]) => row));
  return new Catalog(Object.fromEntries(Object.entries(found).map(([name, text]) => [name, JSON.parse(text)])));
}
