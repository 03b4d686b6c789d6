"""What the machine has."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from promthctl import __version__, toolchain
from promthctl.doctor.finding import Finding, Level, of_error
from promthctl.engines.choosing import recorded_engine
from promthctl.errors import PromthctlError
from promthctl.in_time import in_time
from promthctl.quantities import size
from promthctl.settings import Settings
from promthctl.toolchain import node as nodejs
from promthctl.toolchain.tools import check_tools, pinned_cli

_DAEMON_SECONDS = 1.5
_LITTLE_DISK, _NO_DISK = 1_000_000_000, 300_000_000
_LITTLE_MEMORY = 400_000_000


def python() -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{platform.python_version()} ({sys.executable}), promthctl {__version__}")


def node(settings: Settings) -> Iterator[Finding]:
    try:
        found = nodejs.find_node(settings)
        yield Finding("Node.js", "ok", str(found.node))
    except PromthctlError as error:
        there = toolchain.tools_that_are_there(settings) is not None  # which know the one they were installed with
        yield of_error("Node.js", error, "warning" if there else "failure")


def tools(settings: Settings) -> Iterator[Finding]:
    """Each tool is run once."""
    found = toolchain.tools_that_are_there(settings)
    if found is None:
        detail = f"not installed yet: Supabase CLI {pinned_cli()} and PostgreSQL come at the first start"
        yield Finding("Tools", "warning", detail, "promthctl local up")
        return
    check_tools(found, settings, quickly=True)
    version = ".".join(map(str, found.supabase_version))
    yield Finding("Tools", "ok", f"Supabase CLI {version} and PostgreSQL 17 run, in {found.root}")


def docker(settings: Settings) -> Iterator[Finding]:
    """Needed only by a project that is set to it, or on it."""
    from promthctl.engines.docker.daemon import find_daemon

    needed = "docker" in (settings.engine, recorded_engine(settings))
    try:
        daemon = in_time(lambda: find_daemon(settings), _DAEMON_SECONDS)
    except PromthctlError as error:
        if needed:
            yield of_error("Docker", error)
        else:
            yield Finding("Docker", "ok", f"not there ({error.why.splitlines()[0]}); the embedded engine needs none")
        return
    if daemon is None:
        level: Level = "failure" if needed else "warning"
        yield Finding("Docker", level, f"no answer within {_DAEMON_SECONDS} seconds", "restart the Docker daemon")
    else:
        yield Finding("Docker", "ok", f"{daemon.product} {daemon.version} answers")


def disk(settings: Settings) -> Iterator[Finding]:
    try:
        cache = toolchain.cache_root(settings)
    except PromthctlError as error:
        yield of_error("Cache", error)
        cache = settings.project_dir
    for name, folder in (("project", settings.project_dir), ("cache", cache)):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(there).free
        level: Level = "failure" if free < _NO_DISK else "warning" if free < _LITTLE_DISK else "ok"
        fix = f"make room on the disk of {there}" if level != "ok" else ""
        yield Finding("Disk", level, f"{size(free)} free for the {name}, in {_short(folder)}", fix)


def memory() -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available
    level: Level = "ok" if free >= _LITTLE_MEMORY else "warning"
    yield Finding("Memory", level, f"{size(free)} available", "" if level == "ok" else "end other programs")


def _short(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
