"""What migrations make, kept in the cache under a hash of everything it depends on.

    <cache>/shadow/<hash>.json            the catalog after all of them
    <cache>/shadow/<hash>.states-*.json   the catalog after each of them
    <cache>/shadow/<hash>.lock            held while that is read; others wait only for what they need themselves
    <cache>/shadow/.database-*/               a throw-away database while it is needed

The hash covers the contents of the migrations and of roles.sql, the bootstrap, the default privileges, the PostgreSQL,
its extensions and the queries: a second run with the same migrations starts no Postgres.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from promthctl import process, seeds, toolchain
from promthctl.engines.embedded import default_privileges
from promthctl.engines.embedded.templates import bootstrap_scripts
from promthctl.engines.embedded.which_postgres import postgres_of
from promthctl.errors import PrerequisiteError
from promthctl.locks import locked_briefly
from promthctl.migration_set import Migration
from promthctl.schema import CATALOG_FINGERPRINT, Catalog, snapshot
from promthctl.settings import POSTGRES_MAJORS, Settings
from promthctl.shadow.recording import STATES_FINGERPRINT
from promthctl.shadow.states import MissedChangeError, States, read_states, record_states
from promthctl.shadow.throw_away import ThrowAwayDatabase, throw_away_database
from promthctl.steps import Steps, Within
from promthctl.toolchain import ServerChoice, installation

if TYPE_CHECKING:
    import psycopg

Kept = TypeVar("Kept")

FOLDER = "shadow"  # in the cache directory
_FILES_KEPT = 20  # one is about 100 kB


@dataclass(frozen=True)
class _Reading(Generic[Kept]):
    """What is read from the throw-away database: prepare it before the migrations, read it after them, keep that."""

    suffix: str
    prepare: Callable[[psycopg.Connection[Any]], None]
    read: Callable[[psycopg.Connection[Any]], Kept]
    to_json: Callable[[Kept], str]
    from_json: Callable[[str], Kept]


_CATALOG = _Reading(".json", lambda _: None, snapshot, Catalog.to_json, Catalog.from_json)
_STATES = _Reading(f".states-{STATES_FINGERPRINT}.json", record_states, read_states, States.to_json, States.from_json)
_STATES_AT_LENGTH = replace(_STATES, prepare=partial(record_states, thorough=True))


def catalog_after_all(
    settings: Settings,
    migrations: Sequence[Migration],
    steps: Steps,
    major: int = 17,
    privileges: Sequence[str] | None = None,
) -> Catalog:
    """The catalog of a fresh Supabase with these migrations applied in order.

    migrations: as supabase_folder.expected gives them. major: the target's PostgreSQL version; the nearest one
    available is used, and the project's where it asks for another (its migrations may need that one's extensions).
    privileges: the target's default privileges, as default_privileges.of_target reads them; None for what config.toml
    says.
    Raises PromthctlError naming file and statement for a migration that fails, PrerequisiteError for a cache
    directory that cannot be written, and what the toolchain raises. Whatever happens, nothing stays running.
    """
    return _kept_or_made(_CATALOG, settings, migrations, steps, major, privileges)


def states_after_each(
    settings: Settings,
    migrations: Sequence[Migration],
    steps: Steps,
    major: int = 17,
    privileges: Sequence[str] | None = None,
) -> States:
    """The catalog after each of these migrations. Takes and raises what `catalog_after_all` does."""
    try:
        return _kept_or_made(_STATES, settings, migrations, steps, major, privileges)
    except MissedChangeError:
        return _kept_or_made(_STATES_AT_LENGTH, settings, migrations, steps, major, privileges)


@contextlib.contextmanager
def trial_database(
    settings: Settings, major: int = 17, privileges: Sequence[str] | None = None
) -> Iterator[ThrowAwayDatabase]:
    """A fresh Supabase without migrations to try something in; it is removed at the end, and nothing of it is kept.

    Takes what `catalog_after_all` does and raises the same.
    """
    folder = toolchain.cache_root(settings) / FOLDER
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        given = _privileges(settings, privileges)
        with throw_away_database(settings, server_choice(settings, major), folder, given) as made:
            yield made
    except OSError as error:
        raise unwritable(error, folder) from None


def _privileges(settings: Settings, given: Sequence[str] | None) -> tuple[str, ...]:
    """Those given, or without them what config.toml says."""
    if given is not None:
        return tuple(given)
    return default_privileges.of_settings(settings)


def server_choice(settings: Settings, major: int) -> ServerChoice:
    """The project's PostgreSQL, or the one that promthctl brings along if that is nearer to the target's version."""
    choice = postgres_of(settings)
    if choice.installed is None and major > choice.major and importlib.util.find_spec("pg0") is not None:
        return ServerChoice(max(POSTGRES_MAJORS))
    return choice


def unwritable(error: OSError, folder: Path) -> PrerequisiteError:
    """The error for a cache directory that cannot be written."""
    return PrerequisiteError(
        "What the migrations make could not be read",
        f"{error.strerror or error}: {error.filename or folder}",
        "free some space or choose another cache directory: export PROMTHCTL_CACHE_DIR=/path/you/can/write",
    )


def catalog_after_script(settings: Settings, sql: str, steps: Steps) -> Catalog:
    """The catalog of a fresh Supabase after one message with this SQL, as the dashboard's editor sends it.

    Raises psycopg.Error where it fails, and otherwise what `catalog_after_all` raises.
    """
    return _kept_or_made(_CATALOG, settings, sql, steps, 17, None)


def _kept_or_made(
    reading: _Reading[Kept],
    settings: Settings,
    migrations: Sequence[Migration] | str,
    steps: Steps,
    major: int,
    given: Sequence[str] | None,
) -> Kept:
    privileges = _privileges(settings, given)
    choice = server_choice(settings, major)
    folder = toolchain.cache_root(settings) / FOLDER
    path = folder / f"{content_hash(migrations, choice, privileges, seeds.find_roles(settings))}{reading.suffix}"
    if (kept := _read_kept(reading, path)) is not None:
        return kept
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked_briefly(path.with_suffix(".lock"), steps, "reading what the migrations make"):
            if (kept := _read_kept(reading, path)) is None:
                total = 1 if isinstance(migrations, str) else len(migrations)
                with steps.progress("Reading what the migrations make (once)", total, tenths=False) as advance:
                    applying = Within(advance)
                    kept = _read_from_database(reading, settings, migrations, choice, folder, privileges, applying)
                process.write_private(path, reading.to_json(kept))
                _forget_oldest(folder)
    except OSError as error:
        raise unwritable(error, folder) from None
    return kept


def _read_from_database(
    reading: _Reading[Kept],
    settings: Settings,
    migrations: Sequence[Migration] | str,
    choice: ServerChoice,
    folder: Path,
    privileges: Sequence[str],
    steps: Steps,
) -> Kept:
    import psycopg

    with throw_away_database(settings, choice, folder, privileges) as made:
        url, password = made.target.url, made.target.password
        with psycopg.connect(url, password=password) as connection:
            reading.prepare(connection)
        if isinstance(migrations, str):
            with psycopg.connect(url, password=password, autocommit=True) as connection:
                connection.execute(migrations.encode(), prepare=False)
        else:
            made.apply(migrations, steps)
        with psycopg.connect(url, password=password) as connection:
            return reading.read(connection)


def content_hash(
    migrations: Sequence[Migration] | str, choice: ServerChoice, privileges: Sequence[str], roles: seeds.SqlFile | None
) -> str:
    """A hash of everything that what these migrations make depends on."""
    made_by = (choice.identity, CATALOG_FINGERPRINT, installation.fingerprint(), tuple(privileges))
    digest = hashlib.sha256(repr(made_by).encode())
    for script in bootstrap_scripts():
        digest.update(hashlib.sha256(script.encode()).digest())
    if roles is not None:
        digest.update(f"roles {roles.sha256()}\n".encode())
    if isinstance(migrations, str):
        digest.update(migrations.encode())
    else:
        for migration in migrations:
            digest.update(f"{migration.filename} {migration.sha256}\n".encode())
    return digest.hexdigest()[:32]


def _read_kept(reading: _Reading[Kept], path: Path) -> Kept | None:
    """What is kept there; None when there is nothing, or something damaged."""
    try:
        kept = reading.from_json(path.read_text(encoding="utf-8"))
        path.touch()
        return kept
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _forget_oldest(folder: Path) -> None:
    by_age = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[_FILES_KEPT:]:
        path.unlink(missing_ok=True)
