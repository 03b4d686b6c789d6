"""Whatever kills a part of the stack, one `local up` heals it, committed rows stay, and nothing outlives `down`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from promthctl.toolchain import Toolchain
from tests.embedded.working import assert_stops, assert_works, commit_row, database_url
from tests.promthctl_runner import Project, alive

pytestmark = pytest.mark.usefixtures("tools")


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        while alive(pid):
            time.sleep(0.005)


def backends(project: Project) -> list[int]:
    return [process.pid for process in psutil.Process(project.pids()["postgres"]).children()]


FAULTS: dict[str, Callable[[Project], list[int]]] = {
    "postgres": lambda project: [project.pids()["postgres"]],
    "all of postgres": lambda project: [project.pids()["postgres"], *backends(project)],
    "a child of postgres": lambda project: backends(project)[:1],
    "the api": lambda project: [project.pids()["api"]],
    "both": lambda project: [*project.pids().values(), *backends(project)],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_up_heals_what_was_killed(running: Project, fault: str) -> None:
    user = commit_row(running)
    kill(*FAULTS[fault](running))
    running.up()
    assert_works(running, user)
    assert_stops(running)


@contextmanager
def busy(project: Project, connections: int) -> Iterator[None]:
    """Queries that compute for hours, and so do not notice when their server is gone."""
    url = database_url(project)
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", f"import psycopg; psycopg.connect({url!r}).execute({query!r})"],
            stderr=subprocess.DEVNULL,
        )
        for query in ["do $$ begin loop end loop; end $$"] * connections
    ]
    try:
        with psycopg.connect(url) as connection:
            count = "select count(*) from pg_stat_activity where query like 'do $$ begin loop%'"
            while connection.execute(count).fetchone() != (connections,):
                time.sleep(0.01)
                connection.rollback()
        yield
    finally:
        for client in clients:
            client.kill()
            client.wait()


@pytest.mark.parametrize("command", ["up", "down"])
def test_busy_children_of_a_killed_postgres_are_ended(running: Project, command: str) -> None:
    user = commit_row(running)
    with busy(running, 2):
        kill(running.pids()["postgres"])
        assert len(running.leftovers()) >= 2
        if command == "up":
            running.up()
            assert_works(running, user)
    assert_stops(running)


COURSE = {  # of a cold `local up`: where it is killed
    "before the record is written": "promthctl.engines.embedded.records:EmbeddedRecords.save_stack:call:",
    "with the record half written": "pathlib:Path.replace:call:stack.json",
    "before the API is on record": "promthctl.engines.embedded.records:EmbeddedRecords.save_process:call:api",
    "while the database is copied": "promthctl.process:_relay:call:'cp'",
    "with the database copied": "promthctl.engines.embedded.cluster:Cluster.set_passwords:call:",
    "while passwords are set": "subprocess:Popen.communicate:call:--single",
    "before postgres is on record": "promthctl.engines.embedded.records:EmbeddedRecords.save_process:call:postgres",
    "with postgres about to start": "promthctl.engines.embedded.cluster:Cluster.start:return:",
    "before the migrations are synced": "promthctl.migration_set.supabase_folder:sync_project:call:",
    "while the migrations are synced": "promthctl.migration_set.sync:write_sync:call:",
    "while the second is applied": "promthctl.supabase_cli.database_commands:DatabaseCli._run.<locals>.relay:call:002_",
    "with everything applied": "promthctl.engines.embedded.api:wait:call:",
}


@pytest.mark.parametrize("point", COURSE)
def test_one_up_finishes_what_a_killed_up_began(project: Project, point: str) -> None:
    project.interrupt(COURSE[point])
    project.up()
    assert_works(project)
    assert_stops(project)


@pytest.mark.parametrize("point", ["while passwords are set", "while the second is applied"])
def test_down_after_a_killed_up_leaves_no_process(project: Project, point: str) -> None:
    project.interrupt(COURSE[point])
    assert_stops(project)
    project.up()
    assert_works(project)


def test_one_up_finishes_what_was_killed_together_with_the_supabase_cli(project: Project) -> None:
    project.interrupt(COURSE["while the second is applied"], "SIGKILL+supabase")
    project.up()
    assert_works(project)
    assert_stops(project)


@pytest.fixture
def fresh_cache(tools: Toolchain) -> Iterator[Path]:
    """A cache directory with the tools but without a prepared database, open to all as Postgres's user needs it."""
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o755)
        (place / "toolchain").symlink_to(tools.root.parent)
        yield place
    finally:
        shutil.rmtree(place)


