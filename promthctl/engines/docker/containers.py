"""The containers and volumes of one project's stack, as the daemon reports them."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl.engines import engine
from promthctl.engines.docker import services

if TYPE_CHECKING:
    from docker import APIClient

PROJECT = "com.supabase.cli.project"  # the labels the Supabase CLI gives
WORKDIR = "com.supabase.cli.workdir"
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
_EXIT = re.compile(r"^(?:Exited|Restarting) \((\d+)\)")
_STOP_SECONDS = {"db": 10}  # it has rows to write; the others have nothing to lose


@dataclass(frozen=True)
class Container:
    """service: our name for it, None for one of the CLI's jobs. state: as the daemon says (running, exited,
    restarting, created …). health: healthy, unhealthy, starting, None without a check. exit_code: of one that ended.
    published: its ports on this machine with their addresses. workdir: the project folder it was started from.
    """

    id: str
    name: str
    project: str
    service: str | None
    state: str
    health: str | None
    exit_code: int | None
    published: tuple[tuple[str, int], ...]
    networks: tuple[str, ...]
    workdir: str

    @property
    def works(self) -> bool:
        return self.state == "running" and self.health != "unhealthy"

    @property
    def ready(self) -> bool:
        return self.state == "running" and self.health in (None, "healthy")

    def foreign(self, folder: Path) -> bool:
        """True when it was started from another folder that is still there: of one that was moved it is not."""
        other = self.workdir
        return bool(other) and os.path.realpath(other) != os.path.realpath(folder) and is_there(Path(other))


def is_there(folder: Path) -> bool:
    """Whether a folder exists, as far as this user may know: True where only its owner may look."""
    try:
        return stat.S_ISDIR(folder.stat().st_mode)
    except PermissionError:
        return True
    except OSError:
        return False


def everyone(client: APIClient) -> tuple[Container, ...]:
    """Every container of this machine that runs."""
    return tuple(_container(found) for found in client.containers())


def of_project(client: APIClient, project: str) -> tuple[Container, ...]:
    """The project's containers, those that ended too."""
    found = client.containers(all=True, filters={"label": f"{PROJECT}={project}"})
    return tuple(_container(one) for one in found)


def volumes(client: APIClient, project: str) -> tuple[str, ...]:
    found = client.volumes(filters={"label": f"{PROJECT}={project}"}).get("Volumes") or ()
    return tuple(str(volume["Name"]) for volume in found)


def has_volume(client: APIClient, project: str) -> bool:
    """True when the project has a database, finished or not."""
    name = services.volume_name(project)
    return any(found["Name"] == name for found in client.volumes(filters={"name": name}).get("Volumes") or ())


def remove(client: APIClient, containers: Iterable[Container]) -> None:
    """Stop them together and remove them; their volumes stay."""
    found = list(containers)
    with ThreadPoolExecutor(max(1, len(found))) as pool:
        list(pool.map(lambda container: _remove(client, container), found))


def remove_volumes(client: APIClient, names: Iterable[str]) -> None:
    import docker.errors

    for name in names:
        with contextlib.suppress(docker.errors.NotFound):
            client.remove_volume(name, force=True)


def services_of(
    client: APIClient, containers: Iterable[Container], expected: Iterable[str], measure: bool
) -> tuple[engine.Service, ...]:
    """The services for `local status`, in the order of the table.

    expected: those to show also where they have no container. measure: with the memory, a second for all of them.
    """
    named = {container.service: container for container in containers if container.service}
    names = [name for name in services.SERVICES if name in named or name in set(expected)]

    def service(name: str) -> engine.Service:
        return _service(client, named[name], measure) if name in named else engine.Service(name, "stopped")

    with ThreadPoolExecutor(max(1, len(names))) as pool:
        return tuple(pool.map(service, names))


def log_lines(
    client: APIClient,
    container: Container,
    *,
    last: int | None = None,
    since: float | None = None,
    follow: bool = False,
) -> Iterator[str]:
    """The lines a container wrote, oldest first; with `follow` it goes on until the container ends.

    last: at most that many. since: seconds since the epoch.
    """
    rest = b""
    tail: Any = "all" if last is None else last
    for chunk in client.logs(container.id, True, True, stream=True, follow=follow, tail=tail, since=since):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")


def _container(found: dict[str, Any]) -> Container:
    labels, status = found.get("Labels") or {}, str(found.get("Status", ""))
    name = str((found.get("Names") or ["/"])[0]).lstrip("/")
    project = labels.get(PROJECT, "")
    health, ended = _HEALTH.search(status), _EXIT.match(status)
    return Container(
        id=found["Id"],
        name=name,
        project=project,
        service=services.of_container(name, project),
        state=str(found.get("State", "")),
        health=health[1] if health else None,
        exit_code=int(ended[1]) if ended else None,
        published=tuple(
            (port.get("IP", ""), int(port["PublicPort"])) for port in found.get("Ports") or () if port.get("PublicPort")
        ),
        networks=tuple((found.get("NetworkSettings") or {}).get("Networks") or ()),
        workdir=labels.get(WORKDIR, ""),
    )


def _remove(client: APIClient, container: Container) -> None:
    import docker.errors

    with contextlib.suppress(docker.errors.NotFound):  # another process removed it first
        client.stop(container.id, timeout=_STOP_SECONDS.get(str(container.service), 3))
        client.remove_container(container.id, force=True)


def _service(client: APIClient, container: Container, measure: bool) -> engine.Service:
    running = container.state == "running"
    waiting = container.state in ("restarting", "created") or container.health == "starting"
    return engine.Service(
        str(container.service),
        "starting" if waiting else "running" if running else "stopped",
        container=container.name,
        port=container.published[0][1] if container.published else None,
        health=container.health if running else None,
        uptime=_uptime(client, container) if running else None,
        memory=_memory(client, container) if running and measure else None,
        exit_code=container.exit_code,
    )


def started_at(details: Mapping[str, Any]) -> float | None:
    """When a container started last, in seconds since the epoch. details: as the daemon describes it."""
    with contextlib.suppress(KeyError, ValueError):  # 2026-11-23T09:15:23.123456789Z
        return datetime.fromisoformat(str(details["State"]["StartedAt"]).rstrip("Z")[:26] + "+00:00").timestamp()
    return None


def _uptime(client: APIClient, container: Container) -> int | None:
    started = started_at(client.inspect_container(container.id))
    return None if started is None else max(0, round(time.time() - started))


def _memory(client: APIClient, container: Container) -> int | None:
    """What `docker stats` shows: the usage without the file cache, which the kernel gives back when it must."""
    with contextlib.suppress(KeyError, TypeError):
        memory = client.stats(container.id, stream=False, one_shot=True)["memory_stats"]
        details = memory.get("stats", {})
        cache = details.get("total_inactive_file", details.get("inactive_file", 0))  # cgroup v1, v2
        return int(memory["usage"]) - int(cache)
    return None
