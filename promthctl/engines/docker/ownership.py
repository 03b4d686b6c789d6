"""Whose a project's database on Docker is: an empty volume beside it bears the project's identity as labels.

The volumes of the Supabase CLI bear the project_id alone, which two clones of a repository share. A volume of ours
stays as long as theirs do: `docker system prune` takes networks and stopped containers, not them.

The identity is a random id that docker.json has, too, which is signed for this folder alone. Where both have one, they
alone decide: a copy at the path of a project that was moved has not got it. Where docker.json is lost, the folder that
made the database, by path and inode, may use it. Stacks of versions before that have the path alone on the label: it
decides as it did then, and their next start gives them an id.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.engines.docker import containers, network, preflight, services
from promthctl.engines.docker.containers import Container, is_there
from promthctl.engines.docker.daemon import answering
from promthctl.engines.docker.project import DockerProject
from promthctl.errors import PromthctlError, RefusedError

if TYPE_CHECKING:
    from docker import APIClient

_FOLDER, _ID, _INODE = "promthctl.folder", "promthctl.id", "promthctl.inode"


@dataclass(frozen=True)
class Owner:
    """folder: the .promthctl whose stack made the database. identity: its id, empty before there were any.

    inode: of the project's folder.
    """

    folder: str
    identity: str
    inode: str

    @property
    def project_dir(self) -> Path:
        return Path(self.folder).parent

    def is_at(self, project: DockerProject) -> bool:
        """Whether it is this very folder, as far as a folder can be known."""
        return (self.folder, self.inode) == (project.folder, _inode(self.project_dir))


def owner(client: APIClient, project: str) -> Owner | None:
    """None when it was not noted."""
    import docker.errors

    with contextlib.suppress(docker.errors.NotFound):
        labels = client.inspect_volume(network.name(project)).get("Labels") or {}
        if _FOLDER in labels:
            return Owner(labels[_FOLDER], labels.get(_ID, ""), labels.get(_INODE, ""))
    return None


def identity(project: DockerProject) -> str:
    """The id of a stack that is to be started, check_name being passed: its own, its database's, or a new one."""
    made_by = owner(project.client, project.name)
    return project.records.data_id() or (made_by.identity if made_by else "") or secrets.token_hex(16)


def claim(project: DockerProject, name: str, data_id: str) -> None:
    """Note that the database is this project's."""
    client, mine = project.client, Owner(project.folder, data_id, _inode(Path(project.folder).parent))
    if owner(client, name) != mine:
        release(client, name)
        labels = {network.LABEL: name, _FOLDER: mine.folder, _ID: mine.identity, _INODE: mine.inode}
        client.create_volume(network.name(name), labels=labels)


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
        if made_by is None or _may_use(project, name, made_by) or not containers.has_volume(project.client, name):
            return
    raise _other_database(name, made_by, project)


def check_purge(project: DockerProject, name: str, found: Collection[Container]) -> None:
    """Raise RefusedError when nothing says that the database is this folder's: its path may be another's now."""
    made_by, known = owner(project.client, name), project.records.load_stack(name)
    if made_by and made_by.identity:
        lost = not (known and known.data_id)
        if project.records.data_id() == made_by.identity or (lost and found and made_by.is_at(project)):
            return
    elif found or known:
        return
    if containers.has_volume(project.client, name) or containers.volumes(project.client, name):
        volume = services.volume_name(name)
        raise RefusedError(
            "The database on Docker was not removed",
            f"nothing says that the volume {volume} was made from this folder",
            f"docker volume rm {volume} removes it, whoever made it",
        )


def _may_use(project: DockerProject, name: str, made_by: Owner) -> bool:
    known = project.records.load_stack(name)
    if made_by.identity:
        if project.records.data_id() == made_by.identity:
            return True
        return not (known and known.data_id) and made_by.is_at(project)
    if made_by.folder == project.folder:
        return True
    # A folder that was moved took its record along; one that has lost it still has its database.
    return not (known is None and is_there(made_by.project_dir)) and not project.records.elsewhere(made_by.folder, name)


def _other_database(name: str, made_by: Owner, project: DockerProject) -> PromthctlError:
    folder = made_by.project_dir
    if made_by.folder != project.folder and is_there(folder) and made_by.inode in ("", _inode(folder)):
        fix = f"promthctl -C {shlex.quote(str(folder))} local down --purge removes it, or "
        return preflight.same_name(name, f"its database on Docker is that of {folder}", fix)
    why = f"its database on Docker was made in another folder, which was {folder} and was moved, copied or removed"
    fix = f"docker volume rm {network.name(name)} if it is this project's (that takes the mark away, not rows), or "
    return preflight.same_name(name, why, fix)


def _inode(folder: Path) -> str:
    """Empty for one that this user may not look at."""
    with contextlib.suppress(OSError):
        return str(folder.stat().st_ino)
    return ""
