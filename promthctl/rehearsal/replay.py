"""Runs the pending files in the twin as the Supabase CLI does, and looks after each statement.

The statements go through one connection of ours, cut, ordered and committed as the CLI cuts, orders and commits them
(sql.statements, sql.committed): only so can what each of them did be seen within its transaction, and a rehearsal
costs no start of the CLI.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from promthctl.database.sqlstates import first_line
from promthctl.migration_set import Migration
from promthctl.rehearsal import observer
from promthctl.rehearsal.demands import purge_statements, written_table
from promthctl.rehearsal.observer import Content, Counter, Glance
from promthctl.sql.committed import sent_alone
from promthctl.sql.statements import NotSqlError, Statement, parse_statements, split_statements
from promthctl.sql.tokens import line_at

if TYPE_CHECKING:
    import psycopg

# What changes neither rows nor what is in their columns; everything else is looked at.
_NO_ROWS = frozenset(("CommentStmt", "CreatePolicyStmt", "AlterPolicyStmt", "CreateFunctionStmt", "GrantStmt",
    "GrantRoleStmt", "CreateTrigStmt", "CreateStmt", "ViewStmt", "IndexStmt", "VariableSetStmt", "AlterOwnerStmt",
    "CreateEnumStmt", "CreateDomainStmt", "CompositeTypeStmt", "CreateSeqStmt", "AlterDefaultPrivilegesStmt",
    "CreateRoleStmt", "TransactionStmt", "CreatePublicationStmt", "AlterPublicationStmt"))  # fmt: skip
ALONE = "alone"
_QUOTED = re.compile(r'"[^"]*"')
# As observer's own reading spells values.
_SPELLING = (
    b"set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';"
    b" set local extra_float_digits = 1; set local bytea_output = 'hex'"
)


@dataclass(frozen=True)
class Step:
    """A statement that ran. seen: the tables that it may have changed, as they are after it; None where one is gone.

    node: pglast's, None where its parser cannot read it. purged: tables whose witness rows stood in its way and were
    taken out. reads: tables that it began to read. target: the table that it makes or writes to, by its statement.
    """

    file: str
    line: int
    text: str
    node: Any
    glance: Glance
    seen: Mapping[int, Content | None] = field(default_factory=dict)
    purged: frozenset[int] = frozenset()
    reads: frozenset[int] = frozenset()
    target: int | None = None


@dataclass(frozen=True)
class Failure:
    """The statement that failed, and everything after it was not tried. rows: it is about the rows that are there."""

    file: str
    line: int
    sqlstate: str
    message: str
    rows: bool


@dataclass(frozen=True)
class Course:
    """The whole run. end: every table afterwards. sequences: those afterwards."""

    steps: tuple[Step, ...]
    failure: Failure | None
    end: Mapping[int, Content]
    sequences: Mapping[int, Counter]


class Replay:
    """One run in one twin.

    baseline: the witness rows; some go so that a statement can be tried. alike: (table, attnum, text now) → the texts
    in the column's first type that mean the same.
    """

    def __init__(self, connection: psycopg.Connection[Any], reader: psycopg.Connection[Any]) -> None:
        self._connection, self._reader = connection, reader
        self.baseline = observer.read(reader)
        self.sequences = observer.sequences(reader)
        self.steps: list[Step] = []
        self.failure: Failure | None = None
        self.alike: dict[tuple[int, int, str], frozenset[str]] = {}
        self._labels = observer.labels(reader)
        self._locks: Mapping[int, frozenset[str]] = {}
        self._before: Callable[[Statement, str], None] | None = None

    def run(self, files: Sequence[Migration], before: Callable[[Statement, str], None] | None = None) -> Course:
        """Run the files in order, to the end or to the first failure. before: called ahead of each statement."""
        self._before = before
        for file in files:
            if not self._file(file):
                break
        end = observer.read(self._reader)
        self._find_alike(end.values())
        return Course(tuple(self.steps), self.failure, end, observer.sequences(self._reader))

    def _file(self, file: Migration) -> bool:
        import psycopg

        self._locks = {}
        try:
            for command, statement in as_sent(file.sql):
                if statement is not None:
                    self._statement(file, statement, command == ALONE)
                    continue
                self._connection.execute(command.encode())
                if command == "begin":
                    self._locks = {}
        except psycopg.Error as error:
            line = getattr(self, "_line", 1)
            state = error.sqlstate or ""
            self.failure = Failure(file.filename, line, state, first_line(error), about_rows(state))
            with contextlib.suppress(psycopg.Error):
                self._connection.execute("rollback")
            return False
        return True

    def _statement(self, file: Migration, statement: Statement, alone: bool) -> None:
        """Run it and look. Raises psycopg.Error."""
        self._line = statement.line
        if self._before is not None:
            self._before(statement, file.filename)
        purged = frozenset[int]()
        if alone:
            self._execute(statement.text)
            glance = Glance()
            seen = self._changed({*self.baseline})
        else:
            purged = self._execute_in_transaction(statement)
            glance = observer.look(self._connection)
            kind = type(statement.node).__name__
            hot = {oid for oid in {*glance.changing(), *glance.writes} if oid in self.baseline}
            seen = {} if kind in _NO_ROWS and not glance.writes else self._changed(hot)
        reads = frozenset(
            oid for oid, modes in glance.locks.items()
            if "AccessShareLock" in modes and "AccessShareLock" not in self._locks.get(oid, ())
        )  # fmt: skip
        self._locks = glance.locks
        target = written_table(self._connection, statement.node)
        self.steps.append(
            Step(file.filename, statement.line, statement.text, statement.node, glance, seen, purged, reads, target)
        )

    def _execute(self, text: str) -> None:
        with self._connection.cursor(binary=True) as cursor:  # the extended protocol, as the CLI: one statement
            cursor.execute(text.encode(), prepare=False)

    def _execute_in_transaction(self, statement: Statement) -> frozenset[int]:
        """Run it; where the witness rows make it fail, without those. Returns the tables whose rows had to go."""
        import psycopg

        self._connection.execute("savepoint promthctl_statement")
        try:
            self._execute(statement.text)
            self._connection.execute("release savepoint promthctl_statement")
            return frozenset()
        except psycopg.Error as error:
            if self._connection.broken or not about_rows(error.sqlstate or ""):
                raise
            first = error
        purged = set[int]()
        for oids, removal in purge_statements(self._connection_after_rollback(), statement.node, first, self.baseline):
            self._connection.execute("rollback to savepoint promthctl_statement")
            self._remove(removal)
            purged |= set(oids)
            self._rebase(oids)
            self._connection.execute("release savepoint promthctl_statement; savepoint promthctl_statement")
            try:
                self._execute(statement.text)
                self._connection.execute("release savepoint promthctl_statement")
                return frozenset(purged)
            except psycopg.Error as error:
                if self._connection.broken or not about_rows(error.sqlstate or ""):
                    raise
        raise first

    def _connection_after_rollback(self) -> psycopg.Connection[Any]:
        self._connection.execute("rollback to savepoint promthctl_statement")
        return self._connection

    def _remove(self, removal: Sequence[str]) -> None:
        import psycopg

        for one in removal:
            self._connection.execute("savepoint promthctl_removal")
            try:
                self._connection.execute(one.encode(), prepare=False)
            except psycopg.Error:
                self._connection.execute("rollback to savepoint promthctl_removal")
        observer.look(self._connection)  # what was removed here is not the migration's doing

    def _rebase(self, oids: Collection[int]) -> None:
        """From here on the rows that are left count as the ones there were; a row keeps its first values."""
        now = self._read(None)
        for oid, content in self.baseline.items():
            if (here := now.get(oid)) is not None and (oid in oids or len(here.rows) < len(content.rows)):
                kept = still_there(content, here)
                self.baseline[oid] = replace(content, rows=tuple(kept))

    def _changed(self, oids: Collection[int]) -> dict[int, Content | None]:
        if not oids:
            return {}
        found = self._read(oids)
        self._find_alike(found.values())
        return {oid: found.get(oid) for oid in oids}

    def _read(self, oids: Collection[int] | None) -> dict[int, Content]:
        """Read within the migration's transaction, whose locks stay what they are."""
        with self._connection.transaction(force_rollback=True):
            return observer.read(self._connection, oids)

    def _find_alike(self, contents: Iterable[Content]) -> None:
        """For columns of another type than before: what their values are in the old one; likewise renamed members."""
        for content in contents:
            before = self.baseline.get(content.oid)
            for place, column in enumerate(content.columns if before else ()):
                was = next((one for one in before.columns if one.number == column.number), None) if before else None
                if was is None:
                    continue
                texts = {row[place] for row in content.rows} - {None}
                for text in texts if was.type != column.type else ():
                    key = (content.oid, column.number, str(text))
                    self.alike[key] = self.alike.get(key, frozenset()) | self._back(str(text), column.type, was.type)

    def _back(self, text: str, new: str, old: str) -> frozenset[str]:
        import psycopg

        found = set[str]()
        for expression in (f"%s::text::{new}::{old}", f"%s::text::{new}::text::{old}"):
            with contextlib.suppress(psycopg.Error), self._connection.transaction(force_rollback=True):
                self._connection.execute(_SPELLING)
                row = self._connection.execute(f"select format('%%s', {expression})".encode(), (text,)).fetchone()
                if row is not None and row[0] is not None:
                    found.add(row[0])
        return frozenset(found)

    def renamed_labels(self) -> dict[str, str]:
        """Members of enums that have another label now: the old one → the new one."""
        now = observer.labels(self._reader)
        return {label: now[oid] for oid, label in self._labels.items() if now.get(oid, label) != label}


