"""The Docker daemon: where it listens, whether it answers, and a client for it.

Looked for as the `docker` command does (DOCKER_HOST, DOCKER_CONTEXT, the current context of ~/.docker/config.json, the
usual socket), then where rootless Docker and Podman put theirs. Where there is no socket this costs nothing: the SDK is
not imported before a daemon has answered.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from promthctl import trust
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError, UsageError
from promthctl.settings import Settings

if TYPE_CHECKING:
    from docker import APIClient

_PING_SECONDS = 5.0
_CALL_SECONDS = 60  # stopping a container takes ten seconds when it does not listen
_INSTEAD = "or: promthctl local up --engine embedded"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Endpoint:
    """url: unix:///path or tcp://host:port. source: the variable or context that names it, empty for a usual place."""

    url: str
    source: str = ""

    @property
    def socket(self) -> Path | None:
        return Path(self.url.removeprefix("unix://")) if self.url.startswith("unix://") else None

    def __str__(self) -> str:
        return f"{self.url} ({self.source})" if self.source else self.url


@dataclass(frozen=True)
class Daemon:
    """A daemon that answers. product: Docker or Podman."""

    endpoint: Endpoint
    product: str
    version: str

    def environment(self) -> dict[str, str]:
        """What makes the `docker` command, and so the Supabase CLI, use this daemon."""
        return {"DOCKER_HOST": self.endpoint.url}


def find_daemon(settings: Settings) -> Daemon:
    """The daemon to use. Raises PrerequisiteError: not installed, not running, no permission, on another machine.

    Raises UsageError when DOCKER_CONTEXT names a context that does not exist.
    """
    endpoint = _endpoint(settings)
    try:
        parts = urlsplit(endpoint.url)
        parts.port  # noqa: B018 - raises when it is not a number
    except ValueError as error:
        raise PrerequisiteError(
            "The Docker daemon's address cannot be read", f"{endpoint}: {error}", f"correct it, or unset it; {_INSTEAD}"
        ) from None
    if parts.scheme not in ("unix", "tcp") or (parts.scheme == "tcp" and parts.hostname not in _LOOPBACK):
        raise PrerequisiteError(
            "The Docker daemon is not on this machine",
            f"{endpoint} is on another one, where the stack would run",
            f"unset DOCKER_HOST, or docker context use default; {_INSTEAD}",
        )
    command = _command(settings)
    try:
        headers = _ping(endpoint)
    except PermissionError:
        raise _not_allowed(endpoint) from None
    except OSError as error:
        raise _absent(endpoint, command, error) from None
    if command is None:
        raise PrerequisiteError(
            "The docker command is missing",
            f"the Supabase CLI works through it; the daemon at {endpoint} answers",
            f"{_install('docker.io')}; {_INSTEAD}",
        )
    product, _, version = headers.get("Server", "Docker/?").split(" ")[0].partition("/")
    return Daemon(endpoint, "Podman" if product == "Libpod" else "Docker", version)


def connect(daemon: Daemon) -> APIClient:
    """The SDK's client. Raises TargetError when the daemon does not answer it."""
    import docker

    with answering(daemon):
        return docker.APIClient(base_url=daemon.endpoint.url, version="auto", timeout=_CALL_SECONDS)


@contextlib.contextmanager
def answering(daemon: Daemon) -> Iterator[None]:
    """What the SDK raises becomes a TargetError if the daemon is gone, otherwise a PromthctlError with its message."""
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    try:
        yield
    except docker.errors.APIError as error:
        raise PromthctlError(
            f"{daemon.product} refused a request",
            str(error.explanation or error),
            "run it again with --verbose; or promthctl local down, then promthctl local up",
        ) from None
    except (
        docker.errors.DockerException,
        requests.exceptions.RequestException,
        urllib3.exceptions.HTTPError,
        ConnectionError,
        TimeoutError,
    ):
        raise gone(daemon) from None


def is_alive(daemon: Daemon) -> bool:
    try:
        _ping(daemon.endpoint)
        return True
    except OSError:
        return False


def gone(daemon: Daemon) -> TargetError:
    """The daemon answered before, and no longer does."""
    return TargetError(
        f"{daemon.product} stopped answering",
        f"the daemon at {daemon.endpoint} ended, or was stopped",
        f"{_start()}, then run the same command again",
    )


