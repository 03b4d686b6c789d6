"""`migrations adopt`: SQL that was pasted by hand is recorded as applied where the schema proves it, and only there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from promthctl import settings, shadow
from promthctl.adoption import presence
from promthctl.migration_set import Migration, packaged_source
from promthctl.schema import snapshot
from promthctl.shadow.states import States
from promthctl.steps import Silent
from promthctl.toolchain import Toolchain
from tests.promthctl_runner import Project

PACKAGED = [path for path in sorted(packaged_source().glob("*.sql")) if not path.name.endswith(".down.sql")]
NAMES = [path.name for path in PACKAGED]

SQL = {
    "001": """create extension pg_trgm with schema extensions; create schema private;
              create type public.mood as enum ('good');
              create table public.a (id int primary key, x int check (x > 0), m public.mood);
              create index a_x on public.a (x);
              alter table public.a enable row level security;
              create policy a_all on public.a using (true);
              revoke all on public.a from authenticated; grant select (x) on public.a to authenticated;""",
    "002": "insert into public.a values (1, 1, 'good');",
    "003": """alter table public.a alter column x type bigint; create table public.b (id int);
              revoke insert on public.a from anon;""",
    "004": "drop table public.b;",
    "005": """set session_replication_role = replica; set search_path = ''; set timezone = 'Asia/Bangkok';
              create function public.f() returns int language sql return 1;""",
    "006": """create or replace function public.f() returns int language sql return 2;
              alter type public.mood add value 'x';""",
    "007": "update public.a set x = 2;",
}
VERSIONS = list(SQL)
MIGRATIONS = [Migration(version, "m", Path(f"{version}_m.sql"), sql.encode()) for version, sql in SQL.items()]


def paste(url: str, *scripts: str) -> None:
    """Run SQL as the dashboard's editor does: each script as one message."""
    with psycopg.connect(url, autocommit=True) as connection:
        for script in scripts:
            connection.execute(script.encode(), prepare=False)


OF_THE_DATABASES = ()  # the default privileges of `database_url`: those of projects from before October 2026


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory, tools: Toolchain) -> States:
    """The catalog after each migration of SQL."""
    return shadow.states_after_each(
        settings.load(tmp_path_factory.mktemp("states")), MIGRATIONS, Silent(), privileges=OF_THE_DATABASES
    )


def test_the_last_state_is_what_all_migrations_make(states: States, tmp_path: Path) -> None:
    assert states.after(VERSIONS) == shadow.catalog_after_all(
        settings.load(tmp_path), MIGRATIONS, Silent(), privileges=OF_THE_DATABASES
    )
    assert "public.b" in states.after(VERSIONS[:3]).of("tables") and "public.b" not in states.after(VERSIONS).of(
        "tables"
    )
    assert states.of("002") == states.of("007") == ()
    assert [change.name for change in states.of("005") if change.kind == "functions"] == ["public.f()"]
    assert States.from_json(states.to_json()) == states


@pytest.mark.parametrize(
    ("pasted", "more", "number"),
    [
        ([], "", 0),
        (["001"], "", 2),
        (["001", "003"], "", 3),
        (["001", "003", "004"], "", 4),
        (VERSIONS[:4], "grant truncate on public.a to service_role; create table public.z (id int)", 4),
        (VERSIONS[:5], "", 5),
        (VERSIONS, "", 7),
        ([], "create extension pg_trgm with schema extensions; create schema private", 0),
    ],
)
def test_the_number_of_migrations_that_are_there_is_found(
    states: States, database_url: str, pasted: list[str], more: str, number: int
) -> None:
    found = look(states, database_url, pasted, more)
    assert (found.number, found.gaps) == (number, ())
    assert found.silent == {"002", "007"}.intersection(VERSIONS[:number])
    assert found.beyond == (("tables public.z",) if "public.z" in more else ())


