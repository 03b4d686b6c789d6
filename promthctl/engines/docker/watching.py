"""Watching the containers while `supabase start` waits for them: shown as they come, given up when one cannot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl import process
from promthctl.engines.docker import containers, diagnosis
from promthctl.engines.docker.containers import Container
from promthctl.engines.docker.daemon import Daemon, answering
from promthctl.engines.docker.services import SERVICES

if TYPE_CHECKING:
    from docker import APIClient

_RESTARTS = 5  # some services end and come again while the database gets ready
_KEPT_LINES = 1000


class Watch:
    """Called again and again while the stack starts. Raises PromthctlError when a service cannot come up."""

    def __init__(
        self, client: APIClient, daemon: Daemon, project: str, logs: Path, update: Callable[[str], None]
    ) -> None:
        self.client, self.daemon, self.project, self.logs, self.update = client, daemon, project, logs, update
        self._restarts: dict[str, int] = {}  # by container
        self._codes: dict[str, int] = {}  # how each ended last: a container that runs again does not know

    def __call__(self) -> None:
        import docker.errors

        with answering(self.daemon), contextlib.suppress(docker.errors.NotFound):  # the CLI has just removed one
            found = [one for one in containers.of_project(self.client, self.project) if one.service]
            for one in found:
                self._note(one)
            self.update("  ".join(self._words(one) for one in sorted(found, key=_order)))
            for one in found:
                if self._fails(one):
                    raise self._failure(one).error()

    def _note(self, container: Container) -> None:
        if container.exit_code:
            self._codes[container.id] = container.exit_code
        if container.state == "restarting":
            details = self.client.inspect_container(container.id)
            self._restarts[container.id] = int(details.get("RestartCount", 0))

    def _fails(self, container: Container) -> bool:
        restarts = self._restarts.get(container.id, 0)
        ended = container.state in ("exited", "dead") and bool(container.exit_code)
        # While it restarts its health means nothing.
        return ended or restarts >= _RESTARTS or (container.health == "unhealthy" and not restarts)

    def _failure(self, container: Container) -> diagnosis.Failure:
        """Why it fails. Its log is kept in .promthctl/logs, for the container is about to go."""
        service = str(container.service)
        details = self.client.inspect_container(container.id)
        lines = list(containers.log_lines(self.client, container, last=_KEPT_LINES))
        process.write_private(self.logs / f"{service}.log", "\n".join([*lines, ""]))
        since = containers.started_at(details)  # of its last attempt
        last = list(containers.log_lines(self.client, container, since=since)) if since else []
        return diagnosis.of_state(service, details, self._codes.get(container.id), last or lines)

    def _words(self, container: Container) -> str:
        restarts, code = self._restarts.get(container.id, 0), self._codes.get(container.id)
        if restarts:
            return f"{container.service} ✘ exit code {code}, {restarts} restarts"
        if container.health == "unhealthy" or container.state in ("exited", "dead"):
            return f"{container.service} ✘ {container.health or container.state}"
        return f"{container.service} {'✔' if container.ready else '…'}"


def _order(container: Container) -> int:
    return list(SERVICES).index(str(container.service))
