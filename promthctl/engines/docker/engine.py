"""The Docker engine: see Engine for what each method does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from promthctl import database
from promthctl.engines.access import local_target
from promthctl.engines.docker import containers, logs, ownership, services
from promthctl.engines.docker.daemon import answering
from promthctl.engines.docker.project import DockerProject
from promthctl.engines.docker.starting import Start
from promthctl.engines.docker.stopping import stop_containers, stop_stack
from promthctl.engines.engine import (
    Access,
    Content,
    Filling,
    KeptCopy,
    LogPart,
    Message,
    Snapshot,
    StartOptions,
    Status,
)
from promthctl.errors import PromthctlError, TargetError, UsageError
from promthctl.settings import Settings
from promthctl.steps import Steps

_PULL_SECONDS = 8.0  # what else is looked at takes one or two: ten until `local up` picks the other engine


class DockerEngine:
    """One project's stack. options: what the flags of `local up` ask for."""

    name = "docker"
    runs_roles = True  # `supabase start`: SetupDatabase in internal/db/start/start.go of the CLI
    keeps_copies = False

    def __init__(self, settings: Settings, options: StartOptions | None = None) -> None:
        self.project = DockerProject(settings, options)
        self._start = Start(self.project)

    def check_startable(self, steps: Steps) -> str:
        """Why Docker can run the stack, in words. Raises what would stop it; nothing is changed."""
        self._start.check(steps, _PULL_SECONDS)
        return f"{self.project.daemon.product} answers ({self.project.daemon.version})"

    def up(
        self, migrate: Callable[[Filling], None], steps: Steps, content: Callable[[], Content | None] = lambda: None
    ) -> tuple[Access, bool]:
        """See Engine.up; called by one promthctl at a time: local_stack.up holds the project's lock."""
        self.project.records.make()
        with self.project.lock(self.project.name, steps):
            started = self._start.carry_out(steps)
        migrate(Filling(started.access, () if started.fresh else None))
        return started.access, started.changed

    def renew(
        self,
        fill: Callable[[Filling], None],
        steps: Steps,
        content: Content | None = None,
        done: str = "",
        bulk: bool = False,
    ) -> KeptCopy | None:
        """See Engine.renew. Nothing is kept: Docker cannot rename a volume.

        Not by `supabase db reset`, which leaves a database without schemas behind when it is killed: a start on an
        empty volume is finished by the next `local up`.
        """
        project = self.project
        with project.lock(project.name, steps):
            found = project.containers(project.name)
            ownership.check_name(project, project.name, found)
            stop_containers(project, project.name, found, steps)
            with answering(project.daemon), steps.step("Removing the database"):
                containers.remove_volumes(project.client, [services.volume_name(project.name)])
        self.up(fill, steps)
        return None

    def undo_renewal(self, steps: Steps) -> KeptCopy:
        raise UsageError(
            "There is no database to put back",
            "the Docker engine keeps no copy of a database that it replaces",
            "promthctl local status shows what is there now",
        )

    def kept(self) -> KeptCopy | None:
        return None

    def snapshots(self) -> tuple[Snapshot, ...]:
        raise _no_snapshots()

    def save_snapshot(self, name: str | None, reason: str, steps: Steps) -> Snapshot:
        raise _no_snapshots()

    def restore_snapshot(self, name: str, steps: Steps) -> KeptCopy | None:
        raise _no_snapshots()

    def remove_snapshot(self, name: str) -> Snapshot:
        raise _no_snapshots()

    def mail(self) -> tuple[Message, ...]:
        raise UsageError(
            "The Docker engine's messages are not here",
            "its Auth sends them to a mailbox of its own, the service mailpit",
            "promthctl local up --services all, which starts it, and promthctl local status, which shows its port",
        )

    def studio(self) -> str:
        access = self.access()
        if access is None or access.studio_url is None:
            raise UsageError(
                "Studio is not there", "it is not among the stack's services", "promthctl local up --services all"
            )
        return access.studio_url

    def down(self, purge: bool, steps: Steps) -> bool:
        """See Engine.down. A stack that was started under another project_id, changed since, is stopped too."""
        former = self.project.records.former_name(self.project.name)
        stopped = stop_stack(self.project, self.project.name, purge, steps)
        return (former is not None and stop_stack(self.project, former, purge, steps)) or stopped

    def has_data(self) -> bool:
        own = self.access() is not None  # otherwise volumes of that name may be another folder's
        former = self.project.records.former_name(self.project.name)
        names = [*([self.project.name] if own else []), *([former] if former else [])]
        with answering(self.project.daemon):
            return any(containers.volumes(self.project.client, name) for name in names)

    def status(self, measure: bool = False) -> Status:
        project = self.project
        known, found = project.records.load_stack(project.name), project.own_containers()
        access = known.access() if known else None
        with answering(project.daemon):
            parts = containers.services_of(project.client, found, known.services if known else (), measure)
        running = known is not None and access is not None and project.is_complete(known, found)
        return Status(
            self.name,
            running,
            access.api_url if access else None,
            access.studio_url if access and running else None,
            parts,
            _applied(access) if access and any(part.state == "running" for part in parts) else None,
        )

    def access(self) -> Access | None:
        known = self.project.records.load_stack(self.project.name)
        return known.access() if known else None

    def logs(self, service: str | None, part: LogPart) -> Iterator[tuple[str, str]]:
        project = self.project
        with answering(project.daemon):
            yield from logs.read_logs(project.client, project.own_containers(), project.records.logs, service, part)

    def has_containers(self) -> bool:
        """True when the project's stack is on Docker, whatever the record says; False without a daemon."""
        with contextlib.suppress(PromthctlError):
            return bool(self.project.own_containers())
        return False


def _applied(access: Access) -> tuple[str, ...] | None:
    with contextlib.suppress(TargetError):
        return tuple(database.fetch_history(local_target(access)))
    return None


def _no_snapshots() -> UsageError:
    return UsageError(
        "The Docker engine makes no snapshots",
        "its database is a Docker volume, which cannot be copied as a folder can",
        "promthctl local up --engine embedded, whose database can; it is another one than that on Docker",
    )
