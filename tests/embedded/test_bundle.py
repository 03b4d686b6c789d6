"""`migrations bundle`: one SQL file that does and records what pushing would, pasted once, twice or half-way."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.migration_set import packaged_source
from tests.embedded.test_history import FILES, run
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

NAMES = [path.name for path in sorted(packaged_source().glob("*.sql")) if not path.name.endswith(".down.sql")]


def paste(url: str, sql: str) -> None:
    """Run it as the dashboard's SQL editor does: role postgres, one message of the simple query protocol."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode(), prepare=False)


def rows(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select version, name, statements from supabase_migrations.schema_migrations order by version"
        ).fetchall()


def own(path: Path, files: dict[str, str]) -> Project:
    """A project with these migrations."""
    (path / "sql").mkdir()
    for name, sql in files.items():
        (path / "sql" / f"{name}.sql").write_bytes(sql.encode())
    (path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    return Project(path)


def bundled(project: Project, *options: str) -> str:
    sql: str = project.json("migrations", "bundle", *options)["sql"]
    return sql


@pytest.mark.parametrize("before", [0, 2])
def test_pasted_once_or_twice_push_has_nothing_to_do(tmp_path: Path, database_url: str, before: int) -> None:
    project, target = Project(tmp_path), ("--db-url", database_url)
    if before:
        earlier = {name.removesuffix(".sql"): (packaged_source() / name).read_text() for name in NAMES[:before]}
        (tmp_path / "earlier").mkdir()
        own(tmp_path / "earlier", earlier).run("push", *target, "--yes")
    sql = bundled(project)
    paste(database_url, sql)
    first = rows(database_url)
    paste(database_url, sql)
    assert rows(database_url) == first and len(first) == len(NAMES)
    assert project.json("push", "--dry-run", *target)["pending"] == []
    listed = project.json("migrations", "list", *target)
    assert [(row["applied"], row["edited"]) for row in listed] == [(True, False)] * len(NAMES)
    assert project.json("verify", "--only", "tables,rls,functions,grants,triggers,indexes", *target)["ok"]


def test_it_records_what_the_supabase_cli_records(
    tmp_path: Path, server: Server, database_url: str, supabase: Path
) -> None:
    files = {f"{number:03}_{name}": sql for number, (name, sql) in enumerate(FILES.items(), start=1)}
    files["101_it's"] = "select '$sql$', '$promthctl$', $sql$ ; $sql$;;\n; select 'it''s \\';\r\nselect 1;"
    files["102_session"] = (
        "set search_path to ''; set timezone to 'Asia/Bangkok'; create table public.session (id int);"
    )
    files["103_after"] = "create table after_session (id int);"
    project = own(tmp_path, files)
    project.run("migrations", "sync")
    paste(database_url, bundled(project))
    with fresh_database(server) as other:
        run(supabase, tmp_path, other, "db", "push")
        assert rows(database_url) == rows(other)
    assert project.json("push", "--dry-run", "--db-url", database_url)["pending"] == []


def test_an_error_names_file_and_line_and_leaves_nothing(tmp_path: Path, database_url: str) -> None:
    files = {"001_a": "create table public.a (id int primary key);", "002_b": "insert into a values (1);\n\n-- twice\n"}
    files["002_b"] += "insert into a values (1);\n"
    project = own(tmp_path, files)
    with pytest.raises(psycopg.errors.UniqueViolation, match=r"002_b\.sql, line 4: duplicate key.*\nKey \(id\)=\(1\)"):
        paste(database_url, bundled(project, "--unproven"))
    with psycopg.connect(database_url) as connection:
        found = connection.execute("select to_regclass('public.a'), to_regnamespace('supabase_migrations')").fetchone()
    assert found == (None, None)


def test_a_new_enum_value_is_committed_before_it_is_used(tmp_path: Path, database_url: str) -> None:
    files = {
        "001_mood": "create type public.mood as enum ('good'); create table public.m (mood public.mood);",
        "002_value": "alter type public.mood add value 'bad';",
        "003_used": "insert into public.m values ('bad');",
        "004_wrong": "select no;",
    }
    project = own(tmp_path, files)
    made = project.json("migrations", "bundle", "--unproven")
    assert made["transactions"] == 2 and "2 transactions" in made["sql"].splitlines()[3]
    with pytest.raises(psycopg.errors.UndefinedColumn, match=r"004_wrong\.sql, line 1: "):
        paste(database_url, made["sql"])
    assert [version for version, *_ in rows(database_url)] == ["001", "002"]
    (tmp_path / "sql" / "004_wrong.sql").write_text("select 1;")
    paste(database_url, bundled(project))
    assert [version for version, *_ in rows(database_url)] == ["001", "002", "003", "004"]


OWN_TRANSACTIONS = {
    "001_wrapped": "begin;\ncreate table public.a (id int);\ncommit;",
    "002_value": "create type public.mood as enum ('good');\nalter type public.mood add value 'bad';\nbegin;\n"
    "create table public.m (mood public.mood default 'bad');\ncommit;\ninsert into public.m default values;",
    "003_temporary": "create temp table t (id int) on commit drop; insert into t values (1);\n"
    "create table public.seen as select count(*) from t;",
    "004_temporary": "create temp table t (id int) on commit drop;\n"
    "select set_config('app.kind', 'new', true);"
    "create table public.kind as select current_setting('app.kind') as kind;",
    "005_after": "create table public.after as select coalesce(current_setting('app.kind', true), '') as kind;",
    "006_kept": "set search_path to public; begin; create table six (id int); commit;"
    "begin; create table seven (); commit",
    "007_deferred": "create table public.p (id int primary key); create table public.c (id int references public.p"
    " deferrable initially deferred); insert into public.c values (1); insert into public.p values (1);",
    "008_altered": "alter table public.c add note text;",
}
CONTENT = """select (select array_agg(mood)::text from m), (select array_agg(count)::text from seen),
  (select kind from kind), (select kind from after), (select array_agg(relname order by relname)::text from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r')"""


@pytest.mark.parametrize("how", ["pasted", "psql"])
def test_its_transactions_are_those_of_the_supabase_cli(
    tmp_path: Path, server: Server, database_url: str, supabase: Path, how: str
) -> None:
    project = own(tmp_path, OWN_TRANSACTIONS)
    made = project.json("migrations", "bundle")
    assert made["proven"]
    for _ in range(2):
        if how == "pasted":
            paste(database_url, made["sql"])
        elif program := shutil.which("psql"):
            command = [program, database_url, "-v", "ON_ERROR_STOP=1", "-f", "-"]
            subprocess.run(command, input=made["sql"], text=True, check=True, capture_output=True)
        else:
            pytest.skip("this machine has no psql")
    project.run("migrations", "sync")
    with fresh_database(server) as other:
        run(supabase, tmp_path, other, "db", "push")
        assert rows(database_url) == rows(other)
        with psycopg.connect(database_url) as one, psycopg.connect(other) as two:
            assert one.execute(CONTENT).fetchone() == two.execute(CONTENT).fetchone()
    assert project.json("push", "--dry-run", "--db-url", database_url)["pending"] == []


def test_a_part_whose_first_part_failed_does_nothing(tmp_path: Path, database_url: str) -> None:
    files = {"001_a": "begin; select no; commit; begin; create table public.b (id int); commit;"}
    first, second, *_ = bundled(own(tmp_path, files), "--unproven").split("\ncommit;\n")
    for part, told in ((first, "001_a.sql, line 1: "), (second, "001_a.sql was not finished: what is before line 1")):
        with pytest.raises(psycopg.Error, match=told):
            paste(database_url, part)


def test_a_bundle_that_would_make_something_else_is_refused(tmp_path: Path) -> None:
    seen = "position('schema_' || 'migrations' in current_query()) > 0"  # the text that was sent has the history, too
    sql = f"do $$ begin if {seen} then create table public.other (); end if; end $$;"
    told = own(tmp_path, {"001_a": sql}).run("migrations", "bundle", "b.sql", code=5).stderr
    assert "another schema than the Supabase CLI: extra tables: public.other" in told
    assert not (tmp_path / "b.sql").exists()


def test_later_transactions_do_nothing_after_a_failure(tmp_path: Path, database_url: str) -> None:
    files = {
        "001_mood": "create type public.mood as enum ('good'); alter type public.mood add value 'bad'; select no;",
        "002_b": "create table public.b (id int);",
    }
    first, second, _ = bundled(own(tmp_path, files), "--unproven").split("\ncommit;\n")
    for part, told in ((first, "001_mood.sql, line 1: "), (second, "002_b.sql was not run: 001_mood.sql before it")):
        with pytest.raises(psycopg.Error, match=told):  # as psql does it, which goes on after an error
            paste(database_url, part)


def test_what_the_supabase_cli_would_refuse_is_refused(tmp_path: Path, database_url: str) -> None:
    project = own(tmp_path, {"002_b": "create table public.b (id int);"})
    paste(database_url, bundled(project))
    (tmp_path / "sql" / "001_a.sql").write_text("create table public.a (id int);")
    with pytest.raises(psycopg.errors.RaiseException, match=r"001_a\.sql was not run: the history has a later version"):
        paste(database_url, bundled(project))
    assert [version for version, *_ in rows(database_url)] == ["002"]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("begin;\nselect 1;", "its BEGIN has no COMMIT"),
        ("select 1;\n\ncreate index concurrently i on a (id);", "line 3: CONCURRENTLY cannot run in a transaction"),
        ("-- first\nvacuum;", "line 2: VACUUM cannot run in a transaction"),
        ("begin;\nsavepoint a;\ncommit;", "line 2: it would end or divide the transaction"),
        ("select 1;\nselec 2;", 'line 2: syntax error at or near "selec"'),
    ],
)
def test_what_cannot_be_pasted_is_told(tmp_path: Path, sql: str, why: str) -> None:
    told = own(tmp_path, {"001_a": sql}).run("migrations", "bundle", "bundle.sql", code=1).stderr
    assert "001_a.sql cannot be part of a bundle" in told and why in told
    assert not (tmp_path / "bundle.sql").exists()


