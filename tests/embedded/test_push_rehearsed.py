"""`push` tries what is pending in a throw-away Postgres first, and says what that showed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

NOTES = """create table public.notes (id bigint generated always as identity primary key, body text, dur interval);
alter table public.notes enable row level security;
"""
ROWS = """insert into public.notes (body, dur)
select nullif('row ' || i, 'row 3'), i * interval '25:00' from generate_series(1, 5) i"""
# Each of these destroyed rows and exited with 0 while the plan only read statements.
SILENT = {
    "create table": "create table old as with gone as (delete from public.notes returning *) select * from gone;",
    "loop": "do $$ declare r record; begin for r in delete from public.notes returning id loop null; end loop; end $$;",
    "schema": "create schema app; alter table public.notes set schema app;"
    " alter schema app rename to x; drop schema x cascade;",
    "type": "create type mood as enum ('a'); alter table public.notes alter body type mood using 'a'::mood;"
    " alter type mood rename to o; drop type o cascade;",
    "interval": "alter table public.notes alter dur type interval day;",
    "dynamic": "do $$ begin execute 'drop table ' || 'public.notes'; end $$;",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one migration, whose pushes are rehearsed."""
    made = Project(tmp_path_factory.mktemp("rehearsed"), rehearses=True)
    (made.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    (made.path / "db").mkdir()
    (made.path / "db" / "001_notes.sql").write_text(NOTES)
    return made


@pytest.fixture(scope="module")
def url(project: Project, server: Server) -> Iterator[str]:
    """A database to which the first migration was pushed, with rows, which the tests leave as it is."""
    with fresh_database(server) as made:
        project.run("push", "--db-url", made, "--yes")
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute(ROWS.encode())
        yield made


@pytest.fixture
def pending(project: Project) -> Iterator[Path]:
    """The second migration, which is pending while a test runs."""
    file = project.path / "db" / "002_change.sql"
    yield file
    file.unlink(missing_ok=True)
    for copy in (project.path / "supabase" / "migrations").glob("002_*"):
        copy.unlink()


def rows(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute("select id, body, dur from public.notes order by 1").fetchall()


@pytest.mark.parametrize("sql", SILENT.values(), ids=SILENT.keys())
def test_what_was_silent_needs_permission(project: Project, url: str, pending: Path, sql: str) -> None:
    before = rows(url)
    pending.write_text(sql)
    done = project.run("push", "--db-url", url, "--yes", code=5)
    assert "002_change.sql line 1" in done.stderr and "--allow-destructive" in done.stderr
    assert rows(url) == before


def test_a_dry_run_shows_what_was_found(project: Project, url: str, pending: Path) -> None:
    pending.write_text("do $$ begin execute 'truncate public.notes'; end $$;\ngrant all on public.notes to anon;\n"
                       "create policy p on public.notes for select to anon using (true);\n")  # fmt: skip
    plan = project.json("push", "--db-url", url, "--dry-run")
    kinds = [one["kind"] for one in plan["rehearsal"]["findings"]]
    assert plan["destructive"] and kinds[0] == "opens" and "destroys" in kinds
    lost = next(one for one in plan["rehearsal"]["findings"] if one["kind"] == "destroys")
    assert (lost["file"], lost["line"], lost["rows"]) == ("002_change.sql", 1, {"count": 5, "exact": True})
    assert "(5 rows)" in project.run("push", "--db-url", url, "--dry-run").stdout


def test_a_push_that_would_fail_is_not_begun(project: Project, url: str, pending: Path) -> None:
    pending.write_text("create table public.first (id int);\nalter table public.notes alter body set not null;\n")
    done = project.run("push", "--db-url", url, "--yes", code=1)
    assert "002_change.sql line 2: 1 row of notes has body NULL" in done.stderr and "nothing was touched" in done.stderr
    with psycopg.connect(url) as connection:
        assert connection.execute("select to_regclass('public.first')").fetchone() == (None,)
    assert "--no-rehearsal" in done.stderr
    failed = project.run("push", "--db-url", url, "--yes", "--no-rehearsal", code=1)
    assert "002_change.sql" in failed.stderr and "nothing was touched" not in failed.stderr


def test_drift_is_told_and_rehearsed_with(project: Project, url: str, pending: Path) -> None:
    pending.write_text("alter table public.notes drop column by_hand;\n")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter table public.notes add by_hand text default 'made by hand'")
        try:
            plan = project.json("push", "--db-url", url, "--dry-run")
            quiet = project.json("push", "--db-url", url, "--dry-run", "--ignore-drift")
        finally:
            connection.execute("alter table public.notes drop column by_hand")
    assert {"kind": "columns", "name": "public.notes.by_hand", "state": "extra"} in plan["rehearsal"]["drift"]
    assert [one["what"] for one in plan["rehearsal"]["findings"] if one["kind"] == "destroys"] == [
        "drops the values of public.notes.by_hand"
    ]
    assert quiet["rehearsal"]["drift"] is None and quiet["destructive"]


def test_what_cannot_be_rehearsed_is_said_and_needs_permission(project: Project, url: str, pending: Path) -> None:
    pending.write_text("select net.http_get('http://127.0.0.1:9/');\ndelete from public.notes where id = 1;\n")
    before = rows(url)
    done = project.run("push", "--db-url", url, "--yes", code=5)
    assert "failed in the rehearsal, and what follows was not tried" in done.stderr
    assert rows(url) == before


def test_many_targets_are_rehearsed_too(project: Project, url: str, pending: Path, server: Server) -> None:
    pending.write_text(SILENT["dynamic"])
    with fresh_database(server) as other:
        result = project.json("push", "--db-url", url, "--db-url", other, "--yes", code=None)
    assert [one["state"] for one in result["targets"]] == ["refused", "applied"]  # there it has made the table
    assert rows(url)


def test_nothing_of_a_rehearsal_stays(project: Project, url: str, pending: Path) -> None:
    pending.write_text("create table public.x (id int);\nalter table public.x enable row level security;\n")
    plan = project.json("push", "--db-url", url, "--dry-run")
    assert plan["rehearsal"]["tried"] and plan["rehearsal"]["findings"] == []
    assert project.leftovers() == []
