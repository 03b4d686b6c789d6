"""Runs one SQL file on a target as the Supabase CLI does: all of it in one transaction, unless it commits by itself.

Statements go to the server one by one, as they are read, so that a file of any size takes little memory. Runs of plain
INSERT, UPDATE and DELETE go in batches: a round trip for each would take most of the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promthctl.seeds import failing
from promthctl.seeds.files import SqlFile, unreadable
from promthctl.seeds.psql_lines import advice_on
from promthctl.sql.scripts import NotTextError, Part, ScriptReader

if TYPE_CHECKING:
    import psycopg

Connection = Any  # psycopg.Connection[Any]: the name is needed when the module is imported

_BATCHED = re.compile(rb"(?:insert|update|delete)\b", re.IGNORECASE)
_BATCH_BYTES, _BATCH_STATEMENTS = 1 << 18, 1000
_ENDING = re.compile(rb"(?:commit|end)\b", re.IGNORECASE)  # of a transaction; one that is rolled back leaves nothing
_COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY")  # beginnings of command tags that count rows changed


@dataclass(frozen=True)
class FileRun:
    """What the server carried out of a file. rows: how many it inserted, updated and deleted, by its own count."""

    name: str
    statements: int
    rows: int


@dataclass
class Progress:
    """How far a file has got. ended: the last line after which no transaction was open; None if one always was."""

    statements: int = 0
    rows: int = 0
    kept_rows: int = 0
    ended: int | None = None


def run_file(
    connection: psycopg.Connection[Any],
    file: SqlFile,
    failure: failing.Failure,
    finish: Callable[[psycopg.Connection[Any]], None],
    used: Callable[[int], None],
) -> FileRun:
    """Run a file to its end and commit.

    connection: in autocommit. finish: called in the file's transaction, after its last statement. used: told how many
    bytes of the file are done with.
    Raises PromthctlError naming line and statement, TargetError when the connection is lost.
    """
    import psycopg

    connection.prepare_threshold = None  # else psycopg keeps the text of a hundred statements, to count them
    run = _Run(connection, file, failure)
    try:
        with file.path.open("rb") as stream:
            run.all_of(ScriptReader(stream), used)
        run.end(finish)
    except OSError as error:
        raise unreadable(file.path, error) from None
    except NotTextError:
        raise failure.not_text(file, run.progress.ended) from None
    except psycopg.Error as error:
        raise failure.of(file, run.reached(), error, connection) from None
    return FileRun(file.name, run.progress.statements, run.progress.rows)


@dataclass
class _Run:
    connection: Connection
    file: SqlFile
    failure: failing.Failure
    progress: Progress = field(default_factory=Progress)
    batch: list[Part] = field(default_factory=list)
    current: Part | None = None  # what the server was given last
    transaction: str = ""  # its id, while its commit is asked for
    alone: bool = False  # what the server was given last is a transaction by itself
    role: str = "none"  # that the connection acts as, before the file takes another one

    def reached(self) -> failing.Reached:
        progress = self.progress
        return failing.Reached(self.current, progress.statements, progress.ended, self.transaction, self.alone)

    def all_of(self, reader: ScriptReader, used: Callable[[int], None]) -> None:
        ((self.role,),) = self.connection.execute("select current_setting('role')").fetchall()
        self.connection.execute("begin")
        held = 0
        for part in reader:
            batched = part.kind == "statement" and self._fits_a_batch(part.text)
            if not batched or held >= _BATCH_BYTES or len(self.batch) >= _BATCH_STATEMENTS:
                self._send_batch()
                held = 0
            if batched:
                self.batch.append(part)
                held += len(part.text)
            elif part.kind == "meta":
                self._check_psql(part)
            elif part.kind == "copy":
                self._copy(part, reader, used)
            else:
                self._send(part)
            used(reader.done)
        self._send_batch()

    def end(self, finish: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Commit, with what `finish` adds, whatever role the file has taken."""
        self.current = None
        if not self._in_transaction():
            self.connection.execute("begin")
        self.connection.execute("select set_config('role', %s, true)", (self.role,))
        finish(self.connection)
        self.transaction = self._id()
        self.connection.execute("commit")

    def _send_batch(self) -> None:
        batch, self.batch = self.batch, []
        if len(batch) == 1:
            self._send(batch[0])
        elif batch:
            # The savepoint goes by itself: of a batch with a syntax error nothing runs.
            self.connection.execute("savepoint promthctl_batch")
            texts = [*(part.text for part in batch), b"release savepoint promthctl_batch"]
            try:
                self._execute(b"\n;\n".join(texts))
            except self._errors():
                if self.connection.closed:
                    raise
                self.connection.execute("rollback to savepoint promthctl_batch")
                for part in batch:  # one by one, which tells the statement that fails
                    self._send(part)
            else:
                self.progress.statements += len(batch)

    def _send(self, part: Part) -> None:
        self.current, self.alone = part, not self._in_transaction()
        if _ENDING.match(part.text) and self._in_transaction():
            self.transaction = self._id()
        self._execute(part.text, part)
        self.transaction = ""
        self.progress.statements += 1

    def _id(self) -> str:
        """Of the transaction, by which the server is asked what became of it; empty where it has changed nothing."""
        ((number,),) = self.connection.execute("select coalesce(pg_current_xact_id_if_assigned()::text, '')").fetchall()
        return str(number)

    def _execute(self, text: bytes, part: Part | None = None) -> None:
        cursor = self.connection.execute(text, prepare=False)
        rows = self._changed(cursor)
        while cursor.nextset():
            rows += self._changed(cursor)
        self._count(rows, cursor.statusmessage, part)

    def _copy(self, part: Part, reader: ScriptReader, used: Callable[[int], None]) -> None:
        self.current, self.alone = part, not self._in_transaction()
        with self.connection.cursor() as cursor:
            with cursor.copy(part.text) as copy:
                for rows in reader.rows():
                    copy.write(rows)
                    used(reader.done)
            self._count(self._changed(cursor), cursor.statusmessage, part)
        self.progress.statements += 1

    def _count(self, rows: int, tag: str | None, part: Part | None) -> None:
        progress = self.progress
        progress.rows += rows
        if not self._in_transaction():
            if tag == "ROLLBACK":
                progress.rows = progress.kept_rows
            progress.kept_rows = progress.rows
            progress.ended = part.line if part else progress.ended

    def _check_psql(self, part: Part) -> None:
        advice = advice_on(part.text.decode(errors="replace"), part.inside, self.connection.info.dbname)
        if advice is not None:
            raise self.failure.psql_line(self.file, part, advice, self.progress.ended)

    def _fits_a_batch(self, text: bytes) -> bool:
        return len(text) < _BATCH_BYTES and _BATCHED.match(text) is not None and self._in_transaction()

    def _in_transaction(self) -> bool:
        return bool(self.connection.info.transaction_status.name == "INTRANS")

    @staticmethod
    def _changed(cursor: psycopg.Cursor[Any]) -> int:
        return max(0, cursor.rowcount) if (cursor.statusmessage or "").startswith(_COUNTED) else 0

    @staticmethod
    def _errors() -> Any:
        import psycopg

        return psycopg.Error
