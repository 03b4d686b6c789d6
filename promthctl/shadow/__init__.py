"""What the migrations make: applied to a throw-away embedded Postgres by the Supabase CLI, read, and thrown away.

    <cache>/shadow/<hash>.json            the catalog, kept under a hash of the migrations' contents, the bootstrap, the
                                          PostgreSQL version and the queries: a second run starts no Postgres
    <cache>/shadow/<hash>.states-*.json   the catalog after each of them
    <cache>/shadow/.work-*/               the database while it is needed; one promthctl at a time makes one

The CLI and not psycopg applies the files, so that what it splits, skips or refuses is split, skipped and refused here
as on the target.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from promthctl import process, supabase_cli, toolchain
from promthctl.engines.embedded import accounts
from promthctl.engines.embedded.cluster import Cluster, bootstrap_scripts, end_strays
from promthctl.engines.ports import free_port
from promthctl.errors import PrerequisiteError
from promthctl.locks import locked
from promthctl.migration_set import Migration
from promthctl.schema import FINGERPRINT, Catalog, snapshot
from promthctl.settings import POSTGRES_MAJORS, Settings
from promthctl.shadow import states
from promthctl.shadow.states import States
from promthctl.steps import Silent, Steps
from promthctl.targets import Target
from promthctl.toolchain import installation

if TYPE_CHECKING:
    import psycopg

Kept = TypeVar("Kept")

_KEPT = 20  # catalogs; one is about 100 kB
FOLDER = "shadow"  # in the cache directory
_WORK = ".work-"


@dataclass(frozen=True)
class _Reading(Generic[Kept]):
    """What is read from the throw-away database: prepare it before the migrations, read it after them, keep that."""

    suffix: str
    prepare: Callable[[psycopg.Connection[Any]], None]
    read: Callable[[psycopg.Connection[Any]], Kept]
    to_json: Callable[[Kept], str]
    from_json: Callable[[str], Kept]


_LAST = _Reading(".json", lambda _: None, snapshot, Catalog.to_json, Catalog.from_json)
_EACH = _Reading(f".states-{states.FINGERPRINT}.json", states.watch, states.read, States.to_json, States.from_json)


def expected(settings: Settings, migrations: Sequence[Migration], steps: Steps, major: int = 17) -> Catalog:
    """The catalog of a fresh Supabase with these migrations applied in order.

    migrations: as project.expected gives them. major: the target's PostgreSQL version; the nearest that can be had
    is used, and 18 where the project asks for it (its migrations may need pgvector).
    Raises PromthctlError naming file and statement for a migration that fails, PrerequisiteError for a cache
    directory that cannot be written, and what the toolchain raises. Whatever happens, nothing stays running.
    """
    return _kept(_LAST, settings, migrations, steps, major)


def after_each(settings: Settings, migrations: Sequence[Migration], steps: Steps, major: int = 17) -> States:
    """The catalog after each of these migrations. Takes and raises what `expected` does."""
    return _kept(_EACH, settings, migrations, steps, major)


def _kept(
    reading: _Reading[Kept], settings: Settings, migrations: Sequence[Migration], steps: Steps, major: int
) -> Kept:
    version = settings.postgres
    if major > version and importlib.util.find_spec("pg0") is not None:
        version = max(POSTGRES_MAJORS)
    folder = toolchain.cache_root(settings) / FOLDER
    path = folder / f"{_hash(migrations, version)}{reading.suffix}"
    if (kept := _read(reading, path)) is not None:
        return kept
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(folder / "lock", steps, "reading what the migrations make"):
            if (kept := _read(reading, path)) is None:
                with steps.step("Reading what the migrations make (once)"):
                    kept = _make(reading, settings, migrations, version, folder)
                process.write_private(path, reading.to_json(kept))
                _forget_oldest(folder)
    except OSError as error:
        raise PrerequisiteError(
            "What the migrations make could not be read",
            f"{error.strerror or error}: {error.filename or folder}",
            "free some space or choose another cache directory: export PROMTHCTL_CACHE_DIR=/path/you/can/write",
        ) from None
    return kept


def _make(
    reading: _Reading[Kept], settings: Settings, migrations: Sequence[Migration], major: int, folder: Path
) -> Kept:
    import psycopg

    tools = toolchain.ensure(settings, Silent())
    with _workplace(folder, settings) as work, _database(settings, tools, major, work) as target:
        with psycopg.connect(target.url, password=target.password) as connection:
            reading.prepare(connection)
        if migrations:
            runner = supabase_cli.find_runner(settings, Silent())
            cli = supabase_cli.DatabaseCli(dataclasses.replace(runner, settings=_project(settings, migrations, work)))
            cli.push(target, migrations, Silent())
        with psycopg.connect(target.url, password=target.password) as connection:
            return reading.read(connection)


@contextlib.contextmanager
def _workplace(folder: Path, settings: Settings) -> Iterator[Path]:
    """A folder that Postgres can reach, removed at the end with whatever still runs in it."""
    for leftover in folder.glob(f"{_WORK}*"):  # of a promthctl that was killed: we hold the lock
        _remove(leftover)
    work = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))
    try:
        work.chmod(0o711 if os.geteuid() == 0 else 0o700)
        yield work
    finally:
        _remove(work)


def _remove(work: Path) -> None:
    end_strays(work)
    shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _database(settings: Settings, tools: toolchain.Toolchain, major: int, work: Path) -> Iterator[Target]:
    """A fresh Supabase-shaped database as role postgres, running while the block does."""
    user = accounts.postgres_user(settings)
    binaries = toolchain.postgres(tools, major, settings, user, free_port(), Silent())
    cluster = Cluster(major, binaries, work / "data" / "postgres", user, settings)
    cluster.create(Silent())
    password, port, log = secrets.token_hex(24), free_port(), work / "postgres.log"
    cluster.set_passwords(password, secrets.token_hex(24))
    server = cluster.start(port, log, lambda _: None)
    try:
        cluster.wait(server, log)
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        yield Target("a fresh database", url, password, local=True)
    finally:
        cluster.stop(server)


def _project(settings: Settings, migrations: Sequence[Migration], work: Path) -> Settings:
    """A project folder of the CLI with these files and nothing else."""
    root = work / "project"
    supabase = root / "supabase" / "migrations"
    supabase.mkdir(mode=0o700, parents=True)
    (supabase.parent / "config.toml").write_text('project_id = "shadow"\n', encoding="utf-8")
    for migration in migrations:
        (supabase / migration.filename).write_bytes(migration.content)
    return dataclasses.replace(settings, project_dir=root)


def _hash(migrations: Sequence[Migration], major: int) -> str:
    digest = hashlib.sha256(repr((major, FINGERPRINT, installation.fingerprint())).encode())
    for script in bootstrap_scripts():
        digest.update(hashlib.sha256(script.encode()).digest())
    for migration in migrations:
        digest.update(f"{migration.filename} {migration.sha256}\n".encode())
    return digest.hexdigest()[:32]


def _read(reading: _Reading[Kept], path: Path) -> Kept | None:
    """What is kept there; None when there is nothing, or something damaged."""
    try:
        kept = reading.from_json(path.read_text(encoding="utf-8"))
        path.touch()
        return kept
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _forget_oldest(folder: Path) -> None:
    by_age = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[_KEPT:]:
        path.unlink(missing_ok=True)
