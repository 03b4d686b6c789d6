"""What a shell offers for the values of options and arguments, at Tab.

Nothing is asked over a network, nothing is printed, and no mistake in the project's files is told: the list is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from promthctl.configuration import ENGINES, EXAMPLE

if TYPE_CHECKING:
    from promthctl.settings import Settings

Offer = Callable[[typer.Context, str], list[tuple[str, str]]]


def _offered(values: Callable[[Path], Iterable[tuple[str, str]]]) -> Offer:
    """values: of the project's folder, pairs of a value and what it is."""

    def offer(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        from promthctl.project_files import project_here

        try:
            folder = context.find_root().params.get("project_dir") or project_here(Path.cwd())
            return [(value, says) for value, says in values(Path(folder)) if value.startswith(incomplete)]
        except Exception:  # whatever it is: a Tab that prints an error makes the line unreadable
            return []

    return offer


def _offering(values: Callable[[Settings], Iterable[tuple[str, str]]]) -> Offer:
    """As _offered, for what the project's settings are needed for."""

    def with_settings(folder: Path) -> Iterable[tuple[str, str]]:
        from promthctl.settings import load

        return values(load(folder))

    return _offered(with_settings)


@_offered
def targets(folder: Path) -> Iterable[tuple[str, str]]:
    """Read from pyproject.toml alone: it is what is completed most, and the settings take as long as all the rest."""
    from promthctl.project_files import read_toml, table_of

    named = table_of(read_toml(folder / "pyproject.toml"), "tool", "promthctl", "targets", where="pyproject.toml")
    return [(name, "production" if target.get("production") is True else "") for name, target in named.items()]


@_offered
def engines(_: Path) -> Iterable[tuple[str, str]]:
    return [(name, "") for name in ENGINES]


@_offered
def examples(_: Path) -> Iterable[tuple[str, str]]:
    return [(EXAMPLE, "")]


@_offering
def versions(settings: Settings) -> Iterable[tuple[str, str]]:
    from promthctl.migration_set import supabase_folder

    return [(file.version, file.name) for file in supabase_folder.source_migrations(settings)]


@_offering
def services(settings: Settings) -> Iterable[tuple[str, str]]:
    """Those of the engine that the project's stack is on."""
    from promthctl.engines import recorded_engine

    if recorded_engine(settings) == "docker":
        from promthctl.engines.docker.services import SERVICES

        return [(name, "") for name in SERVICES]
    from promthctl.engines.embedded.records import SERVICES as EMBEDDED

    return [(name, "") for name in EMBEDDED]


@_offering
def snapshots(settings: Settings) -> Iterable[tuple[str, str]]:
    from promthctl.engines import current

    return [(one.name, one.reason) for one in current(settings).snapshots()]


@_offering
def backups(settings: Settings) -> Iterable[tuple[str, str]]:
    from promthctl.backups.folder import list_backups

    return [(row.name, "") for row in list_backups(settings)]


@_offered
def agents(_: Path) -> Iterable[tuple[str, str]]:
    from promthctl.mr_promth import vanchin

    return [(str(number), f"{vanchin.TITLE}'s agent {number}") for number in range(1, vanchin.AGENTS + 1)]


@_offered
def providers(_: Path) -> Iterable[tuple[str, str]]:
    from promthctl.keys.providers import provider_names

    return [(name, "") for name in provider_names()]


@_offered
def severities(_: Path) -> Iterable[tuple[str, str]]:
    return [(name, "") for name in ("leak", "difference", "not-proven", "advice")]


def docker_services(incomplete: str) -> list[str]:
    """The next name of a list with commas."""
    from promthctl.engines.docker.services import ALL, SERVICES

    before, comma, begun = incomplete.rpartition(",")
    names = SERVICES if comma else (ALL, *SERVICES)
    return [f"{before}{comma}{name}" for name in names if name.startswith(begun) and name not in before.split(",")]


def schema_kinds(incomplete: str) -> list[str]:
    """The next kind of a list with commas."""
    from promthctl.schema import KINDS

    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in KINDS if name.startswith(begun) and name not in before.split(",")]
