"""A target whose history has old files that were squashed since: the one file is recorded in their place.

First the new one is recorded, then the old ones are taken out: a killed run leaves what the next one finishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from promthctl import database, supabase_cli
from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import Migration, is_as_applied
from promthctl.migration_set.squashed import Squash
from promthctl.settings import Settings
from promthctl.sql.quoting import literal
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

_TABLE = "supabase_migrations.schema_migrations"
_TRIGGERS = """
select quote_ident(tgname) from pg_trigger
 where tgrelid = 'supabase_migrations.schema_migrations'::regclass and not tgisinternal and tgenabled <> 'D' order by 1
"""


def record_squashes(
    settings: Settings, target: Target, squashes: Iterable[Squash], files: Sequence[Migration], steps: Steps
) -> tuple[str, ...]:
    """Have the Supabase CLI write the history, and read it back; the names of the files that it has now.

    squashes: those to record; one that is not met has been proven otherwise. files: all of the project, for their
    statements. Raises what the CLI raises, and PromthctlError where the history is not as it should be then.
    """
    done = tuple(squashes)
    if not done:
        return ()
    cli = supabase_cli.find_database_cli(settings, steps)
    with steps.step("Recording squashed migrations"):
        for one in done:
            if one.state != "left over":
                cli.repair(target, [one.file.version], "applied", steps, files)
            if one.versions:
                cli.repair(target, one.versions, "reverted", steps)
    history = database.fetch_history(target)
    for one in done:
        entry = history.get(one.file.version)
        if entry is None or not is_as_applied(one.file.sql, entry.statements) or set(history) & set(one.versions):
            raise _not_recorded(target, one)
    return tuple(one.file.filename for one in done)


def _not_recorded(target: Target, one: Squash) -> PromthctlError:
    """For a history that reads otherwise than it was written, which a trigger on it can do."""
    with database.connect(target) as connection:
        triggers = [str(name) for (name,) in connection.execute(_TRIGGERS).fetchall()]
    gone = "".join(f"drop trigger {name} on {_TABLE}; " for name in triggers)
    forgotten = f"delete from {_TABLE} where version = {literal(one.file.version)};"  # noqa: S608 - to be read
    changed = f"; these change it, it may be: {', '.join(triggers)}" if triggers else ""
    return PromthctlError(
        f"The history of {target.label} does not have {one.file.filename} in place of what it stands for",
        f"it was reported as recorded, and reads otherwise{changed}",
        f"as the owner of {_TABLE}: {gone}{forgotten}\n"
        f"then promthctl migrations adopt{command_line_options(target)} records it, if the schema proves it",
    )


def told(one: Squash) -> str:
    """What a squashed file means for a target, as a sentence without its end."""
    if one.met:
        old = f"its history has the old files for which {one.file.filename} stands now"
        return f"{old}: {_versions(one)}; a push records it in their place"
    if one.state == "in part":
        return (
            f"{one.file.filename} stands for several migrations, of which it has {_versions(one)} and not "
            f"{', '.join(one.missing)}"
        )
    what = f"of {', '.join(one.unproven)} its history does not say that they were the files as they were squashed"
    return f"{one.file.filename} stands for {_versions(one)}, and {what}"


def settled_by(target: Target, one: Squash) -> str:
    """The commands that lead on where the history does not show that the target has all of it."""
    if one.state == "unproven":
        return f"promthctl migrations adopt{command_line_options(target)} records it, if the schema proves it"
    options = command_line_options(target)
    return (
        f"promthctl migrations squash --undo {one.file.version} brings the files back; then promthctl push{options}, "
        f"and promthctl migrations squash --to {one.file.version}"
    )


def check_met(target: Target, squashes: Iterable[Squash], what: str) -> None:
    """Raise RefusedError for a history that has squashed files in part. what: was not done."""
    for one in squashes:
        if not one.met:
            raise RefusedError(what, told(one), settled_by(target, one))


def check_recorded(target: Target, squashes: Iterable[Squash], what: str) -> None:
    """As check_met, and also for a history that still has the old files, all of them."""
    found = tuple(squashes)
    check_met(target, found, what)
    for one in found:
        raise RefusedError(what, told(one), f"promthctl push{command_line_options(target)} records it there")


def _versions(one: Squash) -> str:
    return ", ".join(one.versions) or one.file.version
