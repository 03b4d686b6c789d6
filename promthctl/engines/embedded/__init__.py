"""The embedded engine: PostgreSQL and Supabase Lite as two detached processes of this machine, loopback only."""

from __future__ import annotations

import dataclasses
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from promthctl import toolchain
from promthctl.engines import Access, Service, Status
from promthctl.engines.embedded import accounts, api, logs
from promthctl.engines.embedded.cluster import Cluster, free_port
from promthctl.engines.embedded.state import Records, Stack, new_stack
from promthctl.errors import PromthctlError
from promthctl.process import ProcessId
from promthctl.settings import API_PORT, DB_PORT, Settings
from promthctl.steps import Steps

_NOWHERE = Path("/nonexistent")


class EmbeddedEngine:
    """One project's stack. api_port, db_port: what the flags ask for; None leaves it to the record, 0 picks one."""

    name = "embedded"

    def __init__(self, settings: Settings, api_port: int | None = None, db_port: int | None = None) -> None:
        self.settings = settings
        self.wanted = {"api_port": api_port, "db_port": db_port}
        self.state = Records(settings.state_dir)

    def up(self, migrate: Callable[[Access, tuple[str, ...] | None], None], steps: Steps) -> tuple[Access, bool]:
        """See Engine.up; called by one promthctl at a time (local.py holds the project's lock)."""
        self.state.make()
        tools = toolchain.ensure(self.settings, steps)
        stack, changed = self._stack()
        cluster = self._cluster(stack, self._binaries(stack, tools, steps))
        server, database = self._processes(stack, cluster)
        if changed:  # other keys or ports: what runs does not know them
            server, database = self._stop(server, cluster, database)
        answer = api.ask(stack) if server and database else None
        if answer:
            migrate(stack.access(), answer.applied)
            return stack.access(), False
        with steps.step("Starting PostgreSQL and the API"):
            if server:
                api.stop(server)
            _check_port("API", stack.api_port, "--api-port")
            # Node.js needs longer to start than Postgres: it goes first and waits for the database itself.
            server = api.start(stack, tools, self.settings, self._log("api"), self._record("api"))
            fresh = not cluster.exists()
            try:
                if database is None:
                    database = self._start_database(cluster, stack, steps)
            except BaseException:
                api.stop(server)
                raise
        migrate(stack.access(), () if fresh else None)
        api.wait(server, stack, self._log("api"))
        return stack.access(), True

    def down(self, purge: bool, steps: Steps) -> bool:
        stack = self.state.load_stack() or self._unrecorded()
        cluster = self._cluster(stack)
        server, database = self._processes(stack, cluster)
        if server or database:
            with steps.step("Stopping the API and PostgreSQL"):
                self._stop(server, cluster, database)
        if purge:
            for major in (17, 18):
                shutil.rmtree(self._data(stack.project, major), ignore_errors=True)
            for name in ("stack.json", "processes.json", "dev-user.json"):
                (self.state.path / name).unlink(missing_ok=True)
        return bool(server or database)

    def status(self) -> Status:
        stack = self.state.load_stack()
        if stack is None:
            stopped = tuple(Service(name, "stopped") for name in ("postgres", "api"))
            return Status(self.name, False, None, None, stopped, None)
        found = {name: self.state.load_process(name) for name in ("postgres", "api")}
        answer = api.ask(stack) if all(found.values()) else None
        ports = {"postgres": stack.db_port, "api": stack.api_port}
        services = tuple(
            Service(
                name,
                "stopped" if identity is None else "running" if answer or name == "postgres" else "starting",
                pid=identity.pid if identity else None,
                port=ports[name],
            )
            for name, identity in found.items()
        )
        url = stack.access().api_url
        return Status(
            self.name,
            answer is not None,
            url,
            url + "/" if answer else None,
            services,
            answer.applied if answer else None,
        )

    def access(self) -> Access | None:
        stack = self.state.load_stack()
        return stack.access() if stack else None

    def logs(self, service: str | None, follow: bool) -> Iterator[tuple[str, str]]:
        return logs.read(self.state.logs, service, follow)

    def _stack(self) -> tuple[Stack, bool]:
        """The project's record brought to what is asked for, and whether running services know it already."""
        known = self.state.load_stack()
        configured = {"api_port": self.settings.api_port or API_PORT, "db_port": self.settings.db_port or DB_PORT}
        ports: dict[str, int] = {}  # by the names of Stack's fields
        for name, default in configured.items():
            kept = getattr(known, name) if known else default
            wanted = self.wanted[name]
            if wanted is None:
                ports[name] = kept
            elif wanted == 0:  # a port picked before is kept
                ports[name] = kept if known and kept != default else free_port()
            else:
                ports[name] = wanted
        if known is None:
            stack = new_stack(self.settings.project_id, **ports, postgres=self.settings.postgres)
        else:
            stack = dataclasses.replace(
                known, api_port=ports["api_port"], db_port=ports["db_port"], postgres=self.settings.postgres
            )
        if stack != known:
            self.state.save_stack(stack)
        return stack, stack != known

    def _unrecorded(self) -> Stack:
        """Enough of a stack to find its processes and data when the record is lost."""
        return new_stack(self.settings.project_id, API_PORT, DB_PORT, self.settings.postgres)

    def _data(self, project: str, major: int) -> Path:
        return accounts.data_home(self.settings, project) / f"postgres-{major}"

    def _cluster(self, stack: Stack, binaries: Path = _NOWHERE) -> Cluster:
        """The stack's cluster; without binaries it can only be found and stopped."""
        user = accounts.postgres_user(self.settings)
        return Cluster(stack.postgres, binaries, self._data(stack.project, stack.postgres), user, self.settings)

    def _binaries(self, stack: Stack, tools: toolchain.Toolchain, steps: Steps) -> Path:
        user = accounts.postgres_user(self.settings)
        return toolchain.postgres(tools, stack.postgres, self.settings, user, free_port(), steps)

    def _processes(self, stack: Stack, cluster: Cluster) -> tuple[ProcessId | None, ProcessId | None]:
        """The API server and the database of this project that run, recorded or not."""
        server = self.state.load_process("api") or api.find(stack)
        database = self.state.load_process("postgres") or cluster.find()
        return server, database

    def _stop(self, server: ProcessId | None, cluster: Cluster, database: ProcessId | None) -> tuple[None, None]:
        if server:
            api.stop(server)
        if database:
            cluster.stop(database)
        return None, None

    def _start_database(self, cluster: Cluster, stack: Stack, steps: Steps) -> ProcessId:
        _check_port("database", stack.db_port, "--db-port")
        if cluster.exists():
            cluster.recover()
        else:
            cluster.create(steps)
        cluster.set_passwords(stack.db_password, stack.internal_password)
        database = cluster.start(stack.db_port, self._log("postgres"), self._record("postgres"))
        cluster.wait(database, self._log("postgres"))
        return database

    def _log(self, service: str) -> Path:
        return self.state.logs / f"{service}.log"

    def _record(self, service: str) -> Callable[[ProcessId], None]:
        return lambda identity: self.state.save_process(service, identity)


def _check_port(what: str, port: int, flag: str) -> None:
    """Raise when the port is taken, naming who holds it where that can be known."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return
        except OSError as error:
            reason = error.strerror
    holder = _holder(port)
    raise PromthctlError(
        f"Port {port}, wanted for the {what}, is taken",
        f"{holder} listens there" if holder else f"another program listens there ({reason})",
        f"stop that program, or: promthctl local up {flag} 0",
    )


def _holder(port: int) -> str | None:
    import psutil

    try:
        for connection in psutil.net_connections("inet"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                if connection.pid is None:
                    return None
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:  # another user's process, on some systems
        pass
    return None
