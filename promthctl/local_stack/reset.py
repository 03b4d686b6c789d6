"""Resetting the local database: a new one, with the one that was there kept; and bringing that back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

from promthctl import database, resetting, seeds, shadow
from promthctl.engines import Engine, Filling, KeptCopy
from promthctl.engines.access import local_target, running_access, stack_access
from promthctl.errors import PromthctlError, already_done
from promthctl.local_stack.filling import Filler
from promthctl.locks import alone
from promthctl.migration_set import Migration, supabase_folder
from promthctl.push.planning import check_written
from promthctl.resetting import Contents, Survivor
from promthctl.seeds import SeedResult
from promthctl.settings import Settings
from promthctl.steps import Steps

_UNREAD = "what it has now could not be read"


@dataclass(frozen=True)
class LocalResetResult:
    """applied: file names that the history has, read back. tables: how many there are now.

    gone: what was there before; also: what of it only a new database is without (roles, buckets …). kept: the database
    as it was; None where the engine keeps none. seeds: what was run of them; None if they were not wanted. copied: how
    many of the migrations came with the copy of a database that had the same ones.
    """

    target: str
    applied: tuple[str, ...]
    tables: int
    gone: Contents
    also: tuple[Survivor, ...]
    kept: KeptCopy | None
    seeds: SeedResult | None = None
    copied: int = 0


@dataclass(frozen=True)
class LocalResetPreview:
    """What a local reset would do. replays: file names. keeps: the database as it is would be kept."""

    target: str
    replays: tuple[str, ...]
    gone: Contents
    also: tuple[Survivor, ...]
    keeps: bool
    dry_run: bool = True


@dataclass(frozen=True)
class UndoResult:
    """What is there again. tables, rows, users: counted now. applied: versions. kept: the database that was in use."""

    target: str
    applied: tuple[str, ...]
    tables: int
    rows: int
    users: int | None
    kept: KeptCopy


def preview_reset(settings: Settings, engine: Engine, steps: Steps) -> LocalResetPreview:
    """What `reset` would do; nothing is changed."""
    supabase_folder.check_enabled(settings)
    target = local_target(running_access(engine))
    plan = supabase_folder.plan_project_sync(settings, (), history=())
    if refusal := plan.refusal:
        raise refusal
    names = tuple(file.filename for file in supabase_folder.expected_migrations(settings, plan))
    gone, also = resetting.read_contents(target, steps), resetting.read_survivors(target, steps)
    return LocalResetPreview(target.label, names, gone, also, engine.keeps_copies)


def reset(settings: Settings, engine: Engine, steps: Steps, *, seeding: bool = True) -> LocalResetResult:
    """Replace the local database by a new one with all migrations, and the rows of the seeds if `seeding`.

    A migration or a seed that fails raises PromthctlError; where the engine keeps copies, nothing was changed.
    """
    supabase_folder.check_enabled(settings)
    seeds.find_seeds(settings)  # sql_paths that cannot be used are reported before anything is done
    running_access(engine)
    with alone(settings, steps):
        target = local_target(running_access(engine))  # asked again: a `down` may have come between
        plan = supabase_folder.plan_project_sync(
            settings, (), history=()
        )  # all is replayed: an edited file may replace its copy
        if refusal := plan.refusal:
            raise refusal
        files = supabase_folder.expected_migrations(settings, plan)
        check_written(target, files, "Nothing was reset on")
        gone, also = resetting.read_contents(target, steps), resetting.read_survivors(target, steps)
        if not engine.keeps_copies:  # the old one is gone before the migrations run: they must be known to apply
            _try_migrations(settings, files, target.label, steps)
        seeded: list[SeedResult | None] = []

        filler = Filler(settings, steps)
        copied: list[int] = []

        def fill(new: Filling) -> None:
            with _nothing_changed(target.label) if engine.keeps_copies else nullcontext():
                seeded.append(_fill(settings, engine, new, filler, files, seeding, steps))
            copied.append(new.copied)

        kept = engine.renew(fill, steps, filler.content(files))
        with already_done("The local database was reset", _UNREAD, "the reset is done"):
            target = local_target(running_access(engine))  # on another port, if the one before was taken meanwhile
            history = database.fetch_history(target)
            tables = resetting.count_tables(target, steps)
    applied = tuple(file.filename for file in files if file.version in history)
    return LocalResetResult(target.label, applied, tables, gone, also, kept, seeded[0], copied[0])


def undo_reset(settings: Settings, engine: Engine, steps: Steps) -> UndoResult:
    """Exchange the database with the one that was kept. Raises UsageError when nothing is kept."""
    target = local_target(stack_access(engine))
    with alone(settings, steps):
        kept = engine.undo_renewal(steps)
        with already_done("The database that was kept is in use again", _UNREAD, "the exchange is done"):
            target = local_target(stack_access(engine))
            now = resetting.read_contents(target, steps)
            history = tuple(database.fetch_history(target))
    return UndoResult(target.label, history, _tables(now), now.rows, now.users, kept)


def _fill(
    settings: Settings,
    engine: Engine,
    new: Filling,
    filler: Filler,
    files: tuple[Migration, ...],
    seeding: bool,
    steps: Steps,
) -> SeedResult | None:
    """Everything that a new database gets: the roles, the migrations, and the seeds if `seeding`."""
    target = replace(local_target(new.access), label="the new database")
    if new.copied:
        seeds.forget_due(target)
    elif not engine.runs_roles:
        seeds.run_roles(settings, target, steps)
    filler.apply(target, new, files)
    supabase_folder.sync_project(settings, (), steps.note, history=())
    return seeds.run_seeds(settings, target, steps, again="promthctl local reset") if seeding else None


def _try_migrations(settings: Settings, files: tuple[Migration, ...], label: str, steps: Steps) -> None:
    """Raise what would stop them on a fresh embedded PostgreSQL."""
    try:
        shadow.catalog_after_all(settings, files, steps)
    except PromthctlError as error:
        if (why := resetting.not_to_be_had(error)) is None:
            raise resetting.for_the_person(label, error) from None
        steps.note(f"Whether the migrations apply could not be tried: {why}")


@contextmanager
def _nothing_changed(label: str) -> Iterator[None]:
    """Errors of a trial are those of a database that nobody uses yet."""
    try:
        yield
    except PromthctlError as error:
        raise resetting.for_the_person(label, error) from None


def _tables(contents: Contents) -> int:
    return sum(table.dropped for table in contents.tables)
