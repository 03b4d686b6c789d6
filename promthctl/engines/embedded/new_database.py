"""A new database: a copy of the template, or of one that was kept with the first of the same migrations."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from promthctl import signatures
from promthctl.engines.embedded import default_privileges, kept_states
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.records import EmbeddedStack
from promthctl.engines.embedded.syncing import written_early
from promthctl.engines.embedded.templates import template
from promthctl.engines.engine import Content, Filling
from promthctl.engines.ports import free_port
from promthctl.errors import PromthctlError
from promthctl.process import ProcessId
from promthctl.settings import Settings
from promthctl.steps import Steps


@dataclass
class Server:
    """A cluster's server, which can be stopped and started again.

    record: see process.spawn_detached. lasting, bulk: see Cluster.start.
    """

    cluster: Cluster
    port: int
    log: Path
    record: Callable[[ProcessId], None] = lambda _: None
    lasting: bool = True
    bulk: bool = False
    _running: ProcessId | None = None

    def start(self) -> None:
        """Raises PromthctlError with the last lines of its log when it does not accept connections."""
        how = {"lasting": self.lasting, "bulk": self.bulk}
        self._running = self.cluster.start(self.port, self.log, self.record, **how)
        self.cluster.wait(self._running, self.log)

    def stop(self) -> None:
        if self._running is not None:
            self.cluster.stop(self._running)
            self._running = None


@dataclass(frozen=True)
class NewDatabase:
    """cluster: its files, complete and with the stack's passwords. copied: how many of the migrations they have.

    keys: of kept_states, after each migration; none where nothing is to be kept.
    """

    cluster: Cluster
    settings: Settings
    copied: int
    keys: tuple[str, ...]

    @contextlib.contextmanager
    def served(self, bulk: bool) -> Iterator[Server]:
        """By a server of its own on another port while the block fills it; then its files are synced. bulk: see
        Engine.renew.
        """
        log = self.cluster.data.with_name("postgres.log")
        server = Server(self.cluster, free_port(), log, lasting=False, bulk=bulk)
        with written_early(self.cluster.data) if bulk else contextlib.nullcontext():
            try:
                server.start()
                yield server
            finally:
                server.stop()

    def filling(self, server: Server, stack: EmbeddedStack, steps: Steps) -> Filling:
        """What its engine hands out once the server runs. stack: with the server's port."""

        def keep(count: int) -> None:
            server.stop()
            try:
                kept_states.keep(server.cluster, self.settings, self.keys[:count], steps)
            finally:
                server.start()

        wanted = kept_states.worth_keeping(self.settings, self.keys)
        applied = None if self.copied else ()
        keep_after = tuple(count for count in wanted if count > self.copied)
        return Filling(stack.access(), applied, self.copied, keep_after, keep, stack.superuser_url())


@contextlib.contextmanager
def made_aside(
    cluster: Cluster, stack: EmbeddedStack, content: Content | None, settings: Settings, steps: Steps
) -> Iterator[NewDatabase]:
    """A new database beside the stack's, for the caller to rename; removed at the end if it is still there.

    content: what it will be filled with; None where no copy may be used or kept.
    """
    privileges = default_privileges.of_project(stack.exposes_new_tables)
    keys = kept_states.keys_of(cluster, privileges, content) if content else ()
    with contextlib.ExitStack() as exits:
        aside, copied = None, 0
        if kept := kept_states.find(settings, keys):
            try:
                aside = exits.enter_context(cluster.made_aside(kept.data))
                aside.set_passwords(stack.db_password, stack.internal_password, lasting=False)
                copied = kept.migrations
            except PromthctlError:  # damaged, or removed by another promthctl
                kept_states.forget(kept)
                aside = None
        if aside is None:
            source = template(cluster.programs, cluster.user, settings, steps)
            aside = exits.enter_context(cluster.made_aside(source))
            aside.set_passwords(stack.db_password, stack.internal_password, fresh=privileges, lasting=False)
        signatures.claim(aside.data, settings.project_dir, stack.data_id)
        yield NewDatabase(aside, settings, copied, keys)
