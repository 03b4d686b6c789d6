"""`promthctl migrations fetch`: files that the CLI would record as the history has them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import psycopg

from tests.embedded.test_bundle import own
from tests.promthctl_runner import Project

FILES = {
    "001_base": "create table public.a (id int); -- of one line\ncreate table public.b (id int)\n-- ends in a comment",
    "002_body": "create function public.f() returns text language sql as $$ select ';' $$;\n\n/* ; */ select 1;\n",
    "20260101000000_z": "comment on table public.a is 'ü ; -- no comment';",
}


def test_what_is_recorded_becomes_files_that_are_as_applied(tmp_path: Path, database_url: str) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    own(tmp_path / "first", FILES).run("push", "--db-url", database_url, "--yes")
    other = Project(tmp_path / "second")
    seen = other.json("migrations", "fetch", "--db-url", database_url, "--dry-run")
    assert not seen["done"] and not (other.path / "supabase").exists()
    made = other.json("migrations", "fetch", "--db-url", database_url)
    assert made["written"] == seen["written"] == [f"supabase/migrations/{name}.sql" for name in FILES]
    rows = other.json("migrations", "list", "--db-url", database_url)
    assert [(row["version"], row["applied"], row["edited"]) for row in rows] == [
        (name.partition("_")[0], True, False) for name in FILES
    ]
    assert other.json("migrations", "fetch", "--db-url", database_url)["written"] == []
    assert other.json("push", "--db-url", database_url, "--yes")["applied"] == []


def test_what_can_be_no_file_is_told_and_the_others_are_written(tmp_path: Path, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "create schema supabase_migrations; create table supabase_migrations.schema_migrations"
            " (version text primary key, statements text[], name text);"
            "insert into supabase_migrations.schema_migrations values ('1', '{select 1}', '../../Out of here'),"
            " ('2', null, 'nothing'), ('../3', '{select 3}', 'x'), ('4', '{select 4}', ''),"
            " ('5', '{select 5}', 'x.down')"
        )
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    made = project.json("migrations", "fetch", "--db-url", database_url, code=1)
    names = ["1_out_of_here.sql", "4_fetched.sql", "5_x_down.sql"]
    assert made["written"] == [f"supabase/migrations/{name}" for name in names]
    assert {one["version"] for one in made["not_written"]} == {"2", "../3"}
    assert sorted(path.name for path in tmp_path.rglob("*.sql")) == names


def test_the_example_gets_no_foreign_files(tmp_path: Path, database_url: str) -> None:
    project = Project(tmp_path)
    project.run("init", "--example", "mr-promth")
    told = project.run("migrations", "fetch", "--db-url", database_url, code=2).stderr
    assert "promthctl -C DIR migrations fetch" in told
