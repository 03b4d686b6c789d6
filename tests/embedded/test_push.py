"""`push` and `reset` of any database by its URL, through the real Supabase CLI."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.promthctl_runner import Project
from tests.servers import Server

A = "create table public.a (id int primary key);\n"
B = "create table public.b (id int primary key);\n"
C = "create table public.c (id int primary key);\n"


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Project]:
    """Makes a project with migrations of its own: file name → SQL. Nothing is started in it."""

    def make(files: dict[str, str]) -> Project:
        project = Project(tmp_path / "project")
        project.path.mkdir()
        (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
        write(project, files)
        return project

    return make


def write(project: Project, files: dict[str, str]) -> None:
    (project.path / "db").mkdir(exist_ok=True)
    for name, sql in files.items():
        (project.path / "db" / name).write_bytes(sql.encode())


def read(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def tables(url: str) -> list[str]:
    query = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
    return [name for (name,) in read(url, query)]


def applied(url: str) -> list[str]:
    if read(url, "select to_regclass('supabase_migrations.schema_migrations')") == [(None,)]:
        return []
    return [version for (version,) in read(url, "select version from supabase_migrations.schema_migrations order by 1")]


def files(project: Project) -> list[str]:
    """Everything in the project that promthctl made."""
    made = (path.relative_to(project.path) for path in project.path.rglob("*") if path.is_file())
    return sorted(str(path) for path in made if path.parts[0] not in ("db", "pyproject.toml"))


def bare(url: str) -> tuple[str, str]:
    """The URL without its password, and the password."""
    parts = urlsplit(url)
    assert parts.password
    return url.replace(f":{parts.password}@", "@"), parts.password


def three_lines(done: subprocess.CompletedProcess[str]) -> str:
    """Standard error, which must end with what failed, why, and what to do."""
    parts = [done.stderr.find(label) for label in ("error: ", "  why: ", " next: ")]
    assert -1 not in parts and parts == sorted(parts), done.stderr
    return done.stderr


# where the password comes from


@pytest.mark.parametrize("where", ["in the URL", "PGPASSWORD", "SUPABASE_DB_PASSWORD", ".env"])
def test_a_push_applies_what_is_pending_and_shows_no_password(
    own: Callable[..., Project], database_url: str, where: str
) -> None:
    project = own({"001_a.sql": A, "002_b.sql": B})
    url, password = bare(database_url)
    env = {where: password} if "PASSWORD" in where else {}
    if where == ".env":
        (project.path / ".env").write_text(f"SUPABASE_DB_PASSWORD={password}\n")
    done = project.run("push", "--db-url", database_url if where == "in the URL" else url, "--yes", "--verbose", **env)
    assert tables(database_url) == ["a", "b"] and applied(database_url) == ["001", "002"]
    assert password not in done.stdout + done.stderr
    assert "001_a.sql" in done.stdout and f"database {urlsplit(url).path[1:]} at 127.0.0.1" in done.stderr
    again = project.run("push", "--db-url", database_url)  # nothing to ask about
    assert "Nothing to do: all 2 migrations are applied" in again.stdout


def test_json_gives_the_names(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "002_b.sql": B})
    label = f"database {urlsplit(database_url).path[1:]} at 127.0.0.1:{urlsplit(database_url).port}, user postgres"
    plan = {"target": label, "applied": [], "pending": ["001_a.sql", "002_b.sql"], "total": 2, "dry_run": True}
    assert project.json("push", "--db-url", database_url, "--dry-run") == plan
    done = plan | {"applied": plan["pending"], "pending": [], "dry_run": False}
    assert project.json("push", "--db-url", database_url, "--yes") == done
    assert project.json("push", "--db-url", database_url) == done | {"applied": []}


def test_a_dry_run_changes_nothing_anywhere(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    done = project.run("push", "--db-url", database_url, "--dry-run")
    assert "1 migration would be applied" in done.stdout and "001_a.sql" in done.stdout
    assert (tables(database_url), applied(database_url), files(project)) == ([], [], [])


def test_with_nothing_pending_the_cli_is_not_started(
    own: Callable[..., Project], database_url: str, tmp_path: Path
) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    # An empty cache has no CLI to start, and no network to get one from.
    away = {"PROMTHCTL_CACHE_DIR": str(tmp_path / "empty"), "npm_config_registry": "http://127.0.0.1:9"}
    assert "Nothing to do" in project.run("push", "--db-url", database_url, **away).stdout
    assert not (tmp_path / "empty").exists()


# asking


def test_without_a_yes_or_a_terminal_it_is_refused(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    told = three_lines(project.run("push", "--db-url", database_url, code=5, stdin="y\n"))
    assert "Nothing was pushed" in told and "--yes" in told and "pending: 001_a.sql" in told
    assert (tables(database_url), applied(database_url), files(project)) == ([], [], [])


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 5), ("\n", 5), ("\x04", 5)])
def test_on_a_terminal_it_asks(own: Callable[..., Project], database_url: str, answer: str, code: int) -> None:
    project = own({"001_a.sql": A})
    ours, theirs = pty.openpty()
    command = project.command("push", "--db-url", database_url)
    with os.fdopen(ours, "wb", buffering=0) as keyboard:
        child = subprocess.Popen(
            command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=project.environment()
        )
        os.close(theirs)
        keyboard.write(answer.encode())
        _, told = child.communicate(timeout=60)
    assert child.returncode == code, told
    assert "Apply 1 migration to database" in told and "[y/N]" in told
    assert tables(database_url) == (["a"] if code == 0 else [])


# migrations that fail


FAILURES = {
    "a syntax error": (A + "\nselekt 1,\n2;\n", 3, 2, "42601", 'at or near "selekt"', "correct "),
    "a comment before": ("/* one\n; */\n-- two;\nselect 1/0;\n", 4, 1, "22012", "division by zero", "correct "),
    "CRLF": (A + "-- x\r\n\r\nselect\r\n  nope;\r\n", 5, 2, "42703", '"nope"', "correct "),
    "a body": ("do $x$ begin\n  perform 1;\nend $x$;\nselect no_such();\n", 4, 2, "42883", "no_such()", "correct "),
    "inside a body": ("select 1;\ndo $$ begin\n raise 'not today';\nend $$;", 2, 2, "P0001", "not today", "correct "),
    "the second of two alike": ("select 1/(2-1);\n" + A + A, 3, 3, "42P07", "already exists", "if not exists"),
    "an extension that is not there": ("\ncreate extension nowhere;", 2, 1, "0A000", "nowhere", "install nowhere"),
    "text after a mark": ("\ufeffselect 'ภาษาไทย 👋',\n nope;\n", 2, 1, "42703", '"nope"', "correct "),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_migration_that_fails_leaves_nothing_of_itself(
    own: Callable[..., Project], database_url: str, kind: str
) -> None:
    sql, line, statement, state, message, hint = FAILURES[kind]
    broken = sql.replace("public.a", "public.broken")
    project = own({"001_a.sql": A, "002_broken.sql": broken, "003_c.sql": C})
    done = project.run("push", "--db-url", database_url, "--yes", code=1)
    told = three_lines(done)
    assert "002_broken.sql could not be applied to database" in told
    assert f"line {line}, statement {statement}: " in told
    assert f"(SQLSTATE {state})" in told and message in told and hint in told
    assert tables(database_url) == ["a"] and applied(database_url) == ["001"]
    write(project, {"002_broken.sql": B})  # the copy that never got applied follows
    mended = project.json("push", "--db-url", database_url, "--yes")
    assert mended["applied"] == ["002_broken.sql", "003_c.sql"]
    assert tables(database_url) == ["a", "b", "c"] and applied(database_url) == ["001", "002", "003"]


def test_what_cannot_run_in_a_transaction_is_said_to_stay(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A + "create index concurrently a_again on public.a (id);\nselect 1/0;\n"})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=1))
    assert "line 3, statement 3" in told and "what stands before that statement was applied" in told
    assert tables(database_url) == ["a"] and applied(database_url) == []


def test_a_failure_as_json(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_broken.sql": "select 1/0;"})
    told = project.json("push", "--db-url", database_url, "--yes", code=1)
    assert set(told) == {"error", "why", "hint", "exit_code"} and told["exit_code"] == 1
    assert "001_broken.sql" in told["error"] and "division by zero" in told["why"]


# targets that cannot be reached


UNREACHABLE = {
    "a wrong password": (lambda url, _: url.replace(bare(url)[1], "fake-secret-pw"), 4, "password"),
    "no password": (lambda url, _: bare(url)[0], 4, "password"),
    "an unknown user": (lambda url, _: url.replace("//postgres:", "//nobody:"), 4, "password"),
    "an unknown host": (lambda *_: "postgresql://u:fake-secret-pw@nowhere.invalid/db", 4, "nowhere.invalid"),
    "a closed port": (lambda _, port: f"postgresql://u:fake-secret-pw@127.0.0.1:{port}/db", 4, "refused"),
    "a missing database": (lambda url, _: url + "_not_there", 4, "does not exist"),
    "TLS that is not there": (lambda url, _: url + "?sslmode=require", 4, "SSL"),
    "an unknown parameter": (lambda url, _: url + "?colour=red", 2, "colour"),
    "no URL": (lambda *_: "fake-secret-pw", 2, "postgresql://"),
}


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_a_target_that_cannot_be_reached(own: Callable[..., Project], server: Server, kind: str) -> None:
    make, code, word = UNREACHABLE[kind]
    with socket.socket() as probe:  # bound, not listening: nobody else can take the port meanwhile
        probe.bind(("127.0.0.1", 0))
        url = make(server.url("postgres"), probe.getsockname()[1])
        project = own({"001_a.sql": A})
        told = project.run("push", "--db-url", url, "--verbose", code=code, timeout=30)
        as_json = project.run("reset", "--db-url", url, "--json", code=code, timeout=30)
        listed = project.run("migrations", "list", "--db-url", url, code=code, timeout=30)
    assert word in three_lines(told)
    assert json.loads(as_json.stdout)["exit_code"] == code
    for done in (told, as_json, listed):
        assert "fake-secret-pw" not in done.stdout + done.stderr and server.password not in done.stdout + done.stderr
    assert files(project) == []


# histories and files that contradict each other


def test_a_history_with_versions_nobody_has_here(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    read(database_url, "insert into supabase_migrations.schema_migrations values ('009', '{}', 'theirs') returning 1")
    assert "Nothing to do" in project.run("push", "--db-url", database_url).stdout
    write(project, {"002_b.sql": B})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    assert "no file here: 009" in told and "promthctl migrations list" in told
    assert tables(database_url) == ["a"] and applied(database_url) == ["001", "009"]


def test_a_version_that_comes_before_the_last_applied_one(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "003_c.sql": C})
    project.run("push", "--db-url", database_url, "--yes")
    write(project, {"002_b.sql": B})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    assert "002_b.sql would come before version 003" in told and f"{project.path}/db/004_b.sql" in told
    (project.path / "db" / "002_b.sql").rename(project.path / "db" / "004_b.sql")
    assert project.json("push", "--db-url", database_url, "--yes")["applied"] == ["004_b.sql"]


def test_a_file_that_was_edited_after_it_was_applied_is_refused(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    write(project, {"001_a.sql": A + "-- an afterthought\n", "002_b.sql": B})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    assert "+-- an afterthought" in told and "--force" in told
    assert tables(database_url) == ["a"]
    assert (project.path / "supabase" / "migrations" / "001_a.sql").read_text() == A
    project.run("migrations", "sync", "--db-url", database_url, code=5)
    project.run("migrations", "sync", "--db-url", database_url, "--force")
    assert project.json("push", "--db-url", database_url, "--yes")["applied"] == ["002_b.sql"]


# reset


@pytest.mark.parametrize("typed", ["", "\n", "postgres\n", "wrong\n", "y\n", "TEST\n"])
def test_a_reset_without_the_databases_name_changes_nothing(
    own: Callable[..., Project], database_url: str, typed: str
) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    read(database_url, "insert into public.a values (7) returning id")
    before = files(project)
    done = project.run("reset", "--db-url", database_url, "--yes", code=5, stdin=typed)
    assert "nothing was changed" in three_lines(done) and "will be lost" in done.stderr
    assert read(database_url, "select id from public.a") == [(7,)] and files(project) == before


def test_a_reset_with_the_databases_name_replays_everything(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "002_b.sql": B})
    project.run("push", "--db-url", database_url, "--yes")
    read(database_url, "insert into public.a values (7) returning id")
    with psycopg.connect(database_url) as connection:
        connection.execute("create table public.by_hand ()")
    write(project, {"001_a.sql": A + "-- rewritten\n"})  # all is replayed: history may be rewritten with it
    done = project.run("reset", "--db-url", database_url, stdin=urlsplit(database_url).path[1:] + "\n")
    assert "2 migrations replayed" in done.stdout
    assert tables(database_url) == ["a", "b"] and applied(database_url) == ["001", "002"]
    assert read(database_url, "select id from public.a") == []


def test_a_reset_whose_migrations_fail_says_where(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "002_b.sql": B + "\nselect 1/0;"})
    name = urlsplit(database_url).path[1:]
    told = three_lines(project.run("reset", "--db-url", database_url, code=1, stdin=f"{name}\n"))
    assert "002_b.sql could not be applied" in told and "line 3, statement 2" in told
    assert tables(database_url) == ["a"]
    write(project, {"002_b.sql": B})
    project.run("push", "--db-url", database_url, "--yes")
    assert tables(database_url) == ["a", "b"]
