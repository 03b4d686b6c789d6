"""Everything that promthctl keeps outside of projects, and its removal before promthctl itself is uninstalled."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from promthctl import toolchain
from promthctl.engines.embedded.system_user import data_places
from promthctl.errors import RefusedError
from promthctl.local_stack.cache import PARTS, disk_bytes, remove, running_from
from promthctl.locks import is_held
from promthctl.settings import Settings
from promthctl.signatures import key_folders
from promthctl.toolchain.python_packages import uninstall_command

_PROJECT = re.compile(r"[a-z0-9]+-[0-9a-f]{12}")  # settings.project_id, and engines.embedded.ownership.project_name
_LOCKS = ("*lock", "*/in-use")
_OWN_FILES = ("state.key", "trusted.json")
_CACHES = (*PARTS, "docker")  # "docker": locks


@dataclass(frozen=True)
class Kept:
    """databases, caches, own: what is there, as paths; own: the key that signs records, what was agreed to. bytes: on
    disk, all of it.
    """

    databases: tuple[str, ...]
    caches: tuple[str, ...]
    own: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class Uninstalled:
    """removed: what was there and is gone, seen afterwards. left: what is still there. bytes: on disk, of what is gone.

    next: the command that removes promthctl itself.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]
    bytes: int
    next: str


def kept(settings: Settings) -> Kept:
    """What there is to remove. Raises RefusedError while a stack or another promthctl works with any of it."""
    databases, caches, own = (tuple(found) for found in (_databases(settings), _caches(settings), _own()))
    roots = [toolchain.cache_root(settings), *data_places(settings)]
    running = sorted({path for root in roots for path in running_from(root)})
    locks = (lock for folder in caches for pattern in _LOCKS for lock in folder.glob(pattern) if lock.is_file())
    running += [str(lock) for lock in locks if is_held(lock)]
    if running:
        shown = "\n".join(running[:5])
        why = f"these are in use, by a local stack or another promthctl:\n{shown}"
        hint = "promthctl local down, in the folder of each project whose stack runs; then the same command again"
        raise RefusedError("Nothing was removed", why, hint)
    every = (*databases, *caches, *own)
    names = [tuple(map(str, found)) for found in (databases, caches, own)]
    return Kept(names[0], names[1], names[2], sum(map(disk_bytes, every)))


def uninstall(settings: Settings, found: Kept) -> Uninstalled:
    """Remove what kept() found, and the folders that are empty then."""
    paths = [Path(name) for name in (*found.databases, *found.caches, *found.own)]
    sizes = {path: disk_bytes(path) for path in paths}
    for path in paths:
        with contextlib.suppress(OSError):
            aside = path.with_name(f".removed-{secrets.token_hex(4)}")  # gone at once for a promthctl that starts now
            path.rename(aside)
            remove(aside)
    for folder in (toolchain.cache_root(settings), *data_places(settings), *key_folders()):
        with contextlib.suppress(OSError):
            folder.rmdir()
    gone = [path for path in paths if not path.exists()]
    left = tuple(str(path) for path in paths if path.exists())
    return Uninstalled(tuple(map(str, gone)), left, sum(sizes[path] for path in gone), uninstall_command())


def _databases(settings: Settings) -> Iterator[Path]:
    """A folder for each project; what else is in a PROMTHCTL_DATA_DIR is not ours."""
    for place in data_places(settings):
        yield from _inside(place, lambda home: _PROJECT.fullmatch(home.name) is not None)


def _caches(settings: Settings) -> Iterator[Path]:
    root = toolchain.cache_root(settings)
    yield from _inside(root, lambda folder: folder.name in _CACHES or folder.name.startswith(".removed-"))


def _own() -> Iterator[Path]:
    for folder in key_folders():
        yield from _inside(folder, lambda file: file.name in _OWN_FILES)


def _inside(folder: Path, wanted: Callable[[Path], bool]) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        yield from sorted(filter(wanted, folder.iterdir()))
