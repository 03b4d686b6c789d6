"""Accidents that happen to a database while promthctl changes it: of the network, of the server, of others at work."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.hosted.poolers import Mode, pooler
from tests.servers import Server
from tests.tcp_relay import Relay, relay_to

PLACES = 10
CUTS = tuple(f"cut at {place}" for place in range(PLACES))
LOCKS = ("lock held", "lock released")
POOLERS: dict[str, Mode] = {"session pooler": "session", "transaction pooler": "transaction"}
FAULTS = (
    *CUTS, "away for good", "terminated", "statement_timeout", *LOCKS,
    "disk full", "read-only", *POOLERS, "two at once",
)  # fmt: skip
WORK = "^(create table|select pg_sleep|drop|alter table|insert|copy|update|truncate|delete|lock|do |begin;? *insert)"
_PAGE = 8192


class NotHere(Exception):
    """This machine cannot have that accident; why."""


@dataclass
class SmallDisk:
    """A tablespace on a file system that is full. folder: where it is mounted; only root can."""

    folder: Path
    name: str = "small"
    alone: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    @contextmanager
    def mounted(cls, server: Server) -> Iterator[SmallDisk | None]:
        """None where this user or machine cannot mount one."""
        with psycopg.connect(server.url("template1", "supabase_admin"), autocommit=True) as admin:
            ((data,),) = admin.execute("select current_setting('data_directory')").fetchall()
            folder = Path(str(data)) / "small_disk"  # the server may write nowhere else
            if os.geteuid() != 0:
                yield None
                return
            folder.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "tmpfs", str(folder)]
            if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
                yield None
                return
            try:
                place, owner = folder / "space", folder.parent.stat()
                place.mkdir()
                os.chown(place, owner.st_uid, owner.st_gid)
                admin.execute(sql.SQL("create tablespace small location {}").format(str(place)))
                admin.execute("grant create on tablespace small to public")
                yield cls(folder)
            finally:
                subprocess.run(["umount", "--lazy", str(folder)], check=True)

    @contextmanager
    def filled(self, pages: int) -> Iterator[None]:
        """Full but for that many pages of a table."""
        filler = self.folder / "filler"
        free = os.statvfs(self.folder)
        filler.write_bytes(b"\1" * max(0, free.f_bavail * free.f_frsize - pages * _PAGE))
        try:
            yield
        finally:
            filler.unlink()


@dataclass(frozen=True)
class Scene:
    """Where an accident happens. url: of the database. messages: that the clients send in a run without accidents.

    turn: of the matrix; each turn strikes at other moments. writes: tables that are written to.
    """

    server: Server
    disk: SmallDisk | None
    folder: Path
    url: str
    messages: int
    turn: int = 0
    writes: tuple[str, ...] = ("public.a", "public.b", "supabase_migrations.schema_migrations")

    @property
    def database(self) -> str:
        return urlsplit(self.url).path[1:]


@contextmanager
def accident(fault: str, scene: Scene) -> Iterator[str]:
    """That accident, for as long as the block; the URL to reach the database by. Raises NotHere."""
    if fault in CUTS:
        place = 1 + scene.messages * int(fault.split()[-1]) // PLACES + scene.turn
        with relay_to(scene.url) as relay:
            _cut(relay, place, closed=False)
            yield relay.url
    elif fault == "away for good":
        with relay_to(scene.url) as relay:
            _cut(relay, scene.messages * (3 + 2 * scene.turn % 7) // PLACES, closed=True)
            yield relay.url
    elif fault in POOLERS:
        if shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin") is None:
            raise NotHere("pgbouncer is not installed")
        with pooler(scene.folder, scene.server, POOLERS[fault]) as behind:
            yield behind.url(scene.database)
    elif fault == "statement_timeout":
        with _set(scene, f"statement_timeout = '{120 // (1 + scene.turn)}ms'"):
            yield scene.url
    elif fault == "read-only":
        with _set(scene, "default_transaction_read_only = on"):
            yield scene.url
    elif fault == "disk full":
        with _full_disk(scene):
            yield scene.url
    elif fault in LOCKS:
        with _locked(scene, 4 if fault == "lock released" else None):
            yield scene.url
    elif fault == "terminated":
        with _terminating(scene.url, scene.turn):
            yield scene.url
    else:
        yield scene.url


def _cut(relay: Relay, place: int, *, closed: bool) -> None:
    numbers = itertools.count()

    def until(_: bytes) -> bool:
        now = next(numbers) == place
        relay.closed = relay.closed or (now and closed)
        return now

    relay.until = until


@contextmanager
def _set(scene: Scene, text: str) -> Iterator[None]:
    """A setting of the role in that database; all sessions that begin now have it."""
    where = f"alter role postgres in database {scene.database} "
    with psycopg.connect(scene.server.url("template1", "supabase_admin"), autocommit=True) as admin:
        admin.execute(f"{where} set {text}".encode())
        yield
        admin.execute(f"{where} reset all".encode())


@contextmanager
def _full_disk(scene: Scene) -> Iterator[None]:
    """New tables, temporary ones and what grows of the old ones find no room."""
    if scene.disk is None:
        raise NotHere("a small file system can be mounted by root only")
    with scene.disk.alone:
        admin = scene.url.replace("postgres:", "supabase_admin:", 1)
        with psycopg.connect(admin, autocommit=True) as connection:
            tables = connection.execute(
                "select format('%I.%I', relnamespace::regnamespace, relname) from pg_class"
                " where relkind = 'r' and relnamespace in ('public'::regnamespace, 'supabase_migrations'::regnamespace)"
            ).fetchall()
            for (name,) in tables:
                connection.execute(f"alter table {name} set tablespace small".encode())
        spaces = "default_tablespace = small; alter role postgres in database {} set temp_tablespaces = small"
        with scene.disk.filled(scene.turn), _set(scene, spaces.format(scene.database)):
            yield


@contextmanager
def _locked(scene: Scene, seconds: float | None) -> Iterator[None]:
    """Somebody keeps everybody else from writing to the tables, for the whole block or some seconds of it."""
    with psycopg.connect(scene.url) as holder:
        names = [
            name for name in scene.writes if holder.execute("select to_regclass(%s)", (name,)).fetchone() != (None,)
        ]
        holder.execute(f"lock table {', '.join(names)} in share row exclusive mode".encode())
        timer = threading.Timer(seconds or 3600, holder.rollback)
        timer.start()
        try:
            yield
        finally:
            if seconds is None:
                timer.cancel()
            timer.join()
            holder.rollback()


@contextmanager
def _terminating(url: str, turn: int) -> Iterator[None]:
    """The first session that is seen to change something is ended; in later turns not at once."""
    ended = threading.Event()

    def watch() -> None:
        query = """select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
            and state <> 'idle' and query ~* %s limit 1"""
        with psycopg.connect(url, autocommit=True) as connection:
            while not ended.is_set():
                if found := connection.execute(query.encode(), (WORK,)).fetchone():
                    ended.wait(0.1 * turn)
                    connection.execute("select pg_terminate_backend(%s)", (found[0],))
                    return
                ended.wait(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
