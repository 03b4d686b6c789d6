"""`promthctl pull` and `migrations down`: what they write leads there and back, on other databases too."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from promthctl import settings, targets
from promthctl.errors import PromthctlError
from promthctl.migration_files import down_scripts, pulling
from promthctl.schema import KINDS, compare, snapshot
from promthctl.steps import Silent
from tests.embedded.test_bundle import own, rows
from tests.embedded.test_compat import apply
from tests.hints import Place, told
from tests.promthctl_runner import Project, data
from tests.servers import Server, fresh_database

BASE = {
    "001_base": "create type public.mood as enum ('sad', 'ok');\n"
    "create table public.notes (id bigint generated always as identity primary key, body text, mood public.mood);"
}
BY_HAND = (
    "alter table public.notes add column done boolean not null default false; comment on table public.notes is 'n';"
)


def change(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for sql in statements:
            connection.execute(sql.encode())


def assert_equal(one: str, other: str) -> None:
    with psycopg.connect(one) as first, psycopg.connect(other) as second:
        assert compare(snapshot(first), snapshot(second), KINDS) == ()


def pushed(path: Path, url: str, files: dict[str, str] = BASE) -> Project:
    project = own(path, files)
    project.run("push", "--db-url", url, "--yes")
    return project


def result(project: Project, *words: str, code: int = 0) -> Any:
    """As Project.json, for what may take minutes on a busy machine."""
    return data(project.run(*words, "--json", code=code, timeout=600).stdout)


def files(folder: Path) -> list[str]:
    """Those of the source."""
    return sorted(path.name for path in (folder / "sql").iterdir())


def test_a_whole_database_is_the_first_migration_of_an_empty_folder(
    tmp_path: Path, server: Server, database_url: str
) -> None:
    """The example's migrations are not those of an empty folder here, and no secret is written."""
    project = Project(tmp_path)
    with psycopg.connect(database_url, autocommit=True) as connection:
        apply(connection, "profiles")
        connection.execute(
            "create extension postgres_fdw with schema extensions;"
            "create server far foreign data wrapper postgres_fdw;"
            "create user mapping for postgres server far options (user 'me', password 'top-secret');"
        )
    made = result(project, "pull", "whole", "--db-url", database_url, "--yes")
    assert made["written"] == ["supabase/migrations/001_whole.sql", "supabase/down/001_whole.down.sql"]
    assert made["placeholders"] == ["__OPTION_PASSWORD__"]
    assert "top-secret" not in (tmp_path / made["written"][0]).read_text()
    assert [version for version, *_ in rows(database_url)] == ["001"]
    listed = project.json("migrations", "list", "--db-url", database_url)
    assert [(row["applied"], row["edited"]) for row in listed] == [(True, False)]
    with fresh_database(server) as other, fresh_database(server) as empty:
        project.run("push", "--db-url", other, "--yes")
        assert_equal(database_url, other)
        project.run("rollback", "--to", "0", "--db-url", other, "--yes")
        assert_equal(empty, other)


def test_a_value_of_an_enum_is_committed_before_it_is_used(tmp_path: Path, server: Server, database_url: str) -> None:
    """Two migrations then, each with a down script of its own."""
    project = pushed(tmp_path, database_url)
    with psycopg.connect(database_url) as connection:
        before = snapshot(connection)
    change(
        database_url,
        BY_HAND,
        "alter type public.mood add value 'great'",
        "alter table public.notes alter column mood set default 'great'",
    )
    made = result(project, "pull", "Add: great", "--db-url", database_url, "--yes")
    assert made["versions"] == ["002", "003"] and "sql/002_add_great_1.sql" in made["written"]
    with fresh_database(server) as other:
        project.run("push", "--db-url", other, "--yes")
        assert_equal(database_url, other)
    project.run("rollback", "--to", "001", "--db-url", database_url, "--yes")
    with psycopg.connect(database_url) as connection:
        assert compare(before, snapshot(connection), KINDS) == ()


def test_what_has_no_sql_is_listed_and_named_in_the_file(tmp_path: Path, database_url: str) -> None:
    project = pushed(tmp_path, database_url)
    change(database_url, BY_HAND, "create operator public.=== (leftarg = int, rightarg = int, function = int4eq)")
    found = result(project, "pull", "more", "--db-url", database_url, "--yes")
    assert found["unread"] == ["operator public.===(integer,integer)"]
    assert "-- Not here, for no SQL is known for it: operator public.===" in (tmp_path / "sql/002_more.sql").read_text()
    again = result(project, "diff", "--db-url", database_url, code=1)
    assert (again["sql"], again["unread"]) == ("", found["unread"])


def test_killed_before_it_is_recorded_another_command_finishes_it(tmp_path: Path, database_url: str) -> None:
    project = pushed(tmp_path, database_url)
    change(database_url, BY_HAND, "create role reader_by_hand", "grant select on public.notes to reader_by_hand")
    at = "promthctl.supabase_cli.database_commands:DatabaseCli.repair:call:"
    running = project.start("pull", "more", "--db-url", database_url, "--yes", at=at)
    running.communicate(timeout=300)
    assert running.returncode == -9
    assert files(tmp_path) == ["001_base.sql", "002_more.down.sql", "002_more.sql"]
    assert len(rows(database_url)) == 1
    refused = project.run("pull", "more", "--db-url", database_url, "--yes", code=5).stderr
    pending = told("migration_files/pulling.py · _pending", refused)
    assert "002_more.sql is not applied there" in pending.why
    project.extra["PGPASSWORD"] = urlsplit(database_url).password or ""
    Place(project).must(f"{pending.hint.partition(' records')[0]} --yes")
    assert [version for version, *_ in rows(database_url)] == ["001", "002"]


