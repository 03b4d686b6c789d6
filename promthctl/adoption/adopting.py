"""Adopting a database whose SQL was pasted by hand: what is proven to be there is recorded as applied.

Its catalog is compared with those that the migrations leave in a throw-away database (presence.py). Rows are not
looked at: a migration that changes rows only is recorded when the user says that it has run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from promthctl import database, shadow, supabase_cli
from promthctl.adoption.presence import Presence, find_presence
from promthctl.database.lock_waits import LockWatch, ending_waits
from promthctl.database.transactions import reading_failure, undisturbed
from promthctl.errors import RefusedError, UsageError
from promthctl.migration_set import Migration, supabase_folder
from promthctl.migration_set.squashed import Squash, as_replaced, find_squashes
from promthctl.push.squashes import check_met, record_squashes
from promthctl.schema import Difference, snapshot
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options


@dataclass(frozen=True)
class AdoptionGap:
    """Something on the target that is not as a migration leaves it. migration: its file name."""

    migration: str
    difference: Difference


@dataclass(frozen=True)
class Adoption:
    """What is recorded, or would be. Migrations are given by their file names.

    total: how many there are. recorded: versions that the history had already. adopted: proven, or assumed because the
    user said so. unproven: they change rows only and may or may not have run. absent: not on the target. gaps: why
    nothing is adopted: what is missing of migrations that are there in part. beyond: objects on the target that no
    migration makes. replacing: squashed files that are recorded in place of what the history has, which proves them.
    done: the adopted ones are in the history now. options: those that name the target to a command.
    """

    target: str
    total: int
    recorded: tuple[str, ...]
    adopted: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    gaps: tuple[AdoptionGap, ...] = ()
    beyond: tuple[str, ...] = ()
    replacing: tuple[str, ...] = ()
    done: bool = False
    options: str = field(default="", repr=False)
    squashed: tuple[Squash, ...] = field(default=(), repr=False)


def plan_adoption(settings: Settings, target: Target, assumed: Collection[str], steps: Steps) -> Adoption:
    """Find out which migrations are on the target; nothing is changed.

    assumed: versions of migrations that change rows only, which the user says have run.
    Raises TargetError for a target out of reach, RefusedError where the files contradict its history or the user has
    to decide, UsageError for a version that cannot be assumed, and what the shadow raises.
    """
    recorded_there = database.fetch_history(target)
    squashes = find_squashes(supabase_folder.source_migrations(settings), recorded_there)
    check_met(target, [one for one in squashes if one.state == "in part"], f"Nothing was recorded on {target.label}")
    history = as_replaced(recorded_there, squashes)
    for one in squashes:
        if not one.met:  # the schema has to prove it
            history.pop(one.file.version, None)
    sync = supabase_folder.plan_project_sync(settings, history, history=tuple(history))
    if refusal := sync.refusal:
        raise refusal
    files = supabase_folder.expected_migrations(settings, sync)
    recorded = tuple(file.version for file in files if file.version in history)
    found = Presence(len(files), frozenset(), (), ())
    if len(recorded) < len(files):
        found = _find_on_target(settings, target, files, recorded, steps)
    adopted, unproven = _decide(target, files, recorded, found, assumed)
    names = {file.version: file.filename for file in files}
    return Adoption(
        target=target.label,
        total=len(files),
        recorded=recorded,
        adopted=adopted,
        unproven=unproven,
        absent=tuple(file.filename for file in files[found.number :] if file.version not in recorded),
        gaps=tuple(AdoptionGap(names[gap.version], gap.difference) for gap in found.gaps),
        beyond=found.beyond,
        options=command_line_options(target),
        replacing=tuple(one.file.filename for one in squashes if one.met),
        squashed=tuple(one for one in squashes if one.met or one.file.filename in adopted),
    )


def record_adoption(settings: Settings, target: Target, made: Adoption, steps: Steps) -> Adoption:
    """Carry out a plan: have the Supabase CLI write the versions into the history; it runs no migration."""
    with undisturbed(settings, target, steps):
        supabase_folder.sync_project(settings, made.recorded, steps.note, history=made.recorded)
        files = supabase_folder.expected_migrations(settings)
        done = record_squashes(settings, target, made.squashed, files, steps)
        versions = [name.partition("_")[0] for name in made.adopted if name not in done]
        if versions:
            with steps.step("Recording migrations"):
                supabase_cli.find_database_cli(settings, steps).repair(target, versions, "applied", steps, files)
    return replace(made, done=True)


def _find_on_target(
    settings: Settings, target: Target, files: Sequence[Migration], recorded: Sequence[str], steps: Steps
) -> Presence:
    import psycopg

    watch = LockWatch()
    try:
        with database.connect(target) as connection, ending_waits(target, connection, steps.note) as watch:
            privileges = shadow.default_privileges_of(connection)
            major = connection.info.server_version // 10000

            def states(granted: Sequence[str] | None) -> shadow.States:
                return shadow.states_after_each(settings, files, steps, major, granted)

            made = states(privileges)
            with steps.step("Comparing the schema"):
                there = snapshot(connection)
            # A fresh Supabase grants everything by default.
            opened = (lambda: made) if privileges == () else (lambda: states(()))
            return find_presence([file.version for file in files], recorded, made, there, opened)
    except psycopg.Error as error:
        what = f"The schema of {target.label} could not be read"
        raise reading_failure(target, what, error, "nothing was recorded", watch) from None


def _decide(
    target: Target, files: Sequence[Migration], recorded: Collection[str], found: Presence, assumed: Collection[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The file names to adopt, and the names of those after them that cannot be proven."""
    names = {file.version: file.filename for file in files}
    if unknown := sorted(set(assumed).difference(names)):
        why = "--assume takes the version of a migration, the digits its file name begins with"
        hint = f"promthctl migrations list{command_line_options(target)} shows the versions"
        raise UsageError(f"Migration {unknown[0]} does not exist", why, hint)
    if found.gaps:
        return (), ()
    there = [file for file in files[: found.number] if file.version not in recorded]
    if absent := sorted(set(assumed).difference(recorded, (file.version for file in there))):
        raise RefusedError(
            f"{names[absent[0]]} cannot be assumed",
            f"its schema, or that of a migration before it, is not on {target.label}",
            f"promthctl push{command_line_options(target)} applies it",
        )
    sure = [file for file in there if file.version not in found.silent or file.version in assumed]
    last = sure[-1].version if sure else ""
    if doubtful := [file for file in there if file.version < last and file not in sure]:
        doubted = ", ".join(file.filename for file in doubtful)
        flags = " ".join(f"--assume {file.version}" for file in doubtful)
        raise RefusedError(
            f"Nothing was recorded on {target.label}",
            f"{doubted} changes rows only, so nothing proves that it ran, and migrations after it did",
            f"look for its rows; if they are missing, run the file by hand; then: "
            f"promthctl migrations adopt{command_line_options(target)} {flags}",
        )
    return tuple(file.filename for file in sure), tuple(file.filename for file in there if file.version > last)
