"""A planned push tried on a copy of the target's own rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from promthctl import database
from promthctl.database.transactions import reading_failure
from promthctl.errors import PromthctlError
from promthctl.migration_set import supabase_folder
from promthctl.push.planning import PushPlan
from promthctl.rehearsal import DataRehearsal
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    from promthctl.rehearsal.with_data import Amount


def try_with_data(
    settings: Settings,
    target: Target,
    plan: PushPlan,
    sample: int | None,
    agree: Callable[[Amount], None],
    steps: Steps,
) -> DataRehearsal | None:
    """Copy the rows that the plan's migrations touch and run them there; None with nothing pending.

    sample, agree: see rehearsal.with_data, whose errors these are. Raises TargetError where the target is lost.
    """
    import psycopg

    from promthctl.rehearsal.with_data import rehearse_with_data

    if not plan.pending or plan.refusal is not None:
        return None
    applied = [
        file for file in supabase_folder.expected_migrations(settings, plan.sync) if file.version in plan.applied
    ]
    touched = plan.rehearsal.touched if plan.rehearsal else None
    try:
        with database.connect(target) as connection:
            return rehearse_with_data(settings, connection, applied, plan.pending, touched, sample, agree, steps)
    except psycopg.Error as error:
        what = f"The push to {target.label} could not be tried on a copy of its rows"
        raise reading_failure(target, what, error, "nothing was pushed") from None


def check_tried(plan: PushPlan, tried: DataRehearsal | None) -> None:
    """Raise PromthctlError for a push that failed on the copy."""
    failure = tried.failure if tried else None
    if failure is not None:
        raise PromthctlError(
            f"This push to {plan.target} fails on a copy of its rows, and nothing was touched",
            f"{failure.file} line {failure.line}: {failure.what}",
            f"correct {failure.file} or the rows, and run the same command again",
        )
