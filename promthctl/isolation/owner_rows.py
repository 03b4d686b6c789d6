"""The rows that one table is tried with: whose they are, which are public, and how they come and go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from promthctl.database.sqlstates import first_line
from promthctl.isolation import ownership
from promthctl.isolation.attempts import OwnerColumns
from promthctl.isolation.column_values import candidate_values, nearest_combinations
from promthctl.isolation.ownership import Ownership
from promthctl.isolation.row_maker import RowMaker, RowNotMade
from promthctl.isolation.sample_row import SampleRow, Values, matching
from promthctl.isolation.sandbox import Sandbox
from promthctl.isolation.tables import ProbedCatalog, ProbedTable

_SUBQUERY = re.compile(r"\(\s*select\b", re.IGNORECASE)
_VARIANTS = 40  # rows tried to meet a condition and its opposite
_REMOVALS = 6  # tables whose rows are removed before one row can be


class OwnerRows:
    """public: table label → SQL condition on the rows that everyone may read. users: the owner's id and the other's."""

    def __init__(
        self,
        sandbox: Sandbox,
        catalog: ProbedCatalog,
        maker: RowMaker,
        ownerships: Mapping[int, Ownership],
        public: Mapping[str, str],
        users: tuple[str, str],
    ) -> None:
        self._sandbox, self._catalog, self._maker, self._public = sandbox, catalog, maker, public
        self._ownerships, self._users = ownerships, users

    @contextmanager
    def undone_afterwards(self) -> Iterator[None]:
        """Rows made inside are gone afterwards."""
        present = dict(self._maker.present)
        try:
            with self._sandbox.stage():
                yield
        finally:
            self._maker.present = present

    def with_witness(self, a: SampleRow) -> SampleRow:
        """The row with a text in its empty columns by which it is known wherever it is shown."""
        texts = {c.name: f"promthctl {a.user[:8]} {c.name}" for c in a.table.columns
                 if a.values[c.name] is None and c.type.name == "text" and not c.generated}  # fmt: skip
        try:
            with self.undone_afterwards():
                return self._maker.insert(a.table, a.user, {**a.given, **texts})
        except (psycopg.Error, RowNotMade):
            return a

    def remove(self, *rows: SampleRow) -> None:
        """Delete rows that the made users have already, so that everyone starts without any."""
        for row in rows:
            for _ in range(_REMOVALS):
                try:
                    self._sandbox.run(sql.SQL("delete from {} where {}").format(row.table.identifier, row.where))
                    break
                except psycopg.errors.ForeignKeyViolation as error:
                    if not self._remove_below(row, error.diag.constraint_name):
                        raise _in_the_way(error) from error
                except psycopg.Error as error:
                    raise _in_the_way(error) from error
            self._maker.present.pop((row.table.oid, row.user), None)

    def _remove_below(self, row: SampleRow, constraint: str | None) -> bool:
        """Delete what a trigger made that refers to the row by that foreign key; whether anything was."""
        for table in self._catalog.tables.values():
            for key in table.foreign_keys:
                if key.name == constraint and key.target == row.table.oid:
                    values = {n: row.values[t] for n, t in zip(key.columns, key.target_columns, strict=True)}
                    where = sql.SQL("delete from {} where {} returning 1").format(
                        table.identifier, matching(table, values)
                    )
                    with suppress(psycopg.Error):
                        return bool(self._sandbox.run(where))
        return False

    def insert_owner_row(self, table: ProbedTable, given: Values) -> SampleRow:
        """Insert the owner's row, and the membership that makes it theirs. Raises RowNotMade."""
        user = self._users[0]
        try:
            row = self._maker.insert(table, user, given)
            self._maker.present[table.oid, user] = row
            if membership_table := self._maker.membership_tables.get(table.oid):
                self._maker.row(membership_table, user)
                row = self._maker.reread(row)
        except psycopg.Error as error:
            raise RowNotMade(first_line(error)) from error
        return row

    def owner_columns(self, a: SampleRow, b: SampleRow) -> tuple[list[OwnerColumns], list[str]]:
        """The columns that make row a the owner's and row b the other user's; and those that could not be tried."""
        own = self._ownerships[a.table.oid]
        names = self.identity(a, b)
        owner_columns = []
        untried: list[str] = []
        if names:
            assigned, handed_on = (
                all(ownership.is_assigned(a.table, name, verb, bool(own.links)) for name in names)
                and bool(a.table.policies)
                for verb in ("INSERT", "UPDATE")
            )
            mine, theirs = ({name: row.values[name] for name in names} for row in (a, b))
            owner_columns.append(OwnerColumns(", ".join(names), mine, theirs, assigned=assigned, handed_on=handed_on))
        for key in own.links:
            columns = [name for name in key.columns if name not in own.identity]
            held = [(a.values[name], b.values[name]) for name in columns]
            if not columns or self._open_parent(key.target):
                continue
            if any(None in pair or pair[0] == pair[1] for pair in held):
                untried.append(", ".join(columns))
                continue
            parent = self._maker.present.get((key.target, self._users[0]))
            mine, theirs = ({n: row.values[n] for n in columns} for row in (a, b))
            owner_columns.append(OwnerColumns(", ".join(columns), mine, theirs, parent))
        return owner_columns, untried

    def identity(self, a: SampleRow, b: SampleRow) -> list[str]:
        """The columns with users' ids by which row a is the owner's and row b the other's; none if they are not."""
        identity = self._ownerships[a.table.oid].identity
        names = [name for name in identity if a.values[name] == a.user and b.values[name] == b.user]
        if not names and all(row.user in (row.values[name] for name in identity) for row in (a, b)):
            return list(identity)  # a check puts them in an order, as in pairs of friends
        return names

    def _open_parent(self, oid: int) -> bool:
        """Whether the owner's row of that table is public, so that anyone may refer to it."""
        table = self._catalog.tables[oid]
        row = self._maker.present.get((oid, self._users[0]))
        return row is not None and self._meets(row, self._public.get(table.label))

    def _meets(self, row: SampleRow, condition: str | None) -> bool:
        """Whether the condition, if any, is true of the row. Raises RowNotMade where it cannot be evaluated."""
        if condition is None:
            return False
        statement = sql.SQL("select ({}) is true from {} where {}").format(
            sql.SQL(condition),
            row.table.identifier,
            row.where,
        )
        try:
            return bool(self._sandbox.run_one(statement)[0][0])
        except psycopg.Error as error:
            why = f"the condition that declares it public cannot be evaluated: {first_line(error)}"
            raise RowNotMade(why) from error

    def variants(self, a: SampleRow) -> dict[bool, SampleRow]:
        """A row that is private (False) and, where the table has any, one that is public (True). Raises RowNotMade."""
        condition = self._public.get(a.table.label)
        if condition is None:
            return {False: a}
        free = [
            c for c in a.table.columns if c.name in condition and not c.generated and c.name not in a.table.primary_key
        ]
        options: list[list[str | None]] = [
            [a.values[c.name], *candidate_values(c, (condition,), "abcdef0123456789"), *([] if c.not_null else [None])]
            for c in free
        ]
        found: dict[bool, SampleRow] = {}
        for chosen in nearest_combinations(options, _VARIANTS):
            given = {**a.given, **dict(zip((c.name for c in free), chosen, strict=True))}
            with self.undone_afterwards():
                try:
                    row = self._maker.insert(a.table, a.user, given)
                except (RowNotMade, psycopg.Error):
                    continue
                found.setdefault(self._meets(row, condition), row)
            if len(found) == 2:
                break
        if True not in found and not (found and _SUBQUERY.search(condition)):  # the openings vary rows of other tables
            raise RowNotMade(f"none was found that is public: {condition}")
        return dict(sorted(found.items()))


def _in_the_way(error: psycopg.Error) -> RowNotMade:
    return RowNotMade(f"a row that is there already cannot be removed: {first_line(error)}")
