"""A PostgreSQL of this machine as the engine: its own extensions, our stand-ins for the rest, its folders untouched."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from promthctl import settings
from promthctl.toolchain import Toolchain
from promthctl.toolchain.installed import all_installed
from tests.promthctl_runner import Project

MIGRATION = """create extension if not exists rum with schema extensions;
create extension if not exists http with schema extensions;
create extension if not exists pg_net;
create table public.notes (id bigint primary key, body text);
alter table public.notes enable row level security;
select rum_search.ready();
"""


@pytest.fixture
def installed(tools: Toolchain) -> Iterator[Path]:
    """A folder as a package leaves it, with an extension of hosted projects that is not trusted in its own file.

    Not in pytest's folder, which the user who runs PostgreSQL for root cannot enter.
    """
    with TemporaryDirectory(prefix="promthctl-installed-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "pgsql"
        shutil.copytree(tools.postgres / "bin", folder / "bin")
        shutil.copytree(tools.postgres / "share", folder / "share")
        (folder / "lib").symlink_to(tools.postgres / "lib")
        add_extension(
            folder,
            "rum",
            "create schema rum_search; revoke all on schema rum_search from public;"
            "create function rum_search.ready() returns boolean language sql as 'select true';",
        )
        yield folder


def extensions(folder: Path) -> Path:
    (found,) = folder.rglob("share/**/extension")
    return found


def add_extension(folder: Path, name: str, script: str) -> None:
    (extensions(folder) / f"{name}.control").write_text("comment = 'the real one'\ndefault_version = '1.3'\n")
    (extensions(folder) / f"{name}--1.3.sql").write_text(script)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(make_project: Callable[..., Project], tmp_path: Path) -> Project:
    """A project whose user keeps the agreements apart from the developer's own."""
    return make_project("project", XDG_CONFIG_HOME=str(tmp_path / "config"))


def configure(project: Project, postgres: str, migration: str = MIGRATION) -> None:
    (project.path / "sql").mkdir(exist_ok=True)
    (project.path / "sql" / "001_notes.sql").write_text(migration)
    (project.path / "pyproject.toml").write_text(f'[tool.promthctl]\nmigrations = "sql"\npostgres = "{postgres}"\n')
    if postgres != "system":
        assert "promthctl trust" in project.up(code=5).stderr
        project.run("trust", "--yes")


def query(project: Project, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(project.env()["SUPABASE_DB_URL"], autocommit=True) as connection:
        return connection.execute(text.encode()).fetchall()


def test_its_extensions_win_and_its_folder_stays_as_it_is(project: Project, installed: Path) -> None:
    before = state(installed)
    configure(project, str(installed))
    project.up()
    there = query(project, "select extname, extversion from pg_extension where extname in ('rum', 'http', 'pg_net')")
    assert sorted(there) == [("http", "1.0"), ("pg_net", "1.0"), ("rum", "1.3")]
    verified = project.json("verify", "--only", "tables,functions")
    assert verified["ok"] is True
    assert state(installed) == before
    project.run("local", "reset", "--yes")
    assert query(project, "select count(*) from notes") == [(0,)]


def test_an_extension_installed_later_is_found_by_the_server_that_runs(project: Project, installed: Path) -> None:
    configure(project, str(installed), "create table public.t (id bigint primary key);\n")
    project.up()
    pids = project.pids()
    (project.path / "sql" / "002_geo.sql").write_text("create extension postgis with schema extensions;\n")
    told = project.up(code=1).stderr
    assert 'extension "postgis" is not available' in told
    add_extension(installed, "postgis", "create function st_ready() returns boolean language sql as 'select true';")
    project.up()
    assert query(project, "select extensions.st_ready()") == [(True,)]
    assert project.pids() == pids


def test_one_that_vanished_is_named_and_its_rows_stay(project: Project, installed: Path) -> None:
    configure(project, str(installed))
    project.up()
    query(project, "insert into notes values (1, 'kept') returning id")
    project.run("local", "down")
    away = installed.rename(installed.with_name("elsewhere"))
    told = project.up(code=3).stderr
    assert f"There is no PostgreSQL in {installed}" in told
    assert "the rows of this project are kept in" in told and "postgres-17-installed" in told
    assert 'postgres = "/path/to/postgresql"' in told
    away.rename(installed)
    project.up()
    assert query(project, "select body from notes") == [("kept",)]


@pytest.mark.parametrize(
    ("version", "told"),
    [("13.4", "PostgreSQL 13 cannot be the engine"), ("19beta1", "PostgreSQL 19 cannot be the engine")],
)
def test_a_version_that_cannot_be_the_engine_is_named(
    project: Project, tmp_path: Path, version: str, told: str
) -> None:
    programs = tmp_path / "old" / "bin"
    programs.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (programs / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (programs / name).chmod(0o755)
    for folder in (programs, programs.parent):
        configure(project, str(folder))
        error = project.up(code=3).stderr
        assert told in error and version in error and "14 to 18" in error


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda bin: None, "has neither bin/postgres nor postgres"),
        (lambda bin: (bin / "postgres").write_text("no program"), "do not run"),
    ],
)
def test_a_folder_without_a_server_is_named(
    project: Project, tmp_path: Path, make: Callable[[Path], object], told: str
) -> None:
    programs = tmp_path / "empty" / "bin"
    programs.mkdir(parents=True)
    make(programs)
    configure(project, str(programs.parent))
    assert told in project.up(code=3).stderr


SYSTEM = [one.major for one in all_installed(settings.load(Path())) if one.major in settings.SERVER_MAJORS]


@pytest.mark.skipif(not SYSTEM, reason="no PostgreSQL 14 to 18 is installed: apt-get install postgresql")
def test_system_is_the_newest_that_is_installed(project: Project) -> None:
    configure(project, "system", "create table public.t (id bigint primary key);\ncreate extension pg_net;\n")
    project.up()
    assert query(project, "select current_setting('server_version_num')::integer / 10000") == [(max(SYSTEM),)]
    assert project.record()["postgres"] == max(SYSTEM)
    assert project.json("verify", "--only", "tables")["ok"] is True
