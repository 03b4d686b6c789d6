"""What would stop a start, found before anything is pulled. Each finding is an error with its fix."""

from __future__ import annotations

import contextlib
import io
import shlex
import shutil
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl.engines import ports
from promthctl.engines.docker import images, network, services
from promthctl.engines.docker.containers import PROJECT, Container
from promthctl.engines.docker.daemon import Daemon
from promthctl.engines.docker.images import Image
from promthctl.errors import PrerequisiteError, PromthctlError, RefusedError
from promthctl.quantities import size

if TYPE_CHECKING:
    from docker import APIClient

_INSTEAD = "or: promthctl local up --engine embedded"
_LESS = "start less: promthctl local up --services db,rest,auth"
_DATA = "/var/lib/postgresql/data"


def same_name(project: str, why: str, fix: str = "") -> RefusedError:
    return RefusedError(
        f"Another project has the name {project} on Docker",
        why,
        f"{fix}give this one another name: SUPABASE_PROJECT_ID in .env, or project_id in supabase/config.toml",
    )


def check_space(client: APIClient, daemon: Daemon, missing: Sequence[Image]) -> None:
    """Raise when the disk Docker works on has no room for the images. A disk of another machine cannot be looked at."""
    root = Path(str(client.info().get("DockerRootDir", "")))
    free = None
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(root).free
    needed = images.disk_needed(missing)
    if free is not None and free < needed:
        raise PrerequisiteError(
            "Docker has too little disk space",
            f"{daemon.product} has {size(free)} free in {root}, the images need about {size(needed)}",
            f"docker system prune -a frees what is not used, or {_LESS}; {_INSTEAD}",
        )


def check_memory(client: APIClient, daemon: Daemon, names: Iterable[str]) -> None:
    total = int(client.info().get("MemTotal") or 0)
    needed = sum(services.SERVICES[name].memory for name in names) * 1_000_000
    if 0 < total < needed:
        raise PrerequisiteError(
            "Docker has too little memory",
            f"{daemon.product} has {size(total)} of memory, the services need about {size(needed)}",
            f"give it more (Docker Desktop: Settings, Resources), or {_LESS}; {_INSTEAD}",
        )


def check_ports(wanted: Mapping[str, int], address: str, own: Collection[str], running: Iterable[Container]) -> None:
    """Raise when a port is taken, naming the project or the program.

    wanted: by service. own: the ids of containers that give way. running: on this machine.
    """
    if not ports.usable(0, address=address):
        why = "the ports are to be published on it, as --bind says"
        fix = f"promthctl local up --bind {network.LOOPBACK}, or an address that `ip address` shows"
        raise PromthctlError(f"{address} is not an address of this machine", why, fix)
    holders = {port: container for container in running for _, port in container.published}
    for name, port in wanted.items():
        holder = holders.get(port)
        if holder is not None and holder.id in own:
            continue
        hint = f"promthctl local up {'--db-port' if name == 'db' else '--api-port'} 0 picks a free one"
        if holder is not None:
            whose = f"the project {holder.project}" if holder.project else f"the container {holder.name}"
            where = f" of {holder.workdir}" if holder.workdir else ""
            raise PromthctlError(
                f"Port {port}, wanted for the {services.title(name)}, is taken",
                f"{whose}{where} has it on Docker",
                f"{stop_command(holder)}, or {hint}",
            )
        ports.check_free(services.title(name), port, f"stop that program, or: {hint}", address=address)


def check_volume(client: APIClient, project: str, image: str, major: int) -> None:
    """Raise when the database's volume was made by another PostgreSQL version. image: any that is here."""
    volume = services.volume_name(project)
    found = _volume_major(client, project, image)
    if found is not None and found != major:
        raise PromthctlError(
            f"The database on Docker was made by PostgreSQL {found}",
            f"supabase/config.toml asks for {major}, which cannot read the volume {volume}",
            f"set [db] major_version = {found} in supabase/config.toml; or lose its rows: docker volume rm {volume}",
        )


def exposure(daemon: Daemon, bind: str, found: Iterable[Container]) -> Iterator[str]:
    """What to warn of when others can reach the stack: its keys and its password are the published defaults."""
    addresses = {address for container in found for address, _ in container.published if ":" not in address}
    if bind != network.LOOPBACK:
        yield f"Anyone who reaches {bind} can use this stack: its keys and password are Supabase's published defaults."
    elif addresses - {network.LOOPBACK}:
        yield f"{daemon.product} publishes the stack on {', '.join(sorted(addresses))}, not on this machine alone."


def _volume_major(client: APIClient, project: str, image: str) -> int | None:
    """The PostgreSQL version of the data on a volume, None when there are none. Nothing runs: a file is copied out."""
    import docker.errors

    mount = client.create_host_config(binds=[f"{services.volume_name(project)}:{_DATA}:ro"])
    labels = {PROJECT: project}  # so that `local down` finds it when we are killed before it is removed
    made: dict[str, Any] = client.create_container(image, command=["true"], host_config=mount, labels=labels)
    try:
        chunks, _ = client.get_archive(made["Id"], f"{_DATA}/PG_VERSION")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            file = archive.extractfile("PG_VERSION")
            return int(file.read().decode().split(".")[0]) if file else None
    except (docker.errors.NotFound, tarfile.TarError, KeyError, ValueError):
        return None
    finally:
        client.remove_container(made["Id"], force=True)


def stop_command(container: Container) -> str:
    """The command that stops what a container belongs to."""
    with contextlib.suppress(OSError):  # a folder where only its owner may look
        if container.workdir and (Path(container.workdir) / ".promthctl").is_dir():
            return f"promthctl -C {shlex.quote(container.workdir)} local down"
    if container.project:
        return f"supabase stop --project-id {container.project}"
    return f"docker stop {container.name}"
