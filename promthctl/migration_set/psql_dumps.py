"""A migration that was written for psql, as pg_dump does: the Supabase CLI cannot apply it. What is to be done."""

from __future__ import annotations

import shlex

from promthctl.sql.psql_only import find_psql_only

_RESTRICT = ("\\restrict", "\\unrestrict")
_CONNECT = ("\\connect", "\\c")
_INCLUDE = ("\\i", "\\ir", "\\include", "\\include_relative")


def psql_problem(name: str, sql: str) -> tuple[str, str] | None:
    """Why the file cannot be applied, and the command or edit that fixes it; None when it is SQL."""
    found = find_psql_only(sql)
    if found is None:
        return None
    file, command = shlex.quote(name), found.command
    why = f"{name}, line {found.line}: {command} is a command of psql, which the Supabase CLI cannot run"
    if command == "COPY":
        why = f"{name}, line {found.line}: COPY with rows in the file, or to the screen, works in psql only"
        return why, (
            f"write the rows in {file} as INSERT: supabase db dump --data-only and pg_dump --column-inserts do; "
            "an empty COPY can be removed"
        )
    if command in _RESTRICT:
        return why, f"sed -i.bak -E '/^\\\\(un)?restrict /d' {file}"
    if command in _CONNECT:
        return why, f"remove line {found.line} of {file}: a migration runs in the database that the target names"
    if command in _INCLUDE:
        return why, f"replace line {found.line} of {file} by the SQL of the file that it names"
    return why, f"remove line {found.line} of {file}, or write it as SQL"
