"""A database on Docker belongs to the folder whose record has its id; a copy at the same path removes and uses nothing.

The daemon is a stand-in that keeps volumes; the SDK's real client and the commands talk to it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.engines.choosing import record_engine
from promthctl.engines.docker import ownership
from promthctl.engines.docker.project import DockerProject
from promthctl.engines.docker.records import DockerStack
from promthctl.errors import RefusedError
from tests.promthctl_runner import Project
from tests.unit.docker_daemon import FakeDaemon, serving

NAME = "shared"
DATA, MARK = f"supabase_db_{NAME}", f"promthctl_{NAME}"
PURGE = ("local", "down", "--purge", "--yes")


@dataclass
class Scene:
    """A daemon, and folders whose projects have the same name on Docker."""

    daemon: FakeDaemon
    root: Path
    monkeypatch: pytest.MonkeyPatch

    def folder(self, name: str) -> DockerProject:
        return DockerProject(settings.load(self.root / name))

    def make(self, name: str) -> DockerProject:
        path = self.root / name
        (path / "supabase").mkdir(parents=True)
        (path / "supabase" / "config.toml").write_text(f'project_id = "{NAME}"\n')
        return self.folder(name)

    def started(self, name: str, data_id: str | None = None) -> None:
        """As a start leaves it, without the containers."""
        project = self.folder(name)
        known = project.records.load_stack(NAME)
        ownership.check_name(project, NAME, ())
        identity = ownership.identity(project) if data_id is None else data_id
        ownership.claim(project, NAME, identity)
        self.daemon.volumes.setdefault(DATA, {"com.supabase.cli.project": NAME})
        project.records.make()
        record_engine(project.settings, "docker")
        stack = known or DockerStack(NAME, project.folder, ("db",), {"db": 54322}, "127.0.0.1", 17)
        project.records.save_stack(replace(stack, folder=project.folder, data_id=identity))

    def run(self, name: str, *words: str, code: int | None = None) -> str:
        project = Project(self.root / name, {"DOCKER_HOST": self.daemon.url, "PROMTHCTL_ENGINE": "docker"})
        return project.run(*words, code=code).stderr


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with serving({"/containers/json": [], "/networks": []}) as daemon:
        monkeypatch.setenv("DOCKER_HOST", daemon.url)
        daemon.volumes["somebody's"] = {}
        yield Scene(daemon, tmp_path, monkeypatch)


def test_purging_a_copy_leaves_the_original_that_was_moved(scene: Scene) -> None:
    """`cp -a a b; mv a c`, then the copy also at the path of the original."""
    scene.make("a")
    scene.started("a")
    volumes = dict(scene.daemon.volumes)
    shutil.copytree(scene.root / "a", scene.root / "b")
    (scene.root / "a").rename(scene.root / "c")
    for place in ("b", "a"):
        if place == "a":
            (scene.root / "b").rename(scene.root / "a")
        told = scene.run(place, *PURGE, code=5)
        assert "docker volume rm promthctl_shared" in told, told
        assert scene.daemon.volumes == volumes
        with pytest.raises(RefusedError, match="Another project has the name"):
            scene.started(place)
    scene.started("c")  # it knows its own, and says where it is now
    assert scene.daemon.volumes[MARK]["promthctl.folder"] == str(scene.root / "c" / ".promthctl")
    scene.run("c", *PURGE, code=0)
    assert list(scene.daemon.volumes) == ["somebody's"]


def test_the_command_of_the_refusal_gives_the_database_to_who_says_it_is_theirs(scene: Scene) -> None:
    scene.make("a")
    scene.started("a")
    (scene.root / "a").rename(scene.root / "c")
    shutil.rmtree(scene.root / "c" / ".promthctl")  # moved, and its record lost
    with pytest.raises(RefusedError, match="Another project has the name") as caught:
        scene.started("c")
    assert caught.value.hint.startswith("docker volume rm promthctl_shared if it is this project's")
    ownership.release(scene.folder("c").client, NAME)
    scene.started("c")
    assert DATA in scene.daemon.volumes
    scene.run("c", *PURGE, code=0)
    assert DATA not in scene.daemon.volumes


def test_a_lost_record_is_made_again_but_purges_nothing_before(scene: Scene) -> None:
    scene.make("a")
    scene.started("a")
    shutil.rmtree(scene.root / "a" / ".promthctl")  # as `git clean -xd` does
    assert "docker volume rm" in scene.run("a", *PURGE, code=5)
    scene.started("a")
    scene.run("a", *PURGE, code=0)
    assert list(scene.daemon.volumes) == ["somebody's"]


def older(scene: Scene, name: str) -> None:
    """As a version before ids left it."""
    scene.started(name, data_id="")
    mark = scene.daemon.volumes[MARK]
    scene.daemon.volumes[MARK] = {key: mark[key] for key in ("promthctl.project", "promthctl.folder")}


AFTER: dict[str, Callable[[Scene], object]] = {
    "purged at once": lambda scene: None,
    "after a start": lambda scene: scene.started("a"),
    "after a move and a start": lambda scene: [
        (scene.root / "a").rename(scene.root / "x"),
        scene.started("x"),
        (scene.root / "x").rename(scene.root / "a"),
    ],
}


@pytest.mark.parametrize("after", AFTER)
def test_a_stack_of_a_version_before_ids_goes_on_and_gets_one(scene: Scene, after: str) -> None:
    scene.make("a")
    older(scene, "a")
    scene.make("other")
    assert str(scene.root / "a") in scene.run("other", *PURGE, code=5)
    AFTER[after](scene)
    assert ("promthctl.id" in scene.daemon.volumes[MARK]) == (after != "purged at once")
    scene.run("a", *PURGE, code=0)
    assert list(scene.daemon.volumes) == ["somebody's"]


def test_a_record_with_another_id_neither_uses_nor_removes(scene: Scene) -> None:
    """The database was given up and made again by another folder while this one slept."""
    scene.make("a")
    scene.started("a")
    scene.daemon.volumes[MARK]["promthctl.id"] = "f" * 32
    volumes = dict(scene.daemon.volumes)
    scene.run("a", *PURGE, code=5)
    assert scene.daemon.volumes == volumes
    with pytest.raises(RefusedError):
        scene.started("a")
