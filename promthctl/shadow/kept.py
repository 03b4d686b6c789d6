"""Databases kept as data directories by content, so that the next one like it starts warm.

    <cache>/shadow/<hash>.database/postgres     the data directory, cleanly shut down
    <cache>/shadow/<hash>.database/next         a copy of it: the last one that ran, made the same again (renewing.py)
    <cache>/shadow/<hash>.database/notes        what its maker noted
    <cache>/shadow/<hash>.database-lock         held while a copy of it is made and runs

A copy of it runs; what is kept never runs again. Its passwords come from the key that signs what this user keeps
(signatures.py): a copy needs no start of its own to get others, and no file has them. A copy is renewed beside whatever
is done next.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl import process, seeds, supabase_cli, toolchain
from promthctl.engines.embedded import system_user
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.records import SUPERUSER
from promthctl.engines.embedded.templates import template
from promthctl.engines.ports import free_port
from promthctl.errors import PromthctlError
from promthctl.locks import is_held, locked
from promthctl.migration_set import Migration
from promthctl.settings import Settings
from promthctl.shadow.cache import FOLDER, content_hash, server_choice, unwritable
from promthctl.shadow.renewing import Photograph, photograph, renew
from promthctl.shadow.throw_away import ThrowAwayDatabase, work_folder
from promthctl.signatures import derived_secret
from promthctl.sql.quoting import literal
from promthctl.steps import Silent, Steps, Within
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
    gone_at_once: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[KeptDatabase]:
    """A copy of the database that these migrations and `build` make; it runs while the block does.

    build: gets connections in autocommit, the superuser's and that of postgres, after the migrations, once for each
    content; returns notes. key: what else its work depends on. major, privileges: as for catalog_after_all, whose
    errors these are. gone_at_once: the copy is removed when this returns, otherwise it is renewed soon after.
    meanwhile: called while the copy's server starts.
    """
    folder = toolchain.cache_root(settings) / FOLDER
    choice = server_choice(settings, major)
    digest = hashlib.sha256(content_hash(migrations, choice, privileges, seeds.find_roles(settings)).encode())
    for part in (*key, derived_secret(str(folder))):  # a copy made with another key has other passwords
        digest.update(hashlib.sha256(part.encode()).digest())
    kept = folder / f"{digest.hexdigest()[:32]}{_SUFFIX}"
    held = contextlib.ExitStack()
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        held.enter_context(locked(_lock_of(kept), steps, "rehearsing the same"))
        work = held.enter_context(work_folder(folder))
        servers = _Servers(settings, choice, work, privileges)
        if not (kept / "notes").exists():
            shutil.rmtree(kept, ignore_errors=True)
            servers.make(kept, migrations, build, steps)
            _forget_oldest(folder)
        (kept / "notes").touch()
        notes = (kept / "notes").read_text(encoding="utf-8")
        own, superuser = servers.run(kept, held, meanwhile, renewed=not gone_at_once)
        yield KeptDatabase(own, superuser, notes)
    except OSError as error:
        raise unwritable(error, folder) from None
    finally:
        if gone_at_once:
            _close(held)
        else:  # nobody has to wait for that but the interpreter, at its end
            threading.Thread(target=_close, args=(held,), name="promthctl-renewal").start()


@contextlib.contextmanager
def applied_database(
    settings: Settings, migrations: Sequence[Migration], major: int, privileges: Sequence[str], steps: Steps
) -> Iterator[ThrowAwayDatabase]:
    """A database to try something in, as these migrations make it. Takes and raises what kept_database does."""
    with kept_database(settings, migrations, major, privileges, (), lambda *_: "", steps) as kept:
        yield ThrowAwayDatabase(kept.target, kept.superuser, settings)


def _close(held: contextlib.ExitStack) -> None:
    with contextlib.suppress(OSError, PromthctlError):  # what is left there, the next one removes
        held.close()


class _Servers:
    """Makes and runs data directories in one work folder."""

    def __init__(self, settings: Settings, choice: ServerChoice, work: Path, privileges: Sequence[str]) -> None:
        self._settings, self._work, self._privileges = settings, work, privileges
        tools = toolchain.ensure(settings, Silent())
        self._user = system_user.postgres_user(settings)
        self._programs = toolchain.postgres(tools, choice, settings, self._user, free_port(), Silent())

    def make(self, kept: Path, migrations: Sequence[Migration], build: Build, steps: Steps) -> None:
        """Make the database and move its files to `kept`."""
        import psycopg

        cluster = self._cluster("made")
        cluster.create(template(self._programs, self._user, self._settings, Silent()))
        cluster.set_passwords(_password("postgres"), _password(SUPERUSER), fresh=self._privileges)
        with self._serving(cluster, signal.SIGINT) as (own, superuser):
            seeds.run_roles(self._settings, own, Silent())
            if migrations:
                with steps.progress("Making the throw-away database (once)", len(migrations), tenths=False) as advance:
                    cli = supabase_cli.find_database_cli(self._settings, Silent())
                    cli.push(own, migrations, Within(advance))
            with (
                psycopg.connect(superuser.url, password=superuser.password, autocommit=True) as high,
                psycopg.connect(own.url, password=own.password, autocommit=True) as low,
            ):
                notes = build(high, low)
                # A migration may have set another one. The server's own templates only cost time to copy.
                high.execute("set password_encryption = 'scram-sha-256'")
                high.execute(f"alter role postgres login password {literal(own.password or '')}".encode())
                high.execute("alter database template0 is_template false")
                high.execute("drop database template0")
        kept.mkdir(mode=0o711 if self._user is not None else 0o700)
        cluster.data.rename(kept / "postgres")
        process.write_private(kept / "notes", notes)

    def run(
        self, kept: Path, held: contextlib.ExitStack, meanwhile: Callable[[], object], renewed: bool
    ) -> tuple[Target, Target]:
        """A copy of that database, running until `held` is closed. renewed: it is the next copy after that."""
        cluster, following = self._cluster("copy"), kept / "next"
        cluster.data.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if _made_since_the_boot(following):
            following.rename(cluster.data)
        else:
            shutil.rmtree(following, ignore_errors=True)
            self._copy(kept, cluster.data)
        if renewed:
            held.callback(_give_back, cluster.data, photograph(cluster.data), kept)
        return held.enter_context(self._serving(cluster, signal.SIGQUIT, meanwhile))

    def _copy(self, kept: Path, target: Path) -> None:
        partial = kept / "partial"  # of a promthctl that was killed, if it is there: we hold the lock
        shutil.rmtree(partial, ignore_errors=True)
        copied = process.run(
            ["cp", "-Rp", kept / "postgres", partial], env=self._settings.child_env(), kill_with_parent=True
        )
        if copied.code != 0:
            shutil.rmtree(partial, ignore_errors=True)
            raise PromthctlError(
                "The throw-away database could not be copied",
                (copied.stderr.strip().splitlines() or [f"cp ended with {copied.code}"])[-1],
                "free some space in the cache directory and run the same command again",
            )
        partial.rename(target)

    def _cluster(self, name: str) -> Cluster:
        data = self._work / name / "postgres"
        return Cluster(self._programs, data, self._user, self._settings, throw_away=True)

    @contextlib.contextmanager
    def _serving(
        self, cluster: Cluster, end: signal.Signals, meanwhile: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[Target, Target]]:
        """Started, until the block ends; what runs on is ended with the work folder. end: see PostgreSQL's shutdown."""
        port, log = free_port(), self._work / f"{cluster.data.parent.name}.log"
        server = cluster.start(port, log, lambda _: None, runs_jobs=False, lasting=end is signal.SIGINT)
        try:
            meanwhile()
            cluster.wait(server, log)
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            own = Target("a throw-away database", url, _password("postgres"), local=True)
            url = f"postgresql://{SUPERUSER}@127.0.0.1:{port}/postgres"
            yield own, replace(own, url=url, password=_password(SUPERUSER))
        finally:
            server.end(end, grace=30.0)


def _password(role: str) -> str:
    return derived_secret(f"the password of {role} in a throw-away database")


def _made_since_the_boot(copy: Path) -> bool:
    """Its files are not synced to disk: after a power cut they may be others than their times tell."""
    import psutil

    try:
        return copy.lstat().st_ctime > psutil.boot_time()
    except FileNotFoundError:
        return False


def _give_back(used: Path, before: Photograph, kept: Path) -> None:
    """Make the copy that ran the next one, if its server ended as it should; otherwise it goes with its folder."""
    if not (used / "postmaster.pid").exists():  # the server removes it when none of its processes is left
        renew(used, before, kept / "postgres")
        used.rename(kept / "next")


def _forget_oldest(folder: Path) -> None:
    by_age = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: (path / "notes").stat().st_mtime, reverse=True)
    for path in by_age[_KEPT:]:
        if not is_held(_lock_of(path)):
            shutil.rmtree(path, ignore_errors=True)
            _lock_of(path).unlink(missing_ok=True)


def _lock_of(kept: Path) -> Path:
    return kept.with_suffix(".database-lock")
