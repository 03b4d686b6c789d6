"""A database that records what every migration changes: the SQL.

A trigger on the Supabase CLI's history table looks at the catalog each time the CLI records a version, in the
migration's own transaction. It looks where the transaction has been:

- PostgreSQL counts what a transaction writes to each system catalog. Where it wrote to none, nothing changed.
- Rows that it wrote have its number (xmin); what it dropped or altered is locked (pg_locks). pg_depend says what else
  is spelled with the names of those objects. The relations and routines that all these belong to are read again.
- What was written to other catalogs (schemas, roles, default privileges, …), or by another transaction since the last
  look, has the whole catalog read. So does every hundredth look, and the end: what is found then and was not before was
  missed, and all is done again, with the whole catalog read each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from promthctl.schema import SPELLING, traced_query

# The catalogs whose changed rows lead to relations and routines: to which object, and whether others are spelled with
# what stands in the row. Other catalogs have everything read again.
_FOLLOWED = {
    "pg_class": ("'pg_catalog.pg_class'::regclass, oid", True),
    "pg_attribute": ("'pg_catalog.pg_class'::regclass, attrelid", True),
    "pg_proc": ("'pg_catalog.pg_proc'::regclass, oid", True),
    "pg_type": ("'pg_catalog.pg_type'::regclass, oid", True),
    "pg_enum": ("'pg_catalog.pg_type'::regclass, enumtypid", True),
    "pg_index": ("'pg_catalog.pg_class'::regclass, indrelid", False),
    "pg_attrdef": ("'pg_catalog.pg_attrdef'::regclass, oid", False),
    "pg_constraint": ("'pg_catalog.pg_constraint'::regclass, oid", False),
    "pg_policy": ("'pg_catalog.pg_policy'::regclass, oid", False),
    "pg_trigger": ("'pg_catalog.pg_trigger'::regclass, oid", False),
    "pg_rewrite": ("'pg_catalog.pg_rewrite'::regclass, oid", False),
    "pg_sequence": ("'pg_catalog.pg_class'::regclass, seqrelid", False),
    "pg_inherits": ("'pg_catalog.pg_class'::regclass, inhrelid", False),
    "pg_partitioned_table": ("'pg_catalog.pg_class'::regclass, partrelid", False),
    "pg_description": ("classoid, objoid", False),
}
# Written along with what is followed, or not compared. (What joins or leaves an extension is locked.)
_UNFOLLOWED = ("pg_depend", "pg_shdepend", "pg_statistic")
# Roles are read at each look: on the embedded engine `create policy` grants memberships and revokes them again.
_READ_EACH_TIME = ("pg_auth_members",)
# Of these, the rows of what is locked are looked for first, by an index on this column: others seldom were written.
_BY_LOCK = {"pg_class": "oid", "pg_attribute": "attrelid", "pg_index": "indexrelid"}
_FRESH = """
    if {oid} = any (written) then
      {insert} select the_look, {columns}, {named} from pg_catalog.{catalog} where age(xmin) <= 0;
    end if;"""
# A row may have been written more often than once; so all are looked at unless these are as many as were written.
_FRESH_BY_LOCK = """
    if {oid} = any (written) then
      {insert} select the_look, {columns}, {named} from pg_catalog.{catalog}
       where age(xmin) <= 0 and {key} in (
         select b.objid from supabase_migrations.promthctl_begun b where b.look = the_look);
      get diagnostics how_many = row_count;
      if how_many <> rows_written[array_position(written, {oid})] then
        {insert} select the_look, {columns}, {named} from pg_catalog.{catalog} where age(xmin) <= 0;
      end if;
    end if;"""
_INSERT = "insert into supabase_migrations.promthctl_begun (look, classid, objid, named)"
# Of which relation an object is a part.
_OWNERS = """
    select conrelid from pg_constraint where oid = {0}.objid and {0}.classid = 'pg_constraint'::regclass
     union all
    select polrelid from pg_policy where oid = {0}.objid and {0}.classid = 'pg_policy'::regclass
     union all
    select tgrelid from pg_trigger where oid = {0}.objid and {0}.classid = 'pg_trigger'::regclass
     union all
    select ev_class from pg_rewrite where oid = {0}.objid and {0}.classid = 'pg_rewrite'::regclass
     union all
    select adrelid from pg_attrdef where oid = {0}.objid and {0}.classid = 'pg_attrdef'::regclass
     union all
    select indrelid from pg_index where indexrelid = {0}.objid and {0}.classid = 'pg_class'::regclass
     union all
    -- A sequence is spelled with the table that owns it.
    select refobjid from pg_depend where classid = {0}.classid and objid = {0}.objid and deptype = 'a'
       and classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass"""
# A statement has what it may need, and what it does not need costs time too: each plan node is set up. So roles, types
# and the kinds that most tables have nothing of are compared apart, and only where there can be something.
_OF_TABLES = ("tables", "columns", "constraints", "indexes", "rls", "policies", "grants")
_BESIDE = ("sequences", "functions", "views", "triggers", "rules", "publications", "event_triggers", "comments")
_COMPARE_TOUCHED = """
  with touched as materialized (
    select t.oid from supabase_migrations.promthctl_touched t where t.look = the_look),
  seen as materialized (
    select s.* from supabase_migrations.promthctl_some_{kinds} s where s.origin in (select t.oid from touched t)),
  before as (
    select l.* from touched t join supabase_migrations.promthctl_last l on l.origin = t.oid
     where (l.kind = any (array{list})) is true  -- not by the key, which would find nearly everything
     union
    select l.* from seen s join supabase_migrations.promthctl_last l
        on l.kind = s.kind and l.identity = s.identity collate "C"),
  {compare}"""
# What `seen` has and `before` had differently, recorded as the change of a version.
_COMPARE = """
  found as materialized (
    select coalesce(s.kind, b.kind) as kind, coalesce(s.identity, b.identity) as identity, s.attributes, s.origin,
           s.attributes is distinct from b.attributes as changed
      from seen s full join before b on b.kind = s.kind and b.identity = s.identity
     where s.attributes is distinct from b.attributes or s.origin is distinct from b.origin),
  recorded as (
    insert into supabase_migrations.promthctl_changes (version, kind, identity, attributes)
    select the_version, f.kind, f.identity, f.attributes from found f where f.changed),
  gone as (
    delete from supabase_migrations.promthctl_last l using found f
     where f.attributes is null and l.kind = f.kind and l.identity = f.identity),
  there as (
    insert into supabase_migrations.promthctl_last (kind, identity, attributes, origin)
    select f.kind, f.identity, f.attributes, f.origin from found f where f.attributes is not null
        on conflict (kind, identity) do update set attributes = excluded.attributes, origin = excluded.origin)
  select count(*) into how_many from found f where f.changed;"""

# The history table is as the CLI makes it: CREATE_VERSION_TABLE in pkg/migration/history.go. Its schema is one that
# reading the catalog leaves out. The views' names are bound before a migration can shadow them, and PL/pgSQL keeps its
# plans, which take longer to make than to run. "always": a migration may set session_replication_role.
_SCRIPT = """
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text);

