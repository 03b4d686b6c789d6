"""The version numbers of a folder: what is wrong with them, and the renames that put it right.

The CLI applies migrations in the order of their versions as text, and keeps the version as the primary key of its
history.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from promthctl.migration_set.problems import FolderProblem, set_aside, shell_quote

if TYPE_CHECKING:
    from promthctl.migration_set.folder import Migration

TIMESTAMP_WIDTH = 14  # versions made by `supabase migration new`: YYYYMMDDHHMMSS
_DEFAULT_WIDTH = 3
# The CLI leaves out a first migration of this name if it is older than 2021-12-09 (its own former dump).
_SKIPPED_NAME, _SKIPPED_BEFORE = "init", 20211209000000


class NoVersionLeftError(ValueError):
    """A number of more digits would come too early, as text."""


def free_version(taken: Iterable[str], after: str) -> str | None:
    """The next free version of the same width: with 001, 002 and 003 taken, after 002 it is 004; None after 999."""
    used = {int(version) for version in taken}
    number = int(after) + 1
    while number in used:
        number += 1
    version = f"{number:0{len(after)}}"
    return version if len(version) == len(after) else None


def own_versions(versions: Sequence[str], applied: Sequence[bool], recorded: Collection[str] = ()) -> list[str]:
    """A version of its own for each migration; most keep theirs.

    versions: in the order in which the migrations are to apply, which the result keeps, but for what is applied
    already. applied: for each, whether it has run somewhere: then it keeps its version, and what has to be renumbered
    after one of those comes after all of them. recorded: more versions that are taken. Raises NoVersionLeftError.
    """
    fixed = {*recorded, *(version for version, ran in zip(versions, applied, strict=True) if ran)}
    found, last = [], ""
    for version, ran in zip(versions, applied, strict=True):
        own = version
        if not ran:
            if own in fixed:
                own = _after(max(fixed))
            while own <= last or own in fixed:
                own = _after(max(own, last))
            last = own
        found.append(own)
    return found


def _after(version: str) -> str:
    following = f"{int(version) + 1:0{len(version)}}"
    if len(following) > len(version):
        raise NoVersionLeftError(version)
    return following


class Numbers:
    """Hands out free version numbers, each once, so that two proposals never collide."""

    def __init__(self, migrations: Sequence[Migration]) -> None:
        self._taken = [migration.version for migration in migrations]
        self._last = self._taken[-1] if self._taken else "0" * _DEFAULT_WIDTH

    def next(self) -> str | None:
        """The next free version after the last one."""
        version = free_version(self._taken, self._last)
        if version is not None:
            self._taken.append(version)
        return version


def misnamed(name: str, numbers: Numbers) -> FolderProblem:
    """A file the CLI would skip, with the name it probably should have."""
    stem = name[: -len(".sql")]
    shown = name if name.isprintable() else ascii(name)
    why = f"{shown} is not named NNN_name.sql, so the Supabase CLI would skip it"
    match = re.fullmatch(r"(?P<digits>[0-9]*)[\W_]*(?P<name>.*)", stem)
    version = (match and match["digits"]) or numbers.next()
    if match is None or version is None or not name.isprintable():
        return FolderProblem(why, f"rename {shown} to NNN_name.sql, or move it out of the folder")
    better = f"{version}_{match['name'] or 'migration'}.sql"
    return FolderProblem(why, f"mv {shell_quote(name, better)}, or {set_aside(name)}")


def renamed_down(migration: Migration, version: str, name: str) -> str | None:
    """The name of its down script when the migration gets this version and name; None if it has none."""
    if migration.down is None:
        return None
    if name == migration.name:  # whatever its form, X.down.sql or X_undo.sql
        return version + migration.down.name[len(migration.version) :]
    return f"{version}_{name}.down.sql"


def _rename(migration: Migration, version: str, name: str) -> str:
    """The commands that rename a migration, its down script included."""
    command = f"mv {shell_quote(migration.filename, f'{version}_{name}.sql')}"
    if migration.down is not None and (better := renamed_down(migration, version, name)):
        down = migration.down
        beside = down.parent == migration.path.parent
        old, new = (down.name, better) if beside else (str(down), str(down.with_name(better)))
        command += f" && mv {shell_quote(old, new)}"
    return command


def twice(migrations: Sequence[Migration], as_text: bool) -> list[FolderProblem]:
    """Versions that two files share. as_text: to the CLI 1 and 001 are two versions; in a source they are one."""
    groups: dict[object, list[Migration]] = defaultdict(list)
    for migration in migrations:
        groups[migration.version if as_text else int(migration.version)].append(migration)
    fix = "promthctl migrations renumber (--dry-run shows the new names)"
    return [
        FolderProblem(f"{first.filename} and {other.filename} both have version {first.version}", fix)
        for first, *others in groups.values()
        for other in others
    ]


def disorder(migrations: Sequence[Migration]) -> list[FolderProblem]:
    """Versions whose order as text, which the CLI uses, is not their order as numbers."""
    versions = [migration.version for migration in migrations]
    if versions == sorted(versions):
        return []
    before, after = next(pair for pair in pairwise(versions) if pair[0] > pair[1])
    better = padded(versions)
    moved = [
        _rename(migration, better[migration.version], migration.name)
        for migration in migrations
        if better[migration.version] != migration.version
    ]
    why = f"version {after} would be applied before {before}: the Supabase CLI orders versions as text"
    return [FolderProblem(why, "\n".join(moved))]


def padded(versions: Sequence[str]) -> dict[str, str]:
    """Versions whose order as text is that of their numbers. versions: each number once, in order.

    Of the widths in use, the one with the fewest renames: 9 becomes 09 beside 10, and 0015 becomes 015 beside 014.
    """
    if list(versions) == sorted(versions):
        return {version: version for version in versions}
    candidates = [_padded(versions, width) for width in sorted({len(version) for version in versions}, reverse=True)]
    fitting = [each for each in candidates if each == sorted(each) and len(set(each)) == len(each)]
    return dict(zip(versions, min(fitting, key=lambda each: sum(map(str.__ne__, each, versions))), strict=True))


def _padded(versions: Sequence[str], width: int) -> list[str]:
    """Plain numbers padded to that width where they fit; timestamps are kept, unless it is their own width."""
    kept = width < TIMESTAMP_WIDTH
    return [one if kept and len(one) >= TIMESTAMP_WIDTH else one.lstrip("0").rjust(width, "0") for one in versions]


def skipped(migrations: Sequence[Migration]) -> list[FolderProblem]:
    """The first migration, where the CLI would skip it for its name."""
    first = min(migrations, key=lambda migration: migration.version, default=None)
    if first is None or first.name != _SKIPPED_NAME or len(first.version) != TIMESTAMP_WIDTH:
        return []
    if int(first.version) >= _SKIPPED_BEFORE:
        return []
    why = f"{first.filename} would be skipped: the Supabase CLI takes an old first “init” for a dump of its own"
    return [FolderProblem(why, _rename(first, first.version, "initial_schema"))]
