"""What a new table, view, sequence or function in public is open to: the default privileges of the role postgres.

Supabase announced for hosted projects that from 30 October 2026 on the API's roles get only TRUNCATE, REFERENCES,
TRIGGER and MAINTAIN on new tables, and EXECUTE on functions, which PostgreSQL gives to PUBLIC. What supabase_admin
makes stays open. Source:
https://supabase.com/changelog/45329-breaking-change-tables-not-exposed-to-data-and-graphql-api-automatically
`[api] auto_expose_new_tables` of supabase/config.toml decides, as in the Supabase CLI, whose SQL this is
(revokeDefaultDataApiPrivileges: https://github.com/supabase/cli/pull/5239).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from promthctl.settings import Settings

if TYPE_CHECKING:
    import psycopg

CONFIG_KEY = "[api] auto_expose_new_tables"
# Without the key: as hosted. The CLI reads that as false from 2.106 on, and as true again in its latest versions
# (https://github.com/supabase/cli/pull/6337).
_EXPOSED_UNLESS_SAID = False
_API_ROLES = ("anon", "authenticated", "service_role")
_DEFAULTS = "alter default privileges for role postgres in schema public"
_DATA_PRIVILEGES = {
    "tables": "select, insert, update, delete",
    "sequences": "usage, select",
    "functions": "execute",
}
# The API's roles that hold these privileges, all of them, on what postgres will create in public.
_HOLDERS = """
select g.rolname from pg_default_acl d, aclexplode(d.defaclacl) a join pg_roles g on g.oid = a.grantee
 where d.defaclrole = to_regrole('postgres') and d.defaclnamespace = to_regnamespace('public')
   and d.defaclobjtype = %s::"char" and lower(a.privilege_type) = any (%s)
 group by 1 having count(distinct a.privilege_type) = %s"""
_LETTERS = {"tables": "r", "sequences": "S", "functions": "f"}  # pg_default_acl.defaclobjtype


def exposes_new_tables(settings: Settings) -> bool:
    """What the project's config.toml says of new tables in public."""
    api = settings.supabase.get("api")
    value = api.get("auto_expose_new_tables") if isinstance(api, dict) else None
    return value if isinstance(value, bool) else _EXPOSED_UNLESS_SAID


def of_settings(settings: Settings) -> tuple[str, ...]:
    """Those of a new database of the project."""
    return of_project(exposes_new_tables(settings))


def of_project(exposed: bool) -> tuple[str, ...]:
    """The statements that open, or close, what postgres will create in public to the API's roles."""
    if exposed:
        return tuple(f"{_DEFAULTS} grant all on {kind} to {', '.join(_API_ROLES)}" for kind in _DATA_PRIVILEGES)
    return tuple(_revoke(kind, _API_ROLES) for kind in _DATA_PRIVILEGES)


def of_target(connection: psycopg.Connection[Any]) -> tuple[str, ...] | None:
    """The statements that give a fresh Supabase the default privileges of this one; None where it is not a Supabase.

    A role that holds a part of the privileges only counts as one that holds none: the platform gives all or none, so
    that the rest was granted by hand or by a migration, and is for the comparison to find.
    """
    wanted = [*_API_ROLES, "postgres"]
    there = connection.execute("select count(*) from pg_roles where rolname = any (%s)", [wanted]).fetchone()
    if there != (len(wanted),):
        return None
    revoked = []
    for kind, privileges in _DATA_PRIVILEGES.items():
        names = privileges.split(", ")
        holders = {name for (name,) in connection.execute(_HOLDERS, [_LETTERS[kind], names, len(names)])}
        if closed := [role for role in _API_ROLES if role not in holders]:
            revoked.append(_revoke(kind, closed))
    return tuple(revoked)


def _revoke(kind: str, roles: Sequence[str]) -> str:
    return f"{_DEFAULTS} revoke {_DATA_PRIVILEGES[kind]} on {kind} from {', '.join(roles)}"


def changed(exposed: bool) -> str:
    """What a person reads when config.toml says something new of a stack that exists."""
    state = "are open" if exposed else "are closed"
    return (
        f"New tables and functions in public {state} to the API from now on ({CONFIG_KEY} in "
        "supabase/config.toml); existing ones keep their grants until: promthctl local reset"
    )