-- transaction: its number. missed: a look at everything found what the looks before it had not.
create table supabase_migrations.promthctl_looks (
  look bigint generated always as identity primary key, version text, transaction bigint, missed boolean);
create table supabase_migrations.promthctl_begun (look bigint, classid oid, objid oid, named boolean);
create index on supabase_migrations.promthctl_begun (look);
create table supabase_migrations.promthctl_touched (look bigint, oid oid);
create index on supabase_migrations.promthctl_touched (look);
create table supabase_migrations.promthctl_changes (
  number bigint generated always as identity, version text, kind text, identity text, attributes jsonb);
-- Identities are made of names, which have the collation "C": with another one the key would not find them.
create table supabase_migrations.promthctl_last (
  kind text, identity text collate "C", attributes jsonb, origin oid, primary key (kind, identity));
create index on supabase_migrations.promthctl_last (origin);

-- n, deleted: how many rows of a system catalog this transaction wrote and deleted.
create view supabase_migrations.promthctl_written as
select oid, n, deleted from unnest(array{catalogs}::oid[]) c (oid) cross join lateral (
  select pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid),
    pg_stat_get_xact_tuples_deleted(oid)) w (n, deleted) where n + deleted > 0;
create view supabase_migrations.promthctl_locked (classid, objid) as
select coalesce(classid, 'pg_class'::regclass), coalesce(objid, relation) from pg_locks
 where pid = pg_backend_pid() and locktype in ('relation', 'object')
   and mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock');

