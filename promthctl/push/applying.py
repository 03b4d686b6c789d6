"""Carries out a push: the lock, supabase/migrations brought up to date, and the Supabase CLI for what is pending."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from promthctl import database, migration_set, supabase_cli
from promthctl.database.transactions import undisturbed
from promthctl.errors import RefusedError
from promthctl.migration_set import Migration, copies, supabase_folder
from promthctl.migration_set.squashed import find_squashes, replaced_versions
from promthctl.push import disagreements
from promthctl.push.planning import PushPlan, check_written
from promthctl.push.squashes import check_met, record_squashes
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target


@dataclass(frozen=True)
class PushResult:
    """applied: file names that this push applied. total: how many migrations there are.

    recorded: file names of squashed migrations that it recorded in place of those for which they stand.
    """

    target: str
    applied: tuple[str, ...]
    total: int
    recorded: tuple[str, ...] = ()


def apply_plan(settings: Settings, target: Target, plan: PushPlan, steps: Steps) -> PushResult:
    """Carry out a plan. Raises RefusedError if the target's history does not allow it, or changed since the plan."""
    with undisturbed(settings, target, steps):
        sync_for_plans(settings, [plan], steps)
        return apply_locked(settings, target, plan, steps)


def sync_for_plans(settings: Settings, plans: Iterable[PushPlan], steps: Steps) -> None:
    """Bring supabase/migrations to what the plans expect; once for all, since pushes in parallel share the folder."""
    allowed = [plan for plan in plans if plan.refusal is None]
    if allowed:
        unverified = {version for plan in allowed for version in plan.unverified}
        applied = {version for plan in allowed for version in plan.applied}
        supabase_folder.sync_project(settings, unverified, steps.note, history=applied)
        remote = [plan for plan in allowed if not plan.local]
        pending = {file.version for plan in remote for file in plan.pending}
        copies.keep_copies(settings, pending | {version for plan in remote for version in plan.applied})


def apply_locked(settings: Settings, target: Target, plan: PushPlan, steps: Steps) -> PushResult:
    """Apply what is pending; the caller has called sync_for_plans and holds the target's lock (see undisturbed).

    Squashed files are recorded first. With nothing to do the CLI is not started.
    """
    if refusal := plan.refusal:
        raise refusal
    if not plan.pending and not plan.squashes:
        return PushResult(plan.target, (), plan.total)
    copies = supabase_folder.pending_migrations(migration_set.present_migrations(settings.migrations_dir), plan.applied)
    if [(file.filename, file.content) for file in copies] != [(file.filename, file.content) for file in plan.pending]:
        raise _outdated(plan, "the migrations were changed after the plan was made")
    database.wait_for_leftovers(target, "\n".join(file.sql for file in plan.pending), steps)
    history = database.fetch_history(target)  # another push may have come between the plan and the lock
    if set(history).difference(plan.applied, (file.version for file in plan.pending)):
        raise _outdated(plan, "its history was changed after the plan was made")
    files = supabase_folder.expected_migrations(settings)
    squashes = find_squashes(files, history)
    check_met(target, squashes, f"Nothing was pushed to {plan.target}")  # it may have changed since the plan
    recorded = record_squashes(settings, target, squashes, files, steps)
    pending = supabase_folder.pending_migrations(plan.pending, history)
    if not pending:
        return PushResult(plan.target, (), plan.total, recorded)
    supabase_cli.find_database_cli(settings, steps).push(target, files, steps, plan.include_all)
    return PushResult(plan.target, tuple(file.filename for file in pending), plan.total, recorded)


def apply_to_local_stack(
    settings: Settings,
    target: Target,
    history: Collection[str],
    steps: Steps,
    apply: Callable[[Sequence[Migration]], None] | None = None,
) -> PushResult:
    """Apply what the local stack is missing, without a plan; with nothing pending the CLI is not started.

    history: the versions that are applied there. apply: takes all files, and is called if some are pending; by default
    the Supabase CLI's push. Raises RefusedError if they cannot be continued with these files.
    """
    files = supabase_folder.expected_migrations(settings)
    recorded: tuple[str, ...] = ()
    if set(history).intersection(replaced_versions(files)):
        squashes = find_squashes(files, database.fetch_history(target))
        check_met(target, squashes, f"Nothing was pushed to {target.label}")
        recorded = record_squashes(settings, target, squashes, files, steps)
        for name in recorded:
            steps.note(f"Recorded {name} in the history, in place of what it stands for")
        history = tuple(database.fetch_history(target))
    pending = supabase_folder.pending_migrations(files, history)
    gaps = [*disagreements.find_version_gaps(target, files, history, pending)]
    if refusal := disagreements.refusal_of(target.label, gaps):
        raise refusal
    check_written(target, pending, known=files)
    if pending and apply is not None:
        apply(files)
    elif pending:
        supabase_cli.find_database_cli(settings, steps).push(target, files, steps)
    return PushResult(target.label, tuple(file.filename for file in pending), len(files), recorded)


def _outdated(plan: PushPlan, why: str) -> RefusedError:
    return RefusedError(f"Nothing was pushed to {plan.target}", why, "run the same command again, for a new plan")
