"""What a push to one target would do, found without changing anything; and the checks before it may be carried out."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Any

from promthctl import database, toolchain
from promthctl.database.transactions import reading_failure
from promthctl.errors import PromthctlError, RefusedError
from promthctl.in_time import started
from promthctl.migration_set import Migration, SyncPlan, creating, supabase_folder
from promthctl.migration_set.squashed import Squash, as_replaced, find_squashes
from promthctl.push import disagreements
from promthctl.push.disagreements import Disagreement
from promthctl.push.lock_checks import LockCheck, check_locks
from promthctl.push.risks import PlannedStatement
from promthctl.push.squashes import settled_by, told
from promthctl.push.waits import Wait, estimate_waits
from promthctl.rehearsal import DataRehearsal, Finding, Rehearsal
from promthctl.settings import Settings
from promthctl.sql.transaction_commands import find_transaction_fault, procedures_that_roll_back
from promthctl.steps import Silent, Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_NO_PLAN = "The plan for {} could not be made"
_REASONS_SHOWN = 8
_SILENT = Silent()


@dataclass(frozen=True)
class PushPlan:
    """What a push to one target would do.

    target: its label. local: it is the local stack. total: how many migrations there are here. pending: those it is
    missing, in their order. statements: theirs, with their risks. disagreements: between its history and the files.
    applied: the versions in its history; unverified: those of them without statements, so that only the copy in
    supabase/migrations shows what was applied. sync: what has to change in supabase/migrations first. include_all:
    pending ones may be older than what is applied. squashes: squashed files that are recorded first, in place of what
    its history has. rehearsal: what came of trying them in a throw-away database; None where that was not wanted.
    waits: how long its locks may hold up the target, estimated.
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
    rehearsal: Rehearsal | None = None
    waits: tuple[Wait, ...] = ()
    squashes: tuple[Squash, ...] = field(default=(), repr=False)

    @property
    def destructive(self) -> tuple[PlannedStatement, ...]:
        """The statements that destroy data as far as their text tells, and those that cannot be read.

        Without those of which the rehearsal has found everything again.
        """
        kept = self.rehearsal.kept if self.rehearsal else frozenset()
        return tuple(one for one in self.statements if one.destructive and (one.file, one.line) not in kept)

    @property
    def effects(self) -> tuple[Finding, ...]:
        """What the rehearsal has seen destroyed, and what it could not decide."""
        return self.rehearsal.destructive if self.rehearsal else ()

    @property
    def destroys(self) -> bool:
        """Whether --allow-destructive is needed on anything but the local stack."""
        return bool(self.destructive or self.effects)

    @property
    def refusal(self) -> RefusedError | None:
        """Why the plan may not be carried out, whatever the options: the target's history disagrees with the files."""
        return disagreements.refusal_of(self.target, self.disagreements)


@dataclass(frozen=True)
class PushPreview:
    """A plan for people and programs to read. pending: file names. refused: the history does not allow the push.

    locks: what the rehearsal has seen of the locks and rewrites that the plan predicts. tried: what came of running the
    migrations on a copy of the target's rows; None where that was not wanted.
    """

    target: str
    local: bool
    total: int
    pending: tuple[str, ...]
    destructive: bool
    refused: bool
    statements: tuple[PlannedStatement, ...]
    disagreements: tuple[Disagreement, ...]
    dry_run: bool = True
    rehearsal: Rehearsal | None = None
    locks: tuple[LockCheck, ...] = ()
    tried: DataRehearsal | None = None
    waits: tuple[Wait, ...] = ()


def plan_push(
    settings: Settings,
    target: Target,
    include_all: bool = False,
    rehearsed: bool = True,
    drift: bool = True,
    steps: Steps = _SILENT,
) -> PushPlan:
    """What a push would do; nothing is changed, neither there nor here.

    rehearsed: try it in a throw-away database, if anything is pending. drift: tell how the target's catalog differs
    from what its history makes.

    Raises TargetError when the target cannot be reached, RefusedError when the files here contradict each other. A
    refusal that comes from its history is part of the plan.
    """
    supabase_folder.check_enabled(settings)
    with database.connect(target) as connection:
        recorded = database.read_history(connection, target)
        squashes = find_squashes(supabase_folder.source_migrations(settings), recorded)
        history = as_replaced(recorded, squashes)
        unverified = tuple(version for version, entry in history.items() if not entry.statements)
        sync = supabase_folder.plan_project_sync(settings, unverified, history=tuple(history))
        if refusal := sync.refusal:
            raise refusal
        files = supabase_folder.expected_migrations(settings, sync)
        pending = supabase_folder.pending_migrations(files, history)
        check_written(target, pending, known=files)
        found = (
            *(_squashed(target, one) for one in squashes),
            *disagreements.find_disagreements(target, files, history, pending, include_all, sync.foreign, sync.removed),
        )
        if unmet := [one for one in found if one.kind == "squashed" and one.refuses]:
            found = tuple(unmet)  # the rest follows from it
        wanted = rehearsed and pending and disagreements.refusal_of(target.label, found) is None
        applied = [file for file in files if file.version in history]
        # The parser reads while a server starts.
        analysed = functools.cache(lambda: _analysed(target, pending, connection) if pending else ((), ()))
        rehearsal = None
        if wanted:
            rehearsal = _rehearsed(settings, target, connection, applied, pending, drift, steps, analysed)
        statements, waits = analysed()
        return PushPlan(
            target=target.label,
            local=target.local,
            total=len(files),
            pending=pending,
            statements=statements,
            waits=waits,
            disagreements=found,
            rehearsal=rehearsal,
            applied=tuple(recorded),
            unverified=unverified,
            sync=sync,
            include_all=include_all,
            squashes=tuple(one for one in squashes if one.met),
        )


