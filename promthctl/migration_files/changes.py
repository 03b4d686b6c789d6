"""Several files written and removed as one: what is to be done is on disk, in .promthctl, before the first is touched.

A run that is killed in between is finished by the next `migrations renumber`, `convert`, `down`, `fetch` or `squash`,
or `pull`; until then every command that reads the migrations says so (see supabase_folder.source_migrations).
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promthctl.errors import PromthctlError, RefusedError
from promthctl.locks import alone
from promthctl.migration_files import git
from promthctl.migration_set.problems import os_reason, set_aside
from promthctl.migration_set.supabase_folder import UNFINISHED, check_unfinished
from promthctl.migration_set.sync import replace_file
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps


@dataclass(frozen=True)
class FileChanges:
    """writes: the bytes of each new or changed file. moves: old → new, for files that only get another name."""

    writes: Mapping[Path, bytes] = field(default_factory=dict)
    removals: tuple[Path, ...] = ()
    moves: Mapping[Path, Path] = field(default_factory=dict)


def check_not_overwritten(changes: FileChanges, what: str, new: Iterable[Path] = ()) -> None:
    """Raise RefusedError where a file that is not part of the changes would be overwritten. what: what was not done.

    new: those of its writes that have to be new files.
    """
    going = {*changes.removals, *changes.moves}
    targets = (*changes.moves.values(), *new)
    taken = [name for name in targets if os.path.lexists(name) and name not in going]
    if taken:
        names = ", ".join(map(str, taken))
        raise RefusedError(what, f"{names} would be overwritten", set_aside(taken[0]))


def carry_out(settings: Settings, changes: FileChanges, steps: Steps) -> None:
    """Do it. Raises PromthctlError where the disk refuses; the same command finishes it then."""
    with alone(settings, steps):
        carry_out_alone(settings, changes)


def carry_out_alone(settings: Settings, changes: FileChanges) -> None:
    """As carry_out, for who has the project to itself already (see locks.alone)."""
    moved = {new: old.read_bytes() for old, new in changes.moves.items()}
    writes = {**changes.writes, **moved}
    removals = [path for path in (*changes.removals, *changes.moves) if path not in writes]

    def relative(path: Path) -> str:
        return os.path.relpath(path, settings.project_dir)

    StateDir(settings.state_dir).write(
        UNFINISHED,
        {
            "write": {relative(path): base64.b64encode(content).decode() for path, content in writes.items()},
            "remove": [relative(path) for path in removals],
            "moved": [[relative(old), relative(new)] for old, new in changes.moves.items()],
        },
    )
    _finish(settings)


def finish_interrupted(settings: Settings, steps: Steps) -> bool:
    """Finish what a killed run has begun; False if there is nothing to finish."""
    check_unfinished(settings)
    if not (settings.state_dir / UNFINISHED).exists():
        return False
    with alone(settings, steps):
        return _finish(settings)


def _finish(settings: Settings) -> bool:
    """Every step can be done again: nothing depends on what is there already."""
    try:
        todo = StateDir(settings.state_dir).read(UNFINISHED)
    except ValueError:
        return False  # another promthctl has finished it
    root = settings.project_dir
    try:
        for name, content in todo["write"].items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, base64.b64decode(content))
        for name in todo["remove"]:
            (root / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # the folder of a migration, if nothing else is in it
                if (root / name).name in ("migration.sql", "up.sql", "down.sql"):
                    (root / name).parent.rmdir()
        git.move_in_index(root, {root / old: root / new for old, new in todo["moved"]})
        (settings.state_dir / UNFINISHED).unlink(missing_ok=True)
    except OSError as error:
        why = f"{error.filename or root}: {os_reason(error)}; some files are changed and some are not"
        raise PromthctlError(
            "The migration files could not all be changed",
            why,
            "correct that and run the same command again: it goes on",
        ) from None
    return True