@pytest.mark.parametrize(
    ("pasted", "more", "gaps"),
    [
        (["001", "003"], "drop index public.a_x", [("001", "missing", "public.a_x")]),
        (VERSIONS[:4], "drop policy a_all on public.a", [("001", "missing", "public.a.a_all")]),
        (VERSIONS, "alter table public.a alter column x type int", [("003", "different", "public.a.x")]),
        (VERSIONS[:4], "grant insert on public.a to anon", [("003", "extra", "table public.a to anon")]),
        (VERSIONS, "create table public.b (id int)", [("004", "extra", "public.b")]),
        (VERSIONS, "alter index public.a_x rename to other", [("001", "missing", "public.a_x")]),
        (
            VERSIONS[:4],
            "grant insert on public.a to authenticated",
            [("001", "extra", "table public.a to authenticated")],
        ),
        (
            VERSIONS[:4],
            "grant select (m) on public.a to authenticated",
            [("001", "extra", "table public.a to authenticated")],
        ),
        (["001"], "create table public.b (id text)", [("003", "different", "public.b.id")] + [("003",)] * 2),
        (["001", "005"], "", [("003", "different", "public.a.x"), ("003",)]),
        (["005"], "", [("001", "missing", name) for name in ("private", "pg_trgm", "public.mood", "public.a")]),
        (["001"], "alter table public.a alter column x type bigint", [("003", "extra", "table public.a to anon")]),
    ],
)
def test_what_is_missing_of_a_migration_is_named(
    states: States, database_url: str, pasted: list[str], more: str, gaps: list[tuple[str, ...]]
) -> None:
    found = look(states, database_url, pasted, more)
    told = [(gap.version, gap.difference.state, gap.difference.name) for gap in found.gaps]
    assert len(told) == len(gaps) and all(any(one[: len(wanted)] == wanted for one in told) for wanted in gaps), (
        found.number,
        told,
    )
    assert all(gap.difference.fix for gap in found.gaps)


def test_what_only_recorded_migrations_touch_is_not_looked_at(states: States, database_url: str) -> None:
    found = look(states, database_url, VERSIONS, "drop index public.a_x", recorded=["001", "003"])
    assert (found.number, found.gaps, found.silent) == (7, (), {"002", "007"})


def test_the_fixes_make_it_whole(states: States, database_url: str) -> None:
    found = look(states, database_url, ["001", "005"], "drop policy a_all on public.a")
    assert found.gaps
    paste(database_url, *(gap.difference.fix for gap in found.gaps))
    assert look(states, database_url, [], "").number == 5


def look(states: States, url: str, pasted: Sequence[str], more: str, recorded: Sequence[str] = ()) -> presence.Presence:
    paste(url, *(SQL[version] for version in pasted), more)
    with psycopg.connect(url) as connection:
        return presence.find_presence(VERSIONS, recorded, states, snapshot(connection))


def test_all_that_was_pasted_is_recorded_and_push_has_nothing_to_do(tmp_path: Path, database_url: str) -> None:
    project, target = Project(tmp_path), ("--db-url", database_url)
    paste(database_url, *(path.read_text() for path in PACKAGED))
    dry = project.json("migrations", "adopt", "--dry-run", *target)
    assert (dry["adopted"], dry["absent"], dry["done"]) == (NAMES, [], False)
    assert "--yes" in project.run("migrations", "adopt", *target, code=5).stderr  # there is no terminal to ask on
    assert {row["applied"] for row in project.json("migrations", "list", *target)} == {False}
    told = project.run("migrations", "adopt", *target, "--yes")
    assert told.stdout.splitlines()[0].startswith("Recorded 3 migrations as applied to database test_")
    rows = project.json("migrations", "list", *target)
    assert {(row["applied"], row["edited"]) for row in rows} == {(True, False)}
    assert project.run("push", *target).stdout.startswith("Nothing to do: all 3 migrations are applied")
    assert project.run("migrations", "adopt", *target).stdout.startswith("Nothing to do: all 3 migrations are recorded")


def test_what_was_not_pasted_is_left_to_push(tmp_path: Path, database_url: str) -> None:
    project, target = Project(tmp_path), ("--db-url", database_url, "--yes")
    paste(database_url, *(path.read_text() for path in PACKAGED[:2]), "create table public.mine (id int)")
    found = project.json("migrations", "adopt", *target)
    assert (found["adopted"], found["absent"], found["beyond"]) == (NAMES[:2], NAMES[2:], ["tables public.mine"])
    again = project.run("migrations", "adopt", *target)
    assert (
        "Nothing to adopt" in again.stdout
        and f"/{database_url.rpartition('/')[2]} applies it: {NAMES[2]}" in again.stdout
    )
    assert NAMES[2] in project.run("push", *target).stdout
    assert (
        project.json("verify", "--only", "tables,rls,functions", *target, code=1)["differences"][0]["state"] == "extra"
    )


def test_nothing_is_recorded_where_a_migration_is_there_in_part(tmp_path: Path, database_url: str) -> None:
    project, target = Project(tmp_path), ("--db-url", database_url, "--yes")
    paste(
        database_url,
        *(path.read_text() for path in PACKAGED),
        "drop policy prompts_delete_own on public.prompts; alter table public.messages alter column role type text",
    )
    told = project.run("migrations", "adopt", *target, code=5).stdout
    assert f"missing policies: public.prompts.prompts_delete_own ({NAMES[0]})" in told
    assert "fix: create policy prompts_delete_own on public.prompts" in told
    assert f"Refused: {NAMES[0]} is there only in part" in told
    found = project.json("migrations", "adopt", *target, code=5)
    assert [gap["difference"]["name"] for gap in found["gaps"]] == [
        "public.messages.role",
        "public.prompts.prompts_delete_own",
    ]
    assert {row["applied"] for row in project.json("migrations", "list", *target)} == {False}
    paste(database_url, *(gap["difference"]["fix"] for gap in found["gaps"]))
    assert project.json("migrations", "adopt", *target)["adopted"] == NAMES


