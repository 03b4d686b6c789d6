"""Whose database it is: folders of one project_id, as two clones of a repository are, share names on Docker."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import docker

from tests.docker.project import LABELS, DockerProject
from tests.servers import Stack

FEW = ("--services", "db,rest,auth,gateway")  # they start sooner


def rename(project: DockerProject, name: str) -> None:
    """Give a project another project_id."""
    config = project.path / "supabase" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(f'project_id = "{name}"\n')


def assert_refused(clone: DockerProject, owner: DockerProject, name: str | None = None) -> None:
    """Neither `up` nor `down --purge` of the clone does anything, and they tell whose the name is."""
    there = owner.remains(name)
    for words in (("up", "--api-port", "0", "--db-port", "0"), ("down", "--purge", "--yes")):
        told = clone.run("local", *words, code=5, PROMTHCTL_ENGINE="docker").stderr
        assert str(owner.path) in told and "SUPABASE_PROJECT_ID" in told, told
    assert owner.remains(name) == there


def test_a_project_of_the_same_name_in_another_folder_is_left_alone(stack: Stack, project: DockerProject) -> None:
    first = stack.project
    assert isinstance(first, DockerProject)
    ids = first.ids()
    rename(project, first.name)
    assert_refused(project, first)
    assert first.ids() == ids
    first.assert_works()


def test_the_database_of_a_stopped_stack_is_no_clones(make_project: Callable[..., DockerProject]) -> None:
    first, clone = make_project("first"), make_project("clone")
    rename(clone, first.name)
    first.up(*FEW)
    user = first.commit_row()
    first.run("local", "down")
    assert_refused(clone, first)
    nothing = {"stopped": False, "purged": False, "had_data": False, "kept": None}
    assert clone.json("local", "down", PROMTHCTL_ENGINE="docker") == nothing
    shutil.rmtree(first.path / ".promthctl")  # as `git clean -xd` does
    assert_refused(clone, first)
    told = first.run("local", "down", "--purge", "--yes", code=5, PROMTHCTL_ENGINE="docker").stderr
    assert "docker volume rm" in told, told  # the folder may be another one by now
    told = first.up(*FEW).stderr
    assert "was there before" in told and user in first.users_with_a_row(), told

    first.run("local", "down")
    shutil.rmtree(clone.path)
    first.path.rename(clone.path)  # a project that is moved keeps its database
    first.path.mkdir()
    purged = {"purged": True, "had_data": True, "kept": None}
    assert clone.json("local", "down", "--purge", "--yes") == {"stopped": False, **purged}
    assert first.remains() == []


def test_of_two_clones_that_start_together_one_is_refused(make_project: Callable[..., DockerProject]) -> None:
    clones = [make_project("one"), make_project("two")]
    for clone in clones:
        rename(clone, clones[0].name)
    words = ("local", "up", "--engine", "docker", "--api-port", "0", "--db-port", "0", "--example", "mr-promth", *FEW)
    starting = [clone.start(*words) for clone in clones]
    told = [one.communicate(timeout=280)[1] for one in starting]
    assert sorted(one.returncode for one in starting) == [0, 5], told
    winner, loser = sorted(clones, key=lambda clone: starting[clones.index(clone)].returncode)
    winner.assert_works()
    assert_refused(loser, winner, clones[0].name)
    winner.run("local", "down", "--purge", "--yes")


def test_a_database_of_unknown_origin_is_not_purged(project: DockerProject, daemon: docker.DockerClient) -> None:
    volume = daemon.volumes.create(f"supabase_db_{project.name}", labels={LABELS[0]: project.name})
    told = project.run("local", "down", "--purge", "--yes", code=5, PROMTHCTL_ENGINE="docker").stderr
    assert f"docker volume rm {volume.name}" in told, told
    assert project.remains() == [volume.name]
    told = project.up(*FEW).stderr
    assert f"{volume.name} was there before" in told, told
    assert project.json("local", "down", "--purge", "--yes")["purged"] is True  # it has been used by then


def test_a_stack_whose_project_id_was_changed_is_stopped_and_purged(project: DockerProject) -> None:
    before, after = project.name, f"{project.name[:30]}-renamed"
    project.up("--services", "db")
    project.extra["SUPABASE_PROJECT_ID"] = after
    project.also.append(after)
    assert project.run("local", "env", code=4)
    told = project.up("--services", "db").stderr
    assert f"supabase_db_{before}" in told and project.containers() == {}, told
    assert f"supabase_db_{after}" in project.remains(after)
    del project.extra["SUPABASE_PROJECT_ID"]
    purged = {"purged": True, "had_data": True, "kept": None}
    assert project.json("local", "down", "--purge", "--yes") == {"stopped": True, **purged}
    assert project.remains() == project.remains(after) == []