def as_sent(sql: str) -> Iterator[tuple[str, Statement | None]]:
    """A file as the Supabase CLI sends it: commands of the CLI's own without a statement, and each statement.

    With a statement comes ALONE where it runs outside of a transaction, otherwise nothing.
    """
    opened = False
    yield "reset all", None
    for statement in statements_of(sql):
        if statement.node is None and not statement.text.strip():
            continue
        if statement.brackets:
            continue  # the file is one transaction here: what it commits in between is as good as committed
        alone = bool(statement.refused) or sent_alone(statement.text)
        if alone and opened:
            yield "commit", None
            opened = False
        if not alone and not opened:
            yield "begin", None
            opened = True
        yield ALONE if alone else "", statement
    if opened:
        yield "commit", None


def still_there(before: Content, now: Content) -> list[tuple[str | None, ...]]:
    """The rows of `before` that `now` still has, by the values of the columns that both have."""
    common = [(place, other) for place, column in enumerate(before.columns)
              if (other := now.place(column.number)) is not None]  # fmt: skip
    left = [tuple(row[other] for _, other in common) for row in now.rows]
    kept = []
    for row in before.rows:
        key = tuple(row[place] for place, _ in common)
        if key in left:
            left.remove(key)
            kept.append(row)
    return kept


def without_values(message: str) -> str:
    """An error's message without what it quotes, which may be values."""
    return _QUOTED.sub('"…"', message)


def about_rows(sqlstate: str) -> bool:
    """True for an error that depends on the rows: data exceptions and integrity violations."""
    return sqlstate[:2] in ("22", "23")


def statements_of(sql: str) -> Iterator[Statement]:
    """The statements of a file; what the parser cannot read has no node. Without pieces that are only comments."""
    try:
        found: Sequence[Statement] = parse_statements(sql)
    except NotSqlError:
        for start, end, code in split_statements(sql):
            if code is not None:
                yield Statement(sql[start:end], start, line_at(sql, code), _node(sql[start:end]))
        return
    yield from (one for one in found if one.node is not None)


def _node(text: str) -> Any:
    from pglast.parser import ParseError, parse_sql

    try:
        nodes: Any = parse_sql(text)
        return nodes[0].stmt if nodes else None
    except ParseError:
        return None
