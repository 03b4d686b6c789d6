"""`local up --watch` and `test --watch`: real files are saved as editors save them, and the database is asked."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl import developing, engines, settings
from promthctl.steps import Silent
from promthctl.views import watch as views
from tests.embedded.test_kept_states import cache
from tests.embedded.working import database_url
from tests.promthctl_runner import REPOSITORY, Project

__all__ = ["cache"]  # the fixture

WAITING = "Waiting for a change"
A = "create table public.a (id int primary key, v text);\ngrant select on public.a to anon;\n"
B = "create table public.b (id int primary key, {});\n"


class Watching:
    """A running --watch. at: how much of what it printed was looked at."""

    def __init__(self, running: subprocess.Popen[bytes], printed: Path) -> None:
        self.running, self._printed, self._at = running, printed, 0
        self.round()

    def round(self) -> str:
        """What it prints until it waits again."""
        end = time.monotonic() + 90
        while WAITING not in (new := self._printed.read_text()[self._at :]):
            assert self.running.poll() is None and time.monotonic() < end, self._printed.read_text()
            time.sleep(0.05)
        self._at += new.index(WAITING) + len(WAITING)
        assert "Traceback" not in new, new
        return new[: new.index(WAITING)]

    def end(self) -> int:
        self.running.send_signal(signal.SIGINT)
        return self.running.wait(60)

    @property
    def printed(self) -> str:
        return self._printed.read_text()


@contextlib.contextmanager
def watching(project: Project, *words: str) -> Iterator[Watching]:
    printed = project.path.parent / "printed"
    with printed.open("wb") as stream:
        running = subprocess.Popen(
            project.command(*words),
            env=project.environment(),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Watching(running, printed)
    finally:
        running.kill()
        running.wait()


def up(project: Project, *words: str) -> contextlib.AbstractContextManager[Watching]:
    return watching(project, "local", "up", "--watch", "--api-port", "0", "--db-port", "0", *words)


def save(project: Project, name: str, text: str) -> Path:
    """As vim and others do it: a new file takes the place of the old one, with a backup and a swap file beside it."""
    path = project.path / "supabase" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for litter in ("4913", f".{path.name}.swp", f"{path.name}~"):
        (path.parent / litter).write_text("not SQL at all")
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.rename(path)
    return path


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url(project)) as connection:
        return connection.execute(query.encode()).fetchall()


def columns(project: Project, table: str) -> list[str]:
    query = f"select attname from pg_attribute where attrelid = to_regclass('{table}') and attnum > 0 order by attnum"
    return [name for (name,) in rows(project, query)]


def words(file: Path) -> str:
    """Without white space and quotes, which are the Supabase CLI's affair."""
    return "".join(file.read_text().replace('"', "").split())


def test_what_is_saved_is_in_the_database(make_project: Callable[..., Project], cache: Path) -> None:
    project = make_project(PROMTHCTL_CACHE_DIR=str(cache), PROMTHCTL_REPLAY="0")
    save(project, "migrations/001_a.sql", A)
    save(project, "seed.sql", "insert into public.a values (1, 'seed');")
    with up(project) as watch:
        project.run("types", "typescript", "--output", "types.ts")
        types = project.path / "types.ts"

        save(project, "migrations/002_b.sql", B.format("w int"))
        told = watch.round()
        assert "Applied 002_b.sql" in told and "added    table public.b (id, w)" in told
        assert "types written: types.ts" in told and "w:number|null" in words(types)
        assert columns(project, "public.b") == ["id", "w"]

        with psycopg.connect(database_url(project)) as connection:
            connection.execute("insert into public.a values (2, 'mine')")
        save(project, "migrations/002_b.sql", B.format("x int"))
        told = watch.round()
        assert "002_b.sql was changed after it was applied (the newest)" in told
        assert "1 migration copied from a database kept earlier, run: 002_b.sql" in told
        assert "removed  column public.b.w" in told and "added    column public.b.x" in told
        assert "2 rows went with the old one" in told and "seeds run: supabase/seed.sql" in told
        (kept,) = project.json("local", "snapshot", "list")["snapshots"]
        assert f"promthctl local snapshot restore {kept['name']}" in told
        assert columns(project, "public.b") == ["id", "x"]
        assert rows(project, "select v from a") == [("seed",)] and "x:number|null" in words(types)

        save(project, "migrations/001_a.sql", A + "create policy p on public.a for select using (true);\n")
        told = watch.round()
        assert "001_a.sql was changed after it was applied (older than 002)" in told
        assert "run: 001_a.sql, 002_b.sql" in told and "added    policy public.a.p" in told
        assert "local snapshot restore" not in told  # nobody had put anything in
        assert rows(project, "select polname from pg_policy where polrelid = 'a'::regclass") == [("p",)]

        assert watch.end() == 0
    assert "Nobody watches any more; the local stack goes on running." in watch.printed
    assert project.json("local", "status")["running"]

    project.run("local", "snapshot", "restore", kept["name"])
    assert rows(project, "select v from a order by id") == [("seed",), ("mine",)]


