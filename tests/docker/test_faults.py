"""What goes wrong with Docker, what is said then, and how the next `up` finds it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from tests.docker import proxy, registry
from tests.docker.project import LABELS, DockerProject

SOCKET = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
GOTRUE = "public.ecr.aws/supabase/gotrue"
UP = ("local", "up", "--engine", "docker", "--api-port", "0", "--db-port", "0")
MARK = "fake reason 4711: the mail server is missing"


@contextmanager
def image(daemon: docker.DockerClient, stand_in: str, tag: str, program: str) -> Iterator[None]:
    """An Auth image whose service is that JavaScript."""
    container = daemon.containers.create(stand_in, ["node", "-e", program])
    try:
        container.commit(GOTRUE, tag)
    finally:
        container.remove()
    try:
        yield
    finally:
        daemon.images.remove(f"{GOTRUE}:{tag}", force=True)


def until(reached: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# a service that does not work


@pytest.fixture(scope="module", autouse=True)
def hanging(
    tmp_path_factory: pytest.TempPathFactory, daemon: docker.DockerClient, stand_in: str
) -> Iterator[subprocess.Popen[str]]:
    """`local up` with a service that never gets healthy; that takes long, so the module's other tests run meanwhile."""
    project = DockerProject.make(tmp_path_factory.mktemp("docker") / "hanging", daemon)
    project.use_image("gotrue", "v0.0.0-hangs")
    with image(daemon, stand_in, "v0.0.0-hangs", f"console.error('{MARK}'); setInterval(() => {{}}, 1000)"):
        starting = project.start(*UP, "--services", "db,auth,gateway")
        try:
            yield starting
        finally:
            if starting.poll() is None:
                starting.send_signal(signal.SIGINT)
            starting.communicate(timeout=120)
            project.dispose()


def test_a_service_that_dies_is_shown_with_its_last_words(
    project: DockerProject, daemon: docker.DockerClient, stand_in: str
) -> None:
    project.use_image("gotrue", "v0.0.0-dies")
    with image(daemon, stand_in, "v0.0.0-dies", f"console.error('{MARK}'); process.exit(3)"):
        told = project.up(code=1).stderr
        assert "auth" in told and MARK in told and "code 3" in told, told
        assert MARK in project.run("local", "logs", "auth").stdout
        assert project.containers() == {}


# images


def test_missing_images_are_told_offline_and_else_pulled(
    project: DockerProject, daemon: docker.DockerClient, stand_in: str, tmp_path: Path
) -> None:
    with registry.serving(daemon, stand_in, tmp_path) as served:
        project.extra["SUPABASE_INTERNAL_IMAGE_REGISTRY"] = served.address
        told = project.up("--offline", code=3).stderr
        assert "postgres" in told and "offline" in told and served.pulled == [], told
        served.failing = 2  # the daemon itself asks twice
        done = project.up("--services", "db,rest,auth,gateway")
        assert "Pulling" in done.stderr
        names = {path.split("/")[3] for path in served.pulled if "/manifests/" in path}
        assert {"postgres", "postgrest", "gotrue", "kong"} <= names
        assert not names & {"studio", "postgres-meta", "logflare"}
        assert set(project.containers()) == {"db", "rest", "auth", "kong"}
        project.assert_works()
        project.run("local", "down", "--purge", "--yes")


def test_an_image_that_cannot_be_pulled_is_named(
    project: DockerProject, daemon: docker.DockerClient, stand_in: str, tmp_path: Path
) -> None:
    with registry.serving(daemon, stand_in, tmp_path) as served:
        served.missing.add("supabase/gotrue")
        told = project.up(code=3, SUPABASE_INTERNAL_IMAGE_REGISTRY=served.address).stderr
    assert "gotrue:v" in told and "manifest unknown" in told, told
    assert project.remains() == []


def test_a_registry_that_refuses_is_told(project: DockerProject) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"  # bound and not listening: connections are refused
        told = project.up(code=3, SUPABASE_INTERNAL_IMAGE_REGISTRY=address).stderr
    assert address in told and "refused" in told, told


# interruptions


def test_control_c_while_it_starts_stops_cleanly_and_the_next_up_completes(project: DockerProject) -> None:
    starting = project.start(*UP)
    try:
        until(lambda: "db" in project.containers())
        starting.send_signal(signal.SIGINT)
        stdout, stderr = starting.communicate(timeout=120)
    finally:
        starting.kill()
    assert starting.returncode == 130, stderr
    assert "Traceback" not in stdout + stderr
    assert project.leftovers() == [] and project.containers() == {}
    project.up()
    project.assert_works()


