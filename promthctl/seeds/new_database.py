"""What `local up` does with the roles and the seeds: runs them on a new database, and on no other.

A database is new while nothing was ever put into it: no migration, no table, no seed. Then its roles are made, and a
note in it says that its seeds are due; they are run by the first `local up` that gets through the migrations. The
note goes before they begin: a seed that fails, or is interrupted, is not run again unasked, since by then there may be
rows in the database that it would destroy. `local up` says that it was not run.
"""

from __future__ import annotations

from dataclasses import dataclass

from promthctl import database
from promthctl.seeds import applying, record
from promthctl.seeds.applying import SeedResult
from promthctl.seeds.files import SeedFiles, SqlFile, find_roles, find_seeds
from promthctl.seeds.running import run_file
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target


@dataclass(frozen=True)
class Start:
    """seeds: the project's. due: they are to be run after the migrations. waiting: those that were not run so far."""

    seeds: SeedFiles
    due: bool
    waiting: tuple[SqlFile, ...]


def before_migrations(
    settings: Settings, target: Target, steps: Steps, *, roles_ran: bool, seeding: bool, copied: bool = False
) -> Start:
    """Run supabase/roles.sql on a new database, and note there that the seeds are due.

    roles_ran: what made the database has run the roles. seeding: False for --no-seed. copied: the database is a new one
    that was copied with its roles and migrations. The database of a project without
    roles and seeds is not asked. Raises as run_file does; then nothing of the roles stays.
    """
    seeds = find_seeds(settings)
    roles = None if roles_ran else find_roles(settings)
    if roles is None and not seeds.files:
        return Start(seeds, False, ())
    with database.connect(target) as connection:
        known = record.read_record(connection)
        due = seeding and (known.new or known.due or copied)
        digest = roles.sha256() if roles else None
        if copied:
            record.mark_due(connection, due, digest)
        elif roles and (known.new or (known.due and digest != known.roles)):
            with applying.shown(steps, roles) as used:
                run_file(
                    connection,
                    roles,
                    applying.roles_failure(target),
                    lambda connection: record.mark_due(connection, due, digest),
                    used,
                )
        elif known.new or known.due != due:
            record.mark_due(connection, due, known.roles)
    return Start(seeds, due, tuple(file for file in seeds.files if file.name not in known.hashes))


def after_migrations(
    settings: Settings, target: Target, start: Start, steps: Steps, *, migrated: bool
) -> SeedResult | None:
    """Run the seeds that are due; None if they are not. From now on no seed is due.

    migrated: migrations were applied just now. Raises as run_file does, naming what runs the seeds again.
    """
    if start.due or migrated:
        with database.connect(target) as connection:
            record.forget_due(connection)
    if not start.due:
        return None
    applying.warn_of(start.seeds.unmatched, steps)
    return SeedResult(target.label, applying.run_files(settings, target, start.waiting, steps))


def forget_due(target: Target) -> None:
    """No seed of a new database is due: whoever made it runs them, or nobody wants them."""
    with database.connect(target) as connection:
        record.forget_due(connection)
