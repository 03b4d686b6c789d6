"""Bringing the stack up, with the project's migrations applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from promthctl import database, push
from promthctl.engines import Access, Engine
from promthctl.engines.access import local_target
from promthctl.locks import alone
from promthctl.migration_set import Migration, SyncPlan, supabase_folder
from promthctl.migration_set.source import find_source
from promthctl.push import PushResult
from promthctl.settings import Settings
from promthctl.steps import Steps


@dataclass(frozen=True)
class UpResult:
    """started: False when everything ran already. applied: the names of the files applied now. total: of all files.

    source, source_kind: the folder of the migrations and where it comes from, see migration_set.source.
    """

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
    source: str
    source_kind: str


def up(settings: Settings, engine: Engine, why: str, steps: Steps) -> UpResult:
    """Bring the stack up, sync the migrations, apply what is pending. Changes nothing when all that is done."""
    supabase_folder.check_enabled(settings)
    source = find_source(settings)
    supabase_folder.source_migrations(settings)  # a folder that cannot be used is reported before anything starts
    outcome: list[tuple[SyncPlan, PushResult]] = []

    def migrate(access: Access, applied: tuple[str, ...] | None) -> None:
        target = local_target(access)
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
        source=str(source.folder),
        source_kind=source.kind,
    )


def _copied(plan: SyncPlan) -> Iterator[Migration]:
    yield from plan.added
    yield from (difference.migration for difference in plan.overwritten)
    yield from (rename.migration for rename in plan.renamed)