def _endpoint(settings: Settings) -> Endpoint:
    trust.check_variable(settings, "DOCKER_HOST")
    trust.check_variable(settings, "DOCKER_CONTEXT")
    if host := settings.get("DOCKER_HOST"):
        return Endpoint(host, "DOCKER_HOST")
    folder = Path(settings.get("DOCKER_CONFIG") or Path.home() / ".docker")
    name = settings.get("DOCKER_CONTEXT") or _json(folder / "config.json").get("currentContext")
    if isinstance(name, str) and name not in ("", "default"):
        # https://docs.docker.com/engine/manage-resources/contexts/: a folder named by the hash of the context's name
        meta = _json(folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json")
        with contextlib.suppress(KeyError, TypeError):
            return Endpoint(str(meta["Endpoints"]["docker"]["Host"]), f"the context {name}")
        raise _unknown_context(settings, name, folder)
    usual = Path("/var/run/docker.sock")
    runtime = Path(settings.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    others = (
        runtime / "docker.sock",
        Path.home() / ".docker" / "run" / "docker.sock",
        runtime / "podman" / "podman.sock",
        Path("/run/podman/podman.sock"),
    )
    return Endpoint(f"unix://{next((path for path in (usual, *others) if _exists(path)), usual)}")


def _unknown_context(settings: Settings, name: str, folder: Path) -> PromthctlError:
    """As `docker` says it. One that config.json names may be left of a Docker that is gone: another engine can do."""
    what, why = f"There is no Docker context {name!r}", f"it is not in {folder / 'contexts'}"
    if settings.get("DOCKER_CONTEXT"):
        return UsageError(what, f"DOCKER_CONTEXT names it, and {why}", "unset DOCKER_CONTEXT; docker context ls")
    return PrerequisiteError(
        what, f"{folder / 'config.json'} names it, and {why}", f"docker context use default; {_INSTEAD}"
    )


def _ping(endpoint: Endpoint) -> dict[str, str]:
    """The headers of GET /_ping: https://docs.docker.com/reference/api/engine/. Raises OSError."""
    if endpoint.socket is not None and not _exists(endpoint.socket):
        raise FileNotFoundError(errno.ENOENT, "there is no such socket")
    from http.client import HTTPConnection, HTTPException

    parts = urlsplit(endpoint.url)
    connection = HTTPConnection(parts.hostname or "localhost", parts.port or 2375, timeout=_PING_SECONDS)
    with contextlib.closing(connection):
        if endpoint.socket is not None:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_PING_SECONDS)
            connection.sock.connect(str(endpoint.socket))
        try:
            connection.request("GET", "/_ping")
            return dict(connection.getresponse().getheaders())
        except HTTPException as error:
            raise ConnectionError(str(error)) from None


def _command(settings: Settings) -> str | None:
    path = settings.env.get("PATH", os.defpath)
    return shutil.which("docker", path=path) or shutil.which("podman", path=path)


def _absent(endpoint: Endpoint, command: str | None, error: OSError) -> PrerequisiteError:
    why = f"no Docker daemon answers at {endpoint}"
    if endpoint.source:
        return PrerequisiteError(
            "Docker does not answer",
            f"{why}: {error.strerror or error}",
            f"start it, or unset {endpoint.source}; {_INSTEAD}"
            if endpoint.source == "DOCKER_HOST"
            else f"start it, or docker context use default; {_INSTEAD}",
        )
    if command is None:
        return PrerequisiteError("Docker is not installed", why, f"{_install('docker.io')}; {_INSTEAD}")
    return PrerequisiteError("Docker is not running", why, f"{_start()}; {_INSTEAD}")


def _not_allowed(endpoint: Endpoint) -> PrerequisiteError:
    return PrerequisiteError(
        "Docker may not be used by this user",
        f"permission denied at {endpoint}",
        f"sudo usermod -aG docker $USER, then log in again (in this terminal: newgrp docker); {_INSTEAD}",
    )


def _install(package: str) -> str:
    if sys.platform == "darwin":
        return "brew install --cask docker && open -a Docker"
    if Path("/etc/debian_version").exists():
        return f"sudo apt-get install {package}"
    return "install it: https://docs.docker.com/engine/install"


def _start() -> str:
    if sys.platform == "darwin":
        return "open -a Docker"
    return "sudo systemctl start docker" if Path("/run/systemd/system").exists() else "sudo service docker start"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder we may not enter
        return False


def _json(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        value = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(value, dict):
            return value
    return {}