-- Of the last look. Parts (deptype a and i; P and S of partitions) lead on to what depends on them.
create view supabase_migrations.promthctl_reached (oid) as
with recursive reached (classid, objid, named) as (
  select classid, objid, named from supabase_migrations.promthctl_begun
   where look = (select max(look) from supabase_migrations.promthctl_looks)
   union
  select d.classid, d.objid, d.deptype <> 'n' from reached r join pg_depend d
      on d.refclassid = r.classid and d.refobjid = r.objid where r.named)
select objid from reached
 union
select o.relation from reached r cross join lateral ({owners}) o (relation);

create view supabase_migrations.promthctl_all (kind, identity, attributes, origin) as {all};
create view supabase_migrations.promthctl_some_roles (kind, identity, attributes, origin) as {some_roles};
create view supabase_migrations.promthctl_some_types (kind, identity, attributes, origin) as {some_types};
create view supabase_migrations.promthctl_some_of_tables (kind, identity, attributes, origin) as {some_of_tables};
create view supabase_migrations.promthctl_some_beside (kind, identity, attributes, origin) as {some_beside};

-- Whether more belongs, or belonged, to what was touched than a plain table has.
create view supabase_migrations.promthctl_beside as
select from pg_proc where oid = any (array({touched}))
 union all
select from pg_class where oid = any (array({touched})) and relkind in ('S', 'v', 'm')
 union all
select from pg_trigger where tgrelid = any (array({touched})) and not tgisinternal
 union all
select from pg_rewrite where ev_class = any (array({touched}))
 union all
select from pg_publication_rel where prrelid = any (array({touched}))
 union all
select from pg_description where objoid = any (array({touched}))
 union all
select from supabase_migrations.promthctl_last where origin = any (array({touched})) and kind = any ({beside});

-- Whether the last look began at a type that is not a table's own.
create view supabase_migrations.promthctl_typed as
select from supabase_migrations.promthctl_begun b join pg_type t on t.oid = b.objid
 where b.look = (select max(look) from supabase_migrations.promthctl_looks) and b.classid = 'pg_type'::regclass
   and (t.typtype in ('e', 'd', 'r')
        or t.typtype = 'c' and (select relkind from pg_class where oid = t.typrelid) = 'c');

create function supabase_migrations.promthctl_look_at_all(the_version text) returns bigint language plpgsql
  {settings} set plan_cache_mode = force_generic_plan as $$
declare
  how_many bigint;
begin
  with seen as (select * from supabase_migrations.promthctl_all),
  before as (select * from supabase_migrations.promthctl_last),
  {compare}
  return how_many;
end $$;

create function supabase_migrations.promthctl_look_at_some(the_version text, the_look bigint, members boolean)
  returns void language plpgsql {settings} set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  how_many bigint;
begin
  insert into supabase_migrations.promthctl_touched (look, oid)
  select the_look, r.oid from supabase_migrations.promthctl_reached r;
  if members then
    with seen as materialized (select * from supabase_migrations.promthctl_some_roles),
    before as (select * from supabase_migrations.promthctl_last where kind = 'roles'),
    {compare}
  end if;
  if exists (select from supabase_migrations.promthctl_last where kind = 'types')
      or exists (select from supabase_migrations.promthctl_typed) then
    with seen as materialized (select * from supabase_migrations.promthctl_some_types),
    before as (select * from supabase_migrations.promthctl_last where kind = 'types'),
    {compare}
  end if;
  {compare_of_tables}
  if exists (select from supabase_migrations.promthctl_beside) then
    {compare_beside}
  end if;
end $$;

create function supabase_migrations.promthctl_look(the_version text, everywhere boolean) returns void
  language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
  here bigint := pg_current_xact_id()::text::bigint;
  before bigint := (
    select l.transaction from supabase_migrations.promthctl_looks l order by l.look desc limit 1);
  the_look bigint;
  known boolean;
  elsewhere boolean;
  members boolean;
  anything boolean;
  written oid[];
  rows_written bigint[];
  how_many bigint;
