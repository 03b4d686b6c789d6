"""`promthctl migrations squash`: one file in place of the first migrations, seen to make the same.

Tried in this order, each in a fresh throw-away database, until one makes the same catalog, rows and sequences: what the
Supabase CLI's diff engine writes, with the statements that change rows; the files as they are written, one after the
other; these, each in a transaction of its own.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from promthctl import shadow, supabase_cli
from promthctl.drafting.engine import State, every_difference, forward, read_state, reordered
from promthctl.drafting.undoing import row_changing, undoing
from promthctl.drafting.unread import differing_names
from promthctl.engines.embedded import default_privileges
from promthctl.errors import PromthctlError, RefusedError, UsageError
from promthctl.locks import alone
from promthctl.migration_files import changes, joining
from promthctl.migration_files.down_scripts import with_downs
from promthctl.migration_files.table_contents import Contents, differing, read_contents, with_rows
from promthctl.migration_set import Migration, copies, supabase_folder
from promthctl.migration_set.folder import DOWN_FOLDER, down_path
from promthctl.migration_set.problems import set_aside, shell_quote
from promthctl.migration_set.source import find_source
from promthctl.migration_set.squashed import header, squashed_by
from promthctl.settings import Settings
from promthctl.shadow import ThrowAwayDatabase
from promthctl.steps import Steps

FOLDER = "squashed"  # in supabase/, where nothing reads migrations
_WHAT = "Nothing was squashed"
_KEPT = ".squashed"  # what an undone file is called where it is set aside


@dataclass(frozen=True)
class Squashing:
    """What was done, or would be. file: the new one; replaced: the names of those that it stands for.

    drafted: it has the SQL of the diff engine; otherwise why_written says why it has the files as they are written.
    tables: those that have rows from migrations, which were compared. volatile: their columns that two runs of the same
    files fill differently. down: its down script; without one why_no_down says why. kept: where the files are now.
    """

    file: str
    replaced: tuple[str, ...]
    drafted: bool
    why_written: str = ""
    tables: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()
    down: str | None = None
    why_no_down: str = ""
    kept: str = ""
    done: bool = False
    changes: changes.FileChanges = field(default_factory=changes.FileChanges, repr=False)


@dataclass(frozen=True)
class Undone:
    """restored: the files that are back, relative to the project. aside: where the squashed one is."""

    restored: tuple[str, ...]
    aside: str
    done: bool = False
    changes: changes.FileChanges = field(default_factory=changes.FileChanges, repr=False)


@dataclass(frozen=True)
class _Made:
    """What the old files make. tables: those in which they leave rows."""

    state: State
    contents: Contents
    tables: tuple[str, ...]


def plan_squash(settings: Settings, to: str, as_written: bool, steps: Steps) -> Squashing:
    """One file for all migrations up to a version, and its down script, proven; nothing is changed.

    as_written: do not have it drafted. Raises UsageError for a version without a file or where the migrations are the
    example, RefusedError where there is nothing to squash, PromthctlError where nothing was found that makes the same,
    and what the shadow raises for files that do not apply.
    """
    first = _first(settings, to)
    last = first[-1]
    kept = settings.supabase_dir / FOLDER / to
    why_written, volatile = "", tuple[str, ...]()
    with steps.step("Squashing the migrations") as update, shadow.trial_database(settings) as made:
        empty = read_contents(made.superuser)
        made.apply(first)
        old = _Made(read_state(made.target), contents := read_contents(made.superuser), with_rows(empty, contents))
        candidates = joining.joined(first)
        if as_written:
            why_written = "--as-written"
        else:
            drafted, why_written = _drafted(settings, made, first, old, steps)
            candidates = [*drafted, *candidates]
        for number, body in enumerate(candidates):
            update(f"trying {number + 1} of at most {len(candidates)}")
            new = replace(last, path=last.path, content=joining.text(header(first), len(first), body).encode())
            with shadow.trial_database(settings) as trial:
                fresh = read_state(trial.copy("before"))
                why, volatile = _why_unequal(settings, trial, new, first, old)
                why = why or (
                    "" if body in joining.joined(first) else _why_unequal_elsewhere(settings, new, first, steps)
                )
                if not why:
                    down, why_no_down = _down(settings, trial, new, first, fresh, steps)
                    break
            why_written = why_written or f"of what was drafted, {why}"
        else:
            hint = "promthctl migrations squash --to VERSION with an earlier version leaves out what stands in the way"
            raise PromthctlError(f"{_WHAT}: no one file was found that makes the same", why, hint)
    todo = _changes(settings, new, first, down, kept)
    is_drafted = not as_written and body not in joining.joined(first)
    return Squashing(
        file=_relative(settings, new.path),
        replaced=tuple(file.filename for file in first),
        drafted=is_drafted,
        why_written="" if is_drafted else why_written,
        tables=old.tables,
        volatile=volatile,
        down=_relative(settings, down_path(new, settings.migrations_dir)) if down else None,
        why_no_down=why_no_down,
        kept=_relative(settings, kept),
        changes=todo,
    )


def squash(settings: Settings, plan: Squashing, steps: Steps) -> Squashing:
    """Carry out a plan: all of the files or none, and read the folder again."""
    with alone(settings, steps):
        changes.check_not_overwritten(plan.changes, _WHAT, _new(plan.changes))
        changes.carry_out_alone(settings, plan.changes)
        _note_copies(settings, plan.changes)
    found = {file.filename for file in supabase_folder.source_migrations(settings)}
    left = found.intersection(plan.replaced) - {Path(plan.file).name}
    if left or Path(plan.file).name not in found:
        names = ", ".join(sorted(left)) or plan.file
        why = f"the folder was changed meanwhile; {plan.kept} has the files as they were"
        raise PromthctlError(f"{names}: not as it was written", why, _put_right(settings, plan, left))
    return replace(plan, done=True)


def _put_right(settings: Settings, plan: Squashing, left: Collection[str]) -> str:
    """The command that leads on where the folder is not as it was written. left: replaced files that are back."""
    if left:
        folder = Path(plan.file).parent
        return " && ".join(set_aside(folder / name) for name in sorted(left))
    old = [path for path in plan.changes.writes if path.parent.parent.name == FOLDER]
    homes = {path.name: path for path in (*plan.changes.removals, *plan.changes.writes) if path not in old}
    back = [shell_quote("mv", _relative(settings, path), _relative(settings, homes[path.name])) for path in old]
    return " && ".join([*back, f"promthctl migrations squash --to {Path(plan.kept).name}"])


def plan_undo(settings: Settings, version: str) -> Undone:
    """Bring the files back for which a squashed one stands; nothing is changed.

    Raises UsageError for a version that is no squashed file's, RefusedError where the old files are not kept.
    """
    what = "Nothing was brought back"
    file = next((one for one in with_downs(settings) if one.version == version and squashed_by(one)), None)
    kept = settings.supabase_dir / FOLDER / version
    if file is None:
        why = f"no migration here has version {version} and stands for others"
        raise UsageError(what, why, "promthctl migrations list shows the versions")
    names = {f"{one.version}_{one.name}.sql" for one in squashed_by(file) if not one.parts or one.version != version}
    there = sorted(path for path in kept.glob("*.sql")) if kept.is_dir() else []
    if not names.intersection(path.name for path in there):
        why = f"{_relative(settings, kept)} does not have them"
        folder = shell_quote(_relative(settings, file.path.parent))
        raise RefusedError(what, why, f"git log --all --oneline -- {folder} shows the commits that have them")
    downs = settings.supabase_dir / DOWN_FOLDER if file.path.parent == settings.migrations_dir else file.path.parent
    moves = {path: file.path.parent / path.name for path in there if not path.name.endswith(".down.sql")}
    moves |= {path: downs / path.name for path in there if path.name.endswith(".down.sql")}
    aside = {one: kept / f"{one.name}{_KEPT}" for one in (file.path, file.down) if one is not None}
    writes = {new: old.read_bytes() for old, new in (*moves.items(), *aside.items())}
    removals = tuple(path for path in (*moves, *aside) if path not in writes)
    todo = changes.FileChanges(_with_copies(settings, file.path.parent, writes), removals)
    changes.check_not_overwritten(todo, what, [path for path in moves.values() if path not in aside])
    restored = tuple(sorted(_relative(settings, path) for path in moves.values()))
    return Undone(restored, _relative(settings, aside[file.path]), changes=todo)


def undo(settings: Settings, plan: Undone, steps: Steps) -> Undone:
    """Carry out a plan: all of the files or none."""
    with alone(settings, steps):
        changes.carry_out_alone(settings, plan.changes)
        _note_copies(settings, plan.changes)
    return replace(plan, done=True)


def _first(settings: Settings, to: str) -> list[Migration]:
    source = find_source(settings)
    if source.example:
        hint = "promthctl -C DIR migrations squash --to VERSION, where DIR is the folder of the project"
        raise UsageError(_WHAT, "the migrations here are those that come with promthctl", hint)
    files = with_downs(settings)
    if to not in {file.version for file in files}:
        why = f"there is no migration {to}: VERSION is the digits that a file name begins with"
        raise UsageError(_WHAT, why, "promthctl migrations list shows the versions")
    first = [file for file in files if file.version <= to]
    if len(first) < 2:
        why = f"{first[0].filename} is the only migration up to version {to}"
        raise RefusedError(_WHAT, why, "promthctl migrations list shows later versions, for --to")
    if strange := [file for file in first if os.path.realpath(file.path.parent) != os.path.realpath(source.folder)]:
        name = strange[0].filename
        why = f"{name} is only in supabase/migrations, not in {_relative(settings, source.folder)}"
        names = _relative(settings, strange[0].path), _relative(settings, source.folder)
        raise RefusedError(_WHAT, why, f"mv {shell_quote(*names)}")
    return first


def _drafted(
    settings: Settings, made: ThrowAwayDatabase, first: Sequence[Migration], old: _Made, steps: Steps
) -> tuple[list[str], str]:
    """What the diff engine makes of it, with what the files do to rows; or why not."""
    try:
        with shadow.trial_database(settings) as empty:  # a server of its own, for roles belong to the server
            sql = supabase_cli.find_database_cli(settings, steps).diff(empty.target, made.target).sql
            found = forward(empty, read_state(empty.target), sql, old.state)
    except PromthctlError as error:
        return [], error.why
    if found.left or found.unread:
        names = [f"{one.kind} {one.name}" for one in found.left] + list(found.unread)
        return [], f"the diff engine has no SQL for {', '.join(names[:5])}"
    rows = [statement for file in first for statement in row_changing(file)] if old.tables else []
    return [joining.parts(found.parts, rows)], ""


def _why_unequal(
    settings: Settings, trial: ThrowAwayDatabase, new: Migration, first: Sequence[Migration], old: _Made
) -> tuple[str, tuple[str, ...]]:
    """What is different in a database made by the new file, empty for nothing; and what differs by itself."""
    try:
        trial.apply([new])
    except PromthctlError as error:
        return f"it does not apply: {error.why.partition(chr(10))[0]}", ()
    now = read_state(trial.target)
    names = [f"{one.kind} {one.name}" for one in every_difference(old.state.catalog, now.catalog)]
    names += differing_names(old.state.unread, now.unread)
    names += [f"order of the columns of {name}" for name in reordered(old.state.catalog, now.catalog)]
    if names:
        return f"it makes another schema: {', '.join(names[:5])}", ()

    def again() -> Contents:
        with shadow.trial_database(settings) as other:
            other.apply(first)
            return read_contents(other.superuser)

    rows, volatile = differing(old.contents, read_contents(trial.superuser), again)
    return f"it leaves other rows in {', '.join(rows[:5])}" if rows else "", volatile


def _why_unequal_elsewhere(settings: Settings, new: Migration, first: Sequence[Migration], steps: Steps) -> str:
    """What drafted SQL makes otherwise where the default for new tables is not the project's; empty for nothing."""
    exposed = not default_privileges.exposes_new_tables(settings)
    given = default_privileges.of_project(exposed)
    try:
        wanted = shadow.catalog_after_all(settings, first, steps, privileges=given)
        found = every_difference(wanted, shadow.catalog_after_all(settings, [new], steps, privileges=given))
    except PromthctlError as error:
        return f"it does not apply everywhere: {error.why.partition(chr(10))[0]}"
    state = "open" if exposed else "closed"
    names = ", ".join(f"{one.kind} {one.name}" for one in found[:5])
    return f"where new tables are {state} to the API it makes another schema: {names}" if found else ""


