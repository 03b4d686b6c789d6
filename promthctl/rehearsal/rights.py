"""Who may read and write what in a database, as it comes out of grants, memberships, owners and row-level security."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_OWN = "n.nspname !~ '^(pg_.*|information_schema|promthctl_rehearsal|supabase_migrations)$'"
_ROLES = """r.rolname !~ '^(pg_|pgsodium_|supabase_|cli_login_|promthctl_)|^(postgres|dashboard_user|pgbouncer)$'
  and not r.rolsuper"""
# 1: only rows that policies allow, 2: every row. For column privileges any column counts.
_LEVELS = f"""
select c.oid::bigint, r.rolname::text, p.command,
       case when c.relrowsecurity and not r.rolbypassrls
                 and not (pg_has_role(r.oid, c.relowner, 'USAGE') and not c.relforcerowsecurity) then 1 else 2 end
  from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join pg_roles r
 cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p (command)
 where c.relkind in ('r', 'p', 'v', 'm', 'f') and {_OWN} and {_ROLES} and has_schema_privilege(r.oid, n.oid, 'USAGE')
   and (has_table_privilege(r.oid, c.oid, p.command)
        or p.command <> 'DELETE' and has_any_column_privilege(r.oid, c.oid, p.command))"""  # noqa: S608 - constants
_RELATIONS = f"""
select c.oid::bigint, n.nspname || '.' || c.relname, c.relkind::text, o.rolname::text, c.relrowsecurity,
       coalesce('security_invoker=true' = any (c.reloptions) or 'security_invoker=on' = any (c.reloptions), false),
       case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
       array(select distinct d.refobjid::bigint from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass
          and d.objid = w.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid
         where w.ev_class = c.oid)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles o on o.oid = c.relowner
 where c.relkind in ('r', 'p', 'v', 'm', 'f') and {_OWN}"""  # noqa: S608
_POLICIES = """
select p.polrelid::bigint, p.polname::text, p.polcmd::text, p.polpermissive,
       array(select case when m = 0 then 'public' else pg_get_userbyid(m)::text end
               from unnest(p.polroles) m order by 1),
       pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
  from pg_policy p"""
_MEMBERS = f"""
select r.rolname::text, g.rolname::text, g.rolsuper, g.rolbypassrls from pg_roles r join pg_roles g
    on g.oid <> r.oid and pg_has_role(r.oid, g.oid, 'MEMBER')
 where {_ROLES} and r.rolname <> 'authenticator'"""  # noqa: S608
_ATTRIBUTES = "select rolname::text, rolsuper, rolbypassrls from pg_roles where rolname !~ '^pg_'"
_DEFINERS = f"""
select p.oid::bigint, p.oid::regprocedure::text, o.rolname::text,
       md5(coalesce(p.prosrc, '') || coalesce(p.prosqlbody::text, '')),
       array(select r.rolname::text from pg_roles r where {_ROLES} and r.rolname <> 'authenticator'
              and has_function_privilege(r.oid, p.oid, 'EXECUTE') and has_schema_privilege(r.oid, n.oid, 'USAGE')
              order by 1)
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles o on o.oid = p.proowner
 where p.prosecdef and {_OWN} and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
   and not exists (
     select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
"""  # noqa: S608


@dataclass(frozen=True)
class Relation:
    """definition: of a view. uses: what a view reads, as oids. invoker: it reads with the rights of who asks."""

    name: str
    kind: str
    owner: str
    rls: bool
    invoker: bool
    definition: str | None
    uses: tuple[int, ...]


@dataclass(frozen=True)
class Policy:
    """command: r, a, w, d or * as in pg_policy."""

    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: str | None
    check: str | None


@dataclass(frozen=True)
class Rights:
    """levels: (oid, role, command) → 1, only rows that policies allow, or 2, every row; nothing for no right.

    reached: (oid, actor, command) → how many of the witness rows somebody reaches, as far as it was tried.
    definers: oid → (name, owner, hash of the body, roles that may call it). members: role → what it can act as.
    """

    levels: Mapping[tuple[int, str, str], int]
    relations: Mapping[int, Relation]
    policies: Mapping[tuple[int, str], Policy]
    members: Mapping[tuple[str, str], tuple[bool, bool]]
    attributes: Mapping[str, tuple[bool, bool]]
    definers: Mapping[int, tuple[str, str, str, tuple[str, ...]]]
    reached: Mapping[tuple[int, str, str], int]


def read_rights(connection: psycopg.Connection[Any], user: str, probed: bool) -> Rights:
    """connection: a superuser's. user: the id of one of the made users. probed: also try what is under policies."""

    def rows(query: str) -> list[Any]:
        return connection.execute(query.encode()).fetchall()

    relations = {row[0]: _relation(row) for row in rows(_RELATIONS)}
    levels = {(oid, role, command): level for oid, role, command, level in rows(_LEVELS)}
    return Rights(
        levels,
        relations,
        {(oid, name): Policy(cmd, sort, tuple(roles), *rest) for oid, name, cmd, sort, roles, *rest in rows(_POLICIES)},
        {(role, group): (sup, bypass) for role, group, sup, bypass in rows(_MEMBERS)},
        {role: (sup, bypass) for role, sup, bypass in rows(_ATTRIBUTES)},
        {oid: (name, owner, body, tuple(roles)) for oid, name, owner, body, roles in rows(_DEFINERS)},
        _reached(connection, relations, levels, user) if probed else {},
    )


def _relation(row: Any) -> Relation:
    _, name, kind, owner, rls, invoker, definition, uses = row
    return Relation(name, kind, owner, rls, invoker, definition, tuple(uses))


def _reached(
    connection: psycopg.Connection[Any],
    relations: Mapping[int, Relation],
    levels: Mapping[tuple[int, str, str], int],
    user: str,
) -> dict[tuple[int, str, str], int]:
    """How many rows of each table under policies the API's roles reach, tried and taken back."""
    import psycopg
    from psycopg import sql

    found: dict[tuple[int, str, str], int] = {}
    for role, claims in _actors(user):
        told = {"claims": claims, "claim.sub": user if role == "authenticated" else "", "claim.role": role}
        begin = (
            sql.SQL("begin"),
            sql.SQL("set local statement_timeout = '2s'"),
            *(sql.SQL("set local {} = {}").format(sql.Identifier("request", "jwt", *name.split(".")), value)
              for name, value in told.items()),
            sql.SQL("set local role {}").format(sql.Identifier(role)),
        )  # fmt: skip
        for (oid, holder, command), level in levels.items():
            relation = relations.get(oid)
            if holder != role or level != 1 or command == "INSERT" or relation is None or relation.kind not in "rp":
                continue
            # In one message: there are hundreds of these.
            attempt = _attempt(connection, oid, relation, command)
            script = sql.SQL("; ").join((*begin, attempt, sql.SQL("rollback")))
            try:
                cursor = connection.execute(script, prepare=False)
                for _ in begin:
                    cursor.nextset()
                found[oid, role, command] = cursor.rowcount
            except psycopg.Error:
                connection.execute("rollback")
    return found


def _actors(user: str) -> Sequence[tuple[str, str]]:
    return (("anon", '{"role": "anon"}'), ("authenticated", f'{{"role": "authenticated", "sub": "{user}"}}'))


def _attempt(connection: psycopg.Connection[Any], oid: int, relation: Relation, command: str) -> sql.Composed:
    from psycopg import sql

    table = sql.Identifier(*relation.name.split(".", 1))
    if command == "SELECT":
        return sql.SQL("select 1 from {}").format(table)
    if command == "DELETE":
        return sql.SQL("delete from {}").format(table)
    row = connection.execute(
        "select attname::text from pg_attribute where attrelid = %s and attnum > 0 and not attisdropped"
        " and attgenerated = '' and attidentity <> 'a' and has_column_privilege(%s::oid, attnum, 'UPDATE') limit 1",
        (oid, oid),
    ).fetchone()
    column = sql.Identifier(row[0] if row else "ctid")
    return sql.SQL("update {0} set {1} = {1}").format(table, column)