begin
  select count(*) > 0, array_agg(w.oid), array_agg(w.n),
         coalesce(bool_or(w.oid <> all (array{followed}::oid[]) or w.oid = {comments} and w.deleted > 0), false),
         coalesce(bool_or(w.oid = any (array{members}::oid[])), false)
    into anything, written, rows_written, elsewhere, members from supabase_migrations.promthctl_written w;
  known := not {thorough} and coalesce(here = before + 1, false) and not elsewhere;
  insert into supabase_migrations.promthctl_looks (version, transaction) values (the_version, here)
    returning look into the_look;
  if known then
    insert into supabase_migrations.promthctl_begun (look, classid, objid, named)
    select distinct the_look, l.classid, l.objid, false from supabase_migrations.promthctl_locked l;
    if found or anything then{fresh}
      perform supabase_migrations.promthctl_look_at_some(the_version, the_look, members);
    end if;
  end if;
  if everywhere or not known or the_look % {often} = 0 then
    how_many := supabase_migrations.promthctl_look_at_all(the_version);
    update supabase_migrations.promthctl_looks l set missed = how_many > 0 where l.look = the_look
       and (known or everywhere);
  end if;
  {flush}
end $$;
create function supabase_migrations.promthctl_recorded() returns trigger language plpgsql as $$
begin
  perform supabase_migrations.promthctl_look(new.version, false);
  return new;
end $$;
create trigger promthctl_recorded after insert on supabase_migrations.schema_migrations
  for each row execute function supabase_migrations.promthctl_recorded();
alter table supabase_migrations.schema_migrations enable always trigger promthctl_recorded;
"""
_OFTEN = 100  # a look at everything takes as long as thirty others
_TOUCHED = """select oid from supabase_migrations.promthctl_touched
 where look = (select max(look) from supabase_migrations.promthctl_looks)"""


def recording_script(major: int, catalogs: Sequence[tuple[int, str]], thorough: bool) -> str:
    """The SQL for a fresh database of that version of PostgreSQL; `promthctl_look` is to be called once after it.

    catalogs: oid and name of its system catalogs. thorough: look at everything each time.
    """
    oids = {name: oid for oid, name in catalogs}

    def numbers(names: Collection[str]) -> str:
        return str([oids.get(name, 0) for name in names])

    def some(kinds: Sequence[str]) -> str:
        return traced_query(major, _TOUCHED, kinds)

    places = {
        "{fresh}": "".join(
            (_FRESH_BY_LOCK if name in _BY_LOCK else _FRESH)
            .replace("{catalog}", name)
            .replace("{oid}", str(oids.get(name, 0)))
            .replace("{key}", _BY_LOCK.get(name, ""))
            .replace("{columns}", columns)
            .replace("{named}", str(named))
            for name, (columns, named) in sorted(_FOLLOWED.items(), key=lambda each: each[0] in _BY_LOCK)
        ),
        "{insert}": _INSERT,
        "{catalogs}": str([oid for oid, name in catalogs if name not in _UNFOLLOWED]),
        "{followed}": numbers([*_FOLLOWED, *_READ_EACH_TIME]),
        "{members}": numbers(_READ_EACH_TIME),
        "{comments}": str(oids.get("pg_description", 0)),
        "{owners}": _OWNERS.replace("{0}", "r"),
        "{all}": traced_query(major),
        "{some_roles}": some(["roles"]),
        "{some_types}": some(["types"]),
        "{some_of_tables}": some(_OF_TABLES),
        "{some_beside}": some(_BESIDE),
        "{compare_of_tables}": _COMPARE_TOUCHED.replace("{kinds}", "of_tables").replace(
            "{list}", str(list(_OF_TABLES))
        ),
        "{compare_beside}": _COMPARE_TOUCHED.replace("{kinds}", "beside").replace("{list}", str(list(_BESIDE))),
        "{compare}": _COMPARE,
        "{beside}": f"array{list(_BESIDE)}",
        "{touched}": _TOUCHED,
        "{settings}": SPELLING.replace("set local", "set").replace(";", ""),
        "{thorough}": str(thorough),
        "{often}": str(_OFTEN),
        # Else what the server counts still holds what the last transactions wrote.
        "{flush}": "perform pg_stat_force_next_flush();" if major >= 15 else "",
    }
    script = _SCRIPT
    for place, value in places.items():
        script = script.replace(place, value)
    return script


# States in the cache are used only if this recorded them.
STATES_FINGERPRINT = hashlib.sha256(recording_script(18, (), False).encode()).hexdigest()[:8]
