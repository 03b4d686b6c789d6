"""Where the Docker daemon is looked for, and what is told when it cannot be used."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from promthctl.engines.docker import daemon
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError
from promthctl.settings import Settings
from tests.unit.docker_daemon import serving


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with nothing but a docker command."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker").write_text("#!/bin/sh\n")
    (folder / "docker").chmod(0o755)
    return folder


def configured(tmp_path: Path, **env: str) -> Settings:
    return Settings(tmp_path, {"PATH": str(tmp_path / "bin"), "DOCKER_CONFIG": str(tmp_path / "docker"), **env})


def context(tmp_path: Path, name: str, host: str) -> None:
    """A context as `docker context create` writes it."""
    folder = tmp_path / "docker" / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_docker_host_names_the_daemon(tmp_path: Path, programs: Path) -> None:
    with serving() as served:
        found = daemon.find_daemon(configured(tmp_path, DOCKER_HOST=served.url))
    assert (found.product, found.version) == ("Docker", "28.2.2")
    assert found.environment() == {"DOCKER_HOST": served.url}


@pytest.mark.parametrize("by", ["DOCKER_CONTEXT", "currentContext"])
def test_a_context_names_the_daemon(tmp_path: Path, programs: Path, by: str) -> None:
    with serving() as served:
        context(tmp_path, "desk", served.url)
        if by == "currentContext":
            (tmp_path / "docker" / "config.json").write_text('{"currentContext": "desk"}')
            found = daemon.find_daemon(configured(tmp_path))
        else:
            found = daemon.find_daemon(configured(tmp_path, DOCKER_CONTEXT="desk"))
    assert str(found.endpoint) == f"{served.url} (the context desk)"


def test_docker_host_goes_before_a_context(tmp_path: Path, programs: Path) -> None:
    context(tmp_path, "desk", "unix:///of/the/context.sock")
    with pytest.raises(PrerequisiteError) as caught:
        daemon.find_daemon(configured(tmp_path, DOCKER_CONTEXT="desk", DOCKER_HOST="unix:///of/the/host.sock"))
    assert "/of/the/host.sock (DOCKER_HOST)" in caught.value.why


@pytest.mark.parametrize("place", ["run/docker.sock", ".docker/run/docker.sock", "run/podman/podman.sock"])
def test_sockets_of_rootless_docker_desktop_and_podman_are_found_and_given_to_the_cli(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    exists = daemon._exists
    monkeypatch.setattr(daemon, "_exists", lambda path: path.is_relative_to(tmp_path) and exists(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / place).parent.mkdir(parents=True)
    with serving(server="Libpod/5.2.0 (linux)") as served:
        (tmp_path / place).symlink_to(served.socket)
        found = daemon.find_daemon(configured(tmp_path, XDG_RUNTIME_DIR=str(tmp_path / "run")))
    assert (found.product, found.version) == ("Podman", "5.2.0")
    assert found.environment() == {"DOCKER_HOST": f"unix://{tmp_path / place}"}


@pytest.mark.parametrize("host", ["ssh://me@example.com", "tcp://192.0.2.1:2375"])
def test_another_machines_daemon_is_refused(tmp_path: Path, programs: Path, host: str) -> None:
    with pytest.raises(PrerequisiteError, match="not on this machine"):
        daemon.find_daemon(configured(tmp_path, DOCKER_HOST=host))


@pytest.mark.parametrize("host", ["tcp://127.0.0.1:99999", "tcp://[::1", "tcp://127.0.0.1:port"])
def test_an_address_that_cannot_be_read_is_told(tmp_path: Path, host: str) -> None:
    with pytest.raises(PrerequisiteError, match="cannot be read") as caught:
        daemon.find_daemon(Settings(tmp_path, {"DOCKER_HOST": host}))
    assert "DOCKER_HOST" in caught.value.why


def test_a_daemon_that_ended_is_told_apart_from_one_that_never_was_installed(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "_exists", lambda path: False)
    with pytest.raises(PrerequisiteError, match="Docker is not running") as ended:
        daemon.find_daemon(configured(tmp_path))
    assert "no Docker daemon answers at unix:///var/run/docker.sock" in ended.value.why
    assert any(f"{command};" in ended.value.hint for command in ("start docker", "docker start", "open -a Docker"))
    (programs / "docker").unlink()
    with pytest.raises(PrerequisiteError, match="not installed") as absent:
        daemon.find_daemon(configured(tmp_path))
    assert "install" in absent.value.hint and "--engine embedded" in absent.value.hint


def test_a_socket_nobody_listens_on_is_no_daemon(tmp_path: Path, programs: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "d.sock"))
    with pytest.raises(PrerequisiteError, match="does not answer") as caught:
        daemon.find_daemon(configured(tmp_path, DOCKER_HOST=f"unix://{tmp_path}/d.sock"))
    assert "unset DOCKER_HOST" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may use every socket")
def test_a_socket_this_user_may_not_use_is_told_apart(tmp_path: Path, programs: Path) -> None:
    with serving() as served:
        served.socket.chmod(0)
        with pytest.raises(PrerequisiteError, match="may not be used by this user") as caught:
            daemon.find_daemon(configured(tmp_path, DOCKER_HOST=served.url))
    assert "usermod -aG docker" in caught.value.hint


def test_the_docker_command_is_asked_for(tmp_path: Path, programs: Path) -> None:
    (programs / "docker").unlink()
    with serving() as served, pytest.raises(PrerequisiteError, match="docker command is missing"):
        daemon.find_daemon(configured(tmp_path, DOCKER_HOST=served.url))


def test_a_daemon_that_goes_away_is_a_target_out_of_reach(tmp_path: Path, programs: Path) -> None:
    with serving() as served:
        found = daemon.find_daemon(configured(tmp_path, DOCKER_HOST=served.url))
        client = daemon.connect(found)
    with pytest.raises(TargetError, match="stopped answering"), daemon.answering(found):
        client.containers()
    assert not daemon.is_alive(found)


def test_what_the_daemon_refuses_is_told_in_its_words(tmp_path: Path, programs: Path) -> None:
    with serving({"/info": (500, {"message": "the disk is on fire"})}) as served:
        found = daemon.find_daemon(configured(tmp_path, DOCKER_HOST=served.url))
        with pytest.raises(PromthctlError, match="the disk is on fire"), daemon.answering(found):
            daemon.connect(found).info()


def test_without_a_daemon_the_sdk_is_not_loaded(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom promthctl import engines\nfrom promthctl.settings import Settings\n"
        "from promthctl.steps import Silent\n"
        f"settings = Settings(Path({str(tmp_path)!r}), {{'DOCKER_HOST': 'unix:///nowhere.sock'}})\n"
        "engine, why = engines.pick(None, settings, engines.StartOptions(), Silent())\n"
        "print(engine.name, 'docker' in sys.modules, why)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("embedded False no Docker daemon answers at unix:///nowhere.sock"), done