def preview_push(plan: PushPlan, tried: DataRehearsal | None = None) -> PushPreview:
    """The plan as a result. tried: see PushPreview."""
    return PushPreview(
        target=plan.target,
        local=plan.local,
        total=plan.total,
        pending=tuple(file.filename for file in plan.pending),
        destructive=plan.destroys,
        refused=plan.refusal is not None,
        statements=plan.statements,
        disagreements=plan.disagreements,
        rehearsal=plan.rehearsal,
        locks=check_locks(plan.statements, plan.rehearsal),
        tried=tried,
        waits=plan.waits,
    )


def check_destructive(target: Target, plan: PushPlan, allowed: bool) -> None:
    """Raise RefusedError for a plan that destroys data, unless that is allowed.

    Nothing is asked for the local stack: its owner can create it again.
    """
    if allowed or target.local or not plan.destroys:
        return
    seen = {(one.file, one.line) for one in plan.effects}
    told = [
        (statement.file, statement.line, risk.what)
        for statement in plan.destructive
        for risk in statement.risks
        if risk.destructive and (statement.file, statement.line) not in seen
    ]
    told += [(one.file, one.line, one.what) for one in plan.effects]
    why = [f"{file} line {line} {what}" if line else f"{file} {what}".strip() for file, line, what in sorted(told)]
    if len(why) > _REASONS_SHOWN:
        why[_REASONS_SHOWN - 1 :] = [f"and {len(why) - _REASONS_SHOWN + 1} more, see --dry-run"]
    hint = "make sure that there is a backup, then run it again with --allow-destructive"
    raise RefusedError(f"Nothing was pushed to {plan.target}", "\n".join(why), hint, code="refused.destructive")


def check_accepted(plan: PushPlan) -> None:
    """Raise PromthctlError for a plan that would fail on the way, before anything is touched."""
    failing = plan.rehearsal.failing if plan.rehearsal else ()
    if not failing:
        return
    why = [f"{one.file} line {one.line}: {one.what}" for one in failing]
    if len(why) > _REASONS_SHOWN:
        why[_REASONS_SHOWN - 1 :] = [f"and {len(why) - _REASONS_SHOWN + 1} more, see --dry-run"]
    hint = f"correct {failing[0].file} or the rows, or push without trying it first: --no-rehearsal"
    raise PromthctlError(f"This push to {plan.target} would fail, and nothing was touched", "\n".join(why), hint)


def check_written(
    target: Target,
    pending: Iterable[Migration],
    refused: str = "Nothing was pushed to",
    known: Iterable[Migration] = (),
) -> None:
    """Raise RefusedError for a file that would be recorded without being applied, before anything is touched.

    Such are a migration without its SQL yet, and one that leaves its transaction open or throws it away.
    refused: how the error begins, before the target's label. known: other files, whose procedures may be called.
    """
    pending = tuple(pending)
    rolling = {name for file in (*known, *pending) for name in procedures_that_roll_back(file.sql)}
    for file in pending:
        if file.sql.strip() == creating.up_template(f"{file.version}_{file.name}").strip():
            raise RefusedError(
                f"{refused} {target.label}",
                f"{file.filename} is still as `promthctl migrations new` created it",
                f"write its SQL into {file.path}, or remove it with its down script",
            )
        if fault := find_transaction_fault(file.sql, rolling):
            raise RefusedError(
                f"{refused} {target.label}",
                f"{file.filename} line {fault.line}: {fault.why}",
                f"in {file.path}, line {fault.line}: {fault.fix}",
            )


def _squashed(target: Target, one: Squash) -> Disagreement:
    fix = "" if one.met else settled_by(target, one)
    return Disagreement("squashed", one.versions, told(one), fix, refuses=not one.met)


def _analysed(
    target: Target, pending: Sequence[Migration], connection: psycopg.Connection[Any]
) -> tuple[tuple[PlannedStatement, ...], tuple[Wait, ...]]:
    import psycopg

    from promthctl.push.risks.classify import analyse_migrations

    try:
        statements = analyse_migrations(pending, connection)
        return statements, estimate_waits(connection, statements)
    except psycopg.Error as error:
        raise reading_failure(target, _NO_PLAN.format(target.label), error, "nothing was pushed") from None


def _rehearsed(
    settings: Settings,
    target: Target,
    connection: psycopg.Connection[Any],
    applied: Sequence[Migration],
    pending: Sequence[Migration],
    drift: bool,
    steps: Steps,
    meanwhile: Callable[[], object],
) -> Rehearsal:
    import psycopg

    from promthctl.rehearsal.as_it_is import read_as_it_is

    try:
        reading = started(functools.partial(read_as_it_is, connection))
        from promthctl.rehearsal.rehearsing import rehearse  # while the target answers, as what follows

        with contextlib.suppress(PromthctlError):  # who needs the tools has the error told
            toolchain.ensure(settings, Silent())
        as_it_is = reading(TIMEOUT_MAX)
        assert as_it_is
        found = rehearse(settings, connection, applied, pending, as_it_is, steps, meanwhile)
    except psycopg.Error as error:
        raise reading_failure(target, _NO_PLAN.format(target.label), error, "nothing was pushed") from None
    return found if drift else replace(found, drift=None)
