"""A push tried on the target's own rows, copied to a throw-away database on this machine.

The rehearsal has shown which tables the pending migrations touch; these and what they refer to are copied, and the
files run there as the Supabase CLI would run them. The copy lies in PostgreSQL's data directory (0700) and is removed
before this returns; what a promthctl that was killed left, the next rehearsal removes,
or the next `local up` or `local down` on this machine.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import toolchain
from promthctl.copies.row_copy import RowCopy, SourceTable, read_tables
from promthctl.database.sqlstates import first_line
from promthctl.errors import PrerequisiteError
from promthctl.migration_set import Migration
from promthctl.quantities import size
from promthctl.rehearsal.model import DataRehearsal, Finding, TriedFile
from promthctl.rehearsal.replay import about_rows, as_sent, without_values
from promthctl.rehearsal.twin import running_twin
from promthctl.schema import snapshot
from promthctl.settings import Settings
from promthctl.shadow import default_privileges_of
from promthctl.steps import Steps

if TYPE_CHECKING:
    import psycopg

_ROOM = 3  # times the tables' size: the copy, its write-ahead log, and a table that is written again


@dataclass(frozen=True)
class Amount:
    """What is to be copied, estimated by the target's statistics: rows may be None, size is in bytes."""

    tables: int
    rows: int | None
    size: int


def rehearse_with_data(
    settings: Settings,
    connection: psycopg.Connection[Any],
    applied: Sequence[Migration],
    pending: Sequence[Migration],
    touched: Collection[str] | None,
    sample: int | None,
    agree: Callable[[Amount], None],
    steps: Steps,
) -> DataRehearsal:
    """Copy rows of the database behind the connection, which is only read from, and run the pending files on them.

    connection: in autocommit. applied: the files of its history, in order. touched: the tables ("schema.name") that
    the files touch; None for all. sample: this many rows of each of them and what those refer to; None for all rows.
    agree: called before anything is copied; it may raise. Raises psycopg.Error where the target fails,
    PrerequisiteError where this machine has no room, and what the shadow raises.
    """
    import psycopg

    actual = snapshot(connection)
    privileges = default_privileges_of(connection) or ()
    tables = read_tables(connection, touched)
    amount = Amount(len(tables), _rows(tables, sample), sum(_size(table, sample) for table in tables))
    if tables:
        agree(amount)
        _check_room(settings, amount)
    with running_twin(settings, applied, actual, privileges, steps, watched=False) as twin:
        with psycopg.connect(twin.superuser.url, password=twin.superuser.password, autocommit=True) as high:
            copied = RowCopy(connection, high, tables, sample)
            with steps.step("Copying rows of the target to a throw-away database") as update:
                copied.run(update)
        with (
            steps.step("Trying the push on them") as update,
            psycopg.connect(twin.target.url, password=twin.target.password, autocommit=True) as own,
        ):
            files, failure = _run(own, pending, update)
        return DataRehearsal(
            copied.tables, copied.rows, sample, files, failure, tuple(copied.left_out), tuple(twin.facts.unlike)
        )


def _run(
    connection: psycopg.Connection[Any], pending: Sequence[Migration], update: Callable[[str], None]
) -> tuple[tuple[TriedFile, ...], Finding | None]:
    import psycopg

    done: list[TriedFile] = []
    for file in pending:
        update(file.filename)
        began, line = time.monotonic(), 1
        try:
            for command, statement in as_sent(file.sql):
                line = statement.line if statement else line
                text = statement.text if statement else command
                with connection.cursor(binary=bool(statement)) as cursor:  # the extended protocol, as the CLI
                    cursor.execute(text.encode(), prepare=False)
        except psycopg.Error as error:
            said = first_line(error)
            said = without_values(said) if about_rows(error.sqlstate or "") else said
            return tuple(done), Finding("fails", file.filename, line, "", said)
        done.append(TriedFile(file.filename, round(time.monotonic() - began, 3)))
    return tuple(done), None


def _rows(tables: Sequence[SourceTable], sample: int | None) -> int | None:
    known = [table.rows for table in tables if table.rows is not None]
    if len(known) < len(tables):
        return None
    return sum(rows if sample is None else min(rows, sample) for rows in known)


def _size(table: SourceTable, sample: int | None) -> int:
    if sample is None or not table.rows or table.rows <= sample:
        return int(table.size)
    return int(table.size * sample / table.rows)


def _check_room(settings: Settings, amount: Amount) -> None:
    folder = toolchain.cache_root(settings)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _ROOM * amount.size:
        raise PrerequisiteError(
            "The target's rows were not copied: this machine has no room for them",
            f"{size(free)} are free in {folder}, and {size(_ROOM * amount.size)} may be needed",
            "copy fewer: --rehearse-with-data --sample 1000, or export PROMTHCTL_CACHE_DIR=/path/with/more/room",
        )
