"""A push is safe against itself: two at once, killed at any point, cut off in the middle of a migration."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from promthctl import database, targets
from promthctl.database import advisory_lock
from promthctl.errors import RefusedError
from promthctl.steps import Silent
from tests.promthctl_runner import Project

# The second migration stops where the test wants it: it waits for a lock that the test holds.
GATE = 20231
MIGRATIONS = {
    "001_a.sql": "create table public.a (id int);\n",
    "002_b.sql": "set local client_connection_check_interval = 0;\n"  # as on hosted: it outlives its client
    f"create table public.b (id int);\nselect pg_advisory_xact_lock({GATE});\n"
    "insert into public.b values (1);\n",
    "003_c.sql": "create table public.c (id int);\n",
}
VERSIONS = ["001", "002", "003"]
# As the server has it: the killed push has asked a question much like it.
LEFTOVER = advisory_lock._LEFTOVER.replace("%s", "$1")


@pytest.fixture
def own(make_project: Callable[..., Project]) -> Project:
    project = make_project()
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    (project.path / "db").mkdir()
    for name, sql in MIGRATIONS.items():
        (project.path / "db" / name).write_text(sql)
    return project


@pytest.fixture
def gate(database_url: str) -> psycopg.Connection:
    """A connection that holds the second migration up until it is closed."""
    connection = psycopg.connect(database_url, autocommit=True)
    connection.execute("select pg_advisory_lock(%s)", (GATE,))
    return connection


def start(project: Project, url: str) -> subprocess.Popen[str]:
    return project.start("push", "--db-url", url, "--yes")


def until(connection: psycopg.Connection, query: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while connection.execute(query.encode()).fetchone() is None:
        assert time.monotonic() < deadline, query
        time.sleep(0.05)


def at_the_gate(gate: psycopg.Connection) -> None:
    """Wait for the push to stand in the middle of its second migration."""
    until(gate, "select from pg_locks where locktype = 'advisory' and not granted")


def state(url: str) -> tuple[list[str], list[str]]:
    """The public tables, and the versions in the history."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
        ).fetchall()
        versions = connection.execute("select version from supabase_migrations.schema_migrations order by 1").fetchall()
    return [name for (name,) in tables], [version for (version,) in versions]


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    stdout, stderr = process.communicate(timeout=120)
    assert "Traceback" not in stdout + stderr, stderr
    return process.returncode, stdout + stderr


def test_of_two_at_once_one_waits_and_finds_nothing_left(
    own: Project, database_url: str, gate: psycopg.Connection
) -> None:
    first = start(own, database_url)
    at_the_gate(gate)
    second = start(own, database_url)
    until(gate, "select from pg_stat_activity where query like 'select pg_try_advisory_lock%' having count(*) > 1")
    time.sleep(1)  # long enough for a second push that does not wait to go wrong
    assert second.poll() is None
    gate.close()
    assert finish(first)[0] == 0
    code, told = finish(second)
    assert code == 0, told
    assert "Waiting for another promthctl" in told
    assert state(database_url) == (["a", "b", "c"], VERSIONS)


def test_killed_in_a_migration_the_next_push_waits_for_what_still_runs_and_completes(
    own: Project, database_url: str, gate: psycopg.Connection
) -> None:
    push = start(own, database_url)
    at_the_gate(gate)
    push.kill()
    push.wait()
    following = start(own, database_url)
    until(gate, "select from pg_stat_activity where query = $q$" + LEFTOVER + "$q$")
    time.sleep(0.5)
    assert following.poll() is None
    gate.close()
    code, told = finish(following)
    assert code == 0, told
    assert "left running" in told
    assert state(database_url) == (["a", "b", "c"], VERSIONS)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from public.b").fetchone() == (1,)


def test_a_connection_lost_in_a_migration_leaves_nothing_of_it(
    own: Project, database_url: str, gate: psycopg.Connection
) -> None:
    push = start(own, database_url)
    at_the_gate(gate)
    gate.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and not granted")
    code, told = finish(push)
    assert code in (1, 4), told
    assert state(database_url) == (["a"], ["001"])
    gate.close()
    own.run("push", "--db-url", database_url, "--yes")
    assert state(database_url) == (["a", "b", "c"], VERSIONS)


POINTS = [
    "promthctl.push.planning:plan_push:return:",
    "promthctl.database.advisory_lock:exclusive:return:",
    "promthctl.migration_set.supabase_folder:sync_project:call:",
    "promthctl.migration_set.supabase_folder:sync_project:return:",
    "promthctl.process:run:call:",
    "promthctl.process:run:return:",
]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_the_next_push_completes(own: Project, database_url: str, point: str) -> None:
    push = own.start("push", "--db-url", database_url, "--yes", at=point)
    push.communicate(timeout=120)
    assert push.returncode == -9, point
    own.run("push", "--db-url", database_url, "--yes")
    assert state(database_url) == (["a", "b", "c"], VERSIONS)


def test_a_lock_that_is_not_let_go_is_refused_with_its_holder(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advisory_lock, "_LOCK_SECONDS", 0.3)
    target = targets.from_url(database_url)
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with database.exclusive(target, Silent()):
            taken.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert taken.wait(30)
        with pytest.raises(RefusedError, match="Another promthctl") as caught, database.exclusive(target, Silent()):
            pass
        assert "127.0.0.1 (pid " in caught.value.why
    finally:
        done.set()
        holder.join()
    with database.exclusive(target, Silent()):
        pass
