"""What API roles reach in the schemas that are Supabase's own: secrets, accounts, jobs, migrations, other roles.

Asked of the database, so that it counts whether the right came from a grant, from PUBLIC or from a membership. What is
open on every project is not told: the tables of Storage and Realtime under row level security, the jobs of pg_cron
that a policy shows to their owner, and all of pg_net, whose install script grants everything to PUBLIC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promthctl.isolation.findings import Finding
from promthctl.isolation.tables import CLIENT_ROLES

if TYPE_CHECKING:
    from psycopg import Connection

# Sources: github.com/supabase/postgres (migrations/db), supabase/auth, supabase/cli, citusdata/pg_cron, supabase/vault.
_SECRET = ("auth", "vault", "pgsodium", "supabase_migrations", "_analytics", "_realtime", "_supavisor")
_UNDER_RLS = ("cron", "storage", "realtime")  # open to API roles on every project, under row level security
_OPEN_TABLES = ("realtime.schema_migrations", "realtime.subscription")
_PASSWORDS = ("pg_authid", "pg_shadow")
_FUNCTIONS = ("vault.create_secret", "vault.update_secret", "cron.schedule", "cron.schedule_in_database",
              "cron.alter_job", "cron.unschedule", "pgbouncer.get_auth")  # fmt: skip

# A table under row level security without a policy for the role shows it nothing.
_QUERY = """
with client as (
  select oid, rolname::text as name from pg_roles where rolname = any(%(clients)s)
),
strong as (
  select oid, rolname from pg_roles
  where rolsuper or rolbypassrls or rolcreaterole or rolname in ('dashboard_user', 'authenticator', 'postgres')
     or rolname ~ '^(pg_|supabase_|service_role$)'
),
thing as (
  select c.oid, format('%%I.%%I', n.nspname, c.relname) as name, n.oid as space, r.oid as role, r.name as who,
         c.relrowsecurity as guarded, exists (
           select from pg_policy p where p.polrelid = c.oid and p.polpermissive
             and (0 = any(p.polroles) or exists (select from unnest(p.polroles) g where pg_has_role(r.oid, g, 'usage')))
         ) as opened, c.relkind, n.nspname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join client r
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and has_schema_privilege(r.oid, n.oid, 'usage') and (
    n.nspname = any(%(secret)s) or n.nspname = any(%(under_rls)s) and c.relkind in ('r', 'p')
    or n.nspname = 'pg_catalog' and c.relname = any(%(passwords)s))
)
select name, who, 'relation', array(
    select p from unnest(array['select', 'insert', 'update', 'delete', 'truncate']) with ordinality o (p, place)
     where has_table_privilege(role, oid, p)
        or p in ('select', 'insert', 'update') and has_any_column_privilege(role, oid, p) order by place)
from thing
where name <> all(%(open)s) and (not guarded or opened and nspname = any(%(secret)s))
  and (has_table_privilege(role, oid, 'select, insert, update, delete, truncate')
       or has_any_column_privilege(role, oid, 'select, insert, update'))
union all
select format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), r.name, 'function',
       array['execute']
from pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join client r
where n.nspname || '.' || p.proname = any(%(functions)s) and has_schema_privilege(r.oid, n.oid, 'usage')
  and has_function_privilege(r.oid, p.oid, 'execute')
union all
select quote_ident(g.rolname), r.name, 'role', array(
    select quote_ident(h.rolname) from pg_auth_members m join pg_roles h on h.oid = m.member
     where m.roleid = g.oid
       and (h.oid = r.oid or pg_has_role(r.oid, h.oid, 'member') and h.oid not in (select oid from strong)))
from strong g cross join client r
where g.oid <> r.oid and pg_has_role(r.oid, g.oid, 'member')
union all
select r.name, r.name, 'attribute', array(
    select a from unnest(array[case when g.rolsuper then 'superuser' end, case when g.rolbypassrls then 'bypassrls' end,
      case when g.rolcreaterole then 'createrole' end, case when g.rolcreatedb then 'createdb' end,
      case when g.rolreplication then 'replication' end, case when g.rolcanlogin then 'login' end]) a
     where a is not null)
from client r join pg_roles g on g.oid = r.oid
where g.rolsuper or g.rolbypassrls or g.rolcreaterole or g.rolcreatedb or g.rolreplication or g.rolcanlogin
order by 3, 1, 2
"""
_READS = {"auth": "the accounts of all users", "vault": "the secrets of the vault", "pgsodium": "the keys of pgsodium",
          "supabase_migrations": "the SQL of the migrations", "cron": "the scheduled jobs",
          "storage": "the files of all users", "realtime": "the messages of all users",
          "pg_catalog": "the passwords of the database's roles"}  # fmt: skip


def find_outside(connection: Connection[Any]) -> list[Finding]:
    """A leak for everything that anon or authenticated reach there. One query. Raises psycopg.Error."""
    given = {
        "clients": list(CLIENT_ROLES),
        "secret": list(_SECRET),
        "under_rls": list(_UNDER_RLS),
        "open": list(_OPEN_TABLES),
        "passwords": list(_PASSWORDS),
        "functions": list(_FUNCTIONS),
    }
    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for name, who, sort, held in connection.execute(_QUERY.encode(), given):
        clients, rights = found.setdefault((sort, name), ([], []))
        clients.append(who)
        rights += [right for right in held if right not in rights]
    members = {
        client for (sort, _), (clients, rights) in found.items() if sort == "role" and rights for client in clients
    }
    findings = []
    for (sort, name), (clients, rights) in found.items():
        if sort in ("relation", "function"):  # what a role gives goes with the membership
            clients = [client for client in clients if client not in members]
        if clients and rights:
            findings.append(_finding(sort, name, clients, rights))
    return findings


def _finding(sort: str, name: str, clients: list[str], rights: list[str]) -> Finding:
    who, roles = clients[0], " and ".join(clients)
    if sort == "role":
        what = f"{roles} may act as it, with all its rights"
        fix = "\n".join(f"revoke {name} from {holder};" for holder in rights)
    elif sort == "attribute":
        what = f"the role has {', '.join(rights)}, so row level security or the API does not hold it"
        fix = f"alter role {name} {' '.join(f'no{right}' for right in rights)};"
    elif sort == "function":
        what = f"{roles} may call it"
        fix = f"revoke execute on function {name} from public, {', '.join(clients)};"
    else:
        schema = name.partition(".")[0].strip('"')
        meaning = f": {_READS[schema]}" if schema in _READS else ""
        what = f"{roles} may {', '.join(rights)}{meaning}"
        fix = f"revoke {', '.join(rights)} on {name} from public, {', '.join(clients)};"
    return Finding("leak", name, what, who="other" if who == "authenticated" else "anon", fix=fix)
