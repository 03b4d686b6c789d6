"""Which migration files are linted: all of them, those that are named, those that were changed since a commit."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

from promthctl.errors import UsageError
from promthctl.migration_files import git
from promthctl.migration_files.down_scripts import with_downs
from promthctl.migration_set import Migration
from promthctl.settings import Settings

_WHAT = "Nothing was linted"


def chosen_files(
    settings: Settings, named: Sequence[Path], since: str | None
) -> tuple[list[Migration], frozenset[str]]:
    """All migrations in the CLI's order with their down scripts, and the file names of those that are to be linted.

    named: paths, file names or versions; none for all. since: what git calls a commit: only files that are not as they
    were then, or not in git. Raises UsageError for one that is no migration, or no commit, and what reading the
    migrations raises.
    """
    files = list(with_downs(settings))
    wanted = _named(files, named) if named else frozenset(file.filename for file in files)
    if since is not None:
        wanted &= _changed(settings, files, since)
    return files, wanted


def _named(files: Sequence[Migration], named: Sequence[Path]) -> frozenset[str]:
    found = set()
    for path in named:
        match = [
            file.filename
            for file in files
            if str(path) == file.version
            or path.name in (file.version, file.filename)
            or os.path.realpath(path) == os.path.realpath(file.path)
        ]
        if not match:
            why = f"{path} is none of the {len(files)} migrations of this project"
            raise UsageError(_WHAT, why, "promthctl migrations list shows them")
        found.update(match)
    return frozenset(found)


def _changed(settings: Settings, files: Sequence[Migration], since: str) -> frozenset[str]:
    changed: Collection[str] | None = None
    folders = {file.path.parent for file in files} or {settings.project_dir}
    for folder in folders:
        here = git.changed_since(folder, since)
        if here is None:
            why = f"git does not know {since!r} in {folder}"
            raise UsageError(_WHAT, why, "give a commit, a tag or a branch: git log --oneline shows the commits")
        changed = {*(changed or ()), *(str(folder / name) for name in here)}
    return frozenset(file.filename for file in files if str(file.path) in (changed or ()))