def test_it_is_printed_or_written_byte_for_byte(tmp_path: Path) -> None:
    project = own(tmp_path, {"001_ไทย": "select 'ü\t[bold] ',\r\n 2;"})
    printed = project.run("migrations", "bundle", PYTHONIOENCODING="ascii").stdout
    assert "'ü\t[bold] '" in printed and "001_ไทย.sql" in printed
    told = project.run("migrations", "bundle", "out/bundle.sql", code=5).stderr
    assert f"mkdir -p {tmp_path}/out" in told and not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    project.run("migrations", "bundle", "out/bundle.sql")
    written = tmp_path / "out" / "bundle.sql"
    assert written.read_text() == printed and b"\r\n" in written.read_bytes()
    assert written.stat().st_mode & 0o777 == 0o644
    project.run("migrations", "bundle", "out/bundle.sql")  # over our own


def test_nobodys_file_is_overwritten(tmp_path: Path) -> None:
    project = Project(tmp_path)
    (tmp_path / "notes.sql").write_text("-- notes\n")
    assert "--force" in project.run("migrations", "bundle", "notes.sql", code=5).stderr
    assert (tmp_path / "notes.sql").read_text() == "-- notes\n"
    project.run("migrations", "bundle", "notes.sql", "--force")
    assert (tmp_path / "notes.sql").read_text().startswith("-- promthctl migrations bundle")
    os.mkfifo(tmp_path / "pipe")  # what is there and no file, as a device is
    for place in ("supabase/migrations/all.sql", "pipe", "."):
        project.run("migrations", "bundle", place, "--force", code=5)
