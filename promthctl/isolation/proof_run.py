"""The run of the isolation proof over all tables: who owns what, and which rows are there when what is tried."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql

from promthctl.isolation import ownership
from promthctl.isolation.attempts import Actors, OwnerColumns, TableTrial
from promthctl.isolation.column_values import candidate_values, nearest_combinations
from promthctl.isolation.row_maker import RowMaker, RowNotMade
from promthctl.isolation.sample_row import SampleRow, Values
from promthctl.isolation.sandbox import Actor, Sandbox
from promthctl.isolation.side_effects import SideEffects, not_tried
from promthctl.isolation.tables import ProbedCatalog, ProbedTable
from promthctl.isolation.verdicts import TableProof, is_closed, verdict

_VARIANTS = 40  # rows tried to meet a condition and its opposite


class _GivenAway(Exception):
    """A trigger gives new rows to someone else; str() says so."""


class ProofRun:
    """One run over all tables.

    public: table label → SQL condition on the rows that everyone may read. effects: no rows are made that set off what
    no rollback undoes; None to make them all.
    """

    def __init__(
        self, sandbox: Sandbox, catalog: ProbedCatalog, public: Mapping[str, str], effects: SideEffects | None = None
    ) -> None:
        self._sandbox, self._catalog, self._public, self._effects = sandbox, catalog, public, effects
        self._ownerships = ownership.find_ownerships(catalog)
        self._maker = RowMaker(sandbox, catalog, self._ownerships, effects)
        self.users: tuple[str, ...] = ()  # the owner, the other and a third, once they are made

    @property
    def maker(self) -> RowMaker:
        """It knows how a row of each table is made, once they were tried."""
        return self._maker

    def run(self, deadline: float) -> Iterator[TableProof]:
        """Each exposed table, parents first. deadline: of time.monotonic(). Raises psycopg.Error."""
        try:
            one, two, three = (self._maker.user() for _ in range(3))
        except RowNotMade as error:
            for table in self._catalog.exposed:
                yield verdict(table, (), f"no user can be created in auth.users: {error}", True, False)
            return
        self._users = (one, two)
        self._maker.third = three
        self.users = (one, two, three)
        self._actors = Actors(
            Actor("anon", "anon"),
            Actor("owner", "authenticated", one),
            Actor("other", "authenticated", two),
            Actor("service_role", "service_role"),
        )
        ordered = _parents_first(self._catalog)
        for table in ordered:
            if not self._ownerships[table.oid].known:
                self._find_membership_table(table)
        for table in ordered:
            if not table.exposed:
                continue
            if time.monotonic() > deadline:
                yield verdict(table, (), "the time ran out before it was tried", True, False)
            elif table.kind == "f":
                yield verdict(table, (), "", True, False)
            elif self._effects and (reason := not_tried(self._effects.of(table))):
                yield verdict(table, (), reason, True, False)
            else:
                yield self._prove_table(table)

    @contextmanager
    def _undone_afterwards(self) -> Iterator[None]:
        """Rows made inside are gone afterwards."""
        present = dict(self._maker.present)
        try:
            with self._sandbox.stage():
                yield
        finally:
            self._maker.present = present

    def _find_membership_table(self, table: ProbedTable) -> None:
        """Find out whether the table's rows belong to groups: only a user with a membership sees the row."""
        for membership_table in ownership.membership_tables(self._catalog, self._ownerships, table):
            with self._undone_afterwards():
                try:
                    mine, _ = (self._maker.row(table, user) for user in self._users)
                    for user in self._users:
                        self._maker.row(membership_table, user)
                    mine = self._maker.reread(mine)
                except RowNotMade:
                    continue
                self._sandbox.mark()
                read = sql.SQL("select 1 from {} where {}").format(table.identifier, mine.where)
                seen = [self._sandbox.attempt(who, read).rows for who in (self._actors.owner, self._actors.other)]
            if seen == [1, 0]:
                self._maker.membership_tables[table.oid] = membership_table
                self._ownerships = ownership.with_group(self._ownerships, self._catalog, table.oid)
                self._maker.ownerships = self._ownerships
                return

    def _prove_table(self, table: ProbedTable) -> TableProof:
        own, membership_table = self._ownerships[table.oid], self._maker.membership_tables.get(table.oid)
        membership_tables = (membership_table, *(self._maker.membership_tables.get(key.target) for key in own.links))
        shared = next((each for each in membership_tables if each), None)
        owned = own.known or membership_table is not None
        declared = table.label in self._public
        try:
            trial = self._try_table(table, owned, shared is not None)
        except RowNotMade as error:
            return verdict(table, (), f"no row can be made: {error}", owned, declared)
        except _GivenAway as error:
            return TableProof(table.label, "failed", str(error))
        reason = trial.stopped or (f"not tried with another user's {', '.join(self._untried)}" if self._untried else "")
        proof = verdict(table, tuple(trial.attempts), reason, owned, declared)
        if shared and proof.state == "proven":
            note = f"shared through {shared.label}: members reach it, others do not; roles among members were not tried"
            return TableProof(proof.table, proof.state, note, proof.attempts)
        return proof

    def _try_table(self, table: ProbedTable, owned: bool, relaxed: bool) -> TableTrial:
        """Every attempt on the table. Raises RowNotMade, _GivenAway, psycopg.Error."""
        for user in self._users:
            self._maker.parents(table, user)
        standing = [row for user in self._users if (row := self._maker.present.get((table.oid, user)))]
        with self._undone_afterwards():  # find out which rows the table accepts
            a, b = (self._maker.row(table, user) for user in self._users)
        with self._undone_afterwards():
            self._remove(*(row for row in (a, b) if row.found or row in standing))
            owner_columns = self._owner_columns(a, b)
            if self._ownerships[table.oid].identity and not owner_columns:
                raise _GivenAway("a trigger gives a new row to someone other than the user it was made for")
            trial = TableTrial(self._sandbox, self._actors, a, b, owner_columns, relaxed, is_closed(table))
            with self._undone_afterwards():
                self._sandbox.mark()
                trial.inserts(owned)
            variants = self._variants(a)
            for public, given in variants.items():
                with self._undone_afterwards():
                    trial.a = self._insert_owner_row(table, given)
                    self._sandbox.mark()
                    what = "a public row" if public else "another user's row" if owned else "a row"
                    trial.reads(public, owned, what)
                    if public and len(variants) > 1:
                        trial.attack(what)
                    else:
                        trial.writes(owned, what)
                        if owned and not public and table.primary_key:
                            trial.loops()
        return trial

    def _remove(self, *rows: SampleRow) -> None:
        """Delete rows that the made users have already, so that everyone starts without any."""
        for row in rows:
            try:
                self._sandbox.run(sql.SQL("delete from {} where {}").format(row.table.identifier, row.where))
            except psycopg.Error as error:
                raise RowNotMade(f"a row that is there already cannot be removed: {error}") from error
            self._maker.present.pop((row.table.oid, row.user), None)

    def _insert_owner_row(self, table: ProbedTable, given: Values) -> SampleRow:
        """Insert the owner's row, and the membership that makes it theirs. Raises RowNotMade."""
        user = self._users[0]
        try:
            row = self._maker.insert(table, user, given)
            self._maker.present[table.oid, user] = row
            if membership_table := self._maker.membership_tables.get(table.oid):
                self._maker.row(membership_table, user)
                row = self._maker.reread(row)
        except psycopg.Error as error:
            raise RowNotMade(str(error).partition("\n")[0]) from error
        return row

    def _owner_columns(self, a: SampleRow, b: SampleRow) -> list[OwnerColumns]:
        """The columns that make row a the owner's and row b the other user's."""
        own = self._ownerships[a.table.oid]
        mine, theirs = self._users
        names = [name for name in own.identity if a.values[name] == mine and b.values[name] == theirs]
        owner_columns = []
        self._untried: list[str] = []
        if names:
            owner_columns.append(
                OwnerColumns(", ".join(names), dict.fromkeys(names, mine), dict.fromkeys(names, theirs))
            )
        for key in own.links:
            columns = [name for name in key.columns if name not in own.identity]
            held = [(a.values[name], b.values[name]) for name in columns]
            if not columns or self._open_parent(key.target):
                continue
            if any(None in pair or pair[0] == pair[1] for pair in held):
                self._untried.append(", ".join(columns))
                continue
            owner_columns.append(
                OwnerColumns(", ".join(columns), {n: a.values[n] for n in columns}, {n: b.values[n] for n in columns})
            )
        return owner_columns

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
            raise RowNotMade(f"the condition that declares it public cannot be evaluated: {error}") from error

    def _variants(self, a: SampleRow) -> dict[bool, Values]:
        """What to give a row that is private (False) and, where the table has any, one that is public (True)."""
        condition = self._public.get(a.table.label)
        if condition is None:
            return {False: a.given}
        free = [
            c for c in a.table.columns if c.name in condition and not c.generated and c.name not in a.table.primary_key
        ]
        options: list[list[str | None]] = [
            [a.values[c.name], *candidate_values(c, (condition,), "abcdef0123456789"), *([] if c.not_null else [None])]
            for c in free
        ]
        found: dict[bool, Values] = {}
        for chosen in nearest_combinations(options, _VARIANTS):
            given = {**a.given, **dict(zip((c.name for c in free), chosen, strict=True))}
            with self._undone_afterwards():
                try:
                    row = self._maker.insert(a.table, a.user, given)
                except (RowNotMade, psycopg.Error):
                    continue
                found.setdefault(self._meets(row, condition), given)
            if len(found) == 2:
                break
        if True not in found:
            raise RowNotMade(f"none was found that is public: {condition}")
        return dict(sorted(found.items()))


def _parents_first(catalog: ProbedCatalog) -> list[ProbedTable]:
    ordered: dict[int, ProbedTable] = {}
    visited: set[int] = set()

    def visit(table: ProbedTable) -> None:
        if table.oid not in visited:
            visited.add(table.oid)
            for key in table.foreign_keys:
                if key.target in catalog.tables:
                    visit(catalog.tables[key.target])
            ordered[table.oid] = table

    for table in catalog.exposed:
        visit(table)
    return list(ordered.values())
