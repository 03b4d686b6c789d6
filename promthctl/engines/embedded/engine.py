"""The embedded engine: see Engine for what each method does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from promthctl import toolchain
from promthctl.engines import ports
from promthctl.engines.choosing import record_engine
from promthctl.engines.embedded import api, default_privileges, logs, system_user
from promthctl.engines.embedded import cluster as postgres
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.records import EmbeddedRecords, EmbeddedStack, new_stack
from promthctl.engines.engine import Access, LogPart, Service, Status
from promthctl.process import ProcessId
from promthctl.settings import API_PORT, DB_PORT, POSTGRES_MAJORS, Settings
from promthctl.steps import Steps


class EmbeddedEngine:
    """One project's stack. api_port, db_port: what the flags ask for; None leaves it to the record, 0 picks one."""

    name = "embedded"
    runs_roles = False

    def __init__(self, settings: Settings, api_port: int | None = None, db_port: int | None = None) -> None:
        self.settings = settings
        self.wanted = {"API": api_port, "database": db_port}
        self.records = EmbeddedRecords(settings.state_dir)

    def up(self, migrate: Callable[[Access, tuple[str, ...] | None], None], steps: Steps) -> tuple[Access, bool]:
        """See Engine.up; called by one promthctl at a time: local_stack.up holds the project's lock."""
        self.records.make()
        self.records.drop_copy()
        tools = toolchain.ensure(self.settings, steps)
        known = self.records.load_stack()
        server, database = self._processes(known)
        own = [identity.pid for identity in (server, database) if identity]
        stack = self._stack(known, own)
        cluster = self._cluster(stack, tools, steps)
        if stack == known and server and database and (answer := api.ask_status(stack)) and answer.current:
            self._record_found(server, database)
            migrate(stack.access(), answer.applied)
            return stack.access(), False
        for what, port, flag in (("API", stack.api_port, "--api-port"), ("database", stack.db_port, "--db-port")):
            ports.check_free(what, port, f"stop that program, or: promthctl local up {flag} 0", own)
        with steps.step("Starting PostgreSQL and the API"):
            if server:
                api.stop(server)
            if database and stack != known:  # other keys, ports or default privileges: what runs does not know them
                cluster.stop(database)
                database = None
            if known is None and cluster.exists():
                steps.note("The record of the stack was lost: it gets new keys, and its rows stay.")
            changed = known is not None and known.exposes_new_tables != stack.exposes_new_tables
            if changed and cluster.exists():
                steps.note(_exposure_changed(stack.exposes_new_tables))
            record_engine(self.settings, self.name)
            self.records.save_stack(stack)  # only now: a server that outlived a killed `up` would have other keys
            fresh = not cluster.exists()
            try:
                # Node.js needs longer to start than Postgres: it goes first and waits for the database itself.
                server = api.start(stack, tools, self.settings, self._log("api"), self._record("api"))
                if database:
                    self._record("postgres")(database)
                    cluster.wait_accepting(database, stack.access().db_url, self._log("postgres"))
                else:
                    self._start_database(cluster, stack, changed, steps)
            except BaseException:
                self._stop(*self._processes(stack), stack.project)
                raise
        migrate(stack.access(), () if fresh else None)
        api.wait(server, stack, self._log("api"))
        return stack.access(), True

    def down(self, purge: bool, steps: Steps) -> bool:
        self.records.drop_copy()
        stack = self.records.load_stack()
        project = self._project(stack)
        server, database = self._processes(stack)
        if server or database:
            with steps.step("Stopping the API and PostgreSQL"):
                self._stop(server, database, project)
        else:
            postgres.end_strays(self._home(project))
        if purge:
            self._purge(self._home(project))
        return bool(server or database)

    def has_data(self) -> bool:
        home = self._home(self._project(self.records.load_stack()))
        return any((home / f"postgres-{major}").exists() for major in POSTGRES_MAJORS)

    def status(self, measure: bool = False) -> Status:
        stack = self.records.load_stack()
        server, database = self._processes(stack)
        found = {"postgres": database, "api": server}
        answer = api.ask_status(stack) if stack and server and database else None
        listening = {"postgres": stack.db_port, "api": stack.api_port} if stack else {}
        services = tuple(
            Service(
                name,
                "stopped" if identity is None else "running" if answer or name == "postgres" else "starting",
                pid=identity.pid if identity else None,
                port=listening.get(name),
                uptime=max(0, round(time.time() - identity.created)) if identity else None,
            )
            for name, identity in found.items()
        )
        url = stack.access().api_url if stack else None
        return Status(
            self.name,
            answer is not None,
            url,
            f"{url}/" if answer else None,
            services,
            answer.applied if answer else None,
        )

    def access(self) -> Access | None:
        stack = self.records.load_stack()
        return stack.access() if stack else None

    def logs(self, service: str | None, part: LogPart) -> Iterator[tuple[str, str]]:
        return logs.read_logs(self.records.logs, service, part)

    def _stack(self, known: EmbeddedStack | None, own: Collection[int]) -> EmbeddedStack:
        """The project's record brought to what is asked for. own: the ids of its processes, whose ports are free."""
        configured = {"API": self.settings.api_port or API_PORT, "database": self.settings.db_port or DB_PORT}
        recorded = {"API": known.api_port, "database": known.db_port} if known else {}
        settled = ports.settle(self.wanted, recorded, configured, lambda port: ports.usable(port, own))
        api_port, db_port, major = settled["API"], settled["database"], self.settings.postgres
        exposed = default_privileges.exposes_new_tables(self.settings)
        if known is None:
            return new_stack(self.settings.project_id, self.records.path, api_port, db_port, major, exposed)
        return dataclasses.replace(
            known,
            folder=os.path.realpath(self.records.path),
            api_port=api_port,
            db_port=db_port,
            postgres=major,
            exposes_new_tables=exposed,
        )

    def _project(self, stack: EmbeddedStack | None) -> str:
        """The project's name in paths and command lines, also when its record is lost."""
        return stack.project if stack else self.settings.project_id

    def _home(self, project: str) -> Path:
        return system_user.data_home(self.settings, project)

    def _cluster(self, stack: EmbeddedStack, tools: toolchain.Toolchain, steps: Steps) -> Cluster:
        user = system_user.postgres_user(self.settings)
        binaries = toolchain.postgres(tools, stack.postgres, self.settings, user, ports.free_port(), steps)
        data = self._home(stack.project) / f"postgres-{stack.postgres}"
        return Cluster(stack.postgres, binaries, data, user, self.settings)

    def _processes(self, stack: EmbeddedStack | None) -> tuple[ProcessId | None, ProcessId | None]:
        """The API server and the database of this project that run, recorded or not."""
        project = self._project(stack)
        server = self.records.load_process("api") or api.find_server(project)
        database = self.records.load_process("postgres") or postgres.find_server(self._home(project))
        return server, database

    def _record_found(self, server: ProcessId, database: ProcessId) -> None:
        for service, identity in (("api", server), ("postgres", database)):
            if self.records.load_process(service) is None:
                self._record(service)(identity)

    def _stop(self, server: ProcessId | None, database: ProcessId | None, project: str) -> None:
        if server:
            api.stop(server)
        if database:
            postgres.stop(database, self._home(project))
        else:
            postgres.end_strays(self._home(project))

    def _start_database(self, cluster: Cluster, stack: EmbeddedStack, exposure_changed: bool, steps: Steps) -> None:
        fresh = not cluster.exists()
        if fresh:
            cluster.create(steps)
        else:
            cluster.recover()
        if fresh or exposure_changed:  # otherwise they are what migrations have made of them
            cluster.set_default_privileges(default_privileges.of_project(stack.exposes_new_tables))
        cluster.set_passwords(stack.db_password, stack.internal_password)
        database = cluster.start(stack.db_port, self._log("postgres"), self._record("postgres"))
        cluster.wait(database, self._log("postgres"))

    def _purge(self, home: Path) -> None:
        for major in POSTGRES_MAJORS:
            postgres.remove(home / f"postgres-{major}")
        if home != self.records.path:
            with contextlib.suppress(OSError):  # it holds other files, or it is a mount point
                home.rmdir()
        for name in ("stack.json", "processes.json", "dev-user.json"):
            (self.records.path / name).unlink(missing_ok=True)

    def _log(self, service: str) -> Path:
        return self.records.logs / f"{service}.log"

    def _record(self, service: str) -> Callable[[ProcessId], None]:
        return lambda identity: self.records.save_process(service, identity)


def _exposure_changed(exposed: bool) -> str:
    """What a person reads when config.toml says something new of a stack that exists."""
    state = "are open" if exposed else "are closed"
    return (
        f"New tables and functions in public {state} to the API from now on ({default_privileges.CONFIG_KEY} in "
        "supabase/config.toml); existing ones keep their grants until: promthctl local reset"
    )
