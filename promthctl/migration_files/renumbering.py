"""A version of its own for each migration: `promthctl migrations renumber`.

Files with one version apply in the order of their age; what follows moves on where it has to, so that nothing comes
before what it came after. What a target has applied keeps its version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from promthctl import shadow
from promthctl.errors import PrerequisiteError, PromthctlError, RefusedError, UsageError
from promthctl.migration_files import changes, git
from promthctl.migration_set import (
    HistoryEntry,
    Migration,
    copies,
    is_as_applied,
    numbering,
    present_migrations,
)
from promthctl.migration_set.folder import DOWN_FOLDER, down_part, down_scripts, with_down_scripts
from promthctl.migration_set.problems import unusable_folder
from promthctl.migration_set.source import MigrationSource, find_source
from promthctl.migration_set.supabase_folder import own_folder_hint
from promthctl.settings import Settings
from promthctl.steps import Steps

_WHAT = "Nothing was renamed"


@dataclass(frozen=True)
class Renumbering:
    """renamed: old → new file names, in the order in which they apply. total: how many migrations there are.

    order: what put files of one version in order, "git" or "name"; None if none share one. asked: the target whose
    history is respected; None if none was asked. done: the files have these names now.
    """

    renamed: tuple[tuple[str, str], ...]
    total: int
    order: str | None
    asked: str | None
    done: bool = False
    changes: changes.FileChanges = field(default_factory=changes.FileChanges, repr=False)


def plan_renumbering(
    settings: Settings, history: Mapping[str, HistoryEntry] | None, asked: str | None, steps: Steps
) -> Renumbering:
    """The names the files should have, proven by applying them in a throw-away database; nothing is changed.

    history: the target's, None if none was asked; asked: its label. Raises RefusedError where what is applied would
    have to be renamed or no version is left, and what the shadow raises for migrations that do not apply.
    """
    source = find_source(settings)
    if source.example:
        why = "the migrations are those that come with promthctl"
        raise UsageError(_WHAT, why, own_folder_hint("promthctl migrations renumber"))
    files = _files(settings, source)
    ages = {folder: git.first_commits(folder) for folder in {file.path.parent for file in files}}

    def age(file: Migration) -> float:
        return ages[file.path.parent].get(file.path.name, math.inf)

    as_text = source.kind == "in-place"
    applied = _applied(files, history or {})
    ordered = sorted(
        files,
        key=lambda file: (
            file.version if as_text else f"{int(file.version):030}",
            file.filename not in applied,
            age(file),
            file.filename,
        ),
    )
    shared = numbering.twice(ordered, as_text)
    padded = ordered if as_text else _padded(ordered, applied)
    try:
        versions = numbering.own_versions(
            [file.version for file in padded], [file.filename in applied for file in ordered], tuple(history or ())
        )
    except numbering.NoVersionLeftError as error:
        why = f"after {error} no version of that width is left"
        raise RefusedError(_WHAT, why, "give the files after it longer numbers, all of one width") from None
    made = [replace(file, version=version) for file, version in zip(ordered, versions, strict=True)]
    renamed = tuple(
        (old.filename, new.filename) for old, new in zip(ordered, made, strict=True) if old.version != new.version
    )
    made.sort(key=lambda file: (file.version, file.name))
    if problems := [found for file in made for found in down_part(file)]:
        raise unusable_folder(source.folder, problems)
    todo = _changes(settings, ordered, dict(renamed))
    changes.check_not_overwritten(todo, _WHAT)
    if renamed:
        _prove(settings, made, steps)
    basis = None if not shared else "git" if any(age(file) < math.inf for file in files) else "name"
    return Renumbering(renamed, len(files), basis, asked, changes=todo)


def renumber(settings: Settings, plan: Renumbering, steps: Steps) -> Renumbering:
    """Carry out a plan: all of the files or none."""
    if plan.renamed:
        changes.carry_out(settings, plan.changes, steps)
        copies.rename_copies(settings, dict(plan.renamed))
    return replace(plan, done=True)


def _files(settings: Settings, source: MigrationSource) -> list[Migration]:
    """The migrations of the source and those of others in supabase/migrations, with their down scripts."""
    found = _with_downs(source.folder, source.folder if source.kind != "in-place" else _down_folder(settings))
    if source.kind == "in-place":
        return found
    names, contents = {file.filename for file in found}, {(file.version, file.content) for file in found}
    known = copies.read_copies(settings)
    others = _with_downs(settings.migrations_dir, _down_folder(settings))
    return found + [
        file
        for file in others
        if file.filename not in names
        and (file.version, file.content) not in contents  # renamed in the source, which the next sync does here too
        and not copies.is_untouched(file.filename, file.content, known)
    ]


def _down_folder(settings: Settings) -> Path:
    return settings.supabase_dir / DOWN_FOLDER


def _with_downs(folder: Path, down_folder: Path) -> list[Migration]:
    files = present_migrations(folder)
    downs = down_scripts([file.filename for file in files])
    return list(with_down_scripts([file for file in files if file.filename not in downs], down_folder))


def _applied(files: Sequence[Migration], history: Mapping[str, HistoryEntry]) -> frozenset[str]:
    """The files that the target's history means, by name; of several with one version, one."""
    found = set()
    for version, entry in history.items():
        same = [file for file in files if file.version == version]
        named = [file for file in same if entry.name and file.name == entry.name]
        written = [file for file in same if entry.statements and is_as_applied(file.sql, entry.statements)]
        if chosen := named or written or (same if len(same) == 1 else []):
            found.add(chosen[0].filename)
        elif same:
            names = ", ".join(file.filename for file in same)
            why = f"the history has version {version} without a name or statements that tell which it is: {names}"
            raise RefusedError(_WHAT, why, "rename by hand the one that is not applied there")
    return frozenset(found)


def _padded(ordered: Sequence[Migration], applied: frozenset[str]) -> list[Migration]:
    """With versions whose order as text is that of their numbers. Raises RefusedError where an applied one has none."""
    first: dict[int, str] = {}
    for file in ordered:
        first.setdefault(int(file.version), file.version)
    better = numbering.padded(list(first.values()))
    made = [replace(file, version=better[first[int(file.version)]]) for file in ordered]
    for file, new in zip(ordered, made, strict=True):
        if file.filename in applied and new.version != file.version:
            why = (
                f"{file.filename} is applied, and would have to become version {new.version} to keep the order as text"
            )
            raise RefusedError(_WHAT, why, "rename by hand those that are not applied, to versions that sort after it")
    return made


def _changes(settings: Settings, files: Sequence[Migration], renamed: Mapping[str, str]) -> changes.FileChanges:
    """The files, their down scripts, and their copies in supabase/migrations."""
    moves = {}
    for file in files:
        new = renamed.get(file.filename)
        if new is None:
            continue
        moves[file.path] = file.path.with_name(new)
        if file.down and (down := numbering.renamed_down(file, new.partition("_")[0], file.name)):
            moves[file.down] = file.down.with_name(down)
        copy = settings.migrations_dir / file.filename
        if copy.parent.resolve() != file.path.parent.resolve() and copy.is_file() and not copy.is_symlink():
            moves[copy] = copy.with_name(new)
    return changes.FileChanges(moves=moves)


def _prove(settings: Settings, migrations: Sequence[Migration], steps: Steps) -> None:
    try:
        shadow.catalog_after_all(settings, migrations, steps)
    except PrerequisiteError:  # nothing was tried
        raise
    except PromthctlError as error:
        error.what = f"{_WHAT}: in this order the migrations do not apply to a fresh database ({error.what})"
        raise
