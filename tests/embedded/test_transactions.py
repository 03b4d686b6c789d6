"""Migrations with transaction commands: the real CLI, what promthctl says, and what the database has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from promthctl import settings, supabase_cli, targets
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.sql.transaction_commands import find_transaction_fault
from promthctl.steps import Silent
from tests.promthctl_runner import Project

FIRST, LAST = "create table public.first (i int);\n", "create table public.last (i int);\n"
B, C = "create table public.b (i int);\n", "create table public.c (i int);\n"
WORKS = {
    "around the file": (f"BEGIN;\n{B}COMMIT;\n", "b"),
    "two pairs": (f"begin;\n{B}commit;\n-- then\nstart transaction;\n{C}end;\n", "b c"),
    "a commit between": (f"{B}commit;\n{C}", "b c"),
    "savepoints": (f"begin;\n{B}savepoint s;\n{C}rollback to s;\ncommit;\n", "b"),
    "a block that commits": (f"{B}do $$ begin insert into public.b values (1); commit; end $$;\n{C}", "b c"),
}  # and the tables that it makes
# What the CLI 3.1.0 calls applied, and what is there of it.
LOST = {
    "an open transaction": (f"begin;\n{B}", "", False),
    "one after a commit": (f"{B}commit;\nbegin;\n{C}", "b", False),
    "one that a chain opens": (f"begin;\n{B}commit and chain;\n", "b", False),
    "one that is rolled back": (f"begin;\n{B}rollback;\n", "", True),
    "a block that rolls back": (f"{B}do $$ begin create table public.c (i int); rollback; end $$;\n", "", True),
}  # SQL, its tables that are there, whether the history has it all the same


@pytest.fixture
def own(make_project: Callable[..., Project]) -> Callable[[str], Project]:
    """Makes a project with three migrations, the second being this SQL."""

    def make(sql: str) -> Project:
        project = make_project()
        (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
        (project.path / "db").mkdir()
        for name, text in {"001_first": FIRST, "002_b": sql, "003_last": LAST}.items():
            (project.path / "db" / f"{name}.sql").write_text(text)
        return project

    return make


def state(url: str) -> tuple[list[str], list[str]]:
    """The public tables, and the versions in the history."""
    there = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
    with psycopg.connect(url) as connection:
        tables = [name for (name,) in connection.execute(there)]
        if connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone() == (None,):
            return tables, []
        rows = connection.execute("select version from supabase_migrations.schema_migrations order by 1")
        return tables, [version for (version,) in rows]


@pytest.mark.parametrize("kind", WORKS)
def test_transactions_that_the_file_ends_are_applied(
    own: Callable[[str], Project], database_url: str, kind: str
) -> None:
    sql, made = WORKS[kind]
    project = own(sql)
    done = project.json("push", "--db-url", database_url, "--yes", "--allow-destructive")
    assert done["applied"] == ["001_first.sql", "002_b.sql", "003_last.sql"]
    assert state(database_url) == (sorted(["first", "last", *made.split()]), ["001", "002", "003"])


@pytest.mark.parametrize("kind", LOST)
def test_what_the_cli_calls_applied_and_is_not_is_refused_before(
    own: Callable[[str], Project], database_url: str, kind: str
) -> None:
    sql, there, recorded = LOST[kind]
    fault = find_transaction_fault(sql)
    assert fault is not None
    told = own(sql).run("push", "--db-url", database_url, "--yes", "--allow-destructive", code=5).stderr
    assert "Nothing was pushed" in told and f"002_b.sql line {fault.line}: " in told
    assert state(database_url) == ([], [])
    # The check put aside: this is what it is for.
    files = [Migration(v, n, Path(f"{v}_{n}.sql"), s.encode()) for v, n, s in (("001", "a", FIRST), ("002", "b", sql))]
    cli = supabase_cli.find_database_cli(settings.load(Path()), Silent())
    try:
        cli.push(targets.from_url(database_url), files, Silent())
        assert recorded
    except PromthctlError as error:
        assert not recorded and "was reported as done, and" in error.what
        assert "the history has 001: not 002" in error.why
    assert state(database_url) == (sorted(["first", *there.split()]), ["001", "002"] if recorded else ["001"])


def test_a_history_that_a_migration_changes_is_not_called_applied(
    own: Callable[[str], Project], database_url: str
) -> None:
    project = own("delete from supabase_migrations.schema_migrations;\n")
    told = project.run("push", "--db-url", database_url, "--yes", "--allow-destructive", code=1).stderr
    assert "the history has 002, 003: not 001" in told and "promthctl migrations list --db-url" in told


@pytest.mark.parametrize("words", [("local", "up"), ("local", "reset")], ids=" ".join)
def test_the_local_stack_refuses_them_too(running: Project, own: Callable[[str], Project], words: tuple[str]) -> None:
    url = running.env()["SUPABASE_DB_URL"]
    before = state(url)
    (running.path / "supabase" / "migrations" / "20990101000000_open.sql").write_text(f"begin;\n{B}")
    try:
        told = running.run(*words, "--yes", code=5).stderr
        assert "20990101000000_open.sql line 1: `begin` opens a transaction" in told
        assert state(url) == before
    finally:
        (running.path / "supabase" / "migrations" / "20990101000000_open.sql").unlink()


def test_a_reset_refuses_them_before_it_drops_anything(own: Callable[[str], Project], database_url: str) -> None:
    project = own(B)
    project.run("push", "--db-url", database_url, "--yes")
    (project.path / "db" / "002_b.sql").write_text(f"{B}begin;\n{C}")
    told = project.run("reset", "--db-url", database_url, code=5, stdin="anything\n").stderr
    assert "Nothing was reset" in told and "002_b.sql line 2" in told
    assert state(database_url) == (["b", "first", "last"], ["001", "002", "003"])