MIGRATIONS = {
    "001_base": BASE["001_base"] + "create role reader_of_notes; grant select on public.notes to reader_of_notes;",
    "002_change": "alter table public.notes drop column body; alter table public.notes alter column id type int;"
    "create statistics public.both on id, mood from public.notes; update public.notes set mood = 'ok';",
    "003_drop": "drop table public.notes;"
    "create operator public.=== (leftarg = int, rightarg = int, function = int4eq);",
    "004_rows": "insert into auth.users (id) values (gen_random_uuid());",
    "005_nothing": "select 1;",
}


def test_down_scripts_are_written_and_undo_what_they_say(tmp_path: Path, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        empty = snapshot(connection)
    project = pushed(tmp_path, database_url, MIGRATIONS)
    missing = project.run("rollback", "--to", "0", "--db-url", database_url, "--yes", code=5).stderr
    assert "promthctl migrations down 001 002 003 004 005" in missing
    made = result(project, "migrations", "down", "--missing", code=1)
    assert [one["migration"] for one in made["not_written"]] == ["004_rows.sql"]
    assert "it changes rows only (line 1 (INSERT))" in made["not_written"][0]["why"]
    assert len(made["written"]) == 4
    scripts = {name: (tmp_path / name).read_text() for name in made["written"]}
    assert "-- The column body comes back without its values." in scripts["sql/002_change.down.sql"]
    assert "(UPDATE) did to rows is not undone." in scripts["sql/002_change.down.sql"]
    assert "-- The table comes back without its rows." in scripts["sql/003_drop.down.sql"]
    (tmp_path / "sql/004_rows.down.sql").write_text("delete from auth.users;")
    project.run("rollback", "--to", "0", "--db-url", database_url, "--yes")
    with psycopg.connect(database_url) as connection:
        assert compare(empty, snapshot(connection), KINDS) == ()
        assert connection.execute("select from pg_roles where rolname = 'reader_of_notes'").fetchone() is None
    again = project.run("migrations", "down", "002", code=5).stderr
    has_one = told("migration_files/down_scripts.py · _chosen", again)
    assert has_one.hint.endswith("and run it again to have one written")
    moved = Place(project).shell(has_one.hint.partition(", and run")[0])
    assert moved.returncode == 0 and not (tmp_path / "sql/002_change.down.sql").exists()


def test_two_databases_share_down_scripts_and_write_what_one_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for least in (2, 99):
        monkeypatch.setattr(down_scripts, "_SHARED", least)
        (path := tmp_path / str(least)).mkdir()
        own(path, MIGRATIONS)
        plan = down_scripts.plan_down_scripts(settings.load(path), None, Silent())
        written.append({file.name: text for file, text in plan.changes.writes.items()})
        assert [one.migration for one in plan.not_written] == ["004_rows.sql"]
    assert written[0] == written[1] and len(written[0]) == 4


def test_a_migration_that_fails_ends_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(down_scripts, "_SHARED", 2)
    own(tmp_path, MIGRATIONS | {"002_change": "select 1/0;"})
    with pytest.raises(PromthctlError) as raised:
        down_scripts.plan_down_scripts(settings.load(tmp_path), None, Silent())
    assert "002_change.sql" in str(raised.value)


def test_which_is_said_in_one_way(tmp_path: Path) -> None:
    refused = own(tmp_path, BASE).run("migrations", "down", "002", "--missing", code=2).stderr
    assert "either versions or --missing" in refused


def test_what_somebody_changes_meanwhile_is_seen_and_the_hint_leads_on(tmp_path: Path, database_url: str) -> None:
    project = pushed(tmp_path, database_url)
    change(database_url, BY_HAND)
    here, target = settings.load(tmp_path), targets.from_url(database_url)
    plan = pulling.plan_pull(here, target, "more", Silent())
    pulling.pull(here, target, plan, Silent())
    with pytest.raises(PromthctlError) as raised:  # as if another one had been quicker
        pulling.pull(here, target, plan, Silent())
    assert told("migration_files/pulling.py · _expect_unchanged", raised.value).hint == "run the same command again"
    assert pulling.plan_pull(here, target, "more", Silent()).written == ()

    change(
        database_url, "update supabase_migrations.schema_migrations set statements = '{select 1}' where name = 'more'"
    )
    with pytest.raises(PromthctlError) as raised:
        pulling._confirm(target, plan)
    project.extra["PGPASSWORD"] = urlsplit(database_url).password or ""
    hint = told("migration_files/pulling.py · _confirm", raised.value).hint
    settles = Place(project).shell(hint.partition(" says")[0])
    assert "002_more.sql" in settles.stdout + settles.stderr and "migration repair" in settles.stdout + settles.stderr
