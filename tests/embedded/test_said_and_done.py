"""What promthctl says of a run that went wrong is what the database has: lost connections, limits, missing rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest

from promthctl import database, targets
from promthctl.database.transactions import changing
from promthctl.errors import PromthctlError, TargetError
from promthctl.steps import Silent
from tests.embedded.test_transactions import state
from tests.promthctl_runner import Project
from tests.servers import Server
from tests.tcp_relay import Relay, relay_to

SLOW = "select pg_sleep({});\n"
SURVIVES = "set local client_connection_check_interval = 0;\n"  # as on hosted: the server does not notice the cut


@pytest.fixture
def own(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """Makes a project with the migrations 001, 002 (this SQL), and 003."""

    def make(sql: str) -> Project:
        project = make_project()
        (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
        (project.path / "db").mkdir()
        for name, text in {"001_a": "create table public.a (i int);", "002_b": sql, "003_c": "select 1;"}.items():
            (project.path / "db" / f"{name}.sql").write_text(text)
        return project

    return make


@pytest.fixture
def relay(database_url: str) -> Iterator[Relay]:
    with relay_to(database_url) as made:
        yield made


def cut_at(relay: Relay, text: bytes, *, for_good: bool = False) -> None:
    """Cut once, when a client sends that text."""

    def until(data: bytes) -> bool:
        if text not in data or relay.cuts:
            return False
        relay.closed = for_good
        return True

    relay.until = until


def test_a_connection_lost_while_the_server_goes_on_is_no_failure_of_the_file(
    own: Callable[..., Project], database_url: str, relay: Relay
) -> None:
    project = own(f"{SURVIVES}create table public.b (i int);\n{SLOW.format(1)}")
    cut_at(relay, b"\0select pg_sleep")
    told = project.run("push", "--db-url", relay.url, "--yes", code=4).stderr
    assert "the server finished 002_b.sql all the same" in told and "it goes on after 002_b.sql" in told
    assert "correct" not in told
    assert state(database_url) == (["a", "b"], ["001", "002"])
    assert project.json("push", "--db-url", relay.url, "--yes")["applied"] == ["003_c.sql"]


def test_what_still_runs_is_not_known_and_the_next_push_waits(
    own: Callable[..., Project], database_url: str, relay: Relay
) -> None:
    project = own(f"{SURVIVES}create table public.b (i int);\n{SLOW.format(9)}")
    cut_at(relay, b"\0select pg_sleep")
    told = project.run("push", "--db-url", relay.url, "--yes", code=4).stderr
    assert "whether 002_b.sql will be applied is not known: session " in told and "it waits until" in told
    assert state(database_url)[1] == ["001"]
    assert project.json("push", "--db-url", relay.url, "--yes")["applied"] == ["003_c.sql"]
    assert state(database_url) == (["a", "b"], ["001", "002", "003"])


def test_a_target_that_stays_away_is_not_known(own: Callable[..., Project], database_url: str, relay: Relay) -> None:
    project = own(f"{SURVIVES}create table public.b (i int);\n{SLOW.format(1)}")
    cut_at(relay, b"\0select pg_sleep", for_good=True)
    told = project.run("push", "--db-url", relay.url, "--yes", code=4).stderr
    assert "whether 002_b.sql was applied is not known" in told and "nothing of" not in told
    assert "promthctl migrations list --db-url" in told
    assert state(database_url)[1] == ["001", "002"]


@contextmanager
def setting(server: Server, url: str, text: str) -> Iterator[None]:
    name = urlsplit(url).path[1:]
    with psycopg.connect(server.url("template1", "supabase_admin"), autocommit=True) as connection:
        connection.execute(f"alter database {name} set {text}".encode())
        connection.execute(b"alter role postgres in database " + f"{name} set application_name = ''".encode())
    yield


LIMITS = {
    "a statement timeout": (
        "statement_timeout = '700ms'",
        SLOW.format(60),
        1,
        "alter role postgres set statement_timeout = '1h' (it is 700ms now)",
    ),
    "a transaction timeout": ("transaction_timeout = '900ms'", SLOW.format(60), 4, "transaction_timeout = '1h'"),
    "read-only": ("default_transaction_read_only = on", "select 1", 4, "default_transaction_read_only = off"),
    "a lock": ("lock_timeout = '300ms'", "alter table public.held add j int", 1, "holds "),
}


@pytest.mark.parametrize("kind", LIMITS)
def test_a_limit_of_the_target_is_not_the_files_fault(
    own: Callable[..., Project], server: Server, database_url: str, kind: str
) -> None:
    text, sql, code, advice = LIMITS[kind]
    with psycopg.connect(database_url) as holder:
        holder.execute("create table public.held (i int)")
        holder.commit()
        holder.execute("lock table public.held")
        with setting(server, database_url, text):
            told = own(sql).run("push", "--db-url", database_url, "--yes", code=code).stderr
    assert advice in told and "correct /" not in told
    assert state(database_url)[1] == ([] if kind == "read-only" else ["001"])


def test_a_session_that_an_administrator_ends_is_told_as_that(own: Callable[..., Project], database_url: str) -> None:
    running = own(f"create table public.b (i int);\n{SLOW.format(60)}").start("push", "--db-url", database_url, "--yes")
    end = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'"
    with psycopg.connect(database_url, autocommit=True) as connection:
        while running.poll() is None and not connection.execute(end.encode()).fetchall():
            pass
    told = running.communicate(timeout=60)[1]
    assert running.returncode == 4 and "an administrator or a restart ended the session" in told, told
    assert "nothing of 002_b.sql was applied" in told and "correct" not in told
    assert state(database_url) == (["a"], ["001"])


# a transaction of our own


@pytest.mark.parametrize("arrives", [True, False], ids=["the commit arrives", "the commit does not"])
def test_a_commit_whose_answer_is_lost_is_asked_for(database_url: str, relay: Relay, arrives: bool) -> None:
    target = targets.from_url(relay.url)
    cut_at(relay, b"COMMIT\0" if arrives else b"pg_current_xact_id")
    try:
        with changing(target, "The change failed", Silent(), keep=True) as change:
            change.connection.execute("create table public.mine (i int)")
        assert arrives
    except TargetError as error:
        assert not arrives and "nothing was changed" in error.hint
    assert state(database_url)[0] == (["mine"] if arrives else [])


# the history


HISTORY = "create schema supabase_migrations; create table supabase_migrations.schema_migrations "


def paste(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode(), prepare=False)


@pytest.mark.parametrize(
    "columns", ["version text primary key", "version varchar, name varchar, inserted_at timestamptz", "version bigint"]
)
def test_a_history_with_fewer_columns_is_read(own: Callable[..., Project], database_url: str, columns: str) -> None:
    version = "1" if "bigint" in columns else "001"
    paste(
        database_url, f"{HISTORY} ({columns}); insert into supabase_migrations.schema_migrations values ('{version}')"
    )
    assert database.fetch_history(targets.from_url(database_url)) == {
        version: database.history.HistoryEntry(version, "", ())
    }
    if version == "001":
        done = own("select 1;").json("push", "--db-url", database_url, "--dry-run")
        assert done["pending"] == ["002_b.sql", "003_c.sql"]


@pytest.mark.parametrize("lacking", ["usage", "select", "usage, select"])
def test_missing_rights_on_the_history_name_the_grant(server: Server, database_url: str, lacking: str) -> None:
    paste(database_url, f"{HISTORY} (version text)")
    if "usage" not in lacking:
        paste(database_url, "grant usage on schema supabase_migrations to authenticator")
    if "select" not in lacking:
        paste(database_url, "grant select on supabase_migrations.schema_migrations to authenticator")
    place = urlsplit(database_url)
    admin = server.url("template1", "supabase_admin")
    paste(admin, "drop role if exists reader")
    paste(admin, f"create role reader login password '{place.password}' in role authenticator inherit")
    try:
        target = targets.from_url(server.url(place.path[1:], "reader"))
        with pytest.raises(PromthctlError, match="could not be read") as caught:
            database.fetch_history(target)
        fix = caught.value.hint.partition("): ")[2]
        assert fix.count("grant ") == lacking.count(",") + 1
        paste(database_url, fix)
        assert database.fetch_history(target) == {}
    finally:
        paste(admin, "drop owned by reader")
        with psycopg.connect(database_url.replace("postgres:", "supabase_admin:", 1), autocommit=True) as connection:
            connection.execute("drop owned by reader; drop role reader")