def _down(
    settings: Settings, trial: ThrowAwayDatabase, new: Migration, first: Sequence[Migration], start: State, steps: Steps
) -> tuple[str, str]:
    """The down script, tried in the database that the new file has made; or why there is none."""
    joined = joining.joined_downs(first)
    if joined and joining.leads_back(trial.target, joined, start):
        return joined, ""
    found = undoing(supabase_cli.find_database_cli(settings, steps), new, start, trial.target)
    return found.sql, found.why


def _changes(
    settings: Settings, new: Migration, first: Sequence[Migration], down: str, kept: Path
) -> changes.FileChanges:
    """The new files, the old ones in their folder, and the copies of both in supabase/migrations."""
    old = [path for file in first for path in (file.path, file.down) if path is not None]
    writes = {kept / path.name: path.read_bytes() for path in old}
    writes[new.path] = new.content
    if down:
        writes[down_path(new, settings.migrations_dir)] = down.encode()
    writes = _with_copies(settings, new.path.parent, writes)
    gone = [path for path in old if path not in writes]
    todo = changes.FileChanges(writes, (*gone, *_copies_of(settings, new.path.parent, gone)))
    changes.check_not_overwritten(todo, _WHAT, _new(todo))
    return todo


def _new(todo: changes.FileChanges) -> list[Path]:
    return [path for path in todo.writes if path.parent.parent.name == FOLDER]


def _with_copies(settings: Settings, source: Path, writes: dict[Path, bytes]) -> dict[Path, bytes]:
    """With the copies that are in supabase/migrations already."""
    copied = {settings.migrations_dir / path.name: path for path in writes if path.parent == source}
    return {**writes, **{copy: writes[path] for copy, path in copied.items() if copy.is_file() and copy not in writes}}


def _copies_of(settings: Settings, source: Path, gone: Sequence[Path]) -> Iterator[Path]:
    for path in gone:
        copy = settings.migrations_dir / path.name
        if path.parent == source and copy not in gone and copy.is_file() and copy.read_bytes() == path.read_bytes():
            yield copy


def _note_copies(settings: Settings, todo: changes.FileChanges) -> None:
    folder = settings.migrations_dir
    written = {path.name: content for path, content in todo.writes.items() if path.parent == folder}
    copies.replace_copies(settings, [path.name for path in todo.removals if path.parent == folder], written)


def _relative(settings: Settings, path: Path) -> str:
    return os.path.relpath(path, settings.project_dir)
