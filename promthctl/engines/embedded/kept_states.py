"""Databases as they were after a project's migrations, kept in the cache for the next new database with the same ones.

    <cache>/states/<key>/data       a data directory whose server was stopped
    <cache>/states/<key>/made.json  when it was made, its size, and the keys after each of its migrations

A key is a hash of everything that the database depends on up to one migration: the template, the default privileges,
roles.sql, the Supabase CLI, and the names and contents of the migrations. So the longest beginning of the migrations
that is kept is found without a database, and the Supabase CLI applies the rest.

What migrations take from the clock, from chance or from the machine is that of the run that is kept. So one is used for
a day at most, and never after a reboot: its files are not synced to disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from promthctl import process
from promthctl.engines.embedded.cluster import Cluster, copy_data
from promthctl.engines.embedded.kept_copy import bytes_on_disk
from promthctl.engines.embedded.templates import template_hash
from promthctl.engines.engine import Content
from promthctl.errors import PromthctlError
from promthctl.locks import locked
from promthctl.settings import Settings
from promthctl.signatures import OWNER
from promthctl.spreading import spread
from promthctl.steps import Steps
from promthctl.toolchain import cache_root

FOLDER = "states"  # in the cache directory
_SECONDS = 86_400.0
_KEPT, _BYTES, _LARGEST = 8, 1_000_000_000, 400_000_000
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Kept:
    """A state that can be copied. data: its data directory. migrations: how many of the content's it has."""

    data: Path
    migrations: int


@dataclass(frozen=True)
class _Made:
    """What made.json says. made_at: seconds since the epoch. chain: the keys up to this one."""

    made_at: float
    bytes: int
    chain: tuple[str, ...]

    def current(self) -> bool:
        import psutil

        return bool(psutil.boot_time() < self.made_at <= time.time() < self.made_at + _SECONDS)


def keys_of(cluster: Cluster, privileges: Sequence[str], content: Content) -> tuple[str, ...]:
    """The key after each of the migrations."""
    made_by = (template_hash(cluster.programs, cluster.user), tuple(privileges), content.roles, content.cli)
    digest = hashlib.sha256(repr(made_by).encode())
    keys = []
    for name, sha256 in content.migrations:
        digest.update(f"{name} {sha256}\n".encode())
        keys.append(digest.hexdigest()[:32])
    return tuple(keys)


def find(settings: Settings, keys: Sequence[str]) -> Kept | None:
    """The state with the most of these migrations that can be used now."""
    root = cache_root(settings) / FOLDER
    for count in range(len(keys), 0, -1):
        if (made := _read(root / keys[count - 1])) is not None and made.current():
            with contextlib.suppress(OSError):
                (root / keys[count - 1] / "made.json").touch()
            return Kept(root / keys[count - 1] / "data", count)
    return None


def worth_keeping(settings: Settings, keys: Sequence[str]) -> tuple[int, ...]:
    """After how many of the migrations the database is to be kept: all, and where others had gone on differently.

    Somebody who edits a migration does so again: from the second time on only what follows it is replayed.
    """
    root = cache_root(settings) / FOLDER
    shared = 0
    for folder in root.glob("*/made.json"):
        if made := _read(folder.parent):
            same = sum(ours == theirs for ours, theirs in zip(keys, made.chain, strict=False))
            shared = max(shared, same if same < len(made.chain) else 0)
    return tuple(sorted({count for count in (shared, len(keys)) if count}))


def keep(cluster: Cluster, settings: Settings, keys: Sequence[str], steps: Steps) -> None:
    """Copy a stopped cluster that has these migrations. That nothing could be kept is no error: it is made again."""
    root = cache_root(settings) / FOLDER
    size = bytes_on_disk(cluster.data)
    if size > _LARGEST or shutil.disk_usage(cache_root(settings)).free < 4 * size:
        return
    with contextlib.suppress(OSError, PromthctlError):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        spread(root)
        with locked(root / "lock", steps, "keeping a copy of a database"):
            for leftover in root.glob(f"{_PARTIAL}*"):  # of a promthctl that was killed: we hold the lock
                shutil.rmtree(leftover, ignore_errors=True)
            partial = root / f"{_PARTIAL}{secrets.token_hex(4)}"
            partial.mkdir(mode=0o700)
            try:
                copy_data(cluster.data, partial / "data", settings)
                (partial / "data" / OWNER).unlink(missing_ok=True)
                made = _Made(time.time(), size, tuple(keys))
                process.write_private(partial / "made.json", json.dumps(asdict(made)))
                _remove(root / keys[-1])
                partial.rename(root / keys[-1])
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            _forget_oldest(root)


def forget(kept: Kept) -> None:
    """Remove a state that is of no use."""
    with contextlib.suppress(OSError):
        _remove(kept.data.parent)


def _read(folder: Path) -> _Made | None:
    """None for what is no state, or a damaged one."""
    try:
        made = json.loads(process.read_regular(folder / "made.json"))
        return _Made(float(made["made_at"]), int(made["bytes"]), tuple(map(str, made["chain"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _forget_oldest(root: Path) -> None:
    """Remove what has not been used for longest, until the rest is few and small enough."""
    found = [(folder.stat().st_mtime, folder.parent) for folder in root.glob("*/made.json")]
    total = 0
    for number, (_, folder) in enumerate(sorted(found, reverse=True)):
        made = _read(folder)
        total += made.bytes if made else 0
        if made is None or not made.current() or number >= _KEPT or total > _BYTES:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Another promthctl that is copying it sees that it is gone before a file of it is."""
    if folder.exists():
        aside = folder.with_name(f"{_PARTIAL}{secrets.token_hex(4)}")
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
