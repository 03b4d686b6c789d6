"""Resetting the local database."""

from __future__ import annotations

from promthctl import push
from promthctl.engines import Engine
from promthctl.engines.access import local_target, running_access
from promthctl.push import ResetResult
from promthctl.settings import Settings
from promthctl.steps import Steps


def reset(settings: Settings, engine: Engine, steps: Steps) -> ResetResult:
    """Drop what the migrations made in the local database and replay them."""
    return push.reset_target(settings, local_target(running_access(engine)), steps)
