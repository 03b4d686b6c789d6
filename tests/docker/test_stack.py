"""A stack on Docker that runs: what the commands say of it, where it listens, what an app finds."""

from __future__ import annotations

import signal
import socket
import time
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from tests.docker.project import SERVICES, DockerProject
from tests.servers import Stack


@pytest.fixture
def project(stack: Stack) -> DockerProject:
    assert isinstance(stack.project, DockerProject)
    return stack.project


def published(project: DockerProject) -> dict[str, tuple[str, int]]:
    """Each published port's address on this machine, by the CLI's name of the service."""
    found = {}
    for service, container in project.containers().items():
        for bindings in container.attrs["NetworkSettings"]["Ports"].values():
            for binding in bindings or ():
                found[service] = (binding["HostIp"], int(binding["HostPort"]))
    return found


def test_the_default_services_run_and_no_others(project: DockerProject) -> None:
    assert set(project.containers()) == set(SERVICES.values())
    status = project.json("local", "status")
    assert (status["engine"], status["running"]) == ("docker", True)
    assert {service["name"]: service["container"] for service in status["services"]} == {
        name: f"supabase_{cli}_{project.name}" for name, cli in SERVICES.items()
    }
    assert {service["state"] for service in status["services"]} == {"running"}
    assert status["migrations"] == {"applied": ["001", "002", "003"], "pending": []}


def test_status_tells_health_uptime_memory_and_ports(project: DockerProject) -> None:
    shown = project.run("local", "status").stdout
    for part in (*SERVICES, "healthy", "MB", str(published(project)["db"][1]), project.env()["SUPABASE_URL"]):
        assert part in shown


def test_up_on_a_running_stack_leaves_it_alone(project: DockerProject) -> None:
    before = project.ids()
    result = project.json("local", "up")
    assert (result["engine"], result["started"], result["applied"], result["total"]) == ("docker", False, [], 3)
    assert project.ids() == before


def test_auto_means_the_docker_daemon_that_answers(project: DockerProject) -> None:
    done = project.run("local", "up", "--engine", "auto")
    assert done.stderr.startswith("Target: the local stack (docker engine: "), done.stderr


def test_only_loopback_is_published(project: DockerProject) -> None:
    ports = published(project)
    assert set(ports) == {"db", "kong", "studio"}
    assert {address for address, _ in ports.values()} == {"127.0.0.1"}
    others = [
        each.address
        for addresses in psutil.net_if_addrs().values()
        for each in addresses
        if each.family == socket.AF_INET and not each.address.startswith("127.")
    ]
    assert others  # docker0's, if no other
    for address in others:
        for _, port in ports.values():
            with socket.socket() as probe, pytest.raises(OSError):
                probe.settimeout(5)
                probe.connect((address, port))


def test_env_has_the_names_of_the_embedded_engine(project: DockerProject) -> None:
    env = project.env()
    ports = published(project)
    assert list(env) == [
        "SUPABASE_URL",
        "SUPABASE_ANON_KEY",
        "SUPABASE_PUBLISHABLE_KEY",
        "SUPABASE_SERVICE_ROLE_KEY",
        "SUPABASE_SECRET_KEY",
        "SUPABASE_DB_URL",
        "ENCRYPTION_SECRET",
        "NEXT_PUBLIC_SUPABASE_URL",
        "NEXT_PUBLIC_SUPABASE_ANON_KEY",
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY",
    ]
    assert env["SUPABASE_URL"] == f"http://127.0.0.1:{ports['kong'][1]}"
    with psycopg.connect(env["SUPABASE_DB_URL"]) as connection:
        assert connection.info.port == ports["db"][1]
        assert connection.execute("select current_user").fetchone() == ("postgres",)


def test_logs_of_one_service_and_of_all(project: DockerProject) -> None:
    gateway = project.run("local", "logs", "gateway").stdout
    assert "listening on port 8000" in gateway and "database system is ready" not in gateway
    everything = project.run("local", "logs").stdout
    for part in ("listening on port 8000", "database system is ready to accept connections", "listening on port 9999"):
        assert part in everything
    assert "gateway" in project.run("local", "logs", "nosuch", code=2).stderr


def test_following_logs_shows_new_lines_and_ends_with_control_c(project: DockerProject) -> None:
    following = project.start("local", "logs", "-f", "gateway")
    assert following.stdout is not None
    try:
        assert following.stdout.readline()
        marker = f"/rest/v1/no_such_table_{time.monotonic_ns()}"
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            project.get(marker)
        assert any(marker in line for line in following.stdout)
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 130
    finally:
        following.kill()
        following.communicate()


def test_seeding_through_the_api_writes_fourteen_keys_once(project: DockerProject) -> None:
    states = []
    for _ in range(2):
        seeded = project.json("seed", "vanchin", "--demo", ENCRYPTION_SECRET="fake-secret-of-a-test")["seeded"]
        states.append([agent["state"] for agent in seeded["agents"]])
    assert states == [["created"] * 14, ["unchanged"] * 14]
    rows = project.get("/rest/v1/api_keys?select=provider,user_id&provider=eq.vanchin")
    assert [row["user_id"] for row in rows] == [seeded["user_id"]] * 14


def test_another_project_is_told_who_has_the_port(project: DockerProject, make_other: DockerProject) -> None:
    port = published(project)["kong"][1]
    told = make_other.up("--api-port", str(port), code=1).stderr
    assert str(port) in told and project.name in told, told


@pytest.fixture
def make_other(make_project: Any) -> DockerProject:
    other: DockerProject = make_project("other")
    return other
