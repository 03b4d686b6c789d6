"""`promthctl migrations fetch`: files for versions that a target's history has and this folder lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from promthctl import database
from promthctl.errors import PromthctlError
from promthctl.migration_files import changes
from promthctl.migration_set import HistoryEntry, discover, is_as_applied, present_migrations
from promthctl.migration_set.problems import set_aside
from promthctl.migration_set.source import find_source
from promthctl.migration_set.squashed import replaced_versions
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

_WHAT = "Nothing was fetched"
# A version and a name become a file's name; the history is the target's to write.
_VERSION, _NAME = re.compile(r"[0-9]{1,20}"), re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_JOINS = (";\n", "\n;\n")  # as `supabase migration fetch` does; and where a statement ends in a line's comment


@dataclass(frozen=True)
class NotFetched:
    """A version of the history without a file here, and why no file can be made of it."""

    version: str
    why: str


@dataclass(frozen=True)
class Fetch:
    """What was written, or would be. written: the files, relative to the project, oldest first. there: how many
    versions of the history have their file here already.
    """

    target: str
    written: tuple[str, ...]
    not_written: tuple[NotFetched, ...]
    there: int
    done: bool = False
    changes: changes.FileChanges = field(default_factory=changes.FileChanges, repr=False)


def plan_fetch(settings: Settings, target: Target) -> Fetch:
    """Read the history and make a file of each version that has none; nothing is written.

    settings: of pulling.own_settings. Raises TargetError as fetch_history, RefusedError for a file in the way.
    """
    folder = find_source(settings).folder
    here = [one for place in (folder, settings.migrations_dir) for one in present_migrations(place)]
    known = {one.version for one in here} | replaced_versions(here).keys()
    history = database.fetch_history(target)
    writes: dict[Path, bytes] = {}
    not_written = []
    for version, entry in history.items():
        if version not in known:
            made = _file(entry)
            if isinstance(made, NotFetched):
                not_written.append(made)
            else:
                writes[folder / made[0]] = made[1].encode()
    todo = changes.FileChanges(writes)
    changes.check_not_overwritten(todo, _WHAT, list(writes))
    written = tuple(os.path.relpath(path, settings.project_dir) for path in writes)
    return Fetch(target.label, written, tuple(not_written), len(known.intersection(history)), changes=todo)


def fetch(settings: Settings, plan: Fetch, steps: Steps) -> Fetch:
    """Carry out a plan, and read the folder again. Raises PromthctlError where it is not read as it was written."""
    if not plan.written:
        return plan
    for folder in {path.parent for path in plan.changes.writes}:
        folder.mkdir(parents=True, exist_ok=True)
    changes.carry_out(settings, plan.changes, steps)
    found = {file.path: file.content for file in discover(find_source(settings).folder)}
    if lost := [path for path, content in plan.changes.writes.items() if found.get(path) != content]:
        names, why = ", ".join(path.name for path in lost), "it was changed meanwhile"
        raise PromthctlError(f"{names} is written, and is not read as a migration", why, set_aside(lost[0]))
    return Fetch(plan.target, plan.written, plan.not_written, plan.there, done=True)


def _file(entry: HistoryEntry) -> tuple[str, str] | NotFetched:
    """Its name and SQL, of which the CLI would record the same statements again."""
    if not _VERSION.fullmatch(entry.version):
        return NotFetched(entry.version, "its version is no number, so that no file can have it")
    if not entry.statements:
        return NotFetched(entry.version, "it was recorded without its statements")
    sql = next((text for text in _joined(entry.statements) if is_as_applied(text, entry.statements)), None)
    if sql is None:
        return NotFetched(entry.version, "a file with its statements would not be read as these again")
    name = entry.name if _NAME.fullmatch(entry.name) else re.sub(r"[^a-z0-9]+", "_", entry.name.lower()).strip("_")[:60]
    return f"{entry.version}_{name or 'fetched'}.sql", sql


def _joined(statements: Sequence[str]) -> Iterator[str]:
    for join in _JOINS:
        yield join.join(statements) + join
