"""A version of its own for each migration: `promthctl migrations renumber`.

Files with one version apply in the order of their age; what follows moves on where it has to, so that nothing comes
before what it came after. What a target has applied keeps its version. Where that order does not apply to a fresh
database, others of the files with one version are tried, beginning with the file that failed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from promthctl.quantities import count
from promthctl.settings import Settings
from promthctl.steps import Steps

_WHAT = "Nothing was renamed"
_MOST_TRIES = 8  # orders; each is a database and a run of the Supabase CLI


@dataclass(frozen=True)
class Renumbering:
    """renamed: old → new file names, in the order in which they apply. total: how many migrations there are.

    order: what put files of one version in order, "git", "name", "history" (what is applied comes first), or "trial"
    where the order by those does not apply; None if none share one. undecided: files of one version of which neither
    git nor the history says which is older, in the order in which they apply. asked: the target whose history is
    respected; None if none was asked. done: the files have these names now.
    """

    renamed: tuple[tuple[str, str], ...]
    total: int
    order: str | None
    asked: str | None
    undecided: tuple[tuple[str, ...], ...] = ()
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
    made = _with_own_versions(ordered, as_text, applied, tuple(history or ()))
    if problems := [found for file in made for found in down_part(file)]:
        raise unusable_folder(source.folder, problems)
    chosen = ordered
    versions = {file.filename: file.version if as_text else str(int(file.version)) for file in ordered}
    by_age, undecided = _decided([file for file in ordered if file.filename not in applied], versions, age)
    if made != ordered:

        def tied(one: Migration, other: Migration) -> bool:
            same = versions[one.filename] == versions[other.filename]
            return same and not applied & {one.filename, other.filename}

        chosen, made = _order_that_applies(
            settings,
            ordered,
            lambda order: _with_own_versions(order, as_text, applied, tuple(history or ())),
            tied,
            steps,
        )
    renamed = tuple(
        (old.filename, new.filename) for old, new in zip(chosen, made, strict=True) if old.version != new.version
    )
    todo = _changes(settings, chosen, dict(renamed))
    changes.check_not_overwritten(todo, _WHAT)
    untried = "name" if undecided else "git" if by_age else "history"
    basis = None if not shared else untried if chosen == ordered else "trial"
    return Renumbering(renamed, len(files), basis, asked, undecided if basis == "name" else (), changes=todo)


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


def _decided(
    ordered: Sequence[Migration], versions: Mapping[str, str], age: Callable[[Migration], float]
) -> tuple[bool, tuple[tuple[str, ...], ...]]:
    """Whether age put files of one version in order, and which files of one version have one age."""
    by_age, alike = False, []
    for _, same in itertools.groupby(ordered, key=lambda file: versions[file.filename]):
        ages = [tuple(file.filename for file in group) for _, group in itertools.groupby(same, key=age)]
        by_age |= len(ages) > 1
        alike += [names for names in ages if len(names) > 1]
    return by_age, tuple(alike)


def _with_own_versions(
    ordered: Sequence[Migration], as_text: bool, applied: frozenset[str], recorded: Sequence[str]
) -> list[Migration]:
    """The same files in the same order, each with a version of its own. Raises RefusedError where none is left."""
    padded = ordered if as_text else _padded(ordered, applied)
    try:
        versions = numbering.own_versions(
            [file.version for file in padded], [file.filename in applied for file in ordered], recorded
        )
    except numbering.NoVersionLeftError as error:
        why = f"after {error} no version of that width is left"
        raise RefusedError(_WHAT, why, "give the files after it longer numbers, all of one width") from None
    return [replace(file, version=version) for file, version in zip(ordered, versions, strict=True)]


def _order_that_applies(
    settings: Settings,
    first: list[Migration],
    numbered: Callable[[Sequence[Migration]], list[Migration]],
    tied: Callable[[Migration, Migration], bool],
    steps: Steps,
) -> tuple[list[Migration], list[Migration]]:
    """The first order that applies to a fresh database, and the same files with their new versions.

    numbered: gives an order its versions. tied: whether either of two neighbours may come first. Raises the error of
    the first order where none that was tried applies, and what `numbered` raises.
    """
    tries = [first]
    refusal: PromthctlError | None = None
    for order in tries:
        made = numbered(order)
        try:
            shadow.catalog_after_all(settings, sorted(made, key=lambda file: (file.version, file.name)), steps)
        except PrerequisiteError:  # nothing was tried
            raise
        except PromthctlError as error:
            refusal = refusal or error
            failed = next((at for at, file in enumerate(made) if file.filename == error.migration), -1)
            tries += [other for other in _exchanged(order, failed, tied) if other not in tries]
            del tries[_MOST_TRIES:]
        else:
            return order, made
    assert refusal is not None
    others = f", nor in {count(len(tries) - 1, 'other')} of files with one version" if len(tries) > 1 else ""
    refusal.what = f"{_WHAT}: in this order the migrations do not apply to a fresh database{others} ({refusal.what})"
    raise refusal


def _exchanged(
    order: list[Migration], failed: int, tied: Callable[[Migration, Migration], bool]
) -> Iterator[list[Migration]]:
    """The order with two neighbours exchanged: the file that failed and the next, then such pairs before them."""
    for at in range(min(failed, len(order) - 2), -1, -1):
        if tied(order[at], order[at + 1]):
            yield [*order[:at], order[at + 1], order[at], *order[at + 2 :]]


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
