"""Accidents of a local stack while `local up` or `local reset` works on it: part of the fault matrix.

No relay can stand before a local stack, so its sessions are ended by signals instead, also those of the server that a
reset fills beside the one in use.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import sql

from promthctl import settings
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import Cluster
from promthctl.toolchain import PostgresPrograms, ServerChoice, Toolchain
from tests.accidents import CUTS, LOCKS, PLACES, WORK, Scene, accident
from tests.fault_outcomes import PATIENCE, Outcome, Prepared, State, run_all
from tests.promthctl_runner import Project, stack_name
from tests.servers import Server

DIES = "server dies"
FAULTS = (*CUTS, DIES, "terminated", "statement_timeout", *LOCKS, "read-only", "two at once")
COMMANDS = {"local up": 1, "local reset": 3}  # how many of the migrations are applied before
_END = """select pg_terminate_backend(pid) from pg_stat_activity
 where usename = current_user and pid <> pg_backend_pid() and backend_type = 'client backend' and query ~* %s"""
_RECORDED = "supabase_migrations.schema_migrations"


@dataclass
class LocalRuns:
    """Runs on one local stack, one after another; each begins with the database as it has to be.

    files, seeds: SQL by name. tables: of each file and seed. history: the rows that record each migration.
    """

    project: Project
    tools: Toolchain
    url: str
    files: dict[str, str]
    tables: dict[str, str]
    seeded: dict[str, str]
    history: list[tuple[object, ...]]
    made: dict[str, tuple[Prepared, float]] = field(default_factory=dict)
    alone: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def on_a_stack(
        cls, project: Project, tools: Toolchain, files: dict[str, str], seeded: dict[str, str]
    ) -> Iterator[LocalRuns]:
        """project: with its files and seeds in place, and no stack yet. seeded: the table of each seed."""
        try:
            project.up()
            url = project.env()["SUPABASE_DB_URL"]
            with psycopg.connect(url) as connection:
                history = connection.execute(f"select * from {_RECORDED} order by version".encode()).fetchall()
            yield cls(project, tools, url, files, {name: name[-1] for name in files}, seeded, history)
        finally:
            project.dispose()

    def prepare(self, name: str) -> tuple[Prepared, float]:
        """A run without accidents, and how many seconds it takes."""
        if name not in self.made:
            began, start = self._begin(name), time.monotonic()
            (told,) = run_all([self.project], name)
            assert told.code == 0, told.said
            took = time.monotonic() - start
            self.made[name] = Prepared(name, began, self._state(), 0, self.tables, self.seeded), took
        return self.made[name]

    def run_one(self, name: str, fault: str, turn: int = 0) -> Outcome:
        """fault: one of FAULTS."""
        with self.alone:
            (made, took), began = self.prepare(name), self._begin(name)
            place = urlsplit(self.url)
            server = Server(place.port or 0, place.password or "")
            scene = Scene(server, None, self.project.path, self.url, 0, turn)
            patience = 15 if fault == "lock held" else PATIENCE  # nothing ends that wait but Ctrl-C
            with contextlib.suppress(psycopg.OperationalError), self._accident(fault, scene, took):
                told = run_all([self.project] * (2 if fault == "two at once" else 1), name, patience)
            self._settle()
            return Outcome(made, fault, began, self._state(), told)

    @contextmanager
    def _accident(self, fault: str, scene: Scene, took: float) -> Iterator[None]:
        """took: seconds of a run without accidents."""
        if fault in CUTS:
            part = (int(fault.split()[-1]) + 0.25 * (scene.turn % 4)) / PLACES
            with _striking(part * took, self._end_sessions):
                yield
        elif fault == "terminated":
            with _striking(0.1 * scene.turn * took, lambda: self._end_sessions(WORK)):
                yield
        elif fault == DIES:
            with _striking((3 + 2 * scene.turn % 7) / PLACES * took, self._kill_server):
                yield
        elif fault in ("statement_timeout", "read-only"):
            text = "default_transaction_read_only = on"
            if fault == "statement_timeout":
                text = f"statement_timeout = '{120 // (1 + scene.turn)}ms'"
            self._set(f"alter role postgres in database postgres set {text}")
            try:
                yield
            finally:
                self._set("alter role postgres in database postgres reset all")
        else:
            with accident(fault, scene):
                yield

    def _end_sessions(self, query: str = "") -> bool:
        """True once there was a session of promthctl or the CLI to be ended, on either server. query: of that form."""
        found = False
        for _, port in self._servers():
            url = self.url.replace(f":{urlsplit(self.url).port}/", f":{port}/")
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
                found = connection.execute(_END.encode(), (query,)).fetchone() is not None or found
        return found

    def _kill_server(self) -> bool:
        found = list(self._servers())
        for pid, _ in found:
            os.kill(pid, signal.SIGKILL)
        return bool(found)

    def _servers(self) -> Iterator[tuple[int, int]]:
        """Process id and port of each server in the project's home, from the first and the fourth line of its file."""
        for file in (*self._home.glob("*/postmaster.pid"), *self._home.glob("*/data/postmaster.pid")):
            with contextlib.suppress(OSError, ValueError, IndexError):  # one that begins or ends
                lines = file.read_text().splitlines()
                yield int(lines[0]), int(lines[3])

    @property
    def _home(self) -> Path:
        return system_user.data_home(settings.load(self.project.path), stack_name(self.project.path))

    def _set(self, text: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("set default_transaction_read_only = off")
            connection.execute(text.encode())

    def _begin(self, name: str) -> State:
        """Make the database what the command is to find, whatever the run before left."""
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url):
            return self._fill(name)
        self.project.up()
        return self._fill(name)

    def _fill(self, name: str) -> State:
        applied = list(self.files)[: COMMANDS[name]]
        with psycopg.connect(self.url) as connection:
            for table in sorted(self.tables.values()):
                connection.execute(sql.SQL("drop table if exists public.{}").format(sql.Identifier(table)))
            for file in applied:
                connection.execute(self.files[file].encode(), prepare=False)
                connection.execute(
                    sql.SQL("insert into public.{} (id) values (1), (2)").format(sql.Identifier(file[-1]))
                )
            connection.execute(f"delete from {_RECORDED}".encode())
            for row in self.history[: COMMANDS[name]]:
                values = ", ".join(["%s"] * len(row))
                connection.execute(f"insert into {_RECORDED} values ({values})".encode(), row)
        return State.of(self.url)

    def _state(self) -> State:
        """What the database has, also where its server does not run; nothing but the server is started for that."""
        while any(psutil.pid_exists(pid) for pid, _ in self._servers()):  # it may still be coming up again
            with contextlib.suppress(psycopg.OperationalError):
                return State.of(self.url)
            time.sleep(0.05)
        here, port = settings.load(self.project.path), urlsplit(self.url).port or 0
        programs = PostgresPrograms(ServerChoice(17), self.tools.postgres / "bin")
        cluster = Cluster(programs, self._home / "postgres-17", system_user.postgres_user(here), here)
        log = here.project_dir / "postgres.log"
        running = cluster.start(port, log, lambda _: None)
        try:
            cluster.wait(running, log)
            return State.of(self.url)
        finally:
            cluster.stop(running)

    def _settle(self) -> None:
        """Wait for sessions that lost their client."""
        query = """select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend' and state <> 'idle'"""
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url, autocommit=True) as connection:
            while connection.execute(query.encode()).fetchone() is not None:
                threading.Event().wait(0.05)


@contextmanager
def _striking(delay: float, strike: Callable[[], bool]) -> Iterator[None]:
    """After so many seconds of the block, strike until something was hit."""
    ended = threading.Event()

    def work() -> None:
        ended.wait(delay)
        while not ended.is_set() and not strike():
            ended.wait(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
