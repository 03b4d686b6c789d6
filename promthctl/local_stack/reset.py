"""Resetting the local database."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl import push, seeds
from promthctl.database.transactions import undisturbed
from promthctl.engines import Engine
from promthctl.engines.access import local_target, running_access
from promthctl.seeds import SeedResult
from promthctl.settings import Settings
from promthctl.steps import Steps


@dataclass(frozen=True)
class LocalResetResult:
    """applied: file names in the order they were replayed. seeds: None if they were not wanted."""

    target: str
    applied: tuple[str, ...]
    seeds: SeedResult | None


def reset(settings: Settings, engine: Engine, steps: Steps, *, seeding: bool = True) -> LocalResetResult:
    """Drop what the migrations made in the local database and replay them, then run the seeds if `seeding`."""
    target = local_target(running_access(engine))
    seeds.find_seeds(settings)  # sql_paths that cannot be used are reported before anything is dropped
    done = push.reset_target(settings, target, steps)
    seeded = None
    if seeding:
        with undisturbed(settings, target, steps):
            seeded = seeds.run_seeds(settings, target, steps)
    return LocalResetResult(done.target, done.applied, seeded)
