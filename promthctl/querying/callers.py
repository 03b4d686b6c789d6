"""As whom SQL runs: a role, or a user with the claims of their token, as PostgREST sets them.

It shows what they would see. It holds nobody who may become another role again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from promthctl.errors import PromthctlError, UsageError
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_USER = """
select id::text, coalesce(role, 'authenticated'), email,
       coalesce(raw_app_meta_data, '{}')::text, coalesce(raw_user_meta_data, '{}')::text
from auth.users where %s in (id::text, lower(email))"""


def become(connection: psycopg.Connection[Any], who: str, target: Target) -> None:
    """Act as a role or a user until the transaction ends. who: a role's name, a user's e-mail address or id.

    Raises UsageError where there is none, PromthctlError where this connection may not act as them.
    """
    import psycopg

    is_user = "@" in who or _UUID.fullmatch(who) is not None
    options = command_line_options(target)
    if is_user:
        role, claims = _user(connection, who.lower(), options)
    else:
        role, claims = _role(connection, who, options), {"role": who}
    try:
        connection.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('role', %s, true)",
            (json.dumps(claims), role),
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise PromthctlError(
            f"Nothing was run as {who}",
            error.diag.message_primary or str(error),
            "connect as a role that may act as that one (on Supabase: postgres), or leave --as out",
        ) from None


def _user(connection: psycopg.Connection[Any], who: str, options: str) -> tuple[str, dict[str, Any]]:
    import psycopg

    try:
        found = connection.execute(_USER, (who,)).fetchall()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        found = []
    if not found:
        listed = f'promthctl sql{options} "select id, email from auth.users"'  # noqa: S608 - for a person to run
        raise UsageError(f"There is no user {who}", "auth.users has none", listed)
    ((name, role, email, app, own),) = found[:1]
    claims = {"sub": name, "role": role, "email": email, "aud": "authenticated"}
    return role, claims | {"app_metadata": json.loads(app), "user_metadata": json.loads(own)}


def _role(connection: psycopg.Connection[Any], who: str, options: str) -> str:
    if not connection.execute("select from pg_roles where rolname = %s", (who,)).fetchall():
        why = "--as takes anon, authenticated, service_role, another role, a user's e-mail address or id"
        listed = f'promthctl sql{options} "select rolname from pg_roles"'  # noqa: S608
        raise UsageError(f"There is no role {who}", why, listed)
    return who
