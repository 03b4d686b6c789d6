"""What the files ask of the local database, found by comparing them with what the database says was run on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from promthctl import database, seeds
from promthctl.migration_set import HistoryEntry, Migration, is_as_applied, supabase_folder
from promthctl.migration_set.squashed import replaced_versions
from promthctl.seeds.record import read_record
from promthctl.settings import Settings
from promthctl.targets import Target

Asked = Literal["nothing", "apply", "replay"]


@dataclass(frozen=True)
class Situation:
    """asked: what has to be done. why: of a replay, one line for each reason. pending: names of files to apply."""

    asked: Asked
    why: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()


def read_situation(settings: Settings, target: Target, saved: Collection[Path], seeding: bool) -> Situation:
    """What the files ask for now.

    saved: files that changed since the database was last what they make; roles, and seeds that are not on record, count
    only then. Raises PromthctlError for a folder that cannot be used and for a database that does not answer.
    """
    plan = supabase_folder.plan_project_sync(settings, (), history=())
    if refusal := plan.refusal:
        raise refusal
    files = supabase_folder.expected_migrations(settings, plan)
    with database.connect(target) as connection:
        history = database.read_history(connection, target)
        seeded = read_record(connection).hashes
    why = [*_of_migrations(files, history), *_of_seeds(settings, seeded, saved, seeding)]
    pending = tuple(file.filename for file in files if file.version not in history)
    return Situation("replay" if why else "apply" if pending else "nothing", tuple(why), pending)


def _of_migrations(files: Sequence[Migration], history: Mapping[str, HistoryEntry]) -> list[str]:
    """Why a database with this history cannot become what the files make by applying more of them."""
    applied = [file for file in files if file.version in history]
    newest = applied[-1].version if applied else ""
    why = []
    for file in applied:
        entry = history[file.version]
        if entry.statements and not is_as_applied(file.sql, entry.statements):
            place = "the newest" if file.version == newest else f"older than {newest}"
            why.append(f"{file.filename} was changed after it was applied ({place})")
    known = {file.version for file in files} | replaced_versions(files).keys()
    why += [f"{version} is applied and has no file any more" for version in sorted(set(history) - known)]
    last = max(history, default="")
    why += [
        f"{file.filename} comes before {last}, which is applied"
        for file in files
        if file.version not in history and file.version < last and file.version not in replaced_versions(files)
    ]
    return why


def _of_seeds(settings: Settings, recorded: Mapping[str, str], saved: Collection[Path], seeding: bool) -> list[str]:
    why = []
    if settings.supabase_dir / "roles.sql" in saved:
        why.append("supabase/roles.sql was changed")
    if not seeding:
        return why
    found = seeds.find_seeds(settings).files
    for file in found:
        if file.name in recorded and recorded[file.name] != file.sha256():
            why.append(f"{file.name} was changed after it was run")
        elif file.name not in recorded and file.path in saved:
            why.append(f"{file.name} was not run yet")
    names = {file.name for file in found}
    gone = [seeds.recorded_name(settings, path) for path in sorted(saved) if not path.exists()]
    return [*why, *(f"{name} was run and has no file any more" for name in gone if name in recorded.keys() - names)]
