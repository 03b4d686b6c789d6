"""Which engine a command is for: by flag, by configuration, or the one that the project's stack is on."""

from __future__ import annotations

import contextlib

from promthctl.configuration import ENGINES
from promthctl.engines.engine import Engine, StartOptions
from promthctl.errors import PromthctlError, RefusedError, UsageError
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps

_RECORD = "engine.json"  # which engine this project's stack is on


def pick(name: str | None, settings: Settings, options: StartOptions, steps: Steps) -> tuple[Engine, str]:
    """The engine `local up` starts, and why, in words. name: auto, embedded or docker; None when no flag gave it.

    First wins: the flag, PROMTHCTL_ENGINE or pyproject.toml, the engine this project's stack is on, and otherwise
    Docker where it can run the stack. Raises RefusedError while the project's stack runs on the other engine.
    """
    if name not in (None, *ENGINES):
        raise UsageError(f"There is no engine {name!r}", f"--engine takes {', '.join(ENGINES)}", "leave it out")
    known = recorded_engine(settings)
    if name not in (None, "auto"):
        chosen, why = _engine(str(name), settings, options), "chosen with --engine"
    elif settings.engine != "auto":
        source = "PROMTHCTL_ENGINE" if settings.get("PROMTHCTL_ENGINE") else "pyproject.toml"
        chosen, why = _engine(settings.engine, settings, options), f"chosen in {source}"
    elif known:
        chosen, why = _engine(known, settings, options), "as before"
    else:
        chosen, why = _docker_if_it_can(settings, options, steps)
    if known and known != chosen.name and _runs(_engine(known, settings)):
        raise RefusedError(
            f"The {chosen.name} stack was not started",
            f"the {known} stack of this project runs",
            f"promthctl local down, then promthctl local up --engine {chosen.name}",
        )
    if chosen.name == "embedded":
        _refuse_docker_flags(options, why)
    return chosen, why


def current(settings: Settings) -> Engine:
    """The engine this project's stack is on; if that is not recorded, the one that is configured.

    If neither says so: Docker when the project has containers, otherwise embedded.
    """
    name = recorded_engine(settings) or settings.engine
    if name == "auto":
        from promthctl.engines.docker.engine import DockerEngine

        docker = DockerEngine(settings)
        return docker if docker.has_containers() else _engine("embedded", settings)
    return _engine(name, settings)


def recorded_engine(settings: Settings) -> str | None:
    """The engine of this project's stack, None when it was never up."""
    state = StateDir(settings.state_dir)
    with contextlib.suppress(ValueError):
        if (name := state.read(_RECORD).get("engine")) in ENGINES:
            return str(name)
    files = {"embedded": "stack.json", "docker": "docker.json"}  # what each keeps of a stack that was not purged
    return next((name for name, file in files.items() if state.has(file)), None)


def record_engine(settings: Settings, name: str) -> None:
    """Called by an engine when it is about to start this project's stack, with the project's lock held."""
    StateDir(settings.state_dir).write(_RECORD, {"engine": name})


def forget_engine(settings: Settings) -> None:
    """Called when the stack and its data are gone."""
    (settings.state_dir / _RECORD).unlink(missing_ok=True)


def _runs(engine: Engine) -> bool:
    try:
        return any(service.state != "stopped" for service in engine.status().services)
    except PromthctlError:  # its daemon does not answer
        return False


def _engine(name: str, settings: Settings, options: StartOptions | None = None) -> Engine:
    options = options or StartOptions()
    if name == "docker":
        from promthctl.engines.docker.engine import DockerEngine

        return DockerEngine(settings, options)
    from promthctl.engines.embedded.engine import EmbeddedEngine

    return EmbeddedEngine(settings, options.api_port, options.db_port)


def _docker_if_it_can(settings: Settings, options: StartOptions, steps: Steps) -> tuple[Engine, str]:
    from promthctl.engines.docker.engine import DockerEngine
    from promthctl.supabase_cli.choosing import UnusableCliError  # most commands run no CLI

    docker = DockerEngine(settings, options)
    try:
        return docker, docker.check_startable(steps)
    except (UsageError, UnusableCliError):
        raise
    except PromthctlError as error:
        return _engine("embedded", settings, options), error.why.splitlines()[0]


def _refuse_docker_flags(options: StartOptions, why: str) -> None:
    for flag, value in (("--bind", options.bind), ("--services", options.services)):
        if value is not None:
            raise UsageError(
                f"{flag} is for the Docker engine",
                f"the embedded engine was picked ({why}); it starts all its services, on loopback only",
                f"leave {flag} out, or promthctl local up --engine docker {flag} {value}",
            )
