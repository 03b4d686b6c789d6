"""The local stack: an engine, the project's migrations on it, and one promthctl at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from promthctl import database, dotenv_file, engines, push, targets
from promthctl.engines import Access, Engine, Service
from promthctl.errors import TargetError, UsageError
from promthctl.locks import alone
from promthctl.migration_set import Migration, SyncPlan, supabase_folder
from promthctl.push import PushResult, ResetResult
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target


@dataclass(frozen=True)
class UpResult:
    """started: False when everything ran already. applied: versions' file names applied now; total: all of them."""

    engine: str
    why: str
    started: bool
    api_url: str
    studio_url: str | None
    access: Access = field(repr=False)
    synced: tuple[str, ...]
    foreign: tuple[str, ...]
    applied: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class DownResult:
    """stopped: False when nothing ran. purged: the data was removed."""

    stopped: bool
    purged: bool


@dataclass(frozen=True)
class MigrationState:
    """applied: versions in the history. pending: file names it lacks. Both None when the database does not answer."""

    applied: tuple[str, ...] | None
    pending: tuple[str, ...] | None


@dataclass(frozen=True)
class StatusResult:
    engine: str
    running: bool
    api_url: str | None
    studio_url: str | None
    services: tuple[Service, ...]
    migrations: MigrationState


@dataclass(frozen=True)
class EnvResult:
    """file: where the variables were written. changed: the names that were not so before."""

    file: Path
    changed: tuple[str, ...]


def up(settings: Settings, engine: Engine, why: str, steps: Steps) -> UpResult:
    """Bring the stack up, sync the migrations, apply what is pending. Changes nothing when all that is done."""
    supabase_folder.source_migrations(settings)  # a folder that cannot be used is told before anything starts
    outcome: list[tuple[SyncPlan, PushResult]] = []

    def migrate(access: Access, applied: tuple[str, ...] | None) -> None:
        target = target_of(access)
        versions = tuple(database.fetch_history(target)) if applied is None else applied
        plan = supabase_folder.sync_project(settings, versions)
        outcome.append((plan, push.apply_to_local_stack(settings, target, versions, steps)))

    with alone(settings, steps):
        access, started = engine.up(migrate, steps)
    plan, pushed = outcome[0]
    return UpResult(
        engine=engine.name,
        why=why,
        started=started,
        api_url=access.api_url,
        studio_url=access.studio_url,
        access=access,
        synced=tuple(sorted(file.filename for file in _copied(plan))),
        foreign=plan.foreign,
        applied=pushed.applied,
        total=pushed.total,
    )


def down(settings: Settings, engine: Engine, purge: bool, steps: Steps) -> DownResult:
    """Stop the stack; with `purge` remove its data."""
    if not settings.state_dir.exists() and all(service.state == "stopped" for service in engine.status().services):
        return DownResult(engine.down(purge, steps), purge)
    with alone(settings, steps):
        stopped = engine.down(purge, steps)
        if purge:
            engines.forget(settings)
    return DownResult(stopped, purge)


def status(settings: Settings, engine: Engine) -> StatusResult:
    """What runs, and how far the migrations are."""
    now = engine.status(measure=True)
    waiting = None
    if now.applied is not None:
        waiting = tuple(
            file.filename
            for file in supabase_folder.pending_migrations(supabase_folder.expected_migrations(settings), now.applied)
        )
    return StatusResult(
        now.engine, now.running, now.api_url, now.studio_url, now.services, MigrationState(now.applied, waiting)
    )


def access(engine: Engine) -> Access:
    """How to reach the stack, also while it is stopped. Raises TargetError when it was never started."""
    known = engine.access()
    if known is None:
        raise TargetError("There is no local stack yet", "it was never started in this folder", "promthctl local up")
    return known


def write_env(settings: Settings, engine: Engine, file: Path) -> EnvResult:
    """Merge the stack's variables into an env file, relative to the project."""
    path = settings.project_dir / file.expanduser()
    if str(file) == "-" or path.is_fifo():
        why = "the variables are secret, and are merged into a file that holds others"
        raise UsageError(f"{file} is no file to write to", why, "leave --write out to print them")
    return EnvResult(path, dotenv_file.merge(path, access(engine).variables()))


def reset(settings: Settings, engine: Engine, steps: Steps) -> ResetResult:
    """Drop what the migrations made in the local database and replay them."""
    return push.reset_target(settings, target_of(running(engine)), steps)


def running(engine: Engine) -> Access:
    """How to reach the stack. Raises TargetError when it is not up."""
    known = access(engine)
    if not engine.status().running:
        raise TargetError("The local stack is not running", "it was stopped, or it ended", "promthctl local up")
    return known


def target_of(access: Access) -> Target:
    return targets.from_url(access.db_url, local=True)


def _copied(plan: SyncPlan) -> Iterator[Migration]:
    yield from plan.added
    yield from (difference.migration for difference in plan.overwritten)
    yield from (rename.migration for rename in plan.renamed)
