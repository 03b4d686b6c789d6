"""What a plan reads of PostgreSQL's catalog."""

from __future__ import annotations

TABLES = r"""
select c.oid::int8, n.nspname, c.relname, c.relkind::text, c.reltuples::int8, coalesce(i.indrelid, 0)::int8,
       c.relrowsecurity
  from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_index i on i.indexrelid = c.oid
 where c.relkind <> 't' and n.nspname <> 'information_schema' and n.nspname not like 'pg\_%'"""

COLUMNS = r"""
select a.attrelid::int8, a.attname, a.attnum::int, a.atttypid::int8, format_type(a.atttypid, null),
       format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> ''
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
 where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f')
   and n.nspname <> 'information_schema' and n.nspname not like 'pg\_%'"""

NEVER_NULL = r"""
select c.conrelid::int8, a.attname
  from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
 where c.contype = 'c' and c.convalidated and cardinality(c.conkey) = 1
   and pg_get_constraintdef(c.oid) ~ '^CHECK \(\(("[^"]+"|\w+) IS NOT NULL\)\)$'"""

REFERENCES = "select conrelid::int8, confrelid::int8, confdeltype::text, conname from pg_constraint where contype = 'f'"

# Each column of a foreign key on either side, with the table on the other.
KEY_COLUMNS = """
select x.own::int8, a.attname, x.other::int8
  from pg_constraint c cross join lateral (
    select c.conrelid, c.confrelid, unnest(c.conkey) union all select c.confrelid, c.conrelid, unnest(c.confkey)
  ) x (own, other, number) join pg_attribute a on a.attrelid = x.own and a.attnum = x.number
 where c.contype = 'f' and x.own <> x.other"""

# A domain casts as its base type does, and costs a check of every row when it has constraints; an array casts as its
# elements do.
TYPE = """
select t.oid::int8, format_type(t.oid, null),
       t.typtype = 'd' and (t.typnotnull or exists (select from pg_constraint where contypid = t.oid))
  from pg_type t where t.oid = to_regtype(%s)"""

CAST = """
with recursive base(start, oid) as (
  select oid, oid from pg_type where oid in (%(old)s, %(new)s)
  union all
  select base.start, case t.typtype when 'd' then t.typbasetype else t.typelem end
    from base join pg_type t using (oid) where t.typtype = 'd' or t.typcategory = 'A')
select case when old.oid = new.oid then 'b' else c.castmethod::text end,
       case when old.oid = new.oid then 'i' else c.castcontext::text end
  from base old cross join base new left join pg_cast c on c.castsource = old.oid and c.casttarget = new.oid
 where old.start = %(old)s and new.start = %(new)s and (old.oid = new.oid or c.oid is not null) limit 1"""

ADDRESS = "select classid::int8, objid::int8, objsubid from pg_get_object_address(%s, %s::text[], %s::text[])"
ROUTINE = "select 'pg_proc'::regclass::int8, oid::int8, 0 from pg_proc where oid = to_regproc(%s)"

OWNED = """
select s.classid::int8, s.objid::int8, s.objsubid
  from pg_shdepend s join pg_roles r on r.oid = s.refobjid join pg_database d on d.oid = s.dbid
 where s.refclassid = 'pg_authid'::regclass and s.deptype = 'o' and d.datname = current_database()
   and r.rolname = coalesce(%s, current_user)"""

# How DROP finds what goes along: src/backend/catalog/dependency.c. What depends internally on another object, or
# belongs to an extension, takes that with it. A `victim` is not a part of something else that goes.
LOSS = """
with recursive gone(classid, objid, objsubid) as (
  select * from unnest(%(classes)s::oid[], %(objects)s::oid[], %(parts)s::int[])
  union
  select m.* from gone g cross join lateral (
    select d.classid, d.objid, d.objsubid from pg_depend d
     where d.refclassid = g.classid and d.refobjid = g.objid and (g.objsubid = 0 or d.refobjsubid = g.objsubid)
       and d.deptype::text = any (%(edges)s)
    union all
    select d.refclassid, d.refobjid, d.refobjsubid from pg_depend d
     where d.classid = g.classid and d.objid = g.objid and d.objsubid = g.objsubid and d.deptype in ('i', 'e')) m),
whole as (select classid, objid from gone where objsubid = 0)
select g.classid::int8, g.objid::int8, g.objsubid, n.nspname, c.relname, c.relkind::text, a.attname,
       exists (select from pg_inherits h join whole p on p.classid = 'pg_class'::regclass and p.objid = h.inhparent
                where h.inhrelid = c.oid) and c.relispartition,
       case when not exists (
              select from pg_depend d join gone p on p.classid = d.refclassid and p.objid = d.refobjid
                and p.objsubid in (0, d.refobjsubid)
               where d.classid = g.classid and d.objid = g.objid and d.objsubid = g.objsubid and d.deptype <> 'n')
            and (g.objsubid = 0 or not exists (select from whole w where w.classid = g.classid and w.objid = g.objid))
            then (select i.type || ' ' || i.identity from pg_identify_object(g.classid, g.objid, g.objsubid) i) end,
       (case g.classid
         when 'pg_trigger'::regclass then (select tgrelid from pg_trigger where oid = g.objid)
         when 'pg_policy'::regclass then (select polrelid from pg_policy where oid = g.objid)
         when 'pg_constraint'::regclass then (select conrelid from pg_constraint where oid = g.objid)
         when 'pg_attrdef'::regclass then (select adrelid from pg_attrdef where oid = g.objid)
         when 'pg_rewrite'::regclass then (select ev_class from pg_rewrite where oid = g.objid)
         when 'pg_class'::regclass then coalesce((select indrelid from pg_index where indexrelid = g.objid),
                                                 case when g.objsubid > 0 then g.objid end) end)::int8
  from gone g
  left join pg_class c on g.classid = 'pg_class'::regclass and c.oid = g.objid
   and (g.objsubid = 0 or not exists (select from whole w where w.classid = g.classid and w.objid = g.objid))
  left join pg_namespace n on n.oid = c.relnamespace
  left join pg_attribute a on g.objsubid > 0 and a.attrelid = c.oid and a.attnum = g.objsubid and a.attgenerated = ''"""

ESTIMATE = """
select (select sum(greatest(reltuples, 0)) from pg_class
         where reltuples >= 0 and (oid = %(oid)s or oid in (select relid from pg_partition_tree(%(oid)s))))
       * coalesce((select max(1 - s.null_frac) from pg_stats s join pg_namespace n on n.nspname = s.schemaname
                     join pg_class c on c.relnamespace = n.oid and c.relname = s.tablename
                    where c.oid = %(oid)s and s.attname = any (%(columns)s)), 1)"""
