"""A fresh Supabase-shaped database on an embedded Postgres, made for one reading and removed after it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from promthctl import seeds, supabase_cli, toolchain
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import Cluster, end_strays
from promthctl.engines.embedded.records import SUPERUSER
from promthctl.engines.embedded.templates import of_each_database, template
from promthctl.engines.ports import free_port
from promthctl.locks import is_held, locked
from promthctl.migration_set import Migration
from promthctl.settings import Settings
from promthctl.steps import Silent, Steps
from promthctl.targets import Target
from promthctl.toolchain import ServerChoice

_WORK = ".database-"  # how the names of the folders begin; an earlier version removes ".work-*" that it did not make
_IN_USE = "in-use"  # the lock file in each
_MAKING = "databases.lock"


@dataclasses.dataclass(frozen=True)
class ThrowAwayDatabase:
    """A running database with the project's roles.

    target: it, as the role postgres; superuser: as supabase_admin.
    """

    target: Target
    superuser: Target
    settings: Settings

    def apply(self, migrations: Sequence[Migration], steps: Steps | None = None) -> None:
        """Have the Supabase CLI apply them. Raises PromthctlError naming file and statement for one that fails."""
        if not migrations:
            return
        supabase_cli.find_database_cli(self.settings, Silent()).push(self.target, migrations, steps or Silent())

    def copy(self, name: str, of: Target | None = None) -> Target:
        """A copy of it, or of another copy, as it is now, on the same server; nobody may be connected to that.

        name: of the new database, in lower case.
        """
        import psycopg
        from psycopg import sql

        place, _, _ = self.superuser.url.rpartition("/")
        source = (of or self.target).url.rpartition("/")[2]
        create = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(source))
        for database, statements in (("template1", create), (name, sql.SQL(of_each_database()))):
            with psycopg.connect(f"{place}/{database}", password=self.superuser.password, autocommit=True) as within:
                within.execute(statements)
        return dataclasses.replace(self.target, url=f"{self.target.url.rpartition('/')[0]}/{name}")

    def drop(self, copy: Target) -> None:
        """Remove a copy."""
        import psycopg
        from psycopg import sql

        place, _, name = copy.url.rpartition("/")
        place = self.superuser.url.rpartition("/")[0]
        with psycopg.connect(f"{place}/template1", password=self.superuser.password, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextlib.contextmanager
def throw_away_database(
    settings: Settings, choice: ServerChoice, folder: Path, privileges: Sequence[str] = ()
) -> Iterator[ThrowAwayDatabase]:
    """A database on that PostgreSQL that runs while the block does and is removed after it.

    privileges: statements that set its default privileges, see engines.embedded.default_privileges.
    folder: where its files go; what a killed promthctl left there is removed.
    Raises OSError where the folder cannot be written, what the toolchain raises, and PromthctlError for a
    supabase/roles.sql that fails.
    """
    tools = toolchain.ensure(settings, Silent())
    with work_folder(folder) as work, _running_cluster(settings, tools, choice, work, privileges) as made:
        seeds.run_roles(settings, made[0], Silent())
        yield ThrowAwayDatabase(*made, settings)


@contextlib.contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A folder that Postgres can reach, removed at the end with whatever still runs in it.

    Its lock tells others that it is in use; a lock for all is held only while one is made and leftovers are removed.
    """
    with ExitStack() as held:
        with locked(folder / _MAKING, Silent(), "making a database"):
            _remove_leftovers(folder)
            work = Path(tempfile.mkdtemp(prefix=_WORK, dir=folder))
            held.enter_context(locked(work / _IN_USE, Silent(), "this database"))
        try:
            work.chmod(0o711 if os.geteuid() == 0 else 0o700)
            yield work
        finally:
            _remove(work)


def remove_leftovers(settings: Settings) -> None:
    """Remove the throw-away databases of promthctls that were killed, with the servers that still run on them."""
    folder = toolchain.cache_root(settings) / "shadow"
    if any(not is_held(one / _IN_USE) for one in folder.glob(f"{_WORK}*")):
        with locked(folder / _MAKING, Silent(), "making a database"):
            _remove_leftovers(folder)


def _remove_leftovers(folder: Path) -> None:
    for leftover in folder.glob(f"{_WORK}*"):
        if not is_held(leftover / _IN_USE):
            _remove(leftover)


def _remove(work: Path) -> None:
    end_strays(work)
    shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _running_cluster(
    settings: Settings, tools: toolchain.Toolchain, choice: ServerChoice, work: Path, privileges: Sequence[str]
) -> Iterator[tuple[Target, Target]]:
    user = system_user.postgres_user(settings)
    programs = toolchain.postgres(tools, choice, settings, user, free_port(), Silent())
    cluster = Cluster(programs, work / "data" / "postgres", user, settings, throw_away=True)
    cluster.create(template(programs, user, settings, Silent()))
    password, internal, port, log = secrets.token_hex(24), secrets.token_hex(24), free_port(), work / "postgres.log"
    cluster.set_passwords(password, internal, fresh=privileges, lasting=False)
    server = cluster.start(port, log, lambda _: None, runs_jobs=False)
    try:
        cluster.wait(server, log)
        own = Target("a fresh database", f"postgresql://postgres@127.0.0.1:{port}/postgres", password, local=True)
        url = f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres"
        yield own, dataclasses.replace(own, url=url, password=internal)
    finally:
        server.end(signal.SIGQUIT, grace=30.0)  # at once, without a checkpoint: nobody reads these files again
