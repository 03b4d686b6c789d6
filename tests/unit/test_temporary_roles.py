"""Roles that the Supabase CLI signs in with are in no SQL that promthctl writes."""

from __future__ import annotations

import pytest

from promthctl.supabase_cli.temporary_roles import without_temporary_roles

KEPT = "create table public.t (id int);\n\ngrant select on public.t to anon;"


@pytest.mark.parametrize(
    "statement",
    [
        "create role cli_login_postgres login noinherit",
        'GRANT "postgres" TO "cli_login_postgres"',
        "revoke postgres from cli_login_postgres",
        "alter role cli_login_postgres valid until 'infinity'",
        "alter role cli_login_postgres set role = postgres",
        'drop role "cli_login_postgres"',
        "comment on role cli_login_postgres is 'of the CLI'",
    ],
)
def test_what_is_about_them_alone_is_left_out(statement: str) -> None:
    assert without_temporary_roles(f"{KEPT}\n\n{statement};") == KEPT
    assert without_temporary_roles(f"{statement};") == ""


@pytest.mark.parametrize(
    "sql",
    [
        KEPT,
        "create role mine;\n\ngrant mine to authenticated;",
        "comment on table t is 'cli_login_postgres';",
        "create table cli_login_postgres (id int);",
        "grant mine to authenticated, cli_login_postgres;",
    ],
)
def test_everything_else_is_kept(sql: str) -> None:
    assert without_temporary_roles(sql) == sql
