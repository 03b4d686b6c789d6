"""Creates a backup: tables streamed from the database into compressed files of a folder that appears when complete.

Until then the folder has a hidden name and is locked: a hidden one that is not locked was left by a promthctl that was
killed, and the next one removes it.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import io
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from promthctl.backups.manifest import NAME, SPELLING, Manifest, SavedColumn, SavedTable
from promthctl.errors import PromthctlError
from promthctl.process import open_private
from promthctl.steps import Update

if TYPE_CHECKING:
    import psycopg

_WORK = ".making-"
_BUFFER = 1 << 20  # bytes; COPY hands out one row at a time
_LEVEL = 1  # of gzip: the tables are locked meanwhile, so speed counts more than the last tenth of the size
_TOLD_EVERY = 50_000  # rows


class BackupWriter:
    """A backup in progress; see `new_backup`."""

    def __init__(self, folder: Path, backups: Path) -> None:
        self._folder = folder
        self._backups = backups
        self._number = 0

    def export_table(
        self,
        connection: psycopg.Connection[Any],
        schema: str,
        name: str,
        columns: Iterable[SavedColumn],
        partitioned: bool,
        update: Update,
    ) -> SavedTable:
        """Export a table that the connection's transaction has locked.

        Raises OSError when it cannot be written, psycopg.Error when the table cannot be read completely: row-level
        security that would hide rows is an error too.
        """
        from psycopg import sql

        columns = tuple(columns)
        self._number += 1
        path = self._folder / f"{self._number:03}-{slug(f'{schema}.{name}')}.copy.gz"
        # A table that others inherit from is exported without theirs; a partitioned one has no rows of its own.
        query = sql.SQL("copy (select {} from {} {}) to stdout").format(
            sql.SQL(", ").join(sql.Identifier(column.name) for column in columns),
            sql.SQL("" if partitioned else "only"),
            sql.Identifier(schema, name),
        )
        # No search_path: names in values are written in full.
        connection.execute(f"{SPELLING}; set local search_path = ''".encode())
        rows = 0
        with open_private(path, "wb") as file:
            hashing = _Hashing(file)
            with (
                gzip.GzipFile(fileobj=hashing, mode="wb", compresslevel=_LEVEL, mtime=0, filename="") as packed,
                io.BufferedWriter(packed, _BUFFER) as buffered,
                connection.cursor() as cursor,
                cursor.copy(query) as copy,
            ):
                for rows, line in enumerate(copy, start=1):
                    buffered.write(line)
                    if rows % _TOLD_EVERY == 0:
                        update(f"{rows:,} rows")
            file.flush()
            os.fsync(file.fileno())
        return SavedTable(
            schema, name, columns, False, (), False, rows, path.name, hashing.size, hashing.digest.hexdigest()
        )

    def forget(self, table: SavedTable) -> None:
        """Leave a table out of the backup after all."""
        (self._folder / table.file).unlink()

    def complete(self, manifest: Manifest, name: str) -> Path:
        """Write the manifest and give the folder its name, or the next that is free; on disk when this returns."""
        with open_private(self._folder / NAME, "wb") as file:
            file.write(manifest.to_text().encode())
            file.flush()
            os.fsync(file.fileno())
        _sync(self._folder)
        number, final = 1, self._backups / name
        while True:
            try:
                self._folder.rename(final)
                break
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                number += 1
                final = self._backups / f"{name}-{number}"
        _sync(self._backups)
        return final


@contextmanager
def new_backup(backups: Path) -> Iterator[BackupWriter]:
    """A backup in progress, thrown away if the block ends before it is complete.

    Raises PromthctlError when it cannot be written, as on a full disk.
    """
    work: Path | None = None
    try:
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        backups.chmod(0o700)
        _clear_leftovers(backups)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=backups))  # 0700
        with _held(work):
            yield BackupWriter(work, backups)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some space there" if full else f"make {shlex.quote(str(backups))} a folder that you can write"
        raise PromthctlError(
            "The backup could not be written, so nothing was changed",
            f"{error.strerror or error}: {backups}",
            f"{hint}, then run the same command again",
        ) from None
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)  # already renamed when it was complete


def slug(name: str) -> str:
    """A name reduced to what is safe in a file name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "x"


class _Hashing(io.RawIOBase):
    """Counts and hashes what goes into a file."""

    def __init__(self, file: BinaryIO | Any) -> None:
        self._file = file
        self.size = 0
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._file.write(data)
        self.digest.update(data)
        self.size += len(data)
        return len(data)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _clear_leftovers(backups: Path) -> None:
    """Remove what killed promthctls left."""
    for leftover in backups.glob(f"{_WORK}*"):
        try:
            with _held(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
        except OSError:  # another promthctl is writing it
            continue


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
