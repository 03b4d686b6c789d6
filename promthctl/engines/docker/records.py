"""What the Docker engine remembers of a project: docker.json in .promthctl/ (0600).

Written before anything starts and completed when everything runs, so that a start that was killed is recognised. When
it is lost, containers and volumes are found again by the project's name, and the keys come from the next start.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from promthctl.engines.docker.services import SERVICES
from promthctl.engines.engine import Access
from promthctl.redact import remember
from promthctl.state import StateDir

RECORD = "docker.json"


@dataclass(frozen=True)
class DockerStack:
    """A project's stack as it was started last.

    project: as in the containers' names. folder: the .promthctl it was written in. services: those that were chosen.
    ports: by service. bind: the address they are published on. major: the database's PostgreSQL version. asked: the
    value of --services, None when it was never given. started: the services that came up, empty until all of them
    have. data_id: what the database bears (see ownership), empty in a record of a version before that. unfinished: the
    database was begun on an empty volume and is not complete yet. Keys and URLs: as the CLI prints them, empty before
    the first start succeeded.
    """

    project: str
    folder: str
    services: tuple[str, ...]
    ports: dict[str, int]
    bind: str
    major: int
    asked: str | None = None
    started: tuple[str, ...] = ()
    data_id: str = ""
    unfinished: bool = False
    api_url: str = ""
    db_url: str = field(default="", repr=False)
    anon_key: str = field(default="", repr=False)
    service_role_key: str = field(default="", repr=False)
    studio_url: str | None = None

    def __post_init__(self) -> None:
        for secret in (self.anon_key, self.service_role_key):
            remember(secret)

    def access(self) -> Access | None:
        if not self.api_url:
            return None
        return Access(self.api_url, self.db_url, self.anon_key, self.service_role_key, self.studio_url)

    def completed(self, values: Mapping[str, Any], started: Sequence[str]) -> DockerStack:
        """With the URLs and keys that `supabase start` prints. started: the services that have a container."""
        host = "127.0.0.1" if self.bind in ("127.0.0.1", "0.0.0.0") else self.bind  # noqa: S104
        return replace(
            self,
            started=tuple(started),
            unfinished=False,
            api_url=str(values.get("API_URL") or f"http://{host}:{self.ports['gateway']}"),
            db_url=str(values["DB_URL"]),
            anon_key=str(values.get("ANON_KEY", "")),
            service_role_key=str(values.get("SERVICE_ROLE_KEY", "")),
            studio_url=values.get("STUDIO_URL"),
        )

    def starts_like(self, other: DockerStack) -> bool:
        """True when both would be started the same way."""
        return (self.project, self.services, self.ports, self.bind, self.major) == (
            other.project,
            other.services,
            other.ports,
            other.bind,
            other.major,
        )


class DockerRecords(StateDir):
    """The record of the Docker engine."""

    def load_stack(self, project: str) -> DockerStack | None:
        """The project's record, None when there is none, it is damaged, or it came with a copied folder."""
        stack = self._read()
        return stack if stack is not None and stack.project == project and not self.original(project) else None

    def data_id(self) -> str:
        """What this folder's databases bear, under this name or a former one; empty when no record of its own tells."""
        stack = self._read()
        return stack.data_id if stack is not None and not self.original(stack.project) else ""

    def former_name(self, project: str) -> str | None:
        """The name this folder's stack was started under, None when that is the project's, or it came with a copy."""
        stack = self._read()
        if stack is None or stack.project == project or self.original(stack.project):
            return None
        return stack.project

    def original(self, project: str) -> Path | None:
        """The project folder this one was copied from, if it is still there and both have that name on Docker."""
        stack = self._read()
        return self.elsewhere(stack.folder, project) if stack is not None and stack.project == project else None

    def elsewhere(self, folder: str, project: str) -> Path | None:
        """The project folder of another .promthctl, if that has a record of this project too."""
        if os.path.realpath(folder) == os.path.realpath(self.path):
            return None
        other = DockerRecords(Path(folder))._read()
        return Path(folder).parent if other is not None and other.project == project else None

    def save_stack(self, stack: DockerStack) -> None:
        self.write(RECORD, asdict(stack))

    def _read(self) -> DockerStack | None:
        with contextlib.suppress(TypeError, ValueError, KeyError):
            return _parse(self.read(RECORD))
        return None


def _parse(record: dict[str, Any]) -> DockerStack | None:
    stack = DockerStack(**(record | {name: tuple(record[name]) for name in ("services", "started")}))
    texts = (stack.project, stack.folder, stack.data_id, stack.bind, stack.api_url, stack.db_url, stack.anon_key)
    valid = (
        all(isinstance(text, str) for text in (*texts, stack.service_role_key))
        and {*stack.services, *stack.started} <= SERVICES.keys()
        and isinstance(stack.ports, dict)
        and all(name in SERVICES and type(port) is int and 0 < port < 65536 for name, port in stack.ports.items())
        and type(stack.major) is int
        and isinstance(stack.asked, str | None)
    )
    return stack if valid and stack.project else None
