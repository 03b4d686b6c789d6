"""What runs, and how far the migrations are."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl.engines import Engine, Service
from promthctl.migration_set import supabase_folder
from promthctl.settings import Settings


@dataclass(frozen=True)
class MigrationState:
    """applied: versions in the history. pending: files missing from it. Both None when the database does not answer."""

    applied: tuple[str, ...] | None
    pending: tuple[str, ...] | None


@dataclass(frozen=True)
class StatusResult:
    """running: every service that was started works. studio_url: None while it does not run. problems: see Status."""

    engine: str
    running: bool
    api_url: str | None
    studio_url: str | None
    services: tuple[Service, ...]
    migrations: MigrationState
    problems: tuple[str, ...] = ()


def status(settings: Settings, engine: Engine) -> StatusResult:
    """The engine's status with the state of the migrations; nothing is changed."""
    now = engine.status(measure=True)
    waiting = None
    if now.applied is not None:
        waiting = tuple(
            file.filename
            for file in supabase_folder.pending_migrations(supabase_folder.expected_migrations(settings), now.applied)
        )
    return StatusResult(
        now.engine,
        now.running,
        now.api_url,
        now.studio_url,
        now.services,
        MigrationState(now.applied, waiting),
        now.problems,
    )
