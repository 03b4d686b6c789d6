"""Whose a project's database on Docker is: an empty volume beside it has the folder on a label.

The volumes of the Supabase CLI bear the project_id alone, which two clones of a repository share. A volume of ours
stays as long as theirs do: `docker system prune` takes networks and stopped containers, not them.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.engines.docker import containers, network, preflight, services
from promthctl.engines.docker.containers import Container, is_there
from promthctl.engines.docker.daemon import answering
from promthctl.engines.docker.project import DockerProject
from promthctl.errors import RefusedError

if TYPE_CHECKING:
    from docker import APIClient

_FOLDER = "promthctl.folder"


def owner(client: APIClient, project: str) -> str | None:
    """The .promthctl folder whose stack made the database, None when it was not noted."""
    import docker.errors

    with contextlib.suppress(docker.errors.NotFound):
        return (client.inspect_volume(network.name(project)).get("Labels") or {}).get(_FOLDER)
    return None


def claim(client: APIClient, project: str, folder: str) -> None:
    """Note that the database is that of `folder`."""
    if owner(client, project) != folder:
        release(client, project)
        client.create_volume(network.name(project), labels={network.LABEL: project, _FOLDER: folder})


def release(client: APIClient, project: str) -> None:
    import docker.errors

    with contextlib.suppress(docker.errors.NotFound):
        client.remove_volume(network.name(project), force=True)


def check_name(project: DockerProject, name: str, found: Collection[Container]) -> None:
    """Raise RefusedError when another folder's project has this name: they would share a database."""
    if original := project.records.original(name):
        raise preflight.same_name(name, f"{original} has it, and this folder came with a copy of its record")
    foreign = next((one for one in found if one.foreign(project.settings.project_dir)), None)
    if foreign:
        where = f"its stack was started from {foreign.workdir}"
        raise preflight.same_name(name, where, f"{preflight.stop_command(foreign)}, or ")
    with answering(project.daemon):
        made_by = owner(project.client, name)
        if made_by is None or made_by == project.folder or not containers.has_volume(project.client, name):
            return
    # A folder that was moved took its record along; one that has lost it still has its database.
    lost = project.records.load_stack(name) is None and is_there(Path(made_by).parent)
    if lost or project.records.elsewhere(made_by, name):
        folder = Path(made_by).parent
        fix = f"promthctl -C {shlex.quote(str(folder))} local down --purge removes it, or "
        raise preflight.same_name(name, f"its database on Docker is that of {folder}", fix)


def check_purge(project: DockerProject, name: str, found: Collection[Container]) -> None:
    """Raise RefusedError when nothing says that the database is this folder's: its path may be another's now."""
    marked = project.records.former_name(name) and owner(project.client, name) == project.folder
    if found or project.records.load_stack(name) or marked:
        return
    if containers.has_volume(project.client, name):
        volume = services.volume_name(name)
        raise RefusedError(
            "The database on Docker was not removed",
            f"nothing says that the volume {volume} was made from this folder",
            f"docker volume rm {volume} removes it, whoever made it",
        )
