"""Which files of supabase/migrations promthctl put there: .promthctl/copies.json, with a hash of each.

A copy whose source is gone can be told from somebody's own file by this record alone. Without it, in another clone,
nothing is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.settings import Settings
from promthctl.state import StateDir

if TYPE_CHECKING:
    from promthctl.migration_set.sync import SyncPlan

_NAME = "copies.json"


def read_copies(settings: Settings) -> dict[str, str]:
    """SHA-256 as hex by file name; nothing where there is no record, or a damaged one."""
    try:
        found = StateDir(settings.state_dir).read(_NAME)
    except ValueError:
        return {}
    return {name: digest for name, digest in found.items() if isinstance(digest, str)}


def record_copies(settings: Settings, plan: SyncPlan) -> None:
    """Note what the plan is about to write, before it is written: a kill in between costs no knowledge."""
    known = read_copies(settings)
    written = {migration.filename: migration.sha256 for migration in plan.written}
    renamed = {rename.migration.filename: rename.migration.sha256 for rename in plan.renamed if rename.old in known}
    if not written and not renamed:
        return
    state = StateDir(settings.state_dir)
    state.make()
    state.write(_NAME, known | written | renamed)


def forget_copies(settings: Settings, plan: SyncPlan) -> None:
    """Note that the plan was carried out."""
    gone = {*plan.removed, *(rename.old for rename in plan.renamed)}
    known = read_copies(settings)
    if gone & known.keys():
        StateDir(settings.state_dir).write(_NAME, {name: known[name] for name in known if name not in gone})


def rename_copies(settings: Settings, names: Mapping[str, str]) -> None:
    """Note that copies got other names, old → new."""
    known = read_copies(settings)
    if names.keys() & known.keys():
        StateDir(settings.state_dir).write(_NAME, {names.get(name, name): digest for name, digest in known.items()})


def replace_copies(settings: Settings, gone: Iterable[str], written: Mapping[str, bytes]) -> None:
    """Note that copies were removed, and that others have this content now; only what was a copy is one."""
    known = read_copies(settings)
    now = {name: digest for name, digest in known.items() if name not in set(gone)}
    now |= {name: hashlib.sha256(content).hexdigest() for name, content in written.items() if name in known}
    if now != known:
        StateDir(settings.state_dir).write(_NAME, now)


def keep_copies(settings: Settings, versions: Collection[str]) -> None:
    """Note that these are going to a database other than the local stack: another target must not have them removed."""
    known = read_copies(settings)
    removable = {name: digest for name, digest in known.items() if name.partition("_")[0] not in versions}
    if removable != known:
        StateDir(settings.state_dir).write(_NAME, removable)


def copied_names(settings: Settings, names: Iterable[str]) -> frozenset[str]:
    """Those of these files of supabase/migrations that are as promthctl wrote them."""
    known = read_copies(settings)
    return frozenset(name for name in names if is_untouched(name, _content(settings.migrations_dir / name), known))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def is_untouched(name: str, content: bytes, copies: Mapping[str, str]) -> bool:
    """True for a copy that is as promthctl wrote it."""
    return name in copies and copies[name] == hashlib.sha256(content).hexdigest()
