"""The data directory as it was before a reset, kept beside the one in use until the next reset.

    postgres-17                in use
    postgres-17-before-reset   kept
    postgres-17-swapping       the kept one while an undo exchanges the two

All changes are renamings, with the server stopped: whenever promthctl is killed, `settle` finds out from the names that
are there how far it came. Nothing that was in use is removed before something else is in its place.
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from pathlib import Path

from promthctl.engines.embedded import cluster as postgres
from promthctl.engines.engine import KeptCopy
from promthctl.errors import UsageError

_PREFIX = "postgres-"
_KEPT, _SWAPPING = "-before-reset", "-swapping"


def kept_path(data: Path) -> Path:
    """Where the copy of a data directory is kept."""
    return data.with_name(data.name + _KEPT)


def replace(data: Path, new: Path) -> None:
    """Put a new data directory in the place of the one in use, if there is one, which is kept."""
    if data.exists():
        postgres.set_aside(kept_path(data))
        data.rename(kept_path(data))
    new.rename(data)


def swap(data: Path) -> None:
    """Exchange the data directory in use and the kept one."""
    swapping = data.with_name(data.name + _SWAPPING)
    kept_path(data).rename(swapping)
    if data.exists():
        data.rename(kept_path(data))
    swapping.rename(data)


def settle(home: Path) -> bool:
    """Finish or take back what a killed promthctl left half exchanged; True when a reset was taken back.

    The caller is the only promthctl here, and no server runs on these files when something is half done.
    """
    taken_back = False
    for data in _directories(home):
        kept, swapping = kept_path(data), data.with_name(data.name + _SWAPPING)
        if swapping.exists():
            if not data.exists():
                swapping.rename(data)
            elif not kept.exists():
                swapping.rename(kept)
        elif kept.exists() and not data.exists():
            kept.rename(data)
            taken_back = True
    return taken_back


def describe(data: Path) -> KeptCopy | None:
    """What is kept of a data directory; None when nothing is."""
    kept = kept_path(data)
    if not kept.exists():
        return None
    return KeptCopy(str(kept), bytes_on_disk(kept), kept_since(kept).isoformat(timespec="seconds"))


def kept_since(kept: Path) -> datetime:
    """The time of the renaming: PostgreSQL writes nothing into a directory it has left."""
    return datetime.fromtimestamp(kept.stat().st_ctime, UTC).replace(microsecond=0)


def remove_all(home: Path) -> int:
    """Remove what is kept, before the data directories themselves: otherwise a killed purge would bring it back.

    Returns the bytes on disk that it took.
    """
    removed = 0
    for data in _directories(home):
        for path in (data.with_name(data.name + _SWAPPING), kept_path(data)):
            removed += bytes_on_disk(path)
            postgres.remove(path)
    return removed


def _directories(home: Path) -> list[Path]:
    """Every data directory that is here in any of the three states."""
    names = (path.name.removesuffix(_KEPT).removesuffix(_SWAPPING) for path in home.glob(f"{_PREFIX}[0-9]*"))
    return [home / name for name in sorted(set(names))]


def bytes_on_disk(folder: Path) -> int:
    """What `du` says of it."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{place}/{name}").st_blocks * 512
    return total


def nothing_kept(data: Path) -> UsageError:
    """What to say where there is no copy of a data directory; servers are called as in toolchain.servers."""
    what = "There is no database to put back"
    server = data.name.removeprefix(_PREFIX)
    others = [one.name.removeprefix(_PREFIX) for one in _directories(data.parent) if kept_path(one).exists()]
    if others:
        why = f"what is kept is of PostgreSQL {max(others)}, and the project is set to {server}"
        return UsageError(what, why, server_setting(max(others)))
    why = "a copy is kept by `promthctl local reset`, and none was made since the last `local down --purge`"
    return UsageError(what, why, "promthctl local reset makes one from then on, of what is there now")


def server_setting(name: str) -> str:
    setting = 'postgres = "system"' if name.endswith("-installed") else f"postgres = {name}"
    return f"set {setting} under [tool.promthctl] in pyproject.toml, then run it again"
