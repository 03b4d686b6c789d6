"""What stands against a start, told with its mend before anything is pulled."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from promthctl.engines import ports
from promthctl.engines.docker import containers, preflight
from promthctl.engines.docker.containers import Container
from promthctl.engines.docker.daemon import Daemon, Endpoint
from promthctl.engines.docker.images import Image
from promthctl.errors import PrerequisiteError, PromthctlError, UsageError
from tests.unit.docker_daemon import serving

DAEMON = Daemon(Endpoint("unix:///x"), "Docker", "1")


def container(**more: Any) -> Container:
    fields = {"id": "1", "name": "web", "project": "", "service": None, "state": "running", "health": None}
    fields |= {"exit_code": None, "published": (("127.0.0.1", 40001),), "networks": (), "workdir": ""}
    return Container(**(fields | more))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[APIClient]:
    info = {"DockerRootDir": str(tmp_path), "MemTotal": 500_000_000}
    with serving({"/info": info}) as served:
        yield APIClient(served.url, version="1.41")


def test_too_little_disk_is_told_with_numbers(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image("db", ("postgres:1",))
    preflight.check_space(client, DAEMON, [])
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1_200_000_000})())
    with pytest.raises(
        PrerequisiteError, match=r"Docker has 1\.2 GB free in .*, the images need about 2\.0 GB"
    ) as found:
        preflight.check_space(client, DAEMON, [image])
    assert "docker system prune" in found.value.hint and "--engine embedded" in found.value.hint


def test_a_disk_that_cannot_be_seen_from_here_is_not_judged() -> None:
    with serving({"/info": {"DockerRootDir": "/inside/a/virtual/machine"}}) as served:
        preflight.check_space(APIClient(served.url, version="1.41"), DAEMON, [Image("db", ("postgres:1",))])


def test_too_little_memory_is_told_with_numbers(client: APIClient) -> None:
    preflight.check_memory(client, DAEMON, ["db", "rest", "auth"])
    with pytest.raises(PrerequisiteError, match="Docker has 500 MB of memory, the services need about"):
        preflight.check_memory(client, DAEMON, ["db", "studio", "realtime", "analytics"])


def test_a_port_of_another_project_names_it_and_how_to_stop_it(tmp_path: Path) -> None:
    folder = tmp_path / "the other"
    (folder / ".promthctl").mkdir(parents=True)
    other = container(project="theirs", workdir=str(folder))
    with pytest.raises(PromthctlError, match=r"the project theirs of .*the other has it on Docker") as found:
        preflight.check_ports({"gateway": 40001}, "127.0.0.1", (), [other])
    assert found.value.hint.startswith(f"promthctl -C '{folder}' local down, or promthctl local up --api-port 0")


def test_a_port_of_a_stack_by_hand_or_of_another_container_names_it() -> None:
    with pytest.raises(PromthctlError, match="the project theirs has it") as found:
        preflight.check_ports({"db": 40001}, "127.0.0.1", (), [container(project="theirs")])
    assert "supabase stop --project-id theirs" in found.value.hint and "--db-port 0" in found.value.hint
    with pytest.raises(PromthctlError, match="the container web has it") as found:
        preflight.check_ports({"studio": 40001}, "127.0.0.1", (), [container()])
    assert "docker stop web" in found.value.hint


def test_the_projects_own_ports_are_not_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        own = container(project="ours", published=(("127.0.0.1", port),))
        preflight.check_ports({"gateway": port}, "127.0.0.1", {own.id}, [own])
        with pytest.raises(PromthctlError, match=f"Port {port}, wanted for the API, is taken"):
            preflight.check_ports({"gateway": port}, "127.0.0.1", (), [])


def test_a_container_of_another_folder_is_foreign_unless_that_was_moved(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert container(workdir=str(tmp_path / "other")).foreign(tmp_path)
    assert not container(workdir=str(tmp_path / "moved away")).foreign(tmp_path)
    assert not container(workdir=str(tmp_path / "other" / "..")).foreign(tmp_path)


def test_who_reaches_the_stack_is_told() -> None:
    loopback = [container(), container(published=(("::1", 1),))]
    assert list(preflight.exposure(DAEMON, "127.0.0.1", loopback)) == []
    assert "published defaults" in next(preflight.exposure(DAEMON, "0.0.0.0", loopback))
    everywhere = [container(published=(("0.0.0.0", 1),))]  # Podman's networks know no such option
    assert "publishes the stack on 0.0.0.0" in next(preflight.exposure(DAEMON, "127.0.0.1", everywhere))


def test_an_address_of_another_machine_is_told_apart_from_a_port_that_is_taken() -> None:
    with pytest.raises(PromthctlError, match=r"203\.0\.113\.7 is not an address of this machine"):
        preflight.check_ports({"db": 40001}, "203.0.113.7", (), [])


def test_the_daemons_words_about_a_container_are_understood() -> None:
    def found(name: str, state: str, status: str) -> dict[str, Any]:
        ports = [{"IP": "127.0.0.1", "PrivatePort": 8000, "PublicPort": 54321}, {"PrivatePort": 8443}]
        labels = {containers.PROJECT: "p", containers.WORKDIR: "/w"}
        nets = {"Networks": {"promthctl_p": {}}}
        return {
            "Id": name,
            "Names": [f"/{name}"],
            "State": state,
            "Status": status,
            "Ports": ports,
            "Labels": labels,
            "NetworkSettings": nets,
        }

    listed = [
        found("supabase_kong_p", "running", "Up 2 minutes (healthy)"),
        found("supabase_auth_p", "running", "Up 2 seconds (health: starting)"),
        found("supabase_db_p", "exited", "Exited (137) 3 seconds ago"),
        found("supabase_rest_p", "restarting", "Restarting (3) 1 second ago"),
        found("nosy_jones", "exited", "Exited (0) 3 seconds ago"),
    ]
    with serving({"/containers/json": listed}) as served:
        kong, auth, db, rest, job = containers.of_project(APIClient(served.url, version="1.41"), "p")
    assert (kong.service, kong.health, kong.works, kong.published) == (
        "gateway",
        "healthy",
        True,
        (("127.0.0.1", 54321),),
    )
    assert (kong.networks, kong.workdir) == (("promthctl_p",), "/w")
    assert (auth.health, auth.works, db.exit_code, db.works) == ("starting", True, 137, False)
    assert (rest.exit_code, rest.works, job.service) == (3, False, None)


def test_ports_are_kept_picked_or_asked_for() -> None:
    configured = {"API": 54321, "database": 54322, "studio": 54323}
    asked: dict[str, int | None] = {"API": 0, "database": 40002}
    free = ports.settle(asked, {}, configured, lambda _: True)
    assert free["API"] not in configured.values() and free["database"] == 40002 and free["studio"] == 54323
    assert ports.settle({"API": 0}, free, configured, lambda _: True)["API"] == free["API"]  # picked before
    assert ports.settle({"API": 0}, free, configured, lambda _: False)["API"] != free["API"]  # now another's
    with pytest.raises(UsageError, match="The API and the studio cannot both have port 54323"):
        ports.settle({"API": 54323}, {}, configured, lambda _: True)


@pytest.mark.parametrize("section", ["api", "db"])
def test_a_port_from_an_unset_variable_is_asked_for_where_nothing_else_decides(section: str) -> None:
    config, names = {section: {"port": "env(PORT_HERE)"}}, {"api": "gateway", "db": "database"}
    listener = names[section]
    with pytest.raises(UsageError, match="PORT_HERE") as caught:
        ports.check_configured(config, {listener: None}, {}, names)
    assert f"--{section}-port" in caught.value.hint
    ports.check_configured(config, {listener: 0}, {}, names)
    ports.check_configured(config, {listener: 40001}, {}, names)
    ports.check_configured(config, {}, {listener: 40001}, names)
    for table in ({"port": 40001}, {}, "not a table"):
        ports.check_configured({section: table}, {}, {}, names)
