"""A copy of the database of the running stack, served beside it, and thrown away.

The files are copied while the server writes to them, between pg_backup_start and pg_backup_stop; from the write-ahead
log up to the second the copy's own server makes a whole of them, as of any base backup:
https://www.postgresql.org/docs/17/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from promthctl import process, toolchain
from promthctl.engines.access import local_target
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.records import SUPERUSER, EmbeddedRecords, EmbeddedStack
from promthctl.engines.embedded.which_postgres import postgres_of
from promthctl.engines.ports import free_port
from promthctl.errors import PromthctlError
from promthctl.settings import Settings
from promthctl.steps import Silent
from promthctl.targets import Target

_LOG = "pg_wal"
_GONE = "No such file or directory"  # a table that was dropped, a temporary file
_NOT_THE_COPYS = ("postmaster.pid", "postmaster.opts")


@dataclass(frozen=True)
class RunningCopy:
    """target: the copy, as the role postgres. superuser: as supabase_admin."""

    target: Target
    superuser: Target


@contextlib.contextmanager
def running_copy(settings: Settings, work: Path) -> Iterator[RunningCopy | None]:
    """A copy that is served while the block runs; None where the stack's server is not the one of the settings.

    work: a folder for its files, which the caller removes. Raises PromthctlError where they cannot be copied.
    """
    stack, choice = EmbeddedRecords(settings.state_dir).load_stack(), postgres_of(settings)
    if stack is None or stack.server_name != choice.name:
        yield None
        return
    user = system_user.postgres_user(settings)
    tools = toolchain.ensure(settings, Silent())
    programs = toolchain.postgres(tools, choice, settings, user, free_port(), Silent())
    cluster = Cluster(programs, work / "data" / "postgres", user, settings, throw_away=True)
    system_user.make_home(cluster.data.parent, user)
    _copy(stack, cluster, settings)
    port, log = free_port(), work / "postgres.log"
    server = cluster.start(port, log, lambda _: None, runs_jobs=False, lasting=False)
    try:
        cluster.wait(server, log)
        own = local_target(replace(stack, db_port=port).access())
        own = replace(own, label="a copy of the local stack's database")
        url = own.url.replace("//postgres@", f"//{SUPERUSER}@", 1)
        yield RunningCopy(own, replace(own, url=url, password=stack.internal_password))
    finally:
        cluster.stop(server)


def _copy(stack: EmbeddedStack, cluster: Cluster, settings: Settings) -> None:
    import psycopg

    url = f"postgresql://{SUPERUSER}@127.0.0.1:{stack.db_port}/postgres"
    with psycopg.connect(url, password=stack.internal_password, autocommit=True) as connection:
        ((folder,),) = connection.execute("select current_setting('data_directory')").fetchall()
        connection.execute("select pg_backup_start('promthctl', fast => true)")
        _copy_files(Path(folder), cluster.data, settings)
        ((label,),) = connection.execute("select labelfile from pg_backup_stop(wait_for_archive => false)").fetchall()
    shutil.rmtree(cluster.data / _LOG)
    _copy_files(Path(folder) / _LOG, cluster.data / _LOG, settings)
    for name in _NOT_THE_COPYS:
        (cluster.data / name).unlink(missing_ok=True)
    written = cluster.data / "backup_label"
    process.write_private(written, label)
    if cluster.user is not None:
        os.chown(written, cluster.user.uid, cluster.user.gid)


def _copy_files(source: Path, target: Path, settings: Settings) -> None:
    copied = process.run(["cp", "-Rp", source, target], env=settings.child_env(LC_ALL="C"), kill_with_parent=True)
    if said := [line for line in copied.stderr.splitlines() if _GONE not in line]:
        raise PromthctlError(
            "The local stack's database could not be copied",
            said[-1],
            "free some space in the cache directory and run the same command again",
        )
