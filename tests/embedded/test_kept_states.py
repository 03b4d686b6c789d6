"""A new local database as the copy of one that was kept after the same migrations."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl import settings
from promthctl.engines.embedded import kept_states
from promthctl.engines.embedded.cluster import Cluster
from promthctl.steps import Silent
from promthctl.toolchain import PostgresPrograms, ServerChoice, Toolchain
from tests.embedded.working import database_url, get
from tests.promthctl_runner import Project

FIRST = """
create table public.a (id uuid primary key default gen_random_uuid(), v text);
grant select on public.a to anon, service_role;
insert into public.a (v) values ('of a migration');
alter default privileges in schema public grant select on tables to service_role;
create role of_a_migration;
"""
SECOND = "create table public.b (id int, {});"
HISTORY = "select version, statements, name from supabase_migrations.schema_migrations order by 1"


@pytest.fixture
def cache(tools: Toolchain) -> Iterator[Path]:
    """A cache directory with the tools and the template, but nothing kept."""
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o755)
        (place / "toolchain").symlink_to(tools.root.parent)
        (place / "templates").symlink_to(tools.root.parent.parent / "templates")
        yield place
    finally:
        shutil.rmtree(place)


def write(project: Project, name: str, text: str) -> None:
    path = project.path / "supabase" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url(project)) as connection:
        return connection.execute(query.encode()).fetchall()


def test_what_is_known_is_copied_and_only_the_rest_is_run(make_project: Callable[..., Project], cache: Path) -> None:
    project = make_project(PROMTHCTL_CACHE_DIR=str(cache), PROMTHCTL_REPLAY="0")
    write(project, "migrations/001_a.sql", FIRST)
    write(project, "migrations/002_b.sql", SECOND.format("x int"))
    write(project, "roles.sql", "create role of_roles_sql;")
    write(project, "seed.sql", "insert into public.a (v) values ('of the seed');")

    def reset(*words: str, **env: str) -> int:
        result = project.json("local", "reset", *words, **env)
        assert len(result["applied"]) == len(list((project.path / "supabase" / "migrations").iterdir()))
        return int(result["copied"])

    def up() -> dict[str, Any]:
        return dict(project.json("local", "up", "--api-port", "0", "--db-port", "0"))

    first = up()
    assert (len(first["applied"]), first["copied"]) == (2, 0)
    history, made = rows(project, HISTORY), rows(project, "select id from a where v = 'of a migration'")
    assert [path.stat().st_mode & 0o777 for path in (cache / "states", *cache.glob("states/*/made.json"))] == [
        0o700,
        0o600,
    ]

    project.run("local", "down", "--purge", "--yes")
    told = project.up().stdout
    assert "2 applied, 2 of them now (2 copied from a database kept earlier)" in told and "1 file run now" in told
    assert rows(project, HISTORY) == history
    assert rows(project, "select id from a where v = 'of a migration'") == made
    assert rows(project, "select v from a order by 1") == [("of a migration",), ("of the seed",)]
    assert rows(project, "select count(*) from pg_roles where rolname in ('of_a_migration', 'of_roles_sql')") == [(2,)]
    assert len(get(project, "/rest/v1/a?select=v")) == 2
    assert up()["applied"] == []

    assert reset("--no-seed") == 2
    assert rows(project, "select v from a") == [("of a migration",)]
    assert up()["seeds"] is None

    write(project, "migrations/002_b.sql", SECOND.format("y int"))
    assert reset() == 0  # what was before the edit is kept from now on
    write(project, "migrations/002_b.sql", SECOND.format("z int"))
    assert reset() == 1
    assert get(project, "/rest/v1/b?select=z") == []  # the API knows the new table, which FIRST opened to it
    write(project, "migrations/003_c.sql", "create table public.c ();")
    assert (
        "2 migrations copied from a database kept earlier, 1 migration replayed" in project.run("local", "reset").stdout
    )
    assert reset() == 3
    assert rows(project, "select v from a order by 1") == [("of a migration",), ("of the seed",)]

    assert reset(PROMTHCTL_REPLAY="1") == 0
    write(project, "roles.sql", "create role another;")
    assert reset() == 0
    assert rows(project, "select rolname from pg_roles where rolname in ('of_roles_sql', 'another')") == [("another",)]
    write(project, "config.toml", "[api]\nauto_expose_new_tables = true\n")
    assert reset() == 0 and reset() == 3


def test_what_is_old_damaged_or_failed_is_not_copied(make_project: Callable[..., Project], cache: Path) -> None:
    project = make_project(PROMTHCTL_CACHE_DIR=str(cache), PROMTHCTL_REPLAY="0")
    write(project, "migrations/001_a.sql", FIRST)
    project.up()
    (made,) = cache.glob("states/*/made.json")

    record = json.loads(made.read_text())
    made.write_text(json.dumps(record | {"made_at": record["made_at"] - 90_000}))
    assert project.json("local", "reset")["copied"] == 0
    assert project.json("local", "reset")["copied"] == 1
    (made.parent / "data" / "global" / "pg_control").write_bytes(b"")
    assert project.json("local", "reset")["copied"] == 0
    (made,) = cache.glob("states/*/made.json")
    shutil.rmtree(made.parent / "data" / "base")
    assert project.json("local", "reset")["copied"] == 0

    before = sorted(cache.glob("states/*"))
    write(project, "migrations/002_b.sql", "create table public.b (); select 1/0;")
    project.run("local", "reset", code=1)
    assert sorted(cache.glob("states/*")) == before and rows(project, "select to_regclass('b')") == [(None,)]
    assert list(cache.glob("states/.partial-*")) == []


def test_few_are_kept_and_those_that_were_used_last(tmp_path: Path, tools: Toolchain, cache: Path) -> None:
    here = settings.load(tmp_path)
    here = type(here)(**{**here.__dict__, "cache_dir": cache})
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("content")
    cluster = Cluster(PostgresPrograms(ServerChoice(17), tools.postgres / "bin"), data, None, here)
    for number in range(8):
        kept_states.keep(cluster, here, [f"key{number}"], Silent())
        os.utime(cache / "states" / f"key{number}" / "made.json", (number, number))
    assert kept_states.find(here, ["key0"]) is not None  # used now
    kept_states.keep(cluster, here, ["key8"], Silent())
    assert {path.name for path in cache.glob("states/key*")} == {f"key{number}" for number in (0, 2, 3, 4, 5, 6, 7, 8)}
    assert kept_states.find(here, ["key1"]) is None
    assert kept_states.worth_keeping(here, ["key8", "other"]) == (2,)
    kept_states.keep(cluster, here, ["key8", "one"], Silent())
    assert kept_states.worth_keeping(here, ["key8", "other"]) == (1, 2)
