"""A stack on Docker through its life: stopped and started, damaged and mended, reset, beside another, removed.

A start takes its time, so each test does several things in one.
"""

from __future__ import annotations

import psycopg
import pytest

from tests.docker.project import SERVICES, DockerProject
from tests.servers import Stack


@pytest.fixture
def running(life: DockerProject) -> DockerProject:
    """The module's project with its stack up."""
    life.up()
    return life


@pytest.fixture
def other(stack: Stack) -> DockerProject:
    """Another project whose stack is up too."""
    assert isinstance(stack.project, DockerProject)
    return stack.project


def addresses(project: DockerProject) -> set[str]:
    """Where the stack's ports are published."""
    found = [each.attrs["NetworkSettings"]["Ports"].values() for each in project.containers().values()]
    return {binding["HostIp"] for ports in found for bindings in ports for binding in bindings or ()}


def test_the_data_survives_down_and_up_and_another_project_notices_nothing(
    running: DockerProject, other: DockerProject
) -> None:
    user, others, env, ids = running.commit_row(), other.commit_row(), running.env(), other.ids()
    assert others not in running.users_with_a_row()
    assert user not in other.users_with_a_row()
    assert running.json("local", "down") == {"stopped": True, "purged": False, "had_data": True, "kept": None}
    assert running.containers() == {}
    assert running.json("local", "down")["stopped"] is False
    assert running.json("local", "status", code=1)["running"] is False
    assert running.env() == env  # known also while it is stopped
    assert addresses(other) == {"127.0.0.1"}
    running.up("--bind", "0.0.0.0", "--services", "all")
    assert running.env() == env
    running.assert_works(user)
    assert set(running.containers()) > {*SERVICES.values(), "realtime", "storage", "edge_runtime", "inbucket", "vector"}
    assert "0.0.0.0" in addresses(running)
    assert other.ids() == ids
    other.assert_works(others)


def test_containers_that_were_killed_or_removed_are_told_and_mended(running: DockerProject) -> None:
    user = running.commit_row()
    running.containers()["db"].kill()
    running.containers()["kong"].remove(force=True)
    status = running.json("local", "status", code=1)
    states = {service["name"]: service["state"] for service in status["services"]}
    assert (states.pop("db"), states.pop("gateway", "stopped")) == ("stopped", "stopped"), status
    assert set(states.values()) == {"running"}, status
    assert status["running"] is False
    assert running.json("local", "up")["started"] is True
    running.assert_works(user)


def test_reset_drops_the_rows_and_replays_the_migrations(running: DockerProject) -> None:
    user = running.commit_row()
    with psycopg.connect(running.env()["SUPABASE_DB_URL"]) as connection:
        connection.execute("create table public.left_over (); create role left_role; create sequence left_seq")
    running.run("local", "reset", timeout=280)
    running.assert_works()
    assert user not in running.users_with_a_row()
    with psycopg.connect(running.env()["SUPABASE_DB_URL"]) as connection:
        gone = "select to_regclass('public.left_over'), to_regrole('left_role'), to_regclass('public.left_seq')"
        assert connection.execute(gone).fetchone() == (None, None, None)
    assert "keeps no copy" in running.run("local", "reset", "--undo", code=2).stderr


def test_purge_asks_and_removes_everything(running: DockerProject) -> None:
    running.run("local", "down", "--purge", code=5)
    running.assert_works()
    assert running.json("local", "down", "--purge", "--yes") == {
        "stopped": True,
        "purged": True,
        "had_data": True,
        "kept": None,
    }
    assert running.remains() == []
    assert running.json("local", "status", code=1)["running"] is False
