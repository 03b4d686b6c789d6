"""What the services write: their containers' logs, and what was kept of one that failed to start."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.engines.docker import containers
from promthctl.engines.docker.containers import Container
from promthctl.engines.docker.services import SERVICES
from promthctl.engines.engine import LogPart
from promthctl.errors import PromthctlError, UsageError

if TYPE_CHECKING:
    from docker import APIClient


def read_logs(
    client: APIClient, found: Sequence[Container], folder: Path, service: str | None, part: LogPart
) -> Iterator[tuple[str, str]]:
    """(service, line) pairs. folder: .promthctl/logs. Raises UsageError for an unknown service."""
    if service is not None and service not in SERVICES:
        raise UsageError(
            f"There is no service {service!r}", f"the Docker engine has {', '.join(SERVICES)}", "promthctl local logs"
        )
    named = {one.service: one for one in found if one.service and service in (None, one.service)}
    chosen = [(name, named[name]) for name in SERVICES if name in named]
    if service is not None and not chosen:
        yield from ((service, line) for line in _kept(folder, service))
    elif part.follow:
        yield from _together(client, chosen, part)
    else:
        for name, container in chosen:
            yield from ((name, line) for line in _lines(client, container, part))


def _lines(client: APIClient, container: Container, part: LogPart) -> Iterator[str]:
    return containers.log_lines(client, container, last=part.tail, since=part.since, follow=part.follow)


def _kept(folder: Path, service: str) -> list[str]:
    try:
        return (folder / f"{service}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        raise PromthctlError(
            f"The service {service} has no log",
            "it has no container: it does not run, or is not among the services that were started",
            "promthctl local status shows what was started; promthctl local up --services LIST chooses",
        ) from None


def _together(client: APIClient, chosen: Sequence[tuple[str, Container]], part: LogPart) -> Iterator[tuple[str, str]]:
    """The lines of all as they come, until every container has ended."""
    lines: queue.SimpleQueue[tuple[str, str] | Exception | None] = queue.SimpleQueue()

    def relay(name: str, container: Container) -> None:
        try:
            for line in _lines(client, container, part):
                lines.put((name, line))
            lines.put(None)
        except Exception as error:  # for the one who reads the lines
            lines.put(error)

    for name, container in chosen:
        threading.Thread(target=relay, args=(name, container), daemon=True).start()
    left = len(chosen)
    while left:
        if (line := lines.get()) is None:
            left -= 1
        elif isinstance(line, Exception):
            raise line
        else:
            yield line
