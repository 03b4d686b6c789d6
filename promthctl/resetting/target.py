"""The reset of a database by the Supabase CLI: a plan that says what goes and what stays, then the reset itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from promthctl import database, supabase_cli
from promthctl.database.transactions import undisturbed
from promthctl.errors import RefusedError, already_done
from promthctl.migration_set import Migration, supabase_folder
from promthctl.push.planning import check_written
from promthctl.resetting import replay, saving
from promthctl.resetting.contents import Contents, read_contents
from promthctl.resetting.replay import Trial, try_reset
from promthctl.resetting.survivors import Survivor, read_survivors
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options


@dataclass(frozen=True)
class ResetPlan:
    """What a reset would do. replays: file names, in order. goes: what is dropped or emptied. stays: what is not.

    tried: it succeeded in a throw-away database. unsure: why that is not certain all the same. backup: the rows are
    exported first.
    """

    target: str
    replays: tuple[str, ...]
    goes: Contents
    stays: tuple[Survivor, ...]
    tried: bool
    unsure: tuple[str, ...]
    backup: bool
    dry_run: bool = True
    files: tuple[Migration, ...] = field(default=(), repr=False)
    trial: Trial | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ResetResult:
    """What was done, read back afterwards. applied: file names that the history has. tables: how many there are now.

    gone: what was there before. stayed: what of it the reset left. backups: folders with the rows. again: the commands
    that put them back.
    """

    target: str
    applied: tuple[str, ...]
    gone: Contents
    stayed: tuple[Survivor, ...]
    tables: int
    backups: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


def plan_reset(settings: Settings, target: Target, backup: bool, steps: Steps) -> ResetPlan:
    """What a reset would do; nothing is changed.

    Raises what would stop it before it begins: no CLI, an unreachable target, files that cannot be used, and
    RefusedError for a replay that would fail.
    """
    supabase_folder.check_enabled(settings)
    supabase_cli.find_runner(settings, steps)
    database.fetch_history(target)
    sync = supabase_folder.plan_project_sync(settings, (), history=())
    if refusal := sync.refusal:
        raise refusal
    files = supabase_folder.expected_migrations(settings, sync)
    check_written(target, files, "Nothing was reset on")
    with steps.step("Reading what a reset would take"):
        goes, stays = read_contents(target, steps), read_survivors(target, steps)
    trial = try_reset(settings, target, files, stays, steps)
    names = tuple(file.filename for file in files)
    return ResetPlan(target.label, names, goes, stays, trial.tried, trial.unsure, backup, files=files, trial=trial)


def check_typed_name(target: Target, typed: str) -> None:
    """Raise RefusedError unless the target's name was typed: the confirmation of a reset."""
    if typed.strip() != target.name:
        raise RefusedError(
            f"The reset of {target.label} was refused",
            f"the name typed is not {target.name!r}" if typed.strip() else "its name was not typed",
            f"nothing was changed; run it again and type the {target.kind_of_name}",
        )


def reset_target(settings: Settings, target: Target, plan: ResetPlan, steps: Steps) -> ResetResult:
    """Carry out a plan. Raises RefusedError when the migrations are not those it was made for."""
    assert plan.trial is not None
    with undisturbed(settings, target, steps):
        history = database.fetch_history(target)
        gone = read_contents(target, steps)  # what came since the plan goes too, and is exported too
        saved: tuple[Path, ...] = ()
        if plan.backup:
            known = [file for file in plan.files if file.version in history]
            tables = [table for table in gone.tables if table.rows != 0]
            saved = saving.save_rows(settings, target, tables, plan.trial.tables, known, steps)
            for path in saved:
                steps.note(f"The rows are in {path}")  # said now: the reset may be interrupted
        # Everything is replayed, so an edited file may replace its copy.
        supabase_folder.sync_project(settings, (), steps.note, history=())
        files = supabase_folder.expected_migrations(settings)
        if [(file.filename, file.sha256) for file in files] != [(file.filename, file.sha256) for file in plan.files]:
            why = "the migrations were changed after the plan was made; nothing was changed there"
            raise RefusedError(f"{target.label} was not reset", why, "run the same command again, for a new plan")
        replay.drop_range_types(target, steps)
        supabase_cli.find_database_cli(settings, steps).reset(target, files, steps)
        left = {one.key for one in plan.stays}
        done = f"{target.label} was reset, its history is confirmed"
        with already_done(done, "what it has now could not be read", "the reset is done"):
            stayed, now = read_survivors(target, steps), read_contents(target, steps)
        return ResetResult(
            target=target.label,
            applied=tuple(file.filename for file in files),  # the history was read back
            gone=gone,
            stayed=tuple(one for one in stayed if one.key in left),
            tables=sum(table.dropped for table in now.tables),
            backups=tuple(map(str, saved)),
            again=tuple(f"promthctl rollback --restore {path.name}{command_line_options(target)}" for path in saved),
        )
