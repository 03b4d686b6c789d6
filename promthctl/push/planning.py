"""What a push to one target would do, found without changing anything; and the checks before it may be carried out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.database.connection_errors import unreachable
from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import Migration, SyncPlan, creating, supabase_folder
from promthctl.push import disagreements
from promthctl.push.disagreements import Disagreement
from promthctl.push.risks import PlannedStatement
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_REASONS_SHOWN = 8


@dataclass(frozen=True)
class PushPlan:
    """What a push to one target would do.

    target: its label. local: it is the local stack. total: how many migrations there are here. pending: those it is
    missing, in their order. statements: theirs, with their risks. disagreements: between its history and the files.
    applied: the versions in its history; unverified: those of them without statements, so that only the copy in
    supabase/migrations shows what was applied. sync: what has to change in supabase/migrations first. include_all:
    pending ones may be older than what is applied.
    """

    target: str
    local: bool
    total: int
    pending: tuple[Migration, ...]
    statements: tuple[PlannedStatement, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    applied: tuple[str, ...] = field(default=(), repr=False)
    unverified: tuple[str, ...] = field(default=(), repr=False)
    sync: SyncPlan | None = field(default=None, repr=False)
    include_all: bool = False

    @property
    def destructive(self) -> tuple[PlannedStatement, ...]:
        """The statements that destroy data, and those that cannot be read."""
        return tuple(statement for statement in self.statements if statement.destructive)

    @property
    def refusal(self) -> RefusedError | None:
        """Why the plan may not be carried out, whatever the options: the target's history disagrees with the files."""
        return disagreements.refusal_of(self.target, self.disagreements)


@dataclass(frozen=True)
class PushPreview:
    """A plan for people and programs to read. pending: file names. refused: the history does not allow the push."""

    target: str
    local: bool
    total: int
    pending: tuple[str, ...]
    destructive: bool
    refused: bool
    statements: tuple[PlannedStatement, ...]
    disagreements: tuple[Disagreement, ...]
    dry_run: bool = True


def plan_push(settings: Settings, target: Target, include_all: bool = False) -> PushPlan:
    """What a push would do; nothing is changed, neither there nor here.

    Raises TargetError when the target cannot be reached, RefusedError when the files here contradict each other. A
    refusal that comes from its history is part of the plan.
    """
    supabase_folder.check_enabled(settings)
    with database.connect(target) as connection:
        history = database.read_history(connection)
        unverified = tuple(version for version, entry in history.items() if not entry.statements)
        sync = supabase_folder.plan_project_sync(settings, unverified, history=tuple(history))
        if refusal := sync.refusal:
            raise refusal
        files = supabase_folder.expected_migrations(settings, sync)
        pending = supabase_folder.pending_migrations(files, history)
        check_written(target, pending)
        return PushPlan(
            target=target.label,
            local=target.local,
            total=len(files),
            pending=pending,
            statements=_analysed(target, pending, connection) if pending else (),
            disagreements=disagreements.find_disagreements(
                target, files, history, pending, include_all, sync.foreign, sync.removed
            ),
            applied=tuple(history),
            unverified=unverified,
            sync=sync,
            include_all=include_all,
        )


def preview_push(plan: PushPlan) -> PushPreview:
    """The plan as a result."""
    return PushPreview(
        target=plan.target,
        local=plan.local,
        total=plan.total,
        pending=tuple(file.filename for file in plan.pending),
        destructive=bool(plan.destructive),
        refused=plan.refusal is not None,
        statements=plan.statements,
        disagreements=plan.disagreements,
    )


def check_destructive(target: Target, plan: PushPlan, allowed: bool) -> None:
    """Raise RefusedError for a plan that destroys data, unless that is allowed.

    Nothing is asked for the local stack: its owner can create it again.
    """
    if allowed or target.local or not plan.destructive:
        return
    why = [
        f"{statement.file} line {statement.line} {risk.what}"
        for statement in plan.destructive
        for risk in statement.risks
        if risk.destructive
    ]
    if len(why) > _REASONS_SHOWN:
        why[_REASONS_SHOWN - 1 :] = [f"and {len(why) - _REASONS_SHOWN + 1} more, see --dry-run"]
    hint = "make sure that there is a backup, then run it again with --allow-destructive"
    raise RefusedError(f"Nothing was pushed to {plan.target}", "\n".join(why), hint)


def check_written(target: Target, pending: Iterable[Migration]) -> None:
    """Raise RefusedError for a migration without its SQL yet: SQL written after it is recorded is never applied."""
    for file in pending:
        if file.sql.strip() == creating.up_template(f"{file.version}_{file.name}").strip():
            raise RefusedError(
                f"Nothing was pushed to {target.label}",
                f"{file.filename} is still as `promthctl migrations new` created it",
                f"write its SQL into {file.path}, or remove it with its down script",
            )


def _analysed(
    target: Target, pending: Sequence[Migration], connection: psycopg.Connection[Any]
) -> tuple[PlannedStatement, ...]:
    import psycopg

    from promthctl.push.risks.classify import analyse_migrations

    try:
        return analyse_migrations(pending, connection)
    except psycopg.OperationalError as error:
        if connection.broken:
            raise unreachable(target, str(error)) from None
        raise _no_plan(target, error) from None
    except psycopg.Error as error:
        raise _no_plan(target, error) from None


def _no_plan(target: Target, error: Exception) -> PromthctlError:
    lines = redact(str(error)).strip().splitlines()
    why = f"its catalog could not be read: {lines[0] if lines else type(error).__name__}"
    return PromthctlError(f"The plan for {target.label} could not be made", why, "run the same command again")
