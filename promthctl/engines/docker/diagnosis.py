"""Why a service does not start: its last lines, and what they usually mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promthctl.engines.docker import services
from promthctl.errors import PromthctlError
from promthctl.redact import redact

_SHOWN_LINES, _SHOWN_WIDTH = 8, 160
_TIME = re.compile(r"^\d{4}-\d\d-\d\d[T ][\d:.,]+(?: ?[A-Z]{1,4}\b)? (?:\[\d+\] )?")  # the kept log has it
_HEADING = re.compile(r"^(\S+) container logs:$")
# (a pattern in its last lines, the likely cause, what to run); the first match wins.
_CAUSES = (
    (
        r"no space left on device|could not (?:write|extend) file",
        "the disk is full",
        "docker system prune frees what is not used; then promthctl local up",
    ),
    (
        r"cannot allocate memory|out of memory|not enough memory",
        "it asks for more memory than there is",
        "lower it in supabase/config.toml or give Docker more memory; then promthctl local up",
    ),
    (
        r"exec format error",
        "the image is for another kind of processor",
        "docker image rm IMAGE, then promthctl local up pulls the one for this machine",
    ),
    (
        r"database files are incompatible with server|initialized by PostgreSQL version",
        "its data was made by another PostgreSQL version",
        "set [db] major_version in supabase/config.toml to that version, or promthctl local down --purge starts afresh",
    ),
    (
        r"password authentication failed",
        "the database has other passwords than the stack: it was made with other settings",
        "promthctl local down --purge makes a new database (its rows are lost), then promthctl local up",
    ),
    (
        r"address already in use|port is already allocated",
        "another program has its port",
        "promthctl local up --api-port 0 --db-port 0 picks free ones",
    ),
    (
        r"connection refused|could not connect|connection to server .* failed|ECONNREFUSED|no such host|EAI_AGAIN",
        "it does not reach another service of the stack",
        "promthctl local down, then promthctl local up",
    ),
    (
        r"permission denied|operation not permitted",
        "it may not read or write a file: the volume belongs to another user, or the system forbids it",
        "promthctl local down --purge makes new volumes (the rows are lost), then promthctl local up",
    ),
    (
        r"invalid config|failed to (?:load|parse) config|invalid value for parameter|(?:unrecognized|unknown) config",
        "it does not accept its configuration",
        "correct supabase/config.toml, then promthctl local up",
    ),
)
_KILLED = {137: "it was killed", 139: "it crashed (segmentation fault)", 143: "it was asked to end"}


@dataclass(frozen=True)
class Failure:
    """service: the one that failed. how: in words. lines: its last ones. out_of_memory: the kernel killed it."""

    service: str
    how: str
    lines: tuple[str, ...]
    out_of_memory: bool = False

    def error(self) -> PromthctlError:
        cause, fix = self._cause()
        shown = "\n".join(f"    {_cut(redact(line))}" for line in self.lines[-_SHOWN_LINES:])
        return PromthctlError(
            f"The service {self.service} did not start",
            f"{self.how}{f'; likely {cause}' if cause else ''}" + (f"\n{shown}" if shown else ", and printed nothing"),
            fix,
        )

    def _cause(self) -> tuple[str, str]:
        if self.out_of_memory:
            return (
                "Docker has too little memory",
                "give Docker more memory, or start less: promthctl local up --services db,rest,auth",
            )
        text = "\n".join(self.lines)
        for pattern, cause, fix in _CAUSES:
            if re.search(pattern, text, re.IGNORECASE):
                return cause, fix
        return "", f"promthctl local logs {self.service} shows its whole log; promthctl local up tries again"


def _cut(line: str) -> str:
    line = _TIME.sub("", line)
    return line if len(line) <= _SHOWN_WIDTH else f"{line[: _SHOWN_WIDTH - 1]}…"


def of_state(service: str, details: Mapping[str, Any], exit_code: int | None, lines: Sequence[str]) -> Failure:
    """details: the container as the daemon describes it (`docker inspect`). exit_code: how it ended last."""
    state, restarts = details.get("State", {}), int(details.get("RestartCount", 0))
    health = state.get("Health") or {}
    if health.get("Status") == "unhealthy" and not restarts:
        said = str((health.get("Log") or [{}])[-1].get("Output", "")).strip().splitlines()
        how = f"it runs, but its health check failed {health.get('FailingStreak', 0)} times"
        return Failure(service, how + (f" ({said[-1]})" if said else ""), tuple(lines))
    code = exit_code if exit_code is not None else int(state.get("ExitCode", 0))
    how = f"{_KILLED.get(code, 'it ended')} with code {code}" + (f", {restarts} times in a row" if restarts else "")
    if text := str(state.get("Error") or ""):
        how += f" ({text})"
    return Failure(service, how, tuple(lines), out_of_memory=bool(state.get("OOMKilled")))


def of_output(said: str, project: str) -> Failure | None:
    """The failure the CLI reports: it prints the logs of each container that is not ready under a heading."""
    service, lines = None, []
    for line in said.splitlines():
        if match := _HEADING.match(line):
            if service is not None:
                break
            service = services.of_container(match[1], project)
        elif service is not None:
            lines.append(line)
    while lines and (not lines[-1].strip() or lines[-1].startswith("Stopping containers")):
        lines.pop()
    return Failure(service, "it was not ready in time", tuple(lines)) if service else None
