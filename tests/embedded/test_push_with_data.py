"""`push --rehearse-with-data` runs the pending migrations on a copy of the target's rows, which is gone afterwards."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from promthctl import settings, toolchain
from promthctl.copies.row_copy import RowCopy, read_tables
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

SCHEMA = """create table public.people (
  id uuid primary key default gen_random_uuid(), boss uuid references public.people,
  account uuid references auth.users);
create table public.notes (id bigint generated always as identity primary key, owner uuid references public.people,
  body text not null, words int generated always as (length(body)) stored, made timestamptz default now());
create table public.far (id int primary key, word text);
create table public.parts (id int, day date, primary key (id, day)) partition by range (day);
create table public.parts_1 partition of public.parts for values from ('2020-01-01') to ('2021-01-01');
create table public.parts_2 partition of public.parts default;
insert into public.far values (1, 'x');
"""
ROWS = """insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000001', 'a@example.com');
insert into public.people (id, boss, account)
select ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid,
       case when i > 1 then ('00000000-0000-4000-8000-' || lpad((i / 2)::text, 12, '0'))::uuid end,
       '00000000-0000-4000-8000-000000000001' from generate_series(1, 64) i;
insert into public.notes (owner, body)
select ('00000000-0000-4000-8000-' || lpad((i % 64 + 1)::text, 12, '0'))::uuid, E'Müller\\t\\\\ ' || i
  from generate_series(1, 300) i;
