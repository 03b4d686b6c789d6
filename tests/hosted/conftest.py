"""A cloud with one project, a folder that reaches it, and both lines of the Supabase CLI."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.locks import locked
from promthctl.steps import Silent
from promthctl.toolchain import node as nodejs
from tests.hosted.cloud import Cloud, CloudProject, running_cloud
from tests.promthctl_runner import Project
from tests.servers import Server
from tests.workers import shared_by_workers

MIGRATIONS = {
    "001_a.sql": "create table public.a (id int primary key);",
    "002_b.sql": "create table public.b (id int);",
}


@pytest.fixture(scope="session")
def supabase_v2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Supabase CLI of the line before the pinned one, installed once for all workers."""
    folder = shared_by_workers(tmp_path_factory) / "supabase-v2"
    with locked(folder.with_suffix(".lock"), Silent(), "installing the Supabase CLI 2"):
        if not folder.exists():
            _install_v2(folder)
    (binary,) = folder.glob("node_modules/@supabase/cli-*/bin/supabase")
    return binary


def _install_v2(folder: Path) -> None:
    """In a folder that gets its name when all is there: a worker may be killed at it."""
    here = settings.load(Path())
    node = nodejs.find_node(here)
    staging = folder.with_suffix(".new")
    shutil.rmtree(staging, ignore_errors=True)
    shutil.copytree(Path(__file__).parent / "v2", staging)
    # Not `npm ci`: it refuses a lock that lacks another platform's CLI, as npm writes it on one platform.
    install = [*node.npm, "install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund"]
    env = here.child_env(PATH=f"{node.node.parent}:{here.env['PATH']}")
    subprocess.run(install, cwd=staging, check=True, capture_output=True, env=env)
    staging.rename(folder)


@pytest.fixture(params=["v3", "v2"])
def line(request: pytest.FixtureRequest) -> str:
    """Each line of the Supabase CLI, as --supabase-cli takes it."""
    return "pinned" if request.param == "v3" else str(request.getfixturevalue("supabase_v2"))


@pytest.fixture
def cloud(server: Server) -> Iterator[Cloud]:
    with running_cloud(server) as started:
        yield started


@pytest.fixture
def hosted(cloud: Cloud, database_url: str) -> CloudProject:
    """The cloud's project Shop, whose pooler is the fresh database."""
    return cloud.add(database_url)


@pytest.fixture
def shop(
    make_project: Callable[..., Project], cloud: Cloud, hosted: CloudProject, server: Server, tmp_path: Path
) -> Project:
    """A project folder set up for the hosted project."""
    project = make_project(**cloud.environment(tmp_path, server.password))
    (project.path / "sql").mkdir()
    for name, text in MIGRATIONS.items():
        (project.path / "sql" / name).write_text(text)
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    return project
