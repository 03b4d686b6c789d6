"""The migration files run in a throw-away database, statement by statement, as the Supabase CLI sends them.

Before a file runs, the rules of a plan read it against the database as it is then: what earlier files made is there,
with rows perhaps; what the file itself makes is empty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl import database, shadow
from promthctl.database.sqlstates import first_line
from promthctl.engines.embedded.api import rest_settings
from promthctl.linting.schema_rules import Place, SchemaFlaw, Watch, find_flaws
from promthctl.migration_set import Migration
from promthctl.push.risks import PlannedStatement
from promthctl.rehearsal.replay import ALONE, as_sent, statements_of
from promthctl.settings import Settings
from promthctl.sql.committed import sends_each
from promthctl.sql.statements import Statement
from promthctl.steps import Steps, reaching

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class FailedStatement:
    """Where the files stop applying to a fresh Supabase."""

    file: str
    line: int
    why: str


@dataclass(frozen=True)
class Replayed:
    """planned: the statements of the files that were asked for, with their risks. flaws: those of the schema in the
    end, of all files. failed: what failed; then the flaws are of the schema before it.
    """

    planned: tuple[PlannedStatement, ...]
    flaws: tuple[SchemaFlaw, ...]
    failed: FailedStatement | None


def replay(settings: Settings, files: Sequence[Migration], asked: Collection[str], steps: Steps) -> Replayed:
    """Run them all. asked: the names of the files whose risks are wanted. Raises what the shadow raises."""
    exposed = rest_settings(settings)["schemas"]
    with (
        steps.progress("Running the migrations in a throw-away database", len(files), tenths=False) as advance,
        shadow.trial_database(settings) as made,
        database.connect(made.target) as connection,
        database.connect(made.target) as reader,
    ):
        run, update = _Run(connection, reader), reaching([file.filename for file in files], advance)
        for file in files:
            update(file.filename)
            if not run.file(file, file.filename in asked):
                break
        return Replayed(tuple(run.planned), find_flaws(reader, run.watch, exposed), run.failed)


class _Run:
    def __init__(self, connection: psycopg.Connection[Any], reader: psycopg.Connection[Any]) -> None:
        self._connection, self._reader = connection, reader
        self._number = 0
        self.watch, self.planned = Watch(), list[PlannedStatement]()
        self.failed: FailedStatement | None = None
        self.watch.look(reader, None)

    def file(self, file: Migration, asked: bool) -> bool:
        """Run one; False where it fails."""
        import psycopg

        from promthctl.push.risks.classify import analyse_migrations

        if asked:
            self.planned += analyse_migrations([file], self._reader)
            self._reader.read_only = False
        line, before = 1, self.watch.copy()
        try:
            for command, statement in _sent(file.sql):
                if statement is None:
                    self._connection.execute(command.encode())
                    continue
                line = statement.line
                with self._connection.cursor(binary=True) as cursor:  # the extended protocol, as the CLI: one statement
                    cursor.execute(statement.text.encode(), prepare=False)
                self._number += 1
                place = Place(self._number, file.filename, line)
                self.watch.look(self._connection, place, type(statement.node).__name__)
        except psycopg.Error as error:
            self.failed = FailedStatement(file.filename, line, first_line(error))
        if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._connection.execute("rollback")  # what a file leaves open, the CLI's session loses
            self.watch.take_back(before, self._reader)
        return self.failed is None


def _sent(sql: str) -> Iterator[tuple[str, Statement | None]]:
    """As as_sent, and a file whose statements the CLI sends one by one is sent so."""
    if not sends_each(sql):
        yield from as_sent(sql)
        return
    yield "reset all", None
    yield from ((ALONE, statement) for statement in statements_of(sql))