def test_an_empty_database_is_left_to_push(tmp_path: Path, database_url: str) -> None:
    told = Project(tmp_path).run("migrations", "adopt", "--db-url", database_url, "--yes").stdout
    assert "Nothing to adopt" in told and f" applies it: {', '.join(NAMES)}" in told


def test_a_migration_that_changes_rows_only_has_to_be_assumed(tmp_path: Path, database_url: str) -> None:
    project, target = Project(tmp_path), ("--db-url", database_url, "--yes")
    folder = tmp_path / "sql"
    folder.mkdir()
    files = {"001_a": "create table public.a (id int)", "002_rows": "insert into public.a values (1)"}
    files |= {"003_b": "create table public.b (id int)", "004_more": "insert into public.b values (1)"}
    for name, sql in files.items():
        (folder / f"{name}.sql").write_text(sql)
    (tmp_path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    paste(database_url, *files.values())
    refused = project.run("migrations", "adopt", *target, code=5).stderr
    assert "002_rows.sql changes rows only" in refused and "adopt --db-url" in refused and "--assume 002" in refused
    assert "999" in project.run("migrations", "adopt", "--assume", "999", *target, code=2).stderr
    told = project.run("migrations", "adopt", "--assume", "002", *target).stdout
    assert "Recorded 3 migrations" in told and "promthctl migrations adopt --db-url" in told and " --assume 004" in told
    assert project.json("migrations", "adopt", "--assume", "004", *target)["adopted"] == ["004_more.sql"]
    assert project.json("push", "--dry-run", *target)["pending"] == []


def test_comments_prove_the_migrations_that_set_them(tmp_path: Path, database_url: str) -> None:
    """Only comments that are not there, or were reworded since, need a word of the user's."""
    folder = tmp_path / "database" / "migrations"
    folder.mkdir(parents=True)
    files = {
        "001_a": "create table public.a (id int primary key);",
        "002_table": "comment on table public.a is 'What a is';",
        "003_column": "comment on column public.a.id is 'Its number'; comment on table public.a is 'What it is';",
        "004_b": "create table public.b (id int primary key);",
        "005_reworded": "comment on constraint b_pkey on public.b is 'Its key';",
        "006_c": "create table public.c (id int primary key);",
    }
    for name, text in files.items():
        (folder / f"{name}.sql").write_text(text)
    project = Project(tmp_path)
    paste(database_url, *files.values())
    planned = project.json("migrations", "adopt", "--dry-run", "--db-url", database_url)
    assert planned["adopted"] == [f"{name}.sql" for name in files]
    paste(database_url, "comment on constraint b_pkey on public.b is 'reworded'")
    refused = project.run("migrations", "adopt", "--dry-run", "--db-url", database_url, code=5).stderr
    assert "--assume 005" in refused and "--assume 002" not in refused


def test_what_is_not_there_cannot_be_assumed(tmp_path: Path, database_url: str) -> None:
    told = Project(tmp_path).run("migrations", "adopt", "--assume", "002", "--db-url", database_url, code=5).stderr
    assert f"{NAMES[1]} cannot be assumed" in told


def test_versions_of_others_in_the_history_do_not_matter(tmp_path: Path, database_url: str) -> None:
    project, target = Project(tmp_path), ("--db-url", database_url, "--yes")
    history = "create schema supabase_migrations; create table supabase_migrations.schema_migrations"
    columns = "(version text primary key, statements text[], name text, created_by text)"
    row = "insert into supabase_migrations.schema_migrations (version, name) values ('20250101000000', 'theirs')"
    paste(database_url, *(path.read_text() for path in PACKAGED), f"{history} {columns}", row)
    assert project.json("migrations", "adopt", *target)["adopted"] == NAMES
    assert project.json("migrations", "adopt", *target)["adopted"] == []


def test_the_local_stack_is_adopted_without_asking(running: Project) -> None:
    paste(running.env()["SUPABASE_DB_URL"], "truncate supabase_migrations.schema_migrations")
    assert running.json("migrations", "adopt")["adopted"] == NAMES
    assert running.json("local", "status")["migrations"]["pending"] == []
