"""Stopping the stack, and removing its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promthctl.engines.docker import containers, network, ownership, services
from promthctl.engines.docker.containers import Container
from promthctl.engines.docker.daemon import answering
from promthctl.engines.docker.project import DockerProject
from promthctl.engines.docker.records import RECORD
from promthctl.errors import PromthctlError
from promthctl.steps import Steps
from promthctl.supabase_cli.local_stack import LocalStackError

if TYPE_CHECKING:
    from docker import APIClient


def stop_stack(project: DockerProject, name: str, purge: bool, steps: Steps) -> bool:
    """Stop the stack that has that name on Docker, with the name's lock held. False when nothing ran."""
    with project.lock(name, steps):
        found = project.containers(name)
        if found or purge:
            ownership.check_name(project, name, found)
        if purge:
            with answering(project.daemon):
                ownership.check_purge(project, name, found)
        if found:
            stop_containers(project, name, found, steps)
        if purge:
            with answering(project.daemon), steps.step("Removing the volumes"):
                _remove_data(project, name)
        return any(container.state == "running" for container in found)


def stop_former_stack(project: DockerProject, steps: Steps) -> None:
    """Stop this folder's stack of another project_id; its data stays."""
    former = project.records.former_name(project.name)
    runs = former and any(one.project == former for one in project.own_containers())
    if former and runs and stop_stack(project, former, purge=False, steps=steps):
        volume = services.volume_name(former)
        steps.note(f"This project was {former} on Docker: that stack is stopped, its data stays in {volume}.")


def stop_containers(project: DockerProject, name: str, found: tuple[Container, ...], steps: Steps) -> None:
    """By the Supabase CLI, which also removes its networks; by ourselves when it fails."""
    with steps.step("Stopping the stack"):
        try:
            project.cli(None, steps).stop(name)
        except LocalStackError:
            containers.remove(project.client, found)


def check_gone(client: APIClient, name: str) -> None:
    """Raise PromthctlError where the daemon still has a container or a volume of the stack."""
    there = [one.name for one in containers.of_project(client, name) if one.state != "removing"]
    volumes = {*containers.volumes(client, name)}
    if containers.has_volume(client, name):
        volumes.add(services.volume_name(name))
    if there or volumes:
        left = [*(f"the container {one}" for one in there), *(f"the volume {one}" for one in sorted(volumes))]
        commands = [f"docker rm -f {' '.join(there)}"] if there else []
        commands += [f"docker volume rm {' '.join(sorted(volumes))}"] if volumes else []
        raise PromthctlError(
            f"The stack {name} is not all gone",
            f"it was removed, and Docker still has {', '.join(left)}",
            " && ".join([*commands, "promthctl local down --purge"]),
        )


def _remove_data(project: DockerProject, name: str) -> None:
    volumes = (services.volume_name(name), *containers.volumes(project.client, name))
    containers.remove_volumes(project.client, volumes)
    check_gone(project.client, name)  # before the record goes, without which nobody may try again
    ownership.release(project.client, name)
    for file in ("dev-user.json", *(() if project.records.former_name(name) else (RECORD,))):
        (project.records.path / file).unlink(missing_ok=True)
    network.remove(project.client, name)
