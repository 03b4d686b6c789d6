"""What `promthctl` alone shows."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promthctl.engines import Status
from promthctl.engines.choosing import current, recorded_engine
from promthctl.errors import PromthctlError
from promthctl.in_time import in_time
from promthctl.migration_set import Migration, present_migrations, supabase_folder
from promthctl.migration_set.source import find_source, has_project
from promthctl.overview.secrets import Missing, missing_secrets
from promthctl.seeds.files import find_seeds
from promthctl.settings import NamedTarget, Settings
from promthctl.targets import from_url

_PATIENCE = 3.0  # seconds that the stack has to say how it is


@dataclass(frozen=True)
class LocalStack:
    """engine: None when it was never started here. state: running, "partly running", stopped, "not started" or
    unknown. why: what is not known, and why; empty otherwise.
    """

    engine: str | None
    state: str
    api_url: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Migrations:
    """source: their folder, relative to the project where it is in there. files: how many there are.

    applied, pending: versions and file names, as the database of the running local stack says; None when it was not
    asked. without_file: versions that it has and that no file has. problem: why the files cannot be used.
    """

    source: str
    files: int
    example: bool = False
    applied: tuple[str, ...] | None = None
    pending: tuple[str, ...] | None = None
    without_file: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class ConfiguredTarget:
    """place: a project's reference or a database's host, without secrets."""

    name: str
    place: str
    production: bool


@dataclass(frozen=True)
class Next:
    """command: to be run as it is. purpose: what it does."""

    command: str
    purpose: str


@dataclass(frozen=True)
class Overview:
    """is_project: the folder has a project; in others `next` lists what can be started there."""

    name: str
    folder: Path
    is_project: bool
    local: LocalStack
    migrations: Migrations
    seeds: tuple[str, ...]
    seeds_problem: str
    targets: tuple[ConfiguredTarget, ...]
    missing_secrets: tuple[Missing, ...]
    next: tuple[Next, ...]


def overview(settings: Settings) -> Overview:
    """Where the project stands. Raises UsageError where two folders may be that of the migrations."""
    local, status = _local_stack(settings)
    files, migrations = _migrations(settings, status)
    seeds, problem = _seeds(settings)
    known = local.engine is not None or bool(seeds) or not migrations.example
    return Overview(
        name=settings.project_dir.name or str(settings.project_dir),
        folder=settings.project_dir,
        is_project=known or has_project(settings) or settings.example is not None,
        local=local,
        migrations=migrations,
        seeds=seeds,
        seeds_problem=problem,
        targets=tuple(_configured(name, target) for name, target in settings.targets.items()),
        missing_secrets=missing_secrets(settings, files, migrations.example),
        next=_next(settings, local, migrations, known or has_project(settings)),
    )


def _local_stack(settings: Settings) -> tuple[LocalStack, Status | None]:
    """The engine is asked only where a stack was started: looking for others' containers would take too long."""
    name = recorded_engine(settings)
    if name is None:
        return LocalStack(None, "not started"), None
    try:
        now = in_time(lambda: current(settings).status(), _PATIENCE)
    except PromthctlError as error:
        return LocalStack(name, "unknown", why=f"{error.what}: {error.why.splitlines()[0]}"), None
    if now is None:
        return LocalStack(name, "unknown", why=f"it did not answer within {_PATIENCE:.0f} seconds"), None
    if now.running:
        return LocalStack(name, "running", now.api_url), now
    parts = any(service.state != "stopped" for service in now.services)
    return LocalStack(name, "partly running" if parts else "stopped"), now


def _migrations(settings: Settings, status: Status | None) -> tuple[tuple[Migration, ...], Migrations]:
    source = find_source(settings)
    shown = "Mr.Promth's, which come with promthctl" if source.example else _shown(source.folder, settings)
    try:
        files = supabase_folder.source_migrations(settings) if source.folder.is_dir() else ()
        others = present_migrations(settings.migrations_dir) if settings.migrations_dir.is_dir() else ()
    except PromthctlError as error:
        problem = f"{error.what}: {error.why.splitlines()[0]}"
        return (), Migrations(shown, 0, source.example, status.applied if status else None, problem=problem)
    if status is None or status.applied is None:
        return files, Migrations(shown, len(files), source.example)
    pending = tuple(file.filename for file in supabase_folder.pending_migrations(files, status.applied))
    versions = {file.version for file in (*files, *others)}
    lost = tuple(version for version in status.applied if version not in versions)
    return files, Migrations(shown, len(files), source.example, status.applied, pending, lost)


def _seeds(settings: Settings) -> tuple[tuple[str, ...], str]:
    try:
        return tuple(file.name for file in find_seeds(settings).files), ""
    except PromthctlError as error:
        return (), f"{error.what}: {error.why.splitlines()[0]}"


def _configured(name: str, target: NamedTarget) -> ConfiguredTarget:
    place = from_url(target.db_url).label if target.db_url else f"hosted project {target.project_ref}"
    return ConfiguredTarget(name, place, target.production)


def _shown(folder: Path, settings: Settings) -> str:
    inside = folder.is_relative_to(settings.project_dir)
    return os.path.relpath(folder, settings.project_dir) if inside else str(folder)


def _next(settings: Settings, local: LocalStack, migrations: Migrations, is_project: bool) -> tuple[Next, ...]:
    """The one command that is next; in a folder without a project, what can be started there."""
    if migrations.problem:
        return (Next("promthctl migrations list", "says what is wrong with the migrations, and how to put it right"),)
    if local.state == "unknown":
        return (Next("promthctl local status", "says why the local stack does not answer"),)
    if not is_project and local.engine is None and settings.example is None:
        return _beginnings(settings.project_dir)
    if not migrations.files:
        return (Next("promthctl migrations new NAME", "makes the first migration"),)
    if local.state != "running":
        verb = "repairs" if local.state == "partly running" else "starts"
        return (Next("promthctl local up", f"{verb} the local stack and applies the migrations"),)
    return (_of_running(settings, migrations),)


def _beginnings(folder: Path) -> tuple[Next, ...]:
    begun = [
        Next("promthctl init", "a project of your own"),
        Next("promthctl local up", "Supabase with Mr.Promth's example"),
        Next("promthctl pull everything --db-url URL", "a database's schema, as SQL"),
    ]
    below = [path.parent.parent for path in folder.glob("*/supabase/config.toml")]
    return (*(Next(f"promthctl -C {shlex.quote(path.name)}", "the project in there") for path in sorted(below)), *begun)


def _of_running(settings: Settings, migrations: Migrations) -> Next:
    if migrations.without_file:
        return Next("promthctl migrations fetch", "writes the files of what was applied and has none")
    if migrations.pending:
        return Next("promthctl local up", f"applies what is pending: {_listed(migrations.pending)}")
    if migrations.applied is None:
        return Next("promthctl local status", "says why the database does not answer")
    if settings.targets:
        return Next(f"promthctl push --dry-run --target {min(settings.targets)}", "plans what would be applied there")
    return Next("promthctl verify", "proves the schema, and that users reach only their own rows")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