def test_a_preparation_of_the_database_that_was_killed_is_done_again(
    make_project: Callable[..., Project], fresh_cache: Path
) -> None:
    def working_there() -> list[int]:
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if str(fresh_cache / "templates") in " ".join(process.info["cmdline"] or [])
        ]

    project = make_project(PROMTHCTL_CACHE_DIR=str(fresh_cache))
    project.interrupt("promthctl.engines.embedded.templates:_bootstrap:call:")
    assert working_there()
    project.up()
    assert working_there() == [] and not list(fresh_cache.glob("templates/.staging-*"))
    assert_works(project)
    assert_stops(project)


HEALING = {
    "with the new record half written": "pathlib:Path.replace:call:stack.json",
    "before the API is on record": "promthctl.engines.embedded.records:EmbeddedRecords.save_process:call:api",
    "with postgres about to start": "promthctl.engines.embedded.cluster:Cluster.start:return:",
}


@pytest.mark.parametrize("point", HEALING)
def test_an_up_killed_while_it_makes_new_keys_is_finished_by_the_next(running: Project, point: str) -> None:
    user = commit_row(running)
    (running.path / ".promthctl" / "stack.json").unlink()
    running.interrupt(HEALING[point])
    running.up()
    assert_works(running, user)
    assert_stops(running)


@pytest.mark.parametrize(
    ("name", "codes"), [("SIGINT", (130,)), ("SIGTERM", (130, -signal.SIGTERM)), ("SIGHUP", (130,))]
)
@pytest.mark.parametrize("point", ["while the database is copied", "while the second is applied"])
def test_an_interrupted_up_says_so_and_the_next_one_works(
    project: Project, point: str, name: str, codes: tuple[int, ...]
) -> None:
    running = project.start("local", "up", "--api-port", "0", "--db-port", "0", at=COURSE[point], signal=name)
    stdout, stderr = running.communicate(timeout=120)
    assert running.returncode in codes, stderr
    assert "Traceback" not in stdout + stderr
    project.up()
    assert_works(project)
    assert_stops(project)


def test_two_ups_at_once_make_one_stack(project: Project) -> None:
    both = [project.start("local", "up", "--api-port", "0", "--db-port", "0") for _ in range(2)]
    for up in both:
        _, stderr = up.communicate(timeout=120)
        assert up.returncode == 0, stderr
    assert_works(project)
    assert_stops(project)


@pytest.mark.parametrize("point", ["before the record is written", "before the API is on record"])
def test_up_and_down_at_once_take_turns(project: Project, point: str) -> None:
    """The down begins when the up is at `point`, and has to wait for it."""
    up = project.start("local", "up", "--api-port", "0", "--db-port", "0", at=COURSE[point], signal="SIGSTOP")
    try:
        while psutil.Process(up.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        down = project.start("local", "down")
        assert down.stderr is not None and "Waiting" in down.stderr.readline()
    finally:
        up.send_signal(signal.SIGCONT)
    for command in (up, down):
        _, stderr = command.communicate(timeout=120)
        assert command.returncode == 0, stderr
    assert project.leftovers() == []
    project.up()
    assert_works(project)


@pytest.mark.parametrize("service", ["api", "db"])
def test_a_taken_port_is_named_with_its_holder(project: Project, service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        other = "db" if service == "api" else "api"
        refused = project.run("local", "up", f"--{service}-port", str(port), f"--{other}-port", "0", code=1)
        assert str(port) in refused.stderr and f"pid {os.getpid()}" in refused.stderr, refused.stderr
        assert f"--{service}-port 0" in refused.stderr
        assert project.leftovers() == []
    project.up()
    assert project.record()[f"{service}_port"] != port
    user = commit_row(project)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        refused = project.run("local", "up", f"--{service}-port", str(holder.getsockname()[1]), code=1)
        assert_works(project, user)  # what ran is left alone
    assert_stops(project)


def test_a_port_picked_before_is_replaced_when_somebody_took_it(project: Project) -> None:
    project.up()
    before = project.record()
    assert_stops(project)
    with socket.create_server(("127.0.0.1", before["api_port"])):
        refused = project.run("local", "up", code=1)
        assert "--api-port 0" in refused.stderr and project.leftovers() == []
        project.up()
        assert project.record()["api_port"] != before["api_port"]
        assert project.record()["db_port"] == before["db_port"]
        assert_works(project)
