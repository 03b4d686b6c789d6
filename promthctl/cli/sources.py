"""What a command reads a schema from: a target, the local stack, or a database made from the migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promthctl.cli.invocation import Invocation
from promthctl.resolve.choice import TargetChoice, check_no_target

if TYPE_CHECKING:
    from promthctl.targets import Target


def target_or_migrations(run: Invocation, choice: TargetChoice, from_migrations: bool) -> Target | None:
    """The target, announced; None for a database made from the migrations, where that is asked for or no stack runs.

    Raises UsageError for both, and what Invocation.target raises.
    """
    from promthctl import engines

    if from_migrations:
        check_no_target(choice, "--from-migrations")
        return None
    remote = run.remote_target(choice)
    if remote is not None:
        return remote
    if not choice.local and not engines.current(run.settings).status().running:
        run.output.note("No local stack runs: a throw-away database is made from the migrations.")
        return None
    return run.target(choice)
