"""Fixtures of the Docker engine's tests: the daemon, the stand-in images, projects that leave nothing behind."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import docker
import pytest
from docker.errors import DockerException

from promthctl.toolchain import Toolchain
from tests.docker import images
from tests.docker.project import DockerProject
from tests.servers import Stack

REQUIRED = "PROMTHCTL_REQUIRE_DOCKER"


def unavailable(why: str) -> NoReturn:
    """Skip, or fail where these tests have to run."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{why} ({REQUIRED}=1)", pytrace=False)
    pytest.skip(why)


@pytest.fixture(scope="session")
def daemon() -> Iterator[docker.DockerClient]:
    """The real daemon's client."""
    if not sys.platform.startswith("linux"):
        unavailable("the stand-in images are made of this machine's own files: Linux only")
    if not shutil.which("docker"):
        unavailable("there is no docker program, which the Supabase CLI calls")
    try:
        client = docker.from_env(timeout=120)
        client.ping()
    except DockerException:
        unavailable(f"no Docker daemon answers at {os.environ.get('DOCKER_HOST', 'the usual socket')}")
    yield client
    client.close()


@pytest.fixture(scope="session", autouse=True)
def stand_in(daemon: docker.DockerClient, tools: Toolchain) -> Iterator[str]:
    """The stand-in image's id; the official names are on it while the tests run."""
    if official := images.official(daemon, tools):
        unavailable(
            f"the stand-ins would take the place of {official[0]}: remove it, or use another daemon (DOCKER_HOST)"
        )
    with images.named(daemon, tools) as image:
        yield image


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, daemon: docker.DockerClient, stand_in: str) -> Iterator[Stack]:
    """One stack for all tests that leave it as they found it, or work with users of their own."""
    project = DockerProject.make(tmp_path_factory.mktemp("docker") / "stack", daemon)
    try:
        project.up("--offline")  # every image is there
        yield Stack(project, project.env())
    finally:
        project.dispose()


@pytest.fixture(scope="module")
def life(
    tmp_path_factory: pytest.TempPathFactory, daemon: docker.DockerClient, stand_in: str
) -> Iterator[DockerProject]:
    """A project for a module's tests that leave its stack in any state."""
    project = DockerProject.make(tmp_path_factory.mktemp("docker") / "life", daemon)
    try:
        yield project
    finally:
        project.dispose()


@pytest.fixture
def make_project(tmp_path: Path, daemon: docker.DockerClient, stand_in: str) -> Iterator[Callable[..., DockerProject]]:
    """Makes project folders; whatever runs in them is stopped when the test ends, also when it fails."""
    with ExitStack() as projects:

        def make(name: str = "project", **extra: str) -> DockerProject:
            project = DockerProject.make(tmp_path / name, daemon, **extra)
            projects.callback(project.dispose)
            return project

        yield make


@pytest.fixture
def project(make_project: Callable[..., DockerProject]) -> DockerProject:
    return make_project()
