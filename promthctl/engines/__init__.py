"""Engines: what runs a local Supabase. One Protocol, one folder for each engine, and the choice between them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from promthctl.errors import PromthctlError, RefusedError, UsageError
from promthctl.settings import ENGINES, Settings
from promthctl.state import StateDir
from promthctl.steps import Steps

_RECORD = "engine.json"  # which engine this project's stack is on


@dataclass(frozen=True)
class Access:
    """How an app reaches the local stack. The keys and the URL's password are secret."""

    api_url: str
    db_url: str = field(repr=False)
    anon_key: str = field(repr=False)
    service_role_key: str = field(repr=False)
    studio_url: str | None = None

    def variables(self) -> dict[str, str]:
        """The environment names an app reads, the same for every engine."""
        return {
            "SUPABASE_URL": self.api_url,
            "SUPABASE_ANON_KEY": self.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": self.service_role_key,
            "SUPABASE_DB_URL": self.db_url,
            "NEXT_PUBLIC_SUPABASE_URL": self.api_url,
            "NEXT_PUBLIC_SUPABASE_ANON_KEY": self.anon_key,
        }


@dataclass(frozen=True)
class Service:
    """One part of the stack. state: running, starting or stopped. pid or container: whichever the engine has.

    health: healthy, unhealthy or starting where the engine checks it. uptime: seconds. memory: bytes. exit_code: of a
    container that ended. None: not known, or there is none.
    """

    name: str
    state: str
    pid: int | None = None
    container: str | None = None
    port: int | None = None
    health: str | None = None
    uptime: int | None = None
    memory: int | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Status:
    """What runs now. applied: the versions in the migration history, None when the database does not answer."""

    engine: str
    running: bool
    api_url: str | None
    studio_url: str | None
    services: tuple[Service, ...]
    applied: tuple[str, ...] | None


@dataclass(frozen=True)
class Wishes:
    """What the flags of `local up` ask for; None leaves it to the record, then to configuration.

    api_port, db_port: 0 asks for a free port. bind, services, offline: for the Docker engine.
    """

    api_port: int | None = None
    db_port: int | None = None
    bind: str | None = None
    services: str | None = None
    offline: bool = False


class Engine(Protocol):
    """A local Supabase. Methods raise PromthctlError; each is safe to call again after any interruption."""

    name: str

    def up(self, migrate: Callable[[Access, tuple[str, ...] | None], None], steps: Steps) -> tuple[Access, bool]:
        """Bring the stack up; when its database accepts connections, call `migrate` with the applied versions if known.

        Returns how to reach it, and whether anything had to be started. A stack that runs already is left
        alone: `migrate` is called all the same and decides for itself.
        """

    def down(self, purge: bool, steps: Steps) -> bool:
        """Stop every service; with `purge` remove the data too. False when there was nothing to stop."""

    def status(self, measure: bool = False) -> Status:
        """What runs now, without changing anything. measure: also what takes a second to find out, the memory."""

    def access(self) -> Access | None:
        """How to reach the stack, None when it was never up."""

    def logs(self, service: str | None, follow: bool) -> Iterator[tuple[str, str]]:
        """(service, line) pairs, oldest first; with `follow` it goes on until interrupted."""


def pick(name: str | None, settings: Settings, wishes: Wishes, steps: Steps) -> tuple[Engine, str]:
    """The engine `local up` starts, and why, in words. name: auto, embedded or docker; None when no flag gave it.

    First wins: the flag, PROMTHCTL_ENGINE or pyproject.toml, the engine this project's stack is on, and else Docker
    where it can run the stack. Raises RefusedError while the project's stack runs on the other engine.
    """
    if name not in (None, *ENGINES):
        raise UsageError(f"There is no engine {name!r}", f"--engine takes {', '.join(ENGINES)}", "leave it out")
    known = recorded(settings)
    if name not in (None, "auto"):
        chosen, why = _make(str(name), settings, wishes), "chosen with --engine"
    elif settings.engine != "auto":
        source = "PROMTHCTL_ENGINE" if settings.get("PROMTHCTL_ENGINE") else "pyproject.toml"
        chosen, why = _make(settings.engine, settings, wishes), f"chosen in {source}"
    elif known:
        chosen, why = _make(known, settings, wishes), "as before"
    else:
        chosen, why = _docker_if_it_can(settings, wishes, steps)
    if known and known != chosen.name and _runs(_make(known, settings)):
        raise RefusedError(
            f"The {chosen.name} stack was not started",
            f"the {known} stack of this project runs",
            f"promthctl local down, then promthctl local up --engine {chosen.name}",
        )
    if chosen.name == "embedded":
        _refuse_docker_flags(wishes, why)
    return chosen, why


def current(settings: Settings) -> Engine:
    """The engine this project's stack is on; where that is not recorded, the one that is configured.

    Where nothing says so: Docker if the project's containers are there, else embedded.
    """
    name = recorded(settings) or settings.engine
    if name == "auto":
        from promthctl.engines.docker import DockerEngine

        docker = DockerEngine(settings)
        return docker if docker.left_running() else _make("embedded", settings)
    return _make(name, settings)


def recorded(settings: Settings) -> str | None:
    """The engine of this project's stack, None when it never was up."""
    state = StateDir(settings.state_dir)
    with contextlib.suppress(ValueError):
        if (name := state.read(_RECORD).get("engine")) in ENGINES:
            return str(name)
    files = {"embedded": "stack.json", "docker": "docker.json"}  # what each keeps of a stack that was not purged
    return next((name for name, file in files.items() if (state.path / file).exists()), None)


def record(settings: Settings, name: str) -> None:
    """Called by an engine when it is about to start this project's stack, with the project's lock held."""
    StateDir(settings.state_dir).write(_RECORD, {"engine": name})


def forget(settings: Settings) -> None:
    """The stack is gone, and its data."""
    (settings.state_dir / _RECORD).unlink(missing_ok=True)


def _runs(engine: Engine) -> bool:
    try:
        return any(service.state != "stopped" for service in engine.status().services)
    except PromthctlError:  # its daemon does not answer
        return False


def _make(name: str, settings: Settings, wishes: Wishes | None = None) -> Engine:
    wishes = wishes or Wishes()
    if name == "docker":
        from promthctl.engines.docker import DockerEngine

        return DockerEngine(settings, wishes)
    from promthctl.engines.embedded import EmbeddedEngine

    return EmbeddedEngine(settings, wishes.api_port, wishes.db_port)


def _docker_if_it_can(settings: Settings, wishes: Wishes, steps: Steps) -> tuple[Engine, str]:
    from promthctl.engines.docker import DockerEngine

    docker = DockerEngine(settings, wishes)
    try:
        return docker, docker.check(steps)
    except UsageError:
        raise
    except PromthctlError as error:
        return _make("embedded", settings, wishes), error.why.splitlines()[0]


def _refuse_docker_flags(wishes: Wishes, why: str) -> None:
    for flag, value in (("--bind", wishes.bind), ("--services", wishes.services)):
        if value is not None:
            raise UsageError(
                f"{flag} is for the Docker engine",
                f"the embedded engine, always whole and on loopback only, is the one to start: {why}",
                f"leave {flag} out, or promthctl local up --engine docker {flag} {value}",
            )
