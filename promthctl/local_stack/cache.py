"""What promthctl keeps on this machine, and the removal of what nobody uses.

In use is what a process runs from, what this promthctl would run, what a promthctl holds a lock on, and a prepared
database copied in the last hour. Whatever is removed can be made or downloaded again; snapshots cannot, and are
removed by their own command.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from promthctl import toolchain
from promthctl.engines import Engine
from promthctl.engines.embedded import kept_states
from promthctl.engines.embedded.kept_copy import bytes_on_disk
from promthctl.errors import UsageError
from promthctl.locks import is_held
from promthctl.migration_set.supabase_folder import REPLACED
from promthctl.settings import Settings

_PREFIX = ".removed-"
_RECENT = 3600.0  # seconds: another promthctl may be copying it
_NPM = "npm"  # what is left of a download in the folder of the tools
_LOCKS = (".lock", ".database-lock")
# Folder in the cache → what it is called.
PARTS = {
    "toolchain": "Supabase CLI, PostgreSQL 17, the API server's packages, and downloads",
    "postgres": "PostgreSQL with the stand-ins for extensions",
    "templates": "prepared databases",
    kept_states.FOLDER: "databases after the migrations (8, 1 GB, a day at most)",
    "shadow": "what migrations make, and databases for rehearsals",
}


@dataclass(frozen=True)
class Part:
    """name: of the folder. what: in words. bytes: on disk. unused: the bytes of these that `cache clean` removes."""

    name: str
    what: str
    bytes: int
    unused: int


@dataclass(frozen=True)
class CacheList:
    """folder: the cache's. snapshots, kept: bytes on disk of this project's databases that are kept beside it.

    replaced: of the edited migration files that a sync has replaced, the last five of each.
    """

    folder: str
    parts: tuple[Part, ...]
    snapshots: int
    kept: int
    replaced: int


@dataclass(frozen=True)
class Cleaned:
    """removed: (folder, bytes) of what is gone, seen afterwards. left: what was to go and is still there."""

    folder: str
    removed: tuple[tuple[str, int], ...]
    left: tuple[str, ...]
    bytes: int


def list_cache(settings: Settings, engine: Engine) -> CacheList:
    root = toolchain.cache_root(settings)
    unused = set(_unused(settings, root))
    parts = []
    for name, what in PARTS.items():
        found = list(_entries(root / name))
        going = sum(disk_bytes(entry) for entry in found if entry in unused)
        parts.append(Part(name, what, sum(map(disk_bytes, found)), going))
    snapshots = 0
    with contextlib.suppress(UsageError):  # an engine without any
        snapshots = sum(one.bytes for one in engine.snapshots())
    kept = engine.kept()
    replaced = disk_bytes(settings.state_dir / REPLACED)
    return CacheList(str(root), tuple(parts), snapshots, kept.bytes if kept else 0, replaced)


def clean_cache(settings: Settings, *, everything: bool = False) -> Cleaned:
    """everything: also what this promthctl would run or copy next, as before it is uninstalled; what a process runs
    from and what a promthctl works with stays all the same.

    Each goes at once: it is renamed first, and what a kill leaves of it the next `clean` removes."""
    root = toolchain.cache_root(settings)
    sizes = {entry: disk_bytes(entry) for entry in _unused(settings, root, everything)}
    for entry in sizes:
        with contextlib.suppress(OSError):
            aside = entry.with_name(f"{_PREFIX}{secrets.token_hex(4)}")
            entry.rename(aside)
            remove(aside)
    removed = tuple((str(entry.relative_to(root)), size) for entry, size in sizes.items() if not entry.exists())
    left = tuple(str(entry.relative_to(root)) for entry in sizes if entry.exists())
    return Cleaned(str(root), removed, left, sum(size for _, size in removed))


def _unused(settings: Settings, root: Path, everything: bool = False) -> Iterator[Path]:
    running = running_from(root)
    current = set() if everything else {os.path.realpath(folder) for folder in toolchain.installed_here(settings)}
    recent = 0.0 if everything else _RECENT

    def free(entry: Path) -> bool:
        real = os.path.realpath(entry)
        return not any(place == real or place.startswith(f"{real}{os.sep}") for place in running)

    rules: dict[str, Callable[[Path], bool]] = {
        "toolchain": lambda entry: (
            os.path.realpath(entry) not in current and free(entry) and not is_held(root / "toolchain" / "install.lock")
        ),
        "postgres": lambda entry: os.path.realpath(entry) not in current and free(entry),
        "templates": lambda entry: free(entry) and time.time() - entry.stat().st_mtime > recent,
        kept_states.FOLDER: lambda _: not is_held(root / kept_states.FOLDER / "lock"),
        "shadow": lambda entry: free(entry) and not _held(entry),
    }
    for name, may_go in rules.items():
        for entry in _entries(root / name):
            with contextlib.suppress(OSError):  # another promthctl has removed it
                if entry.name.startswith(_PREFIX) or (not is_lock(entry) and may_go(entry)):
                    yield entry


def _held(entry: Path) -> bool:
    """Whether a promthctl works with this part of the shadow."""
    if entry.is_dir():
        return is_held(entry.with_suffix(".database-lock")) or is_held(entry / "in-use")
    return is_held(entry.with_name(f"{entry.name.partition('.')[0]}.lock"))


def is_lock(entry: Path) -> bool:
    return entry.name == "lock" or entry.name.endswith(_LOCKS)


def running_from(root: Path) -> set[str]:
    """The paths in the cache that the programs, folders and command lines of all processes name."""
    import psutil

    inside = f"{os.path.realpath(root)}{os.sep}"
    found = set[str]()
    for one in psutil.process_iter(["exe", "cwd", "cmdline"]):
        for text in (one.info["exe"], one.info["cwd"], *(one.info["cmdline"] or ())):
            if text and (path := os.path.realpath(text) if text.startswith("/") else "").startswith(inside):
                found.add(path)
    return found


def _entries(folder: Path) -> Iterator[Path]:
    with contextlib.suppress(FileNotFoundError):
        yield from sorted(folder.iterdir())


def disk_bytes(entry: Path) -> int:
    """What a file or folder takes on the disk; 0 where it is gone."""
    if entry.is_dir() and not entry.is_symlink():
        return bytes_on_disk(entry)
    with contextlib.suppress(OSError):
        return entry.lstat().st_blocks * 512
    return 0


def remove(path: Path) -> None:
    """Remove a file or a folder; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
