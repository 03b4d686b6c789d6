"""Databases kept as data directories by content, so that the next one like it starts warm.

    <cache>/shadow/<hash>.database/postgres     the data directory, cleanly shut down
    <cache>/shadow/<hash>.database/notes        what its maker noted
    <cache>/shadow/<hash>.database-lock         held while a copy of it is made and runs

A copy of it runs and is thrown away; what is kept never runs again, and its passwords are nobody's: each copy gets new
ones.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl import process, seeds, supabase_cli, toolchain
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import SUPERUSER, Cluster
from promthctl.engines.embedded.templates import template
from promthctl.engines.ports import free_port
from promthctl.errors import PromthctlError
from promthctl.locks import is_held, locked
from promthctl.migration_set import Migration
from promthctl.settings import Settings
from promthctl.shadow.cache import FOLDER, content_hash, server_choice, unwritable
from promthctl.shadow.throw_away import work_folder
from promthctl.steps import Silent, Steps
from promthctl.targets import Target
from promthctl.toolchain import ServerChoice

if TYPE_CHECKING:
    import psycopg

    Build = Callable[[psycopg.Connection[Any], psycopg.Connection[Any]], str]

_KEPT = 3  # one is about 50 MB
_SUFFIX = ".database"


@dataclass(frozen=True)
class KeptDatabase:
    """A running copy. target: as the role postgres; superuser: as supabase_admin. notes: its maker's."""

    target: Target
    superuser: Target
    notes: str


@contextlib.contextmanager
def kept_database(
    settings: Settings,
    migrations: Sequence[Migration],
    major: int,
    privileges: Sequence[str],
    key: Sequence[str],
    build: Build,
    steps: Steps,
) -> Iterator[KeptDatabase]:
    """A copy of the database that these migrations and `build` make; it runs while the block does.

    build: gets connections in autocommit, the superuser's and that of postgres, after the migrations, once for each
    content; returns notes. key: what else its work depends on. major, privileges: as for catalog_after_all, whose
    errors these are.
    """
    folder = toolchain.cache_root(settings) / FOLDER
    choice = server_choice(settings, major)
    digest = hashlib.sha256(content_hash(migrations, choice, privileges, seeds.find_roles(settings)).encode())
    for part in key:
        digest.update(hashlib.sha256(part.encode()).digest())
    kept = folder / f"{digest.hexdigest()[:32]}{_SUFFIX}"
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with locked(_lock_of(kept), steps, "rehearsing the same"), work_folder(folder) as work:
            servers = _Servers(settings, choice, work, privileges)
            if not (kept / "notes").exists():
                shutil.rmtree(kept, ignore_errors=True)
                servers.make(kept, migrations, build)
                _forget_oldest(folder)
            (kept / "notes").touch()
            notes = (kept / "notes").read_text(encoding="utf-8")
            with servers.running(kept / "postgres") as (own, superuser):
                yield KeptDatabase(own, superuser, notes)
    except OSError as error:
        raise unwritable(error, folder) from None


class _Servers:
    """Makes and runs data directories in one work folder."""

    def __init__(self, settings: Settings, choice: ServerChoice, work: Path, privileges: Sequence[str]) -> None:
        self._settings, self._work, self._privileges = settings, work, privileges
        tools = toolchain.ensure(settings, Silent())
        self._user = system_user.postgres_user(settings)
        self._programs = toolchain.postgres(tools, choice, settings, self._user, free_port(), Silent())

    def make(self, kept: Path, migrations: Sequence[Migration], build: Build) -> None:
        """Make the database and move its files to `kept`."""
        import psycopg

        cluster = self._cluster("made")
        cluster.create(template(self._programs, self._user, self._settings, Silent()))
        with self._started(cluster, self._privileges) as (own, superuser):
            seeds.run_roles(self._settings, own, Silent())
            if migrations:
                supabase_cli.find_database_cli(self._settings, Silent()).push(own, migrations, Silent())
            with (
                psycopg.connect(superuser.url, password=superuser.password, autocommit=True) as high,
                psycopg.connect(own.url, password=own.password, autocommit=True) as low,
            ):
                notes = build(high, low)
        kept.mkdir(mode=0o711 if self._user is not None else 0o700)
        cluster.data.rename(kept / "postgres")
        process.write_private(kept / "notes", notes)

    @contextlib.contextmanager
    def running(self, source: Path) -> Iterator[tuple[Target, Target]]:
        """A copy of that data directory, running."""
        cluster = self._cluster("copy")
        cluster.data.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        copied = process.run(["cp", "-Rp", source, cluster.data], env=self._settings.child_env(), kill_with_parent=True)
        if copied.code != 0:
            raise PromthctlError(
                "The throw-away database could not be copied",
                (copied.stderr.strip().splitlines() or [f"cp ended with {copied.code}"])[-1],
                "free some space in the cache directory and run the same command again",
            )
        with self._started(cluster, None) as made:
            yield made

    def _cluster(self, name: str) -> Cluster:
        data = self._work / name / "postgres"
        return Cluster(self._programs, data, self._user, self._settings, throw_away=True)

    @contextlib.contextmanager
    def _started(self, cluster: Cluster, privileges: Sequence[str] | None) -> Iterator[tuple[Target, Target]]:
        password, internal, port = secrets.token_hex(24), secrets.token_hex(24), free_port()
        cluster.set_passwords(password, internal, fresh=privileges)
        log = self._work / f"{cluster.data.parent.name}.log"
        server = cluster.start(port, log, lambda _: None, runs_jobs=False, lasting=privileges is not None)
        try:
            cluster.wait(server, log)
            own = Target(
                "a throw-away database", f"postgresql://postgres@127.0.0.1:{port}/postgres", password, local=True
            )
            url = f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres"
            yield own, replace(own, url=url, password=internal)
        finally:
            cluster.stop(server)


def _forget_oldest(folder: Path) -> None:
    by_age = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: (path / "notes").stat().st_mtime, reverse=True)
    for path in by_age[_KEPT:]:
        if not is_held(_lock_of(path)):
            shutil.rmtree(path, ignore_errors=True)
            _lock_of(path).unlink(missing_ok=True)


def _lock_of(kept: Path) -> Path:
    return kept.with_suffix(".database-lock")
