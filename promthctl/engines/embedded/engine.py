"""The embedded engine: see Engine for what each method does."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from promthctl import toolchain
from promthctl.configuration import API_PORT, DB_PORT
from promthctl.engines import ports
from promthctl.engines.choosing import record_engine
from promthctl.engines.embedded import (
    absent,
    api,
    bucket_objects,
    default_privileges,
    kept_copy,
    logs,
    ownership,
    removal,
    system_user,
)
from promthctl.engines.embedded import cluster as postgres
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.mail import messages
from promthctl.engines.embedded.new_database import Server, made_aside
from promthctl.engines.embedded.records import EmbeddedRecords, EmbeddedStack, new_stack
from promthctl.engines.embedded.snapshots import Snapshots
from promthctl.engines.embedded.status import status_of
from promthctl.engines.embedded.which_postgres import postgres_of
from promthctl.engines.engine import Access, Content, Filling, KeptCopy, LogPart, Message, Snapshot, Status
from promthctl.errors import PromthctlError, RefusedError, UsageError, already_done
from promthctl.process import ProcessId, beside
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.toolchain import ServerChoice

_NOT_UP = "the stack did not come up with it"


@dataclasses.dataclass(frozen=True)
class _Here:
    """What is there of a stack. known: as it was recorded. stack: as it is to be."""

    known: EmbeddedStack | None
    stack: EmbeddedStack
    cluster: Cluster
    server: ProcessId | None
    database: ProcessId | None
    tools: toolchain.Toolchain


class EmbeddedEngine:
    """One project's stack. api_port, db_port: what the flags ask for; None leaves it to the record, 0 picks one."""

    name = "embedded"
    runs_roles = False
    keeps_copies = True

    def __init__(self, settings: Settings, api_port: int | None = None, db_port: int | None = None) -> None:
        self.settings = settings
        self.wanted = {"API": api_port, "database": db_port}
        self.records = EmbeddedRecords(settings.state_dir)

    def up(
        self, migrate: Callable[[Filling], None], steps: Steps, content: Callable[[], Content | None] = lambda: None
    ) -> tuple[Access, bool]:
        """See Engine.up; called by one promthctl at a time: local_stack.up holds the project's lock."""
        self.records.make()
        here = self._look(steps)
        known, stack, cluster, server, database = here.known, here.stack, here.cluster, here.server, here.database
        if (
            stack == known
            and server
            and database
            and (answer := api.ask_status(stack, self.settings))
            and answer.current
        ):
            self._record_found(server, database)
            migrate(Filling(stack.access(), answer.applied))
            self._finish(stack, answer, steps)
            return stack.access(), False
        own = [identity.pid for identity in (server, database) if identity]
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
            elif known is None and os.path.lexists(self.records.path / "stack.json"):
                steps.note("The record of the stack was not made for this folder: it gets a stack of its own.")
            changed = known is not None and known.exposes_new_tables != stack.exposes_new_tables
            if changed and cluster.exists():
                steps.note(default_privileges.changed(stack.exposes_new_tables))
            if (lacking := absent.warning(self.settings, self.records)) is not None:
                steps.note(lacking)
            record_engine(self.settings, self.name)
            self.records.save_stack(stack)  # only now: a server that outlived a killed `up` would have other keys
            filling = Filling(stack.access(), None)
            try:
                # Node.js needs longer to start than Postgres: it goes first and waits for the database itself.
                server = api.start(stack, here.tools, self.settings, self._log("api"), self._record("api"))
                if database:
                    self._record("postgres")(database)
                    cluster.wait_accepting(database, stack.access().db_url, self._log("postgres"))
                else:
                    filling = self._start_database(cluster, stack, content, changed, steps)
            except BaseException:
                self._stop(*self._processes(stack), stack.project)
                raise
        migrate(filling)
        self._finish(stack, api.wait(server, stack, self.settings, self._log("api")), steps)
        return stack.access(), True

    def renew(
        self,
        fill: Callable[[Filling], None],
        steps: Steps,
        content: Content | None = None,
        done: str = "The local database was reset",
        bulk: bool = False,
    ) -> KeptCopy | None:
        """See Engine.renew; the caller holds the project's lock.

        The new database is made and filled beside the old one, by a server of its own on another port.
        """
        self.records.make()
        here = self._look(steps)
        known, stack, cluster = here.known, here.stack, here.cluster
        if known is not None and known.server_name != stack.server_name:
            raise RefusedError(
                "The local database was not replaced",
                f"the stack runs PostgreSQL {known.server_name}, and the project is set to {stack.server_name}; "
                "nothing was changed",
                f"promthctl local up, which starts PostgreSQL {stack.server_name}",
            )
        made = made_aside(cluster, stack, content, self.settings, steps)
        with beside(self._snapshots(stack).clear_removed), made as new:
            with new.served(bulk) as own:
                fill(new.filling(own, dataclasses.replace(stack, db_port=own.port), steps))
            with steps.step("Putting the new database in place"):
                new.cluster.sync()
                bucket_objects.note_due(self.records)
                return self._put_in_place(here, new.cluster.data, done, steps)

    def _put_in_place(self, here: _Here, data: Path, done: str, steps: Steps) -> KeptCopy | None:
        """Another data directory becomes the stack's, under an API server that runs on; returns what is kept then.

        done: see renew.
        """
        stack, cluster, snapshots = here.stack, here.cluster, self._snapshots(here.stack)
        server, database = self._processes(stack)
        self._stop(None, database, stack.project)
        snapshots.take_kept(cluster.data)
        kept_copy.replace(cluster.data, data)
        self.records.save_stack(stack)  # new tables in it are open to the API as config.toml says now
        with beside(snapshots.forget_oldest), already_done(done, _NOT_UP, "that is done"):
            answer = self._restart_database(here, server) if server and database else None
            if answer and answer.current:
                self._finish(stack, answer, steps)
            else:
                self.up(lambda _: None, steps)
        return kept_copy.describe(cluster.data)

    def undo_renewal(self, steps: Steps) -> KeptCopy:
        here = self._look(steps)
        stack, cluster = here.stack, here.cluster
        if kept_copy.describe(cluster.data) is None:
            raise kept_copy.nothing_kept(cluster.data)
        with steps.step("Putting the kept database back"):
            self._stop(here.server, here.database, stack.project)
            kept_copy.swap(cluster.data)
        with already_done("The database that was kept is in use again", _NOT_UP, "the exchange is done"):
            self.up(lambda _: None, steps)
        copy = kept_copy.describe(cluster.data)
        assert copy is not None
        return copy

    def kept(self) -> KeptCopy | None:
        stack = self.records.load_stack()
        return kept_copy.describe(self._home(stack.project) / f"postgres-{stack.server_name}") if stack else None

    def snapshots(self) -> tuple[Snapshot, ...]:
        stack = self.records.load_stack()
        return self._snapshots(stack).found() if stack else ()

    def save_snapshot(self, name: str | None, reason: str, steps: Steps) -> Snapshot:
        here = self._look(steps)
        snapshots = self._snapshots(here.stack)
        if name is not None:
            snapshots.check_new(name)
        answer = api.ask_status(here.stack, self.settings) if here.server and here.database else None
        applied = answer.applied if answer else None
        stopped = ", which is stopped meanwhile" if here.database else ""
        with steps.step(f"Copying the database{stopped}"), beside(snapshots.clear_removed):
            name = name or snapshots.automatic_name()
            saved = snapshots.save(here.cluster, self._stopped(here), name, reason, applied)
        snapshots.forget_oldest()
        return saved

    def restore_snapshot(self, name: str, steps: Steps) -> KeptCopy | None:
        here = self._look(steps)
        snapshot = (snapshots := self._snapshots(here.stack)).named(name)
        if snapshot.server != here.stack.server_name:
            why = f"it is of PostgreSQL {snapshot.server}, and the project is set to {here.stack.server_name}"
            raise UsageError(
                f"The snapshot {name!r} cannot be restored", why, kept_copy.server_setting(snapshot.server)
            )
        copied = snapshots.copied(snapshot, here.cluster)
        with beside(snapshots.clear_removed), copied as aside, steps.step("Putting the snapshot in place"):
            if here.database:  # else `up` sets them; those of now, in case the record was lost since it was made
                aside.set_passwords(here.stack.db_password, here.stack.internal_password, lasting=False)
            return self._put_in_place(here, aside.data, f"The snapshot {name!r} is in use", steps)

    def remove_snapshot(self, name: str) -> Snapshot:
        stack = self.records.load_stack()
        snapshots = self._snapshots(stack) if stack else Snapshots(Path(os.devnull), self.settings.project_dir, "")
        removal.check_gone(snapshots.remove(snapshot := snapshots.named(name)))
        return snapshot

    def down(self, purge: bool, steps: Steps) -> bool:
        stack = self.records.load_stack()
        project = self._project(stack)
        home = self._home(project)
        if purge:
            ownership.check_purge(self.settings, home, stack)
        if not ownership.foreign(self.settings, home, stack):
            self._settle(home, steps)
        server, database = self._processes(stack)
        if server or database:
            with steps.step("Stopping the API and PostgreSQL"):
                self._stop(server, database, project)
        else:
            postgres.end_strays(home)
        removal.check_ended((server, database))
        if purge:
            removal.purge(self.settings, self.records, home)
        return bool(server or database)

    def has_data(self) -> bool:
        home = self._home(self._project(self.records.load_stack()))
        return any(home.glob("postgres-[0-9]*")) or bool(ownership.in_project(self.settings))

    def status(self, measure: bool = False) -> Status:
        stack = self.records.load_stack()
        return status_of(self.settings, self.name, stack, *self._processes(stack))

    def access(self) -> Access | None:
        stack = self.records.load_stack()
        return stack.access() if stack else None

    def mail(self) -> tuple[Message, ...]:
        stack = self.records.load_stack()
        return messages(self.settings, stack) if stack else ()

    def studio(self) -> str:
        stack = self.records.load_stack()
        assert stack is not None
        return api.studio_link(stack)

    def logs(self, service: str | None, part: LogPart) -> Iterator[tuple[str, str]]:
        self.records.check()
        return logs.read_logs(self.records.logs, service, part)

    def _look(self, steps: Steps) -> _Here:
        """The tools are there then, and the data is known to be this project's."""
        choice, known = postgres_of(self.settings), self._known(steps)
        tools = toolchain.ensure(self.settings, steps)
        if choice.why:
            steps.note(choice.why)
        server, database = self._processes(known)
        stack = self._stack(known, choice, [identity.pid for identity in (server, database) if identity])
        return _Here(known, stack, self._cluster(stack, choice, tools, steps), server, database, tools)

    def _snapshots(self, stack: EmbeddedStack) -> Snapshots:
        return Snapshots(self._home(stack.project), self.settings.project_dir, stack.data_id)

    @contextlib.contextmanager
    def _stopped(self, here: _Here) -> Iterator[None]:
        """The database does not run while the block does."""
        self._stop(None, here.database, here.stack.project)
        try:
            yield
        finally:
            if here.database:
                self._restart_database(here, here.server)

    def _restart_database(self, here: _Here, server: ProcessId | None) -> api.ServerStatus | None:
        """Start it under an API server that runs on; its answer, or None: `up` starts another one."""
        Server(here.cluster, here.stack.db_port, self._log("postgres"), self._record("postgres")).start()
        if server:
            with contextlib.suppress(PromthctlError):
                return api.wait(server, here.stack, self.settings, self._log("api"), renewed=True)
        return None

    def _stack(self, known: EmbeddedStack | None, choice: ServerChoice, own: Collection[int]) -> EmbeddedStack:
        """The project's record brought to what is asked for. own: the ids of its processes, whose ports are free."""
        configured = {"API": self.settings.api_port or API_PORT, "database": self.settings.db_port or DB_PORT}
        recorded = {"API": known.api_port, "database": known.db_port} if known else {}
        ports.check_configured(self.settings.supabase, self.wanted, recorded, {"api": "API", "db": "database"})
        settled = ports.settle(self.wanted, recorded, configured, lambda port: ports.usable(port, own))
        api_port, db_port = settled["API"], settled["database"]
        installed = choice.installed is not None
        exposed = default_privileges.exposes_new_tables(self.settings)
        if known is None:
            project = self._project(None)
            data_id = ownership.identity(self.settings, self._home(project))
            return new_stack(project, data_id, api_port, db_port, choice.major, installed, exposed)
        known = dataclasses.replace(known, api_port=api_port, db_port=db_port)
        return dataclasses.replace(known, postgres=choice.major, installed=installed, exposes_new_tables=exposed)

    def _finish(self, stack: EmbeddedStack, answer: api.ServerStatus, steps: Steps) -> None:
        """What a database gets once the API answers, and what could not be made."""
        for problem in answer.problems:
            steps.note(problem)
        bucket_objects.upload_due(self.settings, self.records, stack, steps)

    def _project(self, stack: EmbeddedStack | None) -> str:
        """The project's name in paths and command lines, also when its record is lost."""
        return stack.project if stack else ownership.project_name(self.settings)

    def _home(self, project: str) -> Path:
        return system_user.data_home(self.settings, project)

    def _cluster(self, stack: EmbeddedStack, choice: ServerChoice, tools: toolchain.Toolchain, steps: Steps) -> Cluster:
        user = system_user.postgres_user(self.settings)
        programs = toolchain.postgres(tools, choice, self.settings, user, ports.free_port(), steps)
        return Cluster(programs, self._home(stack.project) / f"postgres-{choice.name}", user, self.settings)

    def _processes(self, stack: EmbeddedStack | None) -> tuple[ProcessId | None, ProcessId | None]:
        """The API server and the database of this project that run, recorded or not."""
        project = self._project(stack)
        server = self.records.load_process("api") or api.find_server(project)
        database = self.records.load_process("postgres") or postgres.find_server(self._home(project))
        if database is None and ownership.in_project(self.settings):
            database = postgres.find_server(self.records.path)
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

    def _start_database(
        self,
        cluster: Cluster,
        stack: EmbeddedStack,
        content: Callable[[], Content | None],
        exposure_changed: bool,
        steps: Steps,
    ) -> Filling:
        """Start PostgreSQL, on a new database if there is none."""
        server = Server(cluster, stack.db_port, self._log("postgres"), self._record("postgres"))
        if not cluster.exists():
            bucket_objects.note_due(self.records)
            with made_aside(cluster, stack, content(), self.settings, steps) as new:
                new.cluster.data.rename(cluster.data)
            server.start()
            return new.filling(server, stack, steps)
        cluster.recover()
        if exposure_changed:  # otherwise they are what migrations have made of them
            cluster.set_default_privileges(default_privileges.of_project(stack.exposes_new_tables))
        cluster.set_passwords(stack.db_password, stack.internal_password)
        server.start()
        return Filling(stack.access(), None)

    def _known(self, steps: Steps) -> EmbeddedStack | None:
        """The stack's record, when all of its data is known to be this project's, and is settled."""
        stack = self.records.load_stack()
        home = self._home(self._project(stack))
        ownership.check_data(self.settings, home, stack)
        self._settle(home, steps)
        return stack

    def _settle(self, home: Path, steps: Steps) -> None:
        """Heal what a killed reset or undo left: a half made database, or two half exchanged ones."""
        postgres.remove_leftovers(home)
        if kept_copy.settle(home):
            steps.note("A reset was interrupted while it put the new database in place: it was taken back.")

    def _log(self, service: str) -> Path:
        return self.records.logs / f"{service}.log"

    def _record(self, service: str) -> Callable[[ProcessId], None]:
        return lambda identity: self.records.save_process(service, identity)