def test_killed_while_it_starts_it_leaves_nothing_at_work_and_the_next_up_completes(project: DockerProject) -> None:
    starting = project.start(*UP)
    try:
        until(lambda: "db" in project.containers())
    finally:
        starting.kill()
        starting.communicate(timeout=120)
    until(lambda: project.leftovers() == [])
    assert "not a complete start" in project.up().stderr
    project.assert_works()


def test_a_daemon_that_stops_while_the_stack_starts_is_told_and_the_next_up_completes(project: DockerProject) -> None:
    with proxy.before(SOCKET) as between:
        project.extra["DOCKER_HOST"] = between.host
        starting = project.start(*UP)
        try:
            until(lambda: "db" in project.containers())
            between.cut()
            stdout, stderr = starting.communicate(timeout=120)
        finally:
            starting.kill()
        assert starting.returncode == 4, stderr
        assert "stopped answering" in stderr and "Traceback" not in stdout + stderr, stderr
        status = project.run("local", "status", code=None).stderr
        assert "Docker" in status, status
    del project.extra["DOCKER_HOST"]
    project.up()
    project.assert_works()


# no daemon


@pytest.fixture
def dead(tmp_path: Path) -> str:
    """What DOCKER_HOST says for a daemon that was killed: its socket is there and nobody listens."""
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return f"unix://{path}"


def test_without_a_daemon_docker_is_refused_and_auto_takes_the_embedded_engine(
    project: DockerProject, dead: str
) -> None:
    refused = project.up(code=3, DOCKER_HOST=dead).stderr
    assert dead in refused and "--engine embedded" in refused, refused
    done = project.run("local", "up", "--engine", "auto", "--api-port", "0", "--db-port", "0", DOCKER_HOST=dead)
    assert done.stderr.startswith("Target: the local stack (embedded engine: "), done.stderr
    assert "Docker" in done.stderr.splitlines()[0]
    assert project.json("local", "status", DOCKER_HOST=dead)["engine"] == "embedded"
    # The stack that runs stays the project's, also when a daemon answers.
    again = project.run("local", "up")
    assert again.stderr.startswith("Target: the local stack (embedded engine: "), again.stderr


def test_a_socket_that_this_user_may_not_use_is_told_apart(project: DockerProject, tmp_path: Path) -> None:
    path = tmp_path / "closed.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0)
        if os.geteuid() == 0:  # root without the right to open what is closed to it
            project.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
        told = project.up(code=3, DOCKER_HOST=f"unix://{path}").stderr
        project.prefix = ()
    assert ("permission denied" in told and "docker group" in told) or "usermod -aG docker" in told, told


def test_a_port_that_another_program_has_is_told_before_anything_starts(project: DockerProject) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = project.run(
            "local", "up", "--engine", "docker", "--api-port", str(port), "--db-port", "0", code=1
        ).stderr
    assert f"Port {port}" in told and "python" in told, told


# what was there before


def test_a_volume_of_an_older_postgresql_is_told_and_kept(
    project: DockerProject, daemon: docker.DockerClient, stand_in: str
) -> None:
    volume = daemon.volumes.create(f"supabase_db_{project.name}", labels={LABELS[0]: project.name})
    data = "/var/lib/postgresql/data"
    writing = ["sh", "-c", f"echo 15 >{data}/PG_VERSION"]
    mounted = {volume.name: {"bind": data}}
    try:
        daemon.containers.run(stand_in, writing, volumes=mounted, remove=True, network_mode="none")
        told = project.up(code=1).stderr
        assert "PostgreSQL 15" in told and "major_version = 15" in told, told
        assert project.remains() == [volume.name]
    finally:
        volume.remove(force=True)


@pytest.mark.parametrize(
    "words",
    [("--services", "db,nosuch"), ("--services", ","), ("--bind", "everywhere"), ("--engine", "podman")],
    ids=" ".join,
)
def test_flags_that_mean_nothing_are_refused(project: DockerProject, words: tuple[str, str]) -> None:
    assert words[0].strip("-").rstrip("s") in project.up(*words, code=2).stderr


def test_a_service_that_never_gets_healthy_is_shown_with_its_last_words(hanging: subprocess.Popen[str]) -> None:
    _, told = hanging.communicate(timeout=240)
    assert hanging.returncode == 1, told
    assert "auth" in told and MARK in told and "health check failed" in told, told