def test_what_fails_is_told_with_its_line_and_leaves_the_database(project: Project) -> None:
    save(project, "migrations/001_a.sql", A)
    save(project, "migrations/002_b.sql", B.format("w int"))
    with up(project) as watch:
        file = save(project, "migrations/002_b.sql", "-- a comment\ncreate tabel public.b ();\n")
        told = watch.round()
        assert 'line 2, statement 1: ERROR: syntax error at or near "tabel"' in told
        assert f"next: correct {file} and save it" in told
        assert columns(project, "public.b") == ["id", "w"]

        save(project, "migrations/003_c.sql", "create table public.c ();")
        assert "002_b.sql could not be applied" in watch.round()
        assert rows(project, "select to_regclass('public.c')") == [(None,)]

        save(project, "migrations/002_b.sql", B.format("w int"))
        told = watch.round()
        assert "Applied 003_c.sql" in told and "Replayed" not in told

        save(project, "migrations/003_c.sql", "select 1/0;")
        assert "division by zero" in watch.round()
        save(project, "migrations/003_c.sql", "create table public.c ();")
        assert "The database has it already." in watch.round()


def test_files_that_go_or_get_another_name_are_replayed(project: Project) -> None:
    save(project, "migrations/001_a.sql", A)
    second = save(project, "migrations/002_b.sql", B.format("w int"))
    with up(project) as watch:
        second.rename(second.with_name("003_b.sql"))
        told = watch.round()
        assert "002 is applied and has no file any more" in told and "Replayed on a new database" in told
        assert rows(project, "select version from supabase_migrations.schema_migrations") == [("001",), ("003",)]

        save(project, "migrations/002_c.sql", "create table public.c ();")
        assert "002_c.sql comes before 003, which is applied" in watch.round()
        versions = rows(project, "select version from supabase_migrations.schema_migrations order by 1")
        assert versions == [("001",), ("002",), ("003",)]

        second.with_name("003_b.sql").unlink()
        assert "removed  table public.b (id, w)" in watch.round()
        assert columns(project, "public.b") == []


def test_seeds_are_run_again_when_they_change(project: Project) -> None:
    save(project, "config.toml", '[db.seed]\nsql_paths = ["seeds/*.sql"]\n')
    save(project, "migrations/001_a.sql", A)
    save(project, "seeds/1.sql", "insert into public.a values (1, 'one');")
    with up(project) as watch:
        save(project, "seeds/1.sql", "insert into public.a values (1, 'uno');")
        told = watch.round()
        assert "supabase/seeds/1.sql was changed after it was run" in told and "seeds run: supabase/seeds/1.sql" in told
        assert "the schema is as it was" in told
        assert rows(project, "select v from a") == [("uno",)]

        second = save(project, "seeds/2.sql", "insert into public.a values (2, 'due');")
        assert "supabase/seeds/2.sql was not run yet" in watch.round()
        assert rows(project, "select v from a order by id") == [("uno",), ("due",)]

        save(project, "seeds/1.sql", "insert into public.a values (1, 'uno');\ninsert into public.b values (1);")
        assert 'relation "public.b" does not exist' in watch.round()
        assert rows(project, "select v from a order by id") == [("uno",), ("due",)]

        second.unlink()
        save(project, "seeds/1.sql", "insert into public.a values (1, 'eins');")
        assert "supabase/seeds/2.sql was run and has no file any more" in watch.round()
        assert rows(project, "select v from a") == [("eins",)]


def test_what_changed_while_nobody_watched_is_made_up_for(project: Project) -> None:
    save(project, "migrations/001_a.sql", A)
    project.up()
    save(project, "migrations/001_a.sql", A + "create table public.c ();")
    with up(project) as watch:
        assert "001_a.sql was changed after it was applied" in watch.printed
        assert rows(project, "select to_regclass('public.c')::text") == [("c",)]
        assert watch.end() == 0


def test_an_interrupt_in_the_middle_of_a_replay_leaves_a_working_stack(project: Project) -> None:
    save(project, "migrations/001_a.sql", A)
    with up(project) as watch:
        save(project, "migrations/001_a.sql", A + "select pg_sleep(3600);")
        while "Applying" not in watch.printed.rpartition(WAITING)[2]:
            time.sleep(0.05)
        assert watch.end() == 0
    assert project.json("local", "status")["running"] and columns(project, "public.a") == ["id", "v"]


def test_tests_are_run_again_when_they_or_the_schema_change(project: Project) -> None:
    save(project, "migrations/001_a.sql", A)
    one = "begin;\nselect plan(1);\nselect {};\nselect * from finish();\nrollback;\n"
    save(project, "tests/first.test.sql", one.format("has_table('a')"))
    save(project, "tests/second.test.sql", one.format("has_column('a', 'v')"))
    with watching(project, "test", "--watch", "--from-migrations") as watch:
        save(project, "tests/second.test.sql", one.format("has_column('a', 'w')"))
        told = watch.round()
        assert "Running 1 test file" in told and "second.test.sql" in told and "first.test.sql" not in told

        save(project, "migrations/001_a.sql", A.replace("v text", "w text"))
        told = watch.round()
        assert "Running 2 test files" in told and "first.test.sql" in told and "second.test.sql" in told

        save(project, "migrations/001_a.sql", "create tabel x;")
        assert "syntax error" in watch.round()
        assert watch.end() == 0


def test_an_engine_that_keeps_no_copy_waits_for_a_person(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    save(project, "migrations/001_a.sql", A)
    project.up()
    here = settings.load(project.path)
    engine = engines.current(here)
    monkeypatch.setattr(engine, "keeps_copies", False, raising=False)
    changed = save(project, "migrations/001_a.sql", A.replace("v text", "w text"))
    done = developing.Developing(here, engine, Silent(), seeding=True).round({changed})
    assert (done.did, done.why) == ("waits", ("001_a.sql was changed after it was applied (the newest)",))
    assert "  promthctl local reset" in list(views.round_(done)) and columns(project, "public.a") == ["id", "v"]
