"""The roles of a hosted project that the Supabase CLI signs in with, left out of what its diff engine writes.

They come into being with `supabase login` and belong to no schema; `GRANT postgres TO cli_login_postgres` is refused to
whoever runs a migration.
"""

from __future__ import annotations

from typing import Any

_BEGIN = "cli_login_"
_ONE = ("CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt")


def without_temporary_roles(sql: str) -> str:
    """The SQL without the statements that are about such roles alone."""
    if _BEGIN not in sql:
        return sql
    from promthctl.sql.statements import parse_statements

    kept = [
        one for one in parse_statements(sql) if not _names(one.node) or not all(map(_is_temporary, _names(one.node)))
    ]
    return "\n\n".join(f"{one.text};" if one.node else one.text for one in kept)


def _is_temporary(name: str | None) -> bool:
    return name is not None and name.startswith(_BEGIN)


def _names(node: Any) -> list[str | None]:
    """The roles that a statement makes, changes, removes, comments on or puts into another."""
    sort = type(node).__name__
    if sort in _ONE:
        return [node.role if isinstance(node.role, str) else node.role.rolename]
    if sort == "DropRoleStmt":
        return [role.rolename for role in node.roles]
    if sort == "GrantRoleStmt":
        return [role.rolename for role in node.grantee_roles]
    if sort == "CommentStmt" and node.objtype.name == "OBJECT_ROLE":
        return [node.object.sval]
    return []
