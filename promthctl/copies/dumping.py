"""`promthctl dump`: a database as a file of SQL, by pg_dump.

It is complete or not there: what is not finished has another name, and a finished one is read back before it gets its
own. Several parts come from one snapshot of the database.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from promthctl import database, process
from promthctl.copies.pg_dump import HISTORY, find_pg_dump, without_platform
from promthctl.errors import PromthctlError, RefusedError, TargetError, UsageError
from promthctl.quantities import size
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]

_APPEND = 'exec "$@" >>"$PROMTHCTL_DUMP"'
# Triggers and foreign keys rest while rows come alone; the Supabase CLI's dump of data begins so, too.
_AT_REST = b"SET session_replication_role = replica;\n"
_CLOSING = b"-- PostgreSQL database dump complete"
_BLOCK = 1 << 20
_SUFFIXES = (".sql", ".sql.gz")
_FULL = "No space left on device"


@dataclass(frozen=True)
class DumpOptions:
    """What goes into the file besides the project's own schemas. schema, data: at least one of them."""

    schema: bool = True
    data: bool = True
    auth: bool = False
    storage: bool = False


@dataclass(frozen=True)
class Dump:
    """What was written, as it was read back. bytes: of the file; unpacked: of the SQL in it. tables: with rows in it.

    pg_dump: its version.
    """

    target: str
    path: str
    bytes: int
    unpacked: int
    tables: int
    pg_dump: int


def dump(settings: Settings, target: Target, file: Path, options: DumpOptions, steps: Steps) -> Dump:
    """Write the database to a file that is not there yet, .sql or .sql.gz, which only its owner can read.

    Raises UsageError for another name, RefusedError where the file exists, PrerequisiteError without a pg_dump,
    PromthctlError where pg_dump fails or the file is not complete.
    """
    _check(file)
    with database.connect(target) as connection:
        program = find_pg_dump(settings, connection.info.server_version // 10000, steps)
        with _partial(file) as partial, connection.transaction(force_rollback=True):
            connection.execute("set transaction isolation level repeatable read read only")
            ((snapshot,),) = connection.execute("select pg_export_snapshot()").fetchall()
            parts = _parts(connection, options)
            zipped = ("--compress=6",) if file.suffix == ".gz" else ()
            with steps.step(f"Writing {file.name}") as update:
                if options.data and not options.schema:
                    partial.write_bytes(gzip.compress(_AT_REST) if zipped else _AT_REST)
                for part in parts:
                    command = program.command(target, f"--snapshot={snapshot}", *zipped, *part)
                    _append(settings, target, command, partial, lambda: update(size(partial.stat().st_size)))
            with steps.step("Reading it back"):
                unpacked, tables = _read_back(partial, bool(zipped), len(parts))
            _sync(partial)
            _put(partial, file)
    return Dump(target.label, str(file), file.stat().st_size, unpacked, tables, program.major)


def _parts(connection: Connection, options: DumpOptions) -> list[list[str]]:
    """The options of each run of pg_dump. The platform's rows come first: foreign keys to them are made at the end."""
    there = {name for (name,) in connection.execute("select nspname::text from pg_namespace").fetchall()}
    parts = []
    for wanted, schema in ((options.auth, "auth"), (options.storage, "storage")):
        if wanted and schema in there:
            left_out = (f"--exclude-table={schema}.{name}" for name in ("schema_migrations", "migrations"))
            parts.append(["--data-only", f"--schema={schema}", *left_out])
    if options.schema and not options.data:
        history = [["--data-only", f"--schema={HISTORY}"]] if HISTORY in there else []
        return [["--schema-only", *without_platform()], *history]
    rows = [] if options.schema else ["--data-only", f"--exclude-schema={HISTORY}"]
    return [*parts, [*rows, *without_platform()]]


def _append(settings: Settings, target: Target, command: Sequence[str], file: Path, watch: Callable[[], None]) -> None:
    env = settings.child_env(**target.environment(), PROMTHCTL_DUMP=str(file))
    done = process.run(["/bin/sh", "-c", _APPEND, "sh", *command], env=env, watch=watch, kill_with_parent=True)
    if done.code != 0:
        raise _failed(target, file, done.stderr)


def _failed(target: Target, file: Path, said: str) -> PromthctlError:
    lines = [redact(line.removeprefix("pg_dump: error: ")) for line in said.strip().splitlines()]
    what, why = f"{target.label} was not dumped", "\n".join(lines[:4]) or "pg_dump said nothing"
    if _FULL in said:
        return PromthctlError(what, why, f"free some space in {file.parent}, or name a file elsewhere")
    if "permission denied" in said:
        return TargetError(what, why, "use a role that may read everything: on Supabase, postgres")
    return PromthctlError(what, why, "run the same command again when that is settled")


def _read_back(file: Path, zipped: bool, parts: int) -> tuple[int, int]:
    """The bytes of SQL and the number of COPY … FROM stdin in it. Raises PromthctlError for what is not complete."""
    total, tables, closings = 0, 0, 0
    try:
        with gzip.open(file) if zipped else file.open("rb") as stream:
            for line in _lines(stream):
                total += len(line)
                tables += line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;")
                closings += line.startswith(_CLOSING)
    except (OSError, EOFError) as error:
        raise _incomplete(file, str(error)) from None
    if closings < parts:
        raise _incomplete(file, f"pg_dump's last line, {_CLOSING.decode()!r}, is not in it")
    return total, tables


def _lines(stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Its lines, those that are very long in pieces."""
    while line := stream.readline(_BLOCK):
        yield line


def _incomplete(file: Path, why: str) -> PromthctlError:
    return PromthctlError(
        "The dump was not kept: read back, it is not complete",
        why,
        f"see whether the disk of {file.parent} is sound and has room, then run the same command again",
    )


def _check(file: Path) -> None:
    if not file.name.endswith(_SUFFIXES):
        why = f"{file.name} ends with neither .sql nor .sql.gz, which is compressed"
        raise UsageError("The file cannot be written", why, f"promthctl dump {file.name.partition('.')[0]}.sql.gz")
    if os.path.lexists(file):
        raise _exists(file)
    if not file.parent.is_dir():
        raise UsageError("The file cannot be written", f"{file.parent} is not a folder", f"mkdir -p {file.parent}")


def _exists(file: Path) -> RefusedError:
    return RefusedError(
        "Nothing was dumped", f"{file} exists, and is not written over", "choose another name, or remove it"
    )


@contextlib.contextmanager
def _partial(file: Path) -> Iterator[Path]:
    """An empty file beside it, 0600, removed at the end."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".partial", dir=file.parent)
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _put(partial: Path, file: Path) -> None:
    """Give it its name, never that of a file which came meanwhile."""
    try:
        os.link(partial, file)
    except FileExistsError:
        raise _exists(file) from None
    except OSError:  # a file system without links
        partial.rename(file)


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
