"""A project on Docker: its name there, its records, the daemon it is on and its containers."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

from promthctl.engines.docker import containers, network, services
from promthctl.engines.docker.containers import Container
from promthctl.engines.docker.daemon import Daemon, answering, connect, find_daemon
from promthctl.engines.docker.records import DockerRecords, DockerStack
from promthctl.engines.engine import StartOptions
from promthctl.errors import UsageError
from promthctl.locks import locked
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.supabase_cli import find_runner
from promthctl.supabase_cli.local_stack import LocalStackCli
from promthctl.toolchain import cache_root

if TYPE_CHECKING:
    from docker import APIClient


class DockerProject:
    """options: what the flags of `local up` ask for. Nothing is looked up before it is needed."""

    def __init__(self, settings: Settings, options: StartOptions | None = None) -> None:
        self.settings = settings
        self.options = options or StartOptions()
        self.records = DockerRecords(settings.state_dir)

    @cached_property
    def project_id(self) -> str:
        """As it is written in the configuration. Raises UsageError for one that the CLI cannot use."""
        return _project_id(self.settings)

    @cached_property
    def name(self) -> str:
        """As in the names on Docker."""
        return services.project_name(self.project_id)

    @property
    def folder(self) -> str:
        """The .promthctl folder, as it is noted on Docker."""
        return os.path.realpath(self.records.path)

    @cached_property
    def daemon(self) -> Daemon:
        return find_daemon(self.settings)

    @cached_property
    def client(self) -> APIClient:
        return connect(self.daemon)

    def containers(self, name: str) -> tuple[Container, ...]:
        """Those of that name on Docker, whichever folder started them."""
        client = self.client
        with answering(self.daemon):
            return containers.of_project(client, name)

    def own_containers(self) -> tuple[Container, ...]:
        """Without those that another folder's project of the same name has; with those of a former project_id."""
        names = filter(None, (self.records.former_name(self.name), self.name))
        found = (one for name in names for one in self.containers(name))
        return tuple(one for one in found if not one.foreign(self.settings.project_dir))

    def lock(self, name: str, steps: Steps) -> AbstractContextManager[int | None]:
        """One promthctl at a time for a name on Docker, whatever the folder."""
        lock = cache_root(self.settings) / "docker" / f"{name}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
        except OSError:  # a cache that cannot be written
            return nullcontext()
        return locked(lock, steps, f"with the project {name} on Docker")

    def is_complete(self, stack: DockerStack, found: tuple[Container, ...]) -> bool:
        """True when every service that was started works, on our network."""
        working = {one.service for one in found if one.works and network.name(self.name) in one.networks}
        return bool(stack.started) and working.issuperset(stack.started)

    def cli(self, plan: DockerStack | None, steps: Steps) -> LocalStackCli:
        """The Supabase CLI on this daemon. plan: the stack to start, None for a command that needs none."""
        environment = self.daemon.environment() | {"SUPABASE_PROJECT_ID": self.project_id}
        if plan:
            environment |= services.port_variables(plan.ports) | services.switches(plan.services)
            if plan.bind not in (network.LOOPBACK, network.EVERYWHERE):
                environment["SUPABASE_SERVICES_HOSTNAME"] = plan.bind
        return LocalStackCli(find_runner(self.settings, steps), environment)


def _project_id(settings: Settings) -> str:
    """As the CLI takes it: SUPABASE_PROJECT_ID, config.toml, or the folder's name; without config.toml the project_id
    that ours will have.
    """
    file = settings.supabase_dir / "config.toml"
    usual = settings.project_dir.name if file.exists() else settings.project_id
    given = settings.get("SUPABASE_PROJECT_ID") or settings.supabase.get("project_id", usual)
    if isinstance(given, str) and services.project_name(given):
        return given
    raise UsageError(
        f"The project_id {given!r} cannot be a name on Docker",
        "it must be text with at least one of the letters a to z or a digit",
        f"correct project_id in {file}, or set SUPABASE_PROJECT_ID in .env",
    )
