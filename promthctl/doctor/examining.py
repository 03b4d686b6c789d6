"""All checks side by side, and what --fix does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from promthctl import process
from promthctl.doctor import machine, ports, project
from promthctl.doctor.finding import Finding, of_error
from promthctl.engines import current, recorded_engine
from promthctl.errors import PromthctlError
from promthctl.in_time import started
from promthctl.migration_set import supabase_folder
from promthctl.settings import Settings
from promthctl.state import StateDir

_SECONDS = 4.0  # for all checks: they run side by side
Check = Callable[[], Iterator[Finding]]


@dataclass(frozen=True)
class Diagnosis:
    """ready: nothing stops the main job, a local stack with the migrations on it. fixed: what --fix put right."""

    ready: bool
    findings: tuple[Finding, ...]
    fixed: tuple[str, ...] = ()


def examine(
    settings: Settings | None, unusable: PromthctlError | None = None, target: Check | None = None
) -> Diagnosis:
    """settings: None where they cannot be read; unusable says why. target: a check of a target that was named."""
    checks: dict[str, Check] = {"Python": machine.python, "Memory": machine.memory}
    findings: list[Finding] = []
    if settings is not None:
        checks |= {
            "Node.js": partial(machine.node, settings),
            "Tools": partial(machine.tools, settings),
            "Docker": partial(machine.docker, settings),
            "Engine": partial(_engine, settings),
            "Ports": partial(ports.ports, settings),
            "Disk": partial(machine.disk, settings),
            ".env": partial(project.dotenv, settings),
            "Permissions": partial(project.permissions, settings),
            "Migrations": partial(project.migrations, settings),
            "config.toml": partial(project.config, settings),
            "Login": partial(project.login, settings),
        }
    elif unusable is not None:
        findings.append(of_error("Project", unusable))
    if target is not None:
        checks["Target"] = target
    deadline = time.monotonic() + _SECONDS
    asked = {name: started(partial(_all, check)) for name, check in checks.items()}
    for name, answer in asked.items():
        findings += _findings(name, answer, max(0.0, deadline - time.monotonic()))
    process.end_running()  # a tool that did not answer
    return Diagnosis(not any(each.level == "failure" for each in findings), tuple(findings))


def _all(check: Check) -> list[Finding]:
    return list(check())


def _findings(name: str, answer: Callable[[float], list[Finding] | None], seconds: float) -> list[Finding]:
    try:
        found = answer(seconds)
    except PromthctlError as error:
        return [of_error(name, error)]
    except Exception as error:  # one check that cannot be made is told beside the others
        return [Finding(name, "warning", f"this could not be looked at: {type(error).__name__}")]
    return [Finding(name, "warning", f"no answer within {_SECONDS:.0f} seconds")] if found is None else found


def _engine(settings: Settings) -> Iterator[Finding]:
    name = recorded_engine(settings)
    if name is None:
        chosen = "Docker if it can, otherwise embedded" if settings.engine == "auto" else settings.engine
        yield Finding("Engine", "ok", f"no stack was started here; `local up` takes {chosen}")
        return
    status = current(settings).status()
    if status.running:
        yield Finding("Engine", "ok", f"the {name} stack runs")
        return
    parts = any(service.state != "stopped" for service in status.services)
    state = "runs only in part" if parts else "is stopped"
    yield Finding("Engine", "warning" if parts else "ok", f"the {name} stack {state}", "promthctl local up")


def put_right(settings: Settings, diagnosis: Diagnosis, note: Callable[[str], None]) -> tuple[str, ...]:
    """Do what is safe of the fixes; what was done, in words. Whether it helped, another examination shows."""
    done = []
    for finding in diagnosis.findings:
        if not finding.by_itself:
            continue
        if finding.check == ".env" and settings.exposed is not None:
            settings.exposed.chmod(0o600)
        elif finding.check == "Permissions":
            StateDir(settings.state_dir).make()
        elif finding.check == "Migrations":
            supabase_folder.sync_project(settings, (), note)
        done.append(finding.fix)
    return tuple(done)
