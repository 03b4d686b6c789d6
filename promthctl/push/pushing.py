"""Bringing a target to the state of the migrations: plan, ask, sync, apply; or drop everything and replay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promthctl import database, migration_set, supabase_cli
from promthctl.database.connection_errors import unreachable
from promthctl.database.transactions import undisturbed
from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import Migration, SyncPlan, creating, supabase_folder
from promthctl.push import disagreements
from promthctl.push.risks import Disagreement, Statement
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_REASONS_SHOWN = 8


@dataclass(frozen=True)
class PushPlan:
    """What a push to one target would do.

    target: its label. local: it is the local stack. total: how many migrations there are here. pending: those it lacks,
    in their order. statements: theirs, with their risks. disagreements: between its history and the files. applied: the
    versions in its history; unverified: those of them without statements, so that only the copy here tells what was
    applied. sync: what supabase/migrations lacks. include_all: pending ones may be older than what is applied.
    """

    target: str
    local: bool
    total: int
    pending: tuple[Migration, ...]
    statements: tuple[Statement, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    applied: tuple[str, ...] = field(default=(), repr=False)
    unverified: tuple[str, ...] = field(default=(), repr=False)
    sync: SyncPlan | None = field(default=None, repr=False)
    include_all: bool = False

    @property
    def destructive(self) -> tuple[Statement, ...]:
        """The statements that destroy data, and those that cannot be read."""
        return tuple(statement for statement in self.statements if statement.destructive)

    @property
    def refusal(self) -> RefusedError | None:
        """Why it may not be carried out, whatever the flags: a history that disagrees."""
        return disagreements.refusal(self.target, self.disagreements)


@dataclass(frozen=True)
class Preview:
    """A plan as people and programs read it. pending: file names. refused: its history refuses a push."""

    target: str
    local: bool
    total: int
    pending: tuple[str, ...]
    destructive: bool
    refused: bool
    statements: tuple[Statement, ...]
    disagreements: tuple[Disagreement, ...]
    dry_run: bool = True


@dataclass(frozen=True)
class PushResult:
    """applied: file names this push applied. total: all there are."""

    target: str
    applied: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class ResetResult:
    """applied: file names in the order they were replayed."""

    target: str
    applied: tuple[str, ...]


def plan(settings: Settings, target: Target, include_all: bool = False) -> PushPlan:
    """What a push would do; nothing is changed, neither there nor here.

    Raises TargetError when the target cannot be reached, RefusedError when the files here contradict each other. What
    its history refuses is in the plan.
    """
    with database.connect(target) as connection:
        history = database.read_history(connection)
        unverified = tuple(version for version, entry in history.items() if not entry.statements)
        sync = supabase_folder.plan(settings, unverified)
        if refusal := sync.refusal:
            raise refusal
        files = supabase_folder.expected(settings, sync)
        pending = supabase_folder.pending(files, history)
        _check_written(target, pending)
        return PushPlan(
            target=target.label,
            local=target.local,
            total=len(files),
            pending=pending,
            statements=_analysed(target, pending, connection) if pending else (),
            disagreements=disagreements.find(target, files, history, pending, include_all, sync.foreign),
            applied=tuple(history),
            unverified=unverified,
            sync=sync,
            include_all=include_all,
        )


def preview(made: PushPlan) -> Preview:
    """The plan as a result."""
    return Preview(
        target=made.target,
        local=made.local,
        total=made.total,
        pending=tuple(file.filename for file in made.pending),
        destructive=bool(made.destructive),
        refused=made.refusal is not None,
        statements=made.statements,
        disagreements=made.disagreements,
    )


def check_destructive(target: Target, made: PushPlan, allowed: bool) -> None:
    """The guard of data: raises RefusedError for a plan that destroys some, unless that is allowed.

    The local stack is its owner's, who can make it anew: there nothing is asked.
    """
    if allowed or target.local or not made.destructive:
        return
    why = [
        f"{statement.file} line {statement.line} {risk.what}"
        for statement in made.destructive
        for risk in statement.risks
        if risk.kind in ("destroys", "unparsed")
    ]
    if len(why) > _REASONS_SHOWN:
        why[_REASONS_SHOWN - 1 :] = [f"and {len(why) - _REASONS_SHOWN + 1} more, see --dry-run"]
    mend = "make sure that there is a backup, then run it again with --allow-destructive"
    raise RefusedError(f"Nothing was pushed to {made.target}", "\n".join(why), mend)


def push(settings: Settings, target: Target, made: PushPlan, steps: Steps) -> PushResult:
    """Carry out a plan. Raises RefusedError when its history or a change since then refuses."""
    with undisturbed(settings, target, steps):
        sync_for(settings, [made])
        return carry_out(settings, target, made, steps)


def sync_for(settings: Settings, plans: Iterable[PushPlan]) -> None:
    """Bring supabase/migrations to what the plans say; all that several pushes at once may not do at once."""
    allowed = [made for made in plans if made.refusal is None]
    if allowed:
        supabase_folder.sync(settings, {version for made in allowed for version in made.unverified})


def carry_out(settings: Settings, target: Target, made: PushPlan, steps: Steps) -> PushResult:
    """Apply what is pending, after sync_for and undisturbed. With nothing pending the CLI is not started."""
    if refusal := made.refusal:
        raise refusal
    if not made.pending:
        return PushResult(made.target, (), made.total)
    copies = supabase_folder.pending(migration_set.present(settings.migrations_dir), made.applied)
    if [(file.filename, file.content) for file in copies] != [(file.filename, file.content) for file in made.pending]:
        raise RefusedError(
            f"Nothing was pushed to {made.target}",
            "the migrations were changed after the plan was made",
            "run the same command again, for a new plan",
        )
    database.wait_for_leftovers(target, "\n".join(file.sql for file in made.pending), steps)
    history = database.history(target)  # another push may have come between the plan and the lock
    if set(history).difference(made.applied, (file.version for file in made.pending)):
        raise RefusedError(
            f"Nothing was pushed to {made.target}",
            "its history was changed after the plan was made",
            "run the same command again, for a new plan",
        )
    if not supabase_folder.pending(made.pending, history):
        return PushResult(made.target, (), made.total)
    files = supabase_folder.expected(settings)
    done = supabase_cli.find_database_cli(settings, steps).push(target, files, steps, made.include_all)
    return PushResult(made.target, done, made.total)


def apply(settings: Settings, target: Target, applied: Collection[str], steps: Steps) -> PushResult:
    """Apply what the local stack lacks, without a plan; with nothing pending the CLI is not started.

    Raises RefusedError when the history cannot be continued with these files.
    """
    files = supabase_folder.expected(settings)
    waiting = supabase_folder.pending(files, applied)
    if refusal := disagreements.refusal(target.label, [*disagreements.gaps(target, files, applied, waiting)]):
        raise refusal
    _check_written(target, waiting)
    done = supabase_cli.find_database_cli(settings, steps).push(target, files, steps) if waiting else ()
    return PushResult(target.label, done, len(files))


def reset(settings: Settings, target: Target, steps: Steps) -> ResetResult:
    """Drop what the migrations made in the target, all its rows with it, and replay them."""
    with undisturbed(settings, target, steps):
        supabase_folder.sync(settings, ())  # everything is replayed, so an edited file may take its place
        files = supabase_folder.expected(settings)
        supabase_cli.find_database_cli(settings, steps).reset(target, files, steps)
    return ResetResult(target.label, tuple(file.filename for file in files))


def check_reset(settings: Settings, target: Target, steps: Steps) -> None:
    """Raise what would stop a reset before it begins: no CLI, a target out of reach, files that cannot be used."""
    supabase_cli.find_runner(settings, steps)
    database.history(target)
    if refusal := supabase_folder.plan(settings, ()).refusal:
        raise refusal


def check_name(target: Target, typed: str) -> None:
    """The guard of a reset: the target's name must have been typed."""
    if typed.strip() != target.name:
        raise RefusedError(
            f"The reset of {target.label} was refused",
            f"the name typed is not {target.name!r}" if typed.strip() else "its name was not typed",
            f"nothing was changed; run it again and type the {target.kind_of_name}",
        )


def _check_written(target: Target, pending: Iterable[Migration]) -> None:
    """Raise RefusedError for a migration without its SQL: once it is recorded, what is written then comes too late."""
    for file in pending:
        if file.sql.strip() == creating.template(f"{file.version}_{file.name}").strip():
            raise RefusedError(
                f"Nothing was pushed to {target.label}",
                f"{file.filename} is still as `promthctl migrations new` made it",
                f"write its SQL into {file.path}, or remove it with its down script",
            )


def _analysed(
    target: Target, pending: Sequence[Migration], connection: psycopg.Connection[Any]
) -> tuple[Statement, ...]:
    import psycopg

    from promthctl.push.risks.classify import analyse

    try:
        return analyse(pending, connection)
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
