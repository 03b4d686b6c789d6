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

from promthctl import push, settings, targets
from promthctl.errors import RefusedError
from promthctl.steps import Silent
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


@pytest.mark.parametrize("words", [["push"], ["push", "--jobs", "2"], ["reset"]], ids=" ".join)
def test_a_cli_that_cannot_be_used_is_told_before_anything_is_asked(
    own: Callable[..., Project], database_url: str, words: list[str]
) -> None:
    project = own({"001_a.sql": A})
    second = ["--db-url", f"{database_url}?application_name=second"] if "--jobs" in words else []
    done = project.run(*words, "--db-url", database_url, *second, "--supabase-cli", "nowhere/supabase", code=3)
    assert "nowhere/supabase cannot be used" in three_lines(done)


def test_a_migration_that_was_not_written_yet_is_not_recorded(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    project.run("migrations", "new", "add b")
    done = project.run("push", "--db-url", database_url, "--yes", code=5)
    assert "002_add_b.sql is still as `promthctl migrations new` created it" in three_lines(done)
    assert applied(database_url) == []


def test_what_only_supabase_migrations_has_is_told(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "002_b.sql": B})
    project.run("migrations", "sync")
    (project.path / "supabase" / "migrations" / "003_mine.sql").write_text("create table public.mine ();\n")
    told = project.run("push", "--db-url", database_url, "--yes").stderr
    assert "only in supabase/migrations, not in the source of the migrations: 003_mine.sql" in told


def test_json_gives_the_names_and_the_plan(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "002_b.sql": f"\n{B}truncate public.nothing;"})
    label = f"database {urlsplit(database_url).path[1:]} at 127.0.0.1:{urlsplit(database_url).port}, user postgres"
    names = ["001_a.sql", "002_b.sql"]
    statements = [("001_a.sql", 1, "creates", "table public.a"), ("002_b.sql", 2, "creates", "table public.b")]
    statements.append(("002_b.sql", 3, "writes", "truncate public.nothing"))
    plan = project.json("push", "--db-url", database_url, "--dry-run")
    assert plan == {
        "target": label,
        "local": False,
        "total": 2,
        "pending": names,
        "destructive": False,
        "refused": False,
        "statements": [
            {"file": file, "line": line, "kind": kind, "object": what, "risks": []}
            for file, line, kind, what in statements
        ],
        "disagreements": [],
        "dry_run": True,
        "rehearsal": None,
        "locks": [],
        "waits": [],
        "tried": None,
    }
    write(project, {"002_b.sql": B})
    done = {"target": label, "applied": names, "total": 2, "recorded": []}
    assert project.json("push", "--db-url", database_url, "--yes") == done
    assert project.json("push", "--db-url", database_url) == done | {"applied": []}


