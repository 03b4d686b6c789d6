"""Whose a project's database on Docker is: an empty volume beside it has the folder on a label.

The volumes of the Supabase CLI bear the project_id alone, which two clones of a repository share. A volume of ours
stays as long as theirs do: `docker system prune` takes networks and stopped containers, not them.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from promthctl.engines.docker import network

if TYPE_CHECKING:
    from docker import APIClient

_FOLDER = "promthctl.folder"


def owner(client: APIClient, project: str) -> str | None:
    """The .promthctl folder whose stack made the database, None when nobody noted it."""
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
