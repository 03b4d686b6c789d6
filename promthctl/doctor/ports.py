"""Which ports the local stack wants, and who has them."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.configuration import API_PORT, DB_PORT
from promthctl.doctor.finding import Finding
from promthctl.engines.choosing import recorded_engine
from promthctl.engines.embedded.records import EmbeddedRecords
from promthctl.settings import Settings

if TYPE_CHECKING:
    import psutil


def ports(settings: Settings) -> Iterator[Finding]:
    import psutil

    if recorded_engine(settings) == "docker":
        yield Finding("Ports", "ok", "Docker has them; `promthctl local status` shows which")
        return
    records = EmbeddedRecords(settings.state_dir)
    stack = records.load_stack()
    own = {process.pid for name in ("postgres", "api") if (process := records.load_process(name)) is not None}
    wanted = {
        "API": (stack.api_port if stack else settings.api_port or API_PORT, "--api-port"),
        "database": (stack.db_port if stack else settings.db_port or DB_PORT, "--db-port"),
    }
    listening: dict[int, int | None] = {}
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr:
                listening[connection.laddr.port] = connection.pid
    for name, (port, flag) in wanted.items():
        if port not in listening:
            yield Finding("Ports", "ok", f"{port}, for the {name}, is free")
        elif listening[port] in own:
            yield Finding("Ports", "ok", f"{port}: the {name} of this project's stack")
        else:
            holder, stop = _holder(listening[port])
            fix = f"{stop}; or: promthctl local up {flag} 0"
            yield Finding("Ports", "failure", f"{port}, for the {name}, is taken by {holder}", fix)


def _holder(pid: int | None) -> tuple[str, str]:
    """Who it is, and how to stop it."""
    import psutil

    stop = "stop that program"
    if pid is None:
        return "another user's program", stop
    try:
        process = psutil.Process(pid)
        if (folder := _project_of(process)) is not None:
            return f"promthctl's stack of {folder}", f"promthctl -C {shlex.quote(str(folder))} local down"
        return f"{process.name()} (pid {pid})", stop
    except psutil.Error:
        return f"a program (pid {pid})", stop


def _project_of(process: psutil.Process) -> Path | None:
    """The project of a stack's process, which has its log there; None for any other process."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        for number in (2, 1):
            log = Path(f"/proc/{process.pid}/fd/{number}").resolve()
            if log.parent.name == "logs" and log.parent.parent.name == ".promthctl":
                return log.parent.parent.parent
    return None