def test_a_dry_run_changes_nothing_anywhere(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    done = project.run("push", "--db-url", database_url, "--dry-run")
    assert "1 of 1 migration" in done.stdout and "001_a.sql  creates 1" in done.stdout
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
    assert "Nothing was pushed" in told and "--yes" in told and "001_a.sql  creates 1" in told
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
    "after a body of statements": (
        "create table public.a (id int primary key);\ncreate function public.f() returns int language sql"
        " begin atomic select 1; select 2; end;\n" + "insert into public.a values (1);\n" * 2,
        4,
        4,
        "23505",
        "duplicate key",
        "correct ",
    ),
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
    # what cannot be parsed would be refused otherwise, before anything is tried
    done = project.run("push", "--db-url", database_url, "--yes", "--allow-destructive", code=1)
    told = three_lines(done)
    assert "002_broken.sql could not be applied to database" in told
    assert f"line {line}, statement {statement}: " in told
    assert f"(SQLSTATE {state})" in told and message in told and hint in told
    assert tables(database_url) == ["a"] and applied(database_url) == ["001"]
    write(project, {"002_broken.sql": B})  # the copy that never got applied follows
    mended = project.json("push", "--db-url", database_url, "--yes")
    assert mended["applied"] == ["002_broken.sql", "003_c.sql"]
    assert tables(database_url) == ["a", "b", "c"] and applied(database_url) == ["001", "002", "003"]


# name: (SQL between two tables, b and c; how many of the statements, the tables among them, stay when it or 1/0 fails)
STAYING = {
    "an index made concurrently": ("create index concurrently i on public.a (id)", 2),
    "an index made concurrently, after comments": ("-- x;\n/* ; */ CREATE INDEX  CONCURRENTLY ON public.a (id)", 2),
    "a view refreshed concurrently": ("refresh materialized view concurrently public.mv", 0),
    "a vacuum": ("vacuum public.a", 2),
    "a vacuum that fails": ("vacuum public.nope", 1),
    "a body of statements": ("create function public.f() returns int begin atomic select 1; select 2; end", 0),
    "a commit": ("commit", 3),
    "a block that fails before its end": ("begin", 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", STAYING)
def test_what_stays_applied_of_a_migration_that_fails_is_told(
    own: Callable[..., Project], database_url: str, kind: str
) -> None:
    statement, kept = STAYING[kind]
    view = "create materialized view public.mv as select 1 as x; create unique index on public.mv (x);\n"
    end = "commit;" if statement == "begin" else ""
    write(project := own({"001_a.sql": A + view}), {"002_b.sql": f"{B}{statement};\n{C}select 1/0;\n{end}"})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", "--allow-destructive", code=1))
    words = {0: "nothing of 002_b.sql was applied", 1: "its first statement was applied, and will run again"}
    assert words.get(kept, f"its first {kept} statements were applied, and will run again") in told
    assert tables(database_url) == ["a", *(["b"] if kept > 0 else []), *(["c"] if kept > 2 else [])]
    assert applied(database_url) == ["001"]


def test_what_the_cli_runs_in_its_transaction_needs_a_migration_of_its_own(
    own: Callable[..., Project], database_url: str
) -> None:
    reindex = "reindex (concurrently) table public.a;\n"
    project = own({"001_a.sql": A, "002_b.sql": B + reindex})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=1))
    assert "REINDEX CONCURRENTLY cannot run in a transaction: give it a migration of its own" in told
    assert tables(database_url) == ["a"] and applied(database_url) == ["001"]
    write(project, {"002_b.sql": B, "003_reindex.sql": reindex})
    pushed = project.json("push", "--db-url", database_url, "--yes")
    assert pushed["applied"] == ["002_b.sql", "003_reindex.sql"] and applied(database_url) == ["001", "002", "003"]


def test_what_began_the_transaction_of_a_migration_that_fails_stays_applied(
    own: Callable[..., Project], database_url: str
) -> None:
    parted = "create table public.p (id int) partition by list (id);\n"
    parted += "create table public.p1 partition of public.p for values in (1);\n"
    project = own(
        {
            "001_p.sql": parted,
            "002_b.sql": f"alter table public.p detach partition public.p1 concurrently;\n{B}select 1/0;\n",
        }
    )
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", "--allow-destructive", code=1))
    assert "line 3, statement 3" in told and "its first statement was applied, and will run again" in told
    assert tables(database_url) == ["p1"] and applied(database_url) == ["001"]
    pending = "select inhdetachpending from pg_inherits where inhrelid = 'public.p1'::regclass"
    assert read(database_url, pending) == [(True,)]  # of DETACH … CONCURRENTLY, the first of two parts


def test_a_failure_as_json(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_broken.sql": "select 1/0;"})
    (told,) = project.errors("push", "--db-url", database_url, "--yes")
    assert set(told) == {"code", "what", "why", "next", "exit_code"} and told["exit_code"] == 1
    assert "001_broken.sql" in told["what"] and "division by zero" in told["why"]


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
    assert [one["exit_code"] for one in json.loads(as_json.stdout)["errors"]] == [code]
    for done in (told, as_json, listed):
        assert "fake-secret-pw" not in done.stdout + done.stderr and server.password not in done.stdout + done.stderr
    assert files(project) == []


# what destroys data


DROP = "drop table public.a;\n"


def with_rows(own: Callable[..., Project], url: str) -> Project:
    """A project whose first migration is applied, with three rows in its table, and the second drops that."""
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", url, "--yes")
    read(url, "insert into public.a values (1), (2), (3) returning 1")
    write(project, {"002_drop.sql": f"-- no longer needed\n{DROP}"})
    return project


def test_data_is_destroyed_only_when_that_is_allowed(own: Callable[..., Project], database_url: str) -> None:
    project = with_rows(own, database_url)
    plan = project.json("push", "--db-url", database_url, "--dry-run")
    assert plan["destructive"] and plan["statements"] == [
        {
            "file": "002_drop.sql",
            "line": 2,
            "kind": "drops",
            "object": "table public.a",
            "risks": [
                {
                    "id": "drops-table",
                    "kind": "destroys",
                    "object": "public.a",
                    "what": "drops table public.a",
                    "rows": {"count": 3, "exact": True},
                    "lock": None,
                    "brief": False,
                    "cascades": [],
                }
            ],
        }
    ]
    shown = project.run("push", "--db-url", database_url, "--dry-run").stdout
    assert "line 2  data  drops table public.a (3 rows)" in shown and "--allow-destructive" in shown
    before = files(project)
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    assert "002_drop.sql line 2 drops table public.a" in told and "--allow-destructive" in told
    assert (tables(database_url), files(project)) == (["a"], before)
    done = project.run("push", "--db-url", database_url, "--yes", "--allow-destructive")
    assert "(3 rows)" in done.stderr and tables(database_url) == []


def test_what_cannot_be_read_is_refused_before_anything_is_applied(
    own: Callable[..., Project], database_url: str
) -> None:
    project = own({"001_a.sql": A, "002_b.sql": "\nselec 1;\n"})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    assert "002_b.sql line 2 cannot be read" in told and tables(database_url) == []


def test_the_local_stack_is_told_and_not_asked(running: Project) -> None:
    url = running.env()["SUPABASE_DB_URL"]
    pyproject = running.path / "pyproject.toml"
    pyproject.write_text('[tool.promthctl]\nmigrations = "db"\n')
    write(running, {"801_a.sql": A})
    try:
        running.run("local", "reset")  # without the three that come along
        write(running, {"802_drop.sql": DROP})
        done = running.run("push")
        assert "drops table public.a (0 rows)" in done.stderr and "a" not in tables(url)
    finally:
        pyproject.unlink()


# histories and files that contradict each other


def test_a_history_with_versions_nobody_has_here(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    read(database_url, "insert into supabase_migrations.schema_migrations values ('009', '{}', 'theirs') returning 1")
    idle = project.run("push", "--db-url", database_url)
    assert "Nothing to do" in idle.stdout and "no file here: 009" in idle.stderr
    write(project, {"002_b.sql": B})
    plan = project.json("push", "--db-url", database_url, "--dry-run")
    assert plan["refused"] and plan["pending"] == ["002_b.sql"]
    assert [(one["kind"], one["versions"]) for one in plan["disagreements"]] == [
        ("missing", ["009"]),
        ("early", ["002"]),
    ]
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    assert "no file here: 009" in told and "promthctl migrations fetch" in told and "git log --all" in told
    assert tables(database_url) == ["a"] and applied(database_url) == ["001", "009"]
    # the last of the ways out that the error names, with the CLI there is here
    assert f"npx supabase@3 migration repair --status reverted 009 --remote={bare(database_url)[0]}" in told
    read(database_url, "delete from supabase_migrations.schema_migrations where version = '009' returning 1")
    assert project.json("push", "--db-url", database_url, "--yes")["applied"] == ["002_b.sql"]


def test_a_version_that_comes_before_the_last_applied_one(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "003_c.sql": C})
    project.run("push", "--db-url", database_url, "--yes")
    write(project, {"002_b.sql": B, "002_b.down.sql": "drop table public.b;"})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    folder = f"{project.path}/db"
    assert "002_b.sql would come before version 003" in told
    assert f"mv {folder}/002_b.sql {folder}/004_b.sql && mv {folder}/002_b.down.sql {folder}/004_b.down.sql" in told
    assert f"promthctl push --include-all --db-url {bare(database_url)[0]}" in told
    done = project.run("push", "--db-url", database_url, "--yes", "--include-all")
    assert "note: 002_b.sql would come before version 003" in done.stderr
    assert tables(database_url) == ["a", "b", "c"] and applied(database_url) == ["001", "002", "003"]


def test_a_renamed_early_version_is_pushed(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "003_c.sql": C})
    project.run("push", "--db-url", database_url, "--yes")
    write(project, {"004_b.sql": B})
    assert project.json("push", "--db-url", database_url, "--yes")["applied"] == ["004_b.sql"]


@pytest.mark.parametrize("folder", ["db", "supabase/migrations"])
def test_a_file_that_was_edited_after_it_was_applied_is_refused(
    own: Callable[..., Project], database_url: str, folder: str, supabase: Path
) -> None:
    project = own({"001_a.sql": A})
    (project.path / "pyproject.toml").write_text(f'[tool.promthctl]\nmigrations = "{folder}"\n')
    (project.path / folder).mkdir(parents=True, exist_ok=True)
    (project.path / folder / "001_a.sql").write_text(A)
    project.run("push", "--db-url", database_url, "--yes")
    (project.path / folder / "001_a.sql").write_text(A.replace("int ", "bigint "))
    copy = (project.path / "supabase" / "migrations" / "001_a.sql").read_text()
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))  # also with nothing pending
    assert "-create table public.a (id int primary key);" in told and "+create table public.a (id bigint" in told
    assert "promthctl migrations new" in told
    plan = project.json("push", "--db-url", database_url, "--dry-run")
    assert plan["refused"] and [one["kind"] for one in plan["disagreements"]] == ["edited"]
    assert (project.path / "supabase" / "migrations" / "001_a.sql").read_text() == copy
    # what the error says: the history takes the file as it is now
    assert "promthctl migrations sync --force && npx supabase@3 migration repair --status applied 001" in told
    url, password = bare(database_url)
    project.run("migrations", "sync", "--force")
    repair = [str(supabase), "migration", "repair", "--status", "applied", "001", f"--remote={url}", "--yes"]
    done = subprocess.run(
        repair, cwd=project.path, env={**os.environ, "PGPASSWORD": password, "DO_NOT_TRACK": "1"}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    (project.path / folder / "002_b.sql").write_text(B)
    assert project.json("push", "--db-url", database_url, "--yes")["applied"] == ["002_b.sql"]


def test_an_edit_of_comments_is_only_noted(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    edited = f"-- an afterthought\n{A.upper().replace('PUBLIC.A (ID', 'public.a  (id')}"
    write(project, {"001_a.sql": edited, "002_b.sql": B})
    done = project.run("push", "--db-url", database_url, "--yes")
    assert "note: 001_a.sql was edited after it was applied: comments and spacing only" in done.stderr
    assert tables(database_url) == ["a", "b"]
    assert (project.path / "supabase" / "migrations" / "001_a.sql").read_text() == edited


def test_a_version_under_which_another_migration_was_applied(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A, "002_theirs.sql": B})
    project.run("push", "--db-url", database_url, "--yes")
    other = own_copy(project, {"001_a.sql": A, "002_ours.sql": C})
    told = three_lines(other.run("push", "--db-url", database_url, "--yes", code=5))
    assert "its history has theirs under version 002, so 002_ours.sql would never be applied" in told
    assert f"mv {other.path}/db/002_ours.sql {other.path}/db/003_ours.sql" in told
    renamed = own_copy(project, {"001_a.sql": A, "002_same_under_another_name.sql": B})
    assert "Nothing to do" in renamed.run("push", "--db-url", database_url).stdout


def own_copy(project: Project, sources: dict[str, str]) -> Project:
    """A checkout of its own, with other files."""
    other = Project(project.path.with_name(f"other-{len(list(project.path.parent.iterdir()))}"))
    other.path.mkdir()
    (other.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    write(other, sources)
    return other


def test_a_history_without_statements_cannot_tell_of_edits(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    project.run("push", "--db-url", database_url, "--yes")
    read(database_url, "update supabase_migrations.schema_migrations set statements = null returning 1")
    write(project, {"002_b.sql": B})
    done = project.run("push", "--db-url", database_url, "--yes")
    assert "an edit since then cannot be detected: 001" in done.stderr and tables(database_url) == ["a", "b"]
    # the copy that was pushed is all that tells then, and it is not overwritten
    write(project, {"001_a.sql": A.replace("int ", "bigint ")})
    told = three_lines(project.run("push", "--db-url", database_url, "--yes", code=5))
    assert "+create table public.a (id bigint" in told


def test_files_that_change_after_the_plan_are_not_pushed(own: Callable[..., Project], database_url: str) -> None:
    project = own({"001_a.sql": A})
    here, target = settings.load(project.path), targets.from_url(database_url)
    made = push.plan_push(here, target)
    write(project, {"001_a.sql": DROP})
    with pytest.raises(RefusedError, match="changed after the plan"):
        push.apply_plan(here, target, made, Silent())
    write(project, {"001_a.sql": A, "002_b.sql": B})
    with pytest.raises(RefusedError, match="changed after the plan"):
        push.apply_plan(here, target, made, Silent())
    assert tables(database_url) == []


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
    assert "nothing was changed" in three_lines(done) and "table public.a: 1 row" in done.stderr
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
    assert tables(database_url) == []  # it was tried before anything was touched
    write(project, {"002_b.sql": B})
    project.run("push", "--db-url", database_url, "--yes")
    assert tables(database_url) == ["a", "b"]
