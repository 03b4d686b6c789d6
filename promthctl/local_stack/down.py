"""Stopping the stack, or removing it with its data."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl import engines, shadow
from promthctl.engines import Engine, KeptCopy, app_secret
from promthctl.locks import alone, clear_away
from promthctl.settings import Settings
from promthctl.steps import Steps


@dataclass(frozen=True)
class DownResult:
    """stopped: False when nothing ran. purged: its data was to be removed. had_data: there was some before. kept: the
    database from before the last reset, if it was removed too.
    """

    stopped: bool
    purged: bool
    had_data: bool
    kept: KeptCopy | None = None


def down(settings: Settings, engine: Engine, purge: bool, steps: Steps) -> DownResult:
    """Stop the stack; with `purge` remove its data, and its folder of state where that keeps nothing else."""
    shadow.remove_leftovers(settings)
    had_data = engine.has_data()
    if not settings.state_dir.exists() and all(service.state == "stopped" for service in engine.status().services):
        return DownResult(engine.down(purge, steps), purge, had_data)
    with alone(settings, steps):
        kept = engine.kept() if purge else None
        stopped = engine.down(purge, steps)
        if purge:
            engines.forget_engine(settings)
    if purge:
        clear_away(settings, steps, app_secret.RECORD)  # a backup may have rows that it encrypted
    return DownResult(stopped, purge, had_data, kept)
