"""Bringing a target to the state of the migrations: plan, ask, sync, apply; or drop everything and replay."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from promthctl import database, project, toolchain
from promthctl.errors import RefusedError
from promthctl.locks import alone
from promthctl.migration_set import Migration, SyncPlan
from promthctl.migration_set.folder import free_version, quote
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.supabase_cli import SupabaseCli
from promthctl.targets import Target


@dataclass(frozen=True)
class PushPlan:
    """applied: versions in the target's history. sync: what supabase/migrations lacks. pending: in their order."""

    applied: tuple[str, ...]
    sync: SyncPlan
    pending: tuple[Migration, ...]


@dataclass(frozen=True)
class PushResult:
    """applied: file names this push applied. pending: what it would apply, in a dry run. total: all there are."""

    target: str
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    total: int
    dry_run: bool = False


@dataclass(frozen=True)
class ResetResult:
    """applied: file names in the order they were replayed."""

    target: str
    applied: tuple[str, ...]


def plan(settings: Settings, target: Target) -> PushPlan:
    """What a push would do; nothing is changed, neither there nor here.

    Raises TargetError when the target cannot be reached, RefusedError when the files here contradict its history.
    """
    applied = tuple(database.history(target))
    sync = project.plan(settings, applied)
    if refusal := sync.refusal:
        raise refusal
    return PushPlan(applied, sync, _pending(target, project.expected(settings, sync), applied))


def preview(settings: Settings, target: Target) -> PushResult:
    """The plan as a result, for --dry-run."""
    made = plan(settings, target)
    total = len(project.expected(settings, made.sync))
    return PushResult(target.label, (), tuple(file.filename for file in made.pending), total, dry_run=True)


def push(settings: Settings, target: Target, made: PushPlan, steps: Steps) -> PushResult:
    """Carry out a plan."""
    with _undisturbed(settings, target, steps):
        project.sync(settings, made.applied)
        return apply(settings, target, made.applied, steps)


def apply(settings: Settings, target: Target, applied: Collection[str], steps: Steps) -> PushResult:
    """Apply through the CLI what the target lacks; with nothing pending the CLI is not started.

    Raises RefusedError when the history cannot be continued with these files.
    """
    files = project.expected(settings)
    waiting = _pending(target, files, applied)
    done = _cli(settings, steps).push(target, files, steps) if waiting else ()
    return PushResult(target.label, done, (), len(files))


def reset(settings: Settings, target: Target, steps: Steps) -> ResetResult:
    """Drop what the migrations made in the target, all its rows with it, and replay them."""
    with _undisturbed(settings, target, steps):
        project.sync(settings, ())  # everything is replayed, so an edited file may take its place
        files = project.expected(settings)
        _cli(settings, steps).reset(target, files, steps)
    return ResetResult(target.label, tuple(file.filename for file in files))


def check_reset(settings: Settings, target: Target) -> None:
    """Raise what would stop a reset before it begins: a target out of reach, files that cannot be used."""
    database.history(target)
    if refusal := project.plan(settings, ()).refusal:
        raise refusal


def check_name(target: Target, typed: str) -> None:
    """The guard of a reset: the target's name must have been typed."""
    if typed.strip() != target.name:
        raise RefusedError(
            f"The reset of {target.label} was refused",
            f"the name typed is not {target.name!r}" if typed.strip() else "its name was not typed",
            f"nothing was changed; run it again and type the {target.kind_of_name}",
        )


def _pending(target: Target, files: Sequence[Migration], applied: Collection[str]) -> tuple[Migration, ...]:
    """What the target lacks. Raises RefusedError where the CLI would refuse to go on, and says how to go on."""
    waiting = project.pending(files, applied)
    known = [file.version for file in files]
    missing = sorted(set(applied).difference(known))
    refused = f"Nothing was pushed to {target.label}"
    if waiting and missing:
        raise RefusedError(
            refused,
            f"its history has versions that have no file here: {', '.join(missing)}",
            "promthctl migrations list shows them; bring their files here (another branch has them?) and run it again",
        )
    last = max(applied, default="")
    mends, early = [], [file for file in waiting if file.version < last]
    for file in early:
        after = free_version(known, last)
        known += [after] if after else []
        name = file.path.with_name(f"{after}_{file.name}.sql") if after else "a later version"
        mends.append(f"git mv {quote(str(file.path), str(name))}")
    if early:
        names = ", ".join(file.filename for file in early)
        raise RefusedError(refused, f"{names} would come before version {last}, which is applied", "\n".join(mends))
    return waiting


def _cli(settings: Settings, steps: Steps) -> SupabaseCli:
    return SupabaseCli(toolchain.ensure(settings, steps).supabase, settings)


def _undisturbed(settings: Settings, target: Target, steps: Steps) -> AbstractContextManager[None]:
    """The local stack's lock: `local up` and `down` must not come in between."""
    return alone(settings, steps) if target.local else nullcontext()
