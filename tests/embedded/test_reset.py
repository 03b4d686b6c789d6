"""`reset` of a database by its URL: the plan tells what goes and stays, the replay is tried, the rows are saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from promthctl import targets
from promthctl.resetting.survivors import read_survivors
from promthctl.steps import Silent
from tests.embedded.test_local_reset import KINDS, LEFT_BEHIND
from tests.embedded.test_push import A, B, applied, own, read, tables, three_lines, write
from tests.promthctl_runner import Project, data
from tests.servers import Server

__all__ = ["own"]  # a fixture


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def name_of(url: str) -> str:
    return urlsplit(url).path[1:] + "\n"


def test_the_plan_names_what_goes_and_what_stays(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    run(
        database_url,
        LEFT_BEHIND,
        "insert into public.a values (1), (2)",
        "create schema mine; create table mine.notes as select 1 as n; create view mine.v as select 1 as n",
        "create table public.by_hand as select 7 as n",
        "insert into auth.users (id, email) values (gen_random_uuid(), 'a@example.com')",
        "drop role left_role; drop sequence left_seq; drop collation left_coll; drop extension pg_net",
    )
    plan = project.json("reset", "--db-url", database_url, "--dry-run")
    assert [(one["schema"], one["name"], one["rows"]) for one in plan["goes"]["tables"]] == [
        ("auth", "users", 1), ("mine", "notes", 1), ("public", "a", 2), ("public", "by_hand", 1)
    ]  # fmt: skip
    assert (plan["goes"]["users"], plan["goes"]["schemas"], plan["goes"]["others"]) == (
        1,
        ["mine"],
        {"type": 1, "view": 1},
    )
    assert {one["kind"] for one in plan["stays"]} == KINDS - {"role", "sequence", "collation", "extension"}
    told = project.run("reset", "--db-url", database_url, code=5, stdin="no\n").stderr
    for line in ("table public.by_hand: 1 row", "the rows of auth.users: 1 row", "storage bucket: left_bucket"):
        assert line in told, told
    assert tables(database_url) == ["a", "by_hand"] and read(database_url, "select count(*) from a") == [(2,)]


def test_what_a_reset_leaves_is_what_the_plan_says(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    run(database_url, LEFT_BEHIND)
    target = targets.from_url(database_url)
    before = read_survivors(target, Silent())
    assert {one.kind for one in before} == KINDS
    project.run("reset", "--db-url", database_url, stdin=name_of(database_url))
    assert read_survivors(target, Silent()) == before
    project.run("reset", "--db-url", database_url, stdin=name_of(database_url))
    for one in before:
        if one.kind not in ("trigger", "function"):  # one goes with the other
            run(database_url, one.remove)
    run(database_url, "drop function extensions.left_function() cascade")
    assert read_survivors(target, Silent()) == ()


@pytest.mark.parametrize("text", ["create role left_role;", "create sequence left_seq;", "select lo_create(42);"])
def test_a_replay_that_would_meet_what_is_left_is_refused(
    own: Callable[..., Project], database_url: str, text: str
) -> None:
    project = own({"001_a.sql": A, "002_b.sql": text})
    project.run("push", "--db-url", database_url, "--yes")
    run(database_url, "insert into public.a values (1)")
    (left,) = read_survivors(targets.from_url(database_url), Silent())
    done = project.run("reset", "--db-url", database_url, stdin=name_of(database_url), code=5)
    told = three_lines(done)
    assert "002_b.sql could not be applied" in told and left.remove in told and "nothing was changed" in told
    assert read(database_url, "select id from public.a") == [(1,)]
    run(database_url, left.remove)  # what the error says
    done = project.run("reset", "--db-url", database_url, stdin=name_of(database_url))
    assert "2 migrations replayed, 1 table now" in done.stdout


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("create table public.c (;", "syntax error"),
        ("select 1/0;", "division by zero"),
        ("create table a ();", "exists"),
    ],
)
def test_a_migration_that_fails_is_known_before_the_question(
    own: Callable[..., Project], database_url: str, text: str, why: str
) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    run(database_url, "insert into public.a values (1)")
    write(project, {"003_c.sql": text})
    done = project.run("reset", "--db-url", database_url, stdin=name_of(database_url), code=1)
    assert "003_c.sql could not be applied" in three_lines(done) and why in done.stderr
    assert "Type the" not in done.stderr and "nothing was changed" in done.stderr
    assert read(database_url, "select id from public.a") == [(1,)] and applied(database_url) == ["001"]


@pytest.fixture
def plain_url(server: Server) -> Iterator[str]:
    """A PostgreSQL database without anything of Supabase but the roles of its server."""
    with psycopg.connect(server.url("template1", "supabase_admin"), autocommit=True) as connection:
        connection.execute("create database plain template template0 owner postgres")
        try:
            yield server.url("plain")
        finally:
            connection.execute("drop database plain with (force)")


def test_a_plain_postgres_without_what_the_migrations_need_is_left_alone(
    own: Callable[..., Project], plain_url: str
) -> None:
    run(plain_url, "create table precious as select 1 as n")
    project = own({"001_a.sql": "create table profiles (id uuid references auth.users (id));"})
    done = project.run("reset", "--db-url", plain_url, stdin=name_of(plain_url), code=1)
    assert 'schema "auth" does not exist' in three_lines(done) and "nothing was changed" in done.stderr
    assert tables(plain_url) == ["precious"]
    write(project, {"001_a.sql": "create extension postgis_nowhere;"})
    done = project.run("reset", "--db-url", plain_url, stdin=name_of(plain_url), code=5)
    assert "postgis_nowhere" in three_lines(done) and tables(plain_url) == ["precious"]
    write(project, {"001_a.sql": A})
    told = project.run("reset", "--db-url", plain_url, stdin=name_of(plain_url)).stdout
    assert "1 migration replayed, 1 table now" in told and tables(plain_url) == ["a"]


def test_the_rows_are_saved_and_come_back(own: Callable[..., Project], database_url: str) -> None:
    notes = "create table public.notes (id serial primary key, a int references public.a (id), body text);"
    project = own({"001_a.sql": A, "002_b.sql": B + notes})
    project.run("push", "--db-url", database_url, "--yes")
    run(
        database_url,
        "insert into public.a values (1), (2)",
        "insert into public.notes (a, body) select 1, 'line' || E'\\n' || n from generate_series(1, 100) n",
        "insert into auth.users (id, email) values ('00000000-0000-0000-0000-000000000001', 'a@example.com')",
        "create table public.by_hand as select 7 as n",
    )
    done = data(project.run("reset", "--db-url", database_url, "--json", stdin=name_of(database_url)).stdout)
    assert done["applied"] == ["001_a.sql", "002_b.sql"] and done["tables"] == 3 and len(done["backups"]) == 2
    assert read(database_url, "select count(*) from public.notes") == [(0,)]
    mine, by_hand = (command.split()[3] for command in done["again"])
    project.run("rollback", "--db-url", database_url, "--restore", mine, "--yes")
    assert read(database_url, "select count(*), max(id) from public.notes") == [(100, 100)]
    assert read(database_url, "select email from auth.users") == [("a@example.com",)]
    refused = project.run("rollback", "--db-url", database_url, "--restore", by_hand, "--yes", code=5)
    assert "public.by_hand" in refused.stderr
    run(database_url, "create table public.by_hand (n int)")
    project.run("rollback", "--db-url", database_url, "--restore", by_hand, "--yes")
    assert read(database_url, "select n from public.by_hand") == [(7,)]
    listed = project.json("rollback", "--list")
    done = project.run("reset", "--db-url", database_url, "--no-backup", stdin=name_of(database_url))
    assert "No backup is made" in done.stderr and project.json("rollback", "--list") == listed
    assert tables(database_url) == ["a", "b", "notes"] and read(database_url, "select count(*) from a") == [(0,)]
