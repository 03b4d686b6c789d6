"""Drops what the migrations made in a target, all its rows included, and replays them."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl import database, supabase_cli
from promthctl.database.transactions import undisturbed
from promthctl.errors import RefusedError
from promthctl.migration_set import supabase_folder
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target


@dataclass(frozen=True)
class ResetResult:
    """applied: file names in the order they were replayed."""

    target: str
    applied: tuple[str, ...]


def check_reset(settings: Settings, target: Target, steps: Steps) -> None:
    """Raise what would stop a reset before it begins: no CLI, an unreachable target, files that cannot be used."""
    supabase_folder.check_enabled(settings)
    supabase_cli.find_runner(settings, steps)
    database.fetch_history(target)
    if refusal := supabase_folder.plan_project_sync(settings, (), history=()).refusal:
        raise refusal


def check_typed_name(target: Target, typed: str) -> None:
    """Raise RefusedError unless the target's name was typed: the confirmation of a reset."""
    if typed.strip() != target.name:
        raise RefusedError(
            f"The reset of {target.label} was refused",
            f"the name typed is not {target.name!r}" if typed.strip() else "its name was not typed",
            f"nothing was changed; run it again and type the {target.kind_of_name}",
        )


def reset_target(settings: Settings, target: Target, steps: Steps) -> ResetResult:
    """Drop everything the migrations made in the target, and replay them."""
    supabase_folder.check_enabled(settings)
    with undisturbed(settings, target, steps):
        supabase_folder.sync_project(
            settings, (), history=()
        )  # everything is replayed, so an edited file may replace its copy
        files = supabase_folder.expected_migrations(settings)
        supabase_cli.find_database_cli(settings, steps).reset(target, files, steps)
    return ResetResult(target.label, tuple(file.filename for file in files))