insert into public.far select i, 'x' from generate_series(2, 50) i;
insert into public.parts select i, date '2020-01-01' + i * 10 from generate_series(1, 60) i;
analyze;
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one migration, whose pushes are rehearsed."""
    made = Project(tmp_path_factory.mktemp("with-data"), rehearses=True)
    (made.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    (made.path / "db").mkdir()
    (made.path / "db" / "001_schema.sql").write_text(SCHEMA)
    return made


@pytest.fixture(scope="module")
def url(project: Project, server: Server) -> Iterator[str]:
    """A database to which the first migration was pushed, with rows."""
    with fresh_database(server) as made:
        project.run("push", "--db-url", made, "--yes", "--no-rehearsal")
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute(ROWS.encode())
        yield made


@pytest.fixture
def pending(project: Project) -> Iterator[Path]:
    """The folder for files that are pending while a test runs."""
    folder = project.path / "db"
    yield folder
    for where in (folder, project.path / "supabase" / "migrations"):
        for file in where.glob("00[2-9]_*"):
            file.unlink()


def left_there() -> list[Path]:
    """Folders of throw-away databases."""
    return sorted((toolchain.cache_root(settings.load(Path())) / "shadow").glob(".database-*"))


def test_each_migration_is_timed_on_the_targets_rows(project: Project, url: str, pending: Path) -> None:
    (pending / "002_a.sql").write_text("alter table public.notes add column seen boolean not null default false;")
    (pending / "003_b.sql").write_text(
        "update public.parts set id = id + 1000; insert into public.notes (body) values ('n')"
    )
    words = ("push", "--db-url", url, "--dry-run", "--rehearse-with-data", "--yes")
    tried = project.json(*words)["tried"]
    assert [one["file"] for one in tried["files"]] == ["002_a.sql", "003_b.sql"]
    assert all(one["seconds"] >= 0 for one in tried["files"]) and tried["failure"] is None and not tried["left_out"]
    # notes and parts are touched; people and auth.users are what they refer to; far has nothing to do with it.
    assert (tried["tables"], tried["rows"]) == (4, 300 + 60 + 64 + 1)


def test_rows_that_the_migrations_made_do_not_meet_those_of_the_target(
    project: Project, url: str, pending: Path
) -> None:
    (pending / "002_a.sql").write_text("alter table public.far add column x int;")
    for words, rows in (((), 50), (("--sample", "10"), 10)):
        tried = project.json("push", "--db-url", url, "--dry-run", "--rehearse-with-data", "--yes", *words)["tried"]
        assert (tried["tables"], tried["rows"], tried["left_out"]) == (1, rows, [])


def test_what_only_the_rows_show_stops_the_push(project: Project, url: str, pending: Path) -> None:
    (pending / "002_a.sql").write_text("select 1;\n")
    (pending / "003_b.sql").write_text(
        "select 1;\n\ndo $$ begin if (select count(*) from public.notes) > 4 * 7 then\n"
        " raise exception 'too many'; end if; end $$;\n"
    )
    words = ("push", "--db-url", url, "--yes", "--allow-destructive")
    said = project.run(*words, "--rehearse-with-data", code=1).stderr
    assert "fails on a copy of its rows, and nothing was touched" in said and "003_b.sql line 3: too many" in said
    with psycopg.connect(url) as connection:
        found = connection.execute("select array_agg(version) from supabase_migrations.schema_migrations").fetchone()
    assert found == (["001"],)
    file = pending / "003_b.sql"
    file.write_text(file.read_text().replace("4 * 7", "4000"))
    assert "003_b.sql" in project.run(*words, "--rehearse-with-data", "--dry-run").stdout


def test_without_an_answer_nothing_is_copied(project: Project, url: str, pending: Path) -> None:
    (pending / "002_a.sql").write_text("alter table public.far add column x int;")
    said = project.run("push", "--db-url", url, "--rehearse-with-data", code=5).stderr
    assert "No rows were copied, and nothing was pushed" in said


@pytest.mark.parametrize(
    "words",
    [
        ("--sample", "5"),
        ("--rehearse-with-data", "--no-rehearsal"),
        ("--rehearse-with-data", "--db-url", "postgresql://a@127.0.0.1:1/b"),
    ],
)
def test_what_does_not_go_together_is_said(project: Project, words: tuple[str, ...]) -> None:
    project.run("push", "--db-url", "postgresql://a@127.0.0.1:1/a", *words, code=2)


def test_a_sample_has_every_row_that_its_rows_refer_to(server: Server, url: str) -> None:
    with fresh_database(server) as made, psycopg.connect(url, autocommit=True) as source:
        with psycopg.connect(made, autocommit=True) as own:
            own.execute(SCHEMA.encode())
        with psycopg.connect(server.url(made.rpartition("/")[2], "supabase_admin"), autocommit=True) as sink:
            tables = read_tables(source, {"public.notes", "public.parts_2"})
            assert [table.label for table in tables] == ["auth.users", "public.notes", "public.parts", "public.people"]
            copied = RowCopy(source, sink, tables, 20)
            copied.run(lambda _: None)
            assert not copied.left_out

            def one(query: str) -> object:
                row = sink.execute(query.encode()).fetchone()
                return row[0] if row else None

            assert (one("select count(*) from public.notes"), one("select count(*) from public.parts")) == (20, 20)
            assert one("select count(*) from auth.users") == 1
            for child, column, parent in (("notes", "owner", "people"), ("people", "boss", "people")):
                there = f"select from public.{parent} p where p.id = c.{column}"
                orphans = f"select count(*) from public.{child} c where {column} is not null and not exists ({there})"
                assert one(orphans) == 0
            assert 0 < int(str(one("select count(*) from public.people"))) < 64
            whole = "select jsonb_agg(n order by id)::text from public.notes n where id = any (%s)"
            ids = one("select array_agg(id) from public.notes")
            rows = [connection.execute(whole.encode(), (ids,)).fetchone() for connection in (source, sink)]
            assert rows[0] == rows[1]
            assert one("select last_value from public.notes_id_seq") == 300


@pytest.mark.parametrize(
    ("number", "following"), [(signal.SIGINT, ""), (signal.SIGKILL, "push"), (signal.SIGKILL, "local down")]
)
def test_the_copy_is_removed_whatever_happens(
    project: Project, url: str, pending: Path, number: int, following: str
) -> None:
    (pending / "002_a.sql").write_text(
        "do $$ begin if (select count(*) from public.notes) > 200 then perform pg_sleep(300); end if; end $$;"
    )
    before = set(left_there())
    words = ("push", "--db-url", url, "--dry-run", "--rehearse-with-data", "--yes")
    running = project.start(*words)
    assert running.stderr
    said = list(itertools.takewhile(lambda line: "Trying the push" not in line, running.stderr))
    made = set(left_there()) - before  # and those of others, who share the cache
    assert made, said
    assert all(data.stat().st_mode & 0o077 == 0 for folder in made for data in folder.glob("*/postgres"))
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=60)
    assert "Traceback" not in stdout + stderr
    (pending / "002_a.sql").write_text("select count(*) from public.notes;")
    if following:
        project.run(*(words if following == "push" else following.split()))
    deadline = time.monotonic() + 60
    while made & set(left_there()):
        assert time.monotonic() < deadline, made & set(left_there())
        time.sleep(0.1)
