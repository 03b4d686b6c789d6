"""The Docker engine: the official stack, by the real `supabase start`, watched and explained through the Docker SDK."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl import database, targets, toolchain
from promthctl.engines import Access, Status, Wishes, ports, record
from promthctl.engines.docker import containers, diagnosis, images, logs, network, ownership, preflight, services
from promthctl.engines.docker.cli import CliError, LocalCli, setup_mark
from promthctl.engines.docker.containers import Container, is_there
from promthctl.engines.docker.daemon import Daemon, alive, answering, connect, find, gone
from promthctl.engines.docker.images import Images
from promthctl.engines.docker.state import RECORD, Records, Stack
from promthctl.engines.docker.watching import Watch
from promthctl.errors import PromthctlError, RefusedError, TargetError, UsageError
from promthctl.locks import locked
from promthctl.migration_set import supabase_folder
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.toolchain import cache_root

if TYPE_CHECKING:
    from docker import APIClient

_MAJOR = 17  # the CLI's, where supabase/config.toml has no [db] major_version


class DockerEngine:
    """One project's stack. wishes: what the flags of `local up` ask for."""

    name = "docker"

    def __init__(self, settings: Settings, wishes: Wishes | None = None) -> None:
        self.settings = settings
        self.wishes = wishes or Wishes()
        self.state = Records(settings.state_dir)
        self._images: Images | None = None

    def check(self, steps: Steps) -> str:
        """Why Docker can run the stack, in words. Raises what stands against it; nothing is changed."""
        known, found = self.state.load(self.project), self._containers(self.project)
        self._check_name(self.project, found)
        self._preflight(self._plan(known, found), known, found, steps)
        return f"{self.daemon.product} answers ({self.daemon.version})"

    def up(self, migrate: Callable[[Access, tuple[str, ...] | None], None], steps: Steps) -> tuple[Access, bool]:
        """See Engine.up; called by one promthctl at a time (local.py holds the project's lock)."""
        self.state.make()
        with self._alone(self.project, steps):
            access, started, fresh = self._bring_up(steps)
        migrate(access, () if fresh else None)
        return access, started

    def _bring_up(self, steps: Steps) -> tuple[Access, bool, bool]:
        """How to reach it, whether anything had to be started, and whether its database is new."""
        known, found = self.state.load(self.project), self._containers(self.project)
        self._check_name(self.project, found)
        plan = self._plan(known, found)
        if known and known.same(plan) and (access := known.access()) and self._whole(known, found):
            return access, False, False
        needed = self._preflight(plan, known, found, steps)
        with answering(self.daemon):
            if needed.missing:
                pulled = images.pull(self.client, self.daemon, needed.missing, steps)
                self._check_volume(plan, known, pulled)
            self._leave_former(steps)
            if found:
                steps.note(_why_again(plan, known, found))
                self._stop(self.project, found, steps)
            fresh = self._make_room(plan, known, steps)
        return self._start(dataclasses.replace(plan, unfinished=fresh), steps), True, fresh

    def down(self, purge: bool, steps: Steps) -> bool:
        """See Engine.down. A stack that was started under another project_id, changed since, is stopped too."""
        former = self.state.former(self.project)
        stopped = self._down(self.project, purge, steps)
        return (former is not None and self._down(former, purge, steps)) or stopped

    def status(self, measure: bool = False) -> Status:
        known, found = self.state.load(self.project), self._own()
        access = known.access() if known else None
        with answering(self.daemon):
            parts = containers.services_of(self.client, found, known.services if known else (), measure)
        running = known is not None and access is not None and self._whole(known, found)
        return Status(
            self.name,
            running,
            access.api_url if access else None,
            access.studio_url if access and running else None,
            parts,
            self._applied(access) if access and any(part.state == "running" for part in parts) else None,
        )

    def access(self) -> Access | None:
        known = self.state.load(self.project)
        return known.access() if known else None

    def logs(self, service: str | None, follow: bool) -> Iterator[tuple[str, str]]:
        with answering(self.daemon):
            yield from logs.read(self.client, self._own(), self.state.logs, service, follow)

    def left_running(self) -> bool:
        """True when the project's stack is on Docker, whatever the record says; False without a daemon."""
        with contextlib.suppress(PromthctlError):
            return bool(self._own())
        return False

    @cached_property
    def given(self) -> str:
        """The project_id. Raises UsageError for one that cannot be used."""
        return _project_id(self.settings)

    @cached_property
    def project(self) -> str:
        """As in the names on Docker."""
        return services.project_name(self.given)

    @property
    def _folder(self) -> str:
        return os.path.realpath(self.state.path)

    @cached_property
    def daemon(self) -> Daemon:
        return find(self.settings)

    @cached_property
    def client(self) -> APIClient:
        return connect(self.daemon)

    def _containers(self, project: str) -> tuple[Container, ...]:
        client = self.client
        with answering(self.daemon):
            return containers.of_project(client, project)

    def _own(self) -> tuple[Container, ...]:
        """Without those that another folder's project of the same name has; with those of a former project_id."""
        names = filter(None, (self.state.former(self.project), self.project))
        found = (one for name in names for one in self._containers(name))
        return tuple(one for one in found if not one.foreign(self.settings.project_dir))

    def _alone(self, project: str, steps: Steps) -> AbstractContextManager[None]:
        """One promthctl at a time for a name on Docker, whatever the folder."""
        lock = cache_root(self.settings) / "docker" / f"{project}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
        except OSError:  # a cache that cannot be written
            return nullcontext()
        return locked(lock, steps, f"with the project {project} on Docker")

    def _plan(self, known: Stack | None, found: tuple[Container, ...]) -> Stack:
        """The stack as it should be now: by flag, else as recorded, else as configured."""
        config, wishes = self.settings.supabase, self.wishes
        asked = wishes.services if wishes.services is not None else known.asked if known else None
        names = services.by_default(config) if asked is None else services.chosen(asked, config)
        own = {port for container in (*found, *self._own()) for _, port in container.published}
        major = _table(config, "db").get("major_version")
        plan = known or Stack(self.project, "", names, {}, network.LOOPBACK, _MAJOR)
        return dataclasses.replace(
            plan,
            project=self.project,
            folder=self._folder,
            asked=asked,
            services=names,
            started=(),
            ports=self._ports(names, plan.ports, own),
            bind=network.address(wishes.bind) if wishes.bind is not None else plan.bind,
            major=major if isinstance(major, int) else _MAJOR,
        )

    def _ports(self, names: tuple[str, ...], kept: Mapping[str, int], own: Collection[int]) -> dict[str, int]:
        """The ports of those services. With --api-port 0 all but the database's are picked."""
        asked = dict.fromkeys(names, 0 if self.wishes.api_port == 0 else None)
        asked |= {"gateway": self.wishes.api_port, "db": self.wishes.db_port}
        configured = services.configured_ports(names, self.settings.supabase)
        titled = {services.title(name): name for name in configured}
        settled = ports.settle(
            {services.title(name): port for name, port in asked.items()},
            {services.title(name): port for name, port in kept.items()},
            {title: configured[name] for title, name in titled.items()},
            lambda port: port in own or ports.usable(port),
        )
        return {titled[title]: port for title, port in settled.items()}

    def _whole(self, known: Stack, found: tuple[Container, ...]) -> bool:
        """True when every service that was started works, on our network."""
        working = {one.service for one in found if one.works and network.name(self.project) in one.networks}
        return bool(known.started) and working.issuperset(known.started)

    def _preflight(self, plan: Stack, known: Stack | None, found: tuple[Container, ...], steps: Steps) -> Images:
        """The images a start needs, once nothing stands against it."""
        if self._images is not None:
            return self._images
        cli = self._cli(plan, steps)
        with answering(self.daemon), steps.step("Checking Docker"), ThreadPoolExecutor(1) as pool:
            asked = pool.submit(cli.services)  # takes half a second, in which the daemon can be asked
            preflight.check_memory(self.client, self.daemon, plan.services)
            own = {one.id for one in self._own()}
            preflight.check_ports(plan.ports, plan.bind, own, containers.everyone(self.client))
            whose = plan.services
            if not containers.has_volume(self.client, self.project):
                whose = tuple(dict.fromkeys((*whose, *services.setting_up(self.settings.supabase))))
            needed = images.needed(self.client, whose, asked.result(), self.settings)
            preflight.check_space(self.client, self.daemon, needed.missing)
            if needed.missing and self.wishes.offline:
                raise images.offline(needed.missing)
            self._check_volume(plan, known, needed.here)
        self._images = needed
        return needed

    def _check_name(self, project: str, found: Collection[Container]) -> None:
        """Raise RefusedError when another folder's project has this one's name: they would share a database."""
        if original := self.state.original(project):
            raise preflight.same_name(project, f"{original} has it, and this folder came with a copy of its record")
        foreign = next((one for one in found if one.foreign(self.settings.project_dir)), None)
        if foreign:
            where = f"its stack was started from {foreign.workdir}"
            raise preflight.same_name(project, where, f"{preflight.stop_command(foreign)}, or ")
        with answering(self.daemon):
            owner = ownership.owner(self.client, project)
            if owner is None or owner == self._folder or not containers.has_volume(self.client, project):
                return
        # A folder that was moved took its record along; one that has lost it still has its database.
        lost = self.state.load(project) is None and is_there(Path(owner).parent)
        if lost or self.state.elsewhere(owner, project):
            folder = Path(owner).parent
            mend = f"promthctl -C {shlex.quote(str(folder))} local down --purge removes it, or "
            raise preflight.same_name(project, f"its database on Docker is that of {folder}", mend)

    def _check_purge(self, project: str, found: Collection[Container]) -> None:
        """Raise RefusedError when nothing tells that the database is this folder's: its path may be another's now."""
        marked = self.state.former(project) and ownership.owner(self.client, project) == self._folder
        if found or self.state.load(project) or marked:
            return
        if containers.has_volume(self.client, project):
            volume = services.volume_name(project)
            raise RefusedError(
                "The database on Docker was not removed",
                f"nothing tells that the volume {volume} was made from this folder",
                f"docker volume rm {volume} removes it, whosever it is",
            )

    def _check_volume(self, plan: Stack, known: Stack | None, here: Mapping[str, str]) -> None:
        """Raise when the volume is of another PostgreSQL version; with the database's image among those `here`.

        What was started before has been looked at.
        """
        looked_at = known is not None and known.started and known.major == plan.major
        if "db" in here and not looked_at and containers.has_volume(self.client, self.project):
            preflight.check_volume(self.client, self.project, here["db"], plan.major)

    def _make_room(self, plan: Stack, known: Stack | None, steps: Steps) -> bool:
        """Make the network, remove a database that never was finished. True when there is no database yet."""
        ownership.claim(self.client, self.project, plan.folder)
        network.ensure(self.client, self.project, plan.bind)
        mark = setup_mark(self.settings)
        there = containers.has_volume(self.client, self.project)
        if there and known and known.unfinished and not mark.exists():
            steps.note("The database was interrupted while it was made: it is made anew.")
            containers.remove_volumes(self.client, [services.volume_name(self.project)])
            there = False
        elif there and known is None:
            volume = services.volume_name(self.project)
            steps.note(f"The volume {volume} was there before: its database is used as it is.")
        if not there:
            mark.unlink(missing_ok=True)
        return not there

    def _start(self, plan: Stack, steps: Steps) -> Access:
        supabase_folder.ensure_config(self.settings)  # the CLI wants a config.toml
        record(self.settings, self.name)
        self.state.save(plan)
        try:
            with steps.step("Starting the stack") as update:
                watch = Watch(self.client, self.daemon, self.project, self.state.logs, update)
                told = self._cli(plan, steps).start(plan.services, network.name(self.project), watch)
            found = self._containers(self.project)
        except BaseException as error:
            self._roll_back(plan, steps)
            if isinstance(error, CliError):
                raise self._explained(error) from None
            raise
        stack = plan.told(told, [one.service for one in found if one.service])
        self.state.save(stack)
        for text in preflight.exposure(self.daemon, plan.bind, found):
            steps.note(text)
        access = stack.access()
        assert access is not None
        return access

    def _explained(self, error: CliError) -> PromthctlError:
        if not alive(self.daemon):
            return gone(self.daemon)
        failure = diagnosis.of_output(error.said, self.project)
        return failure.error() if failure else error

    def _roll_back(self, plan: Stack, steps: Steps) -> None:
        """Stop what was started; a database that was only begun goes too. A daemon that is gone has stopped it all."""
        with contextlib.suppress(PromthctlError), answering(self.daemon), steps.step("Stopping what was started"):
            containers.remove(self.client, self._own())
            if plan.unfinished and not setup_mark(self.settings).exists():
                containers.remove_volumes(self.client, [services.volume_name(self.project)])

    def _leave_former(self, steps: Steps) -> None:
        """Stop this folder's stack of another project_id; its data stays."""
        former = self.state.former(self.project)
        if former and any(one.project == former for one in self._own()) and self._down(former, False, steps):
            volume = services.volume_name(former)
            steps.note(f"This project was {former} on Docker: that stack is stopped, its data stays in {volume}.")

    def _down(self, project: str, purge: bool, steps: Steps) -> bool:
        with self._alone(project, steps):
            return self._put_down(project, purge, steps)

    def _put_down(self, project: str, purge: bool, steps: Steps) -> bool:
        found = self._containers(project)
        if found or purge:
            self._check_name(project, found)
        if purge:
            with answering(self.daemon):
                self._check_purge(project, found)
        if found:
            self._stop(project, found, steps)
        if purge:
            with answering(self.daemon), steps.step("Removing the volumes"):
                volumes = (services.volume_name(project), *containers.volumes(self.client, project))
                containers.remove_volumes(self.client, volumes)
                ownership.release(self.client, project)
                for name in ("dev-user.json", *(() if self.state.former(project) else (RECORD,))):
                    (self.state.path / name).unlink(missing_ok=True)
                network.remove(self.client, project)
        return any(container.state == "running" for container in found)

    def _stop(self, project: str, found: tuple[Container, ...], steps: Steps) -> None:
        with steps.step("Stopping the stack"):
            try:
                self._cli(None, steps).stop(project)
            except CliError:
                containers.remove(self.client, found)

    def _cli(self, plan: Stack | None, steps: Steps) -> LocalCli:
        environment = self.daemon.environment() | {"SUPABASE_PROJECT_ID": self.given}
        if plan:
            environment |= services.port_variables(plan.ports) | services.switches(plan.services)
            if plan.bind not in (network.LOOPBACK, network.EVERYWHERE):
                environment["SUPABASE_SERVICES_HOSTNAME"] = plan.bind
        return LocalCli(toolchain.ensure(self.settings, steps).supabase, self.settings, environment)

    def _applied(self, access: Access) -> tuple[str, ...] | None:
        with contextlib.suppress(TargetError):
            return tuple(database.fetch_history(targets.from_url(access.db_url, local=True)))
        return None


def _why_again(plan: Stack, known: Stack | None, found: Collection[Container]) -> str:
    down = sorted(set(known.started if known else ()).difference(one.service for one in found if one.works))
    if known is None or not known.started:
        return "What is there of the stack was not started whole by promthctl: it is started again."
    if not known.same(plan):
        return "Other services, ports or addresses are asked for: the stack is started again."
    return f"{', '.join(down) or 'Its network'} is down: the stack is started again."


def _table(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = config.get(name)
    return table if isinstance(table, Mapping) else {}


def _project_id(settings: Settings) -> str:
    """As the CLI takes it: SUPABASE_PROJECT_ID, config.toml, the folder's name; without that file what it will say.

    Raises UsageError for one the CLI cannot use.
    """
    file = settings.supabase_dir / "config.toml"
    usual = settings.project_dir.name if file.exists() else settings.project_id
    given = settings.get("SUPABASE_PROJECT_ID") or settings.supabase.get("project_id", usual)
    if isinstance(given, str) and services.project_name(given):
        return given
    raise UsageError(
        f"The project_id {given!r} cannot be a name on Docker",
        "it takes a text with some of the letters a to z and digits",
        f"correct project_id in {file}, or set SUPABASE_PROJECT_ID in .env",
    )
