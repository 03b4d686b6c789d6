"""The rows that decide about another row: memberships, roles, settings, shares, whatever policies look up.

Of what is looked up by the caller's id, the owner of the row gets one; another user only where it ties them to a group
of their own, so that a member, or an admin, of another group is a stranger. What is looked up without naming the
caller exists once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from promthctl.isolation.interesting_values import interesting_values
from promthctl.isolation.ownership import Ownership
from promthctl.isolation.policy_reading import Column, Comparison
from promthctl.isolation.row_maker import RowMaker, RowNotMade
from promthctl.isolation.sample_row import SampleRow, Values, assignments, insertion
from promthctl.isolation.sandbox import Actor, Sandbox, email, signed_in
from promthctl.isolation.side_effects import SideEffects, not_tried
from promthctl.isolation.tables import ProbedCatalog, ProbedTable
from promthctl.isolation.variations import Part

_SELF_MADE = 6  # values that a stranger tries to give themselves, in one column


class Surroundings:
    """The rows around the row of one table.

    users: the owner's id and the other's. effects: rows that set off what no rollback undoes are left alone; None to
    change them all.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        catalog: ProbedCatalog,
        maker: RowMaker,
        ownerships: Mapping[int, Ownership],
        users: tuple[str, str],
        effects: SideEffects | None,
    ) -> None:
        self._sandbox, self._catalog, self._maker, self._users = sandbox, catalog, maker, users
        self._ownerships, self._effects = ownerships, effects

    def standing(self, table: ProbedTable, a: SampleRow) -> bool:
        """Whether the owner's row is there already, because another refers to it."""
        return (table.oid, a.user) in self._maker.present and bool(table.primary_key)

    def signing_in(self, table: ProbedTable, user: str) -> list[str]:
        """What has to be said before a row of the table can be made for the user."""
        return [self._text(signed_in(user))] if table.oid in self._maker.signed_in else []

    def settable(self, table: ProbedTable, a: SampleRow) -> dict[int, list[SampleRow]]:
        """By table, the rows that may be changed: the owner's, and the other user's in their own group."""
        found: dict[int, list[SampleRow]] = {}
        for (oid, user), row in self._maker.present.items():
            if oid == table.oid or not row.table.primary_key or self._spared(row.table):
                continue
            if user == a.user or (user == self._users[1] and self._in_group(row.table, table)):
                found.setdefault(oid, []).append(row)
        return found

    @contextmanager
    def made(self, table: ProbedTable, a: SampleRow, tables: Sequence[int], parts: Sequence[Part]) -> Iterator[bool]:
        """Make what is looked up in `tables`; whether anything was made. All of it is gone afterwards."""
        present = dict(self._maker.present)
        with self._sandbox.stage():
            try:
                for oid in tables:
                    looked_up = self._catalog.tables.get(oid)
                    if looked_up and looked_up is not table and looked_up is not self._catalog.users:
                        self._make(looked_up, table, a, parts)
                yield self._maker.present.keys() != present.keys()
            finally:
                self._maker.present = present

    def _make(self, looked_up: ProbedTable, table: ProbedTable, a: SampleRow, parts: Sequence[Part]) -> None:
        users = [a.user, *([self._users[1]] if self._in_group(looked_up, table) else ())]
        for user in users:
            if (looked_up.oid, user) in self._maker.present:
                continue
            try:
                row = self._maker.row(looked_up, user)
            except RowNotMade:
                continue
            values = self._glue(row, a, parts) if user == a.user else {}
            if values and row.table.primary_key:
                self._change(row, values)

    def _change(self, row: SampleRow, values: Values) -> None:
        statement = sql.SQL("update {} set {} where {}").format(
            row.table.identifier, assignments(row.table, values), row.keyed
        )
        try:
            self._sandbox.run(statement)
            self._maker.present[row.table.oid, row.user] = self._maker.reread(row)
        except (psycopg.Error, RowNotMade):
            return

    def _glue(self, row: SampleRow, a: SampleRow, parts: Sequence[Part]) -> Values:
        """The values that tie a looked-up row to the caller and to row a, where no foreign key does."""
        keys = {name for key in row.table.foreign_keys for name in key.columns}
        found: Values = {}
        for part in parts:
            for (oid, name), who in part.reading.callers.items():
                if oid == row.table.oid and name not in keys:
                    found[name] = row.user if who == "id" else email(row.user)
            for pair in part.reading.joins:
                for (oid, name), (other, theirs) in (pair, pair[::-1]):
                    if oid == row.table.oid and other == a.table.oid and name not in keys:
                        found.setdefault(name, a.values.get(theirs))
        return {
            name: value
            for name, value in found.items()
            if value is not None and row.values.get(name) != value and not row.table.column[name].generated
            and name not in row.table.primary_key
        }  # fmt: skip

    def self_made(
        self, table: ProbedTable, a: SampleRow, parts: Sequence[Part], other: Actor
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        """What the other user could do to get in: give themselves a role, a flag or a membership.

        (in words, SQL before, SQL of the other user). They do it with the rights they have; mostly it is refused.
        """
        columns: dict[Column, list[Comparison]] = {}
        tables: dict[int, None] = {}
        for part in parts:
            columns.update(part.reading.columns)
            tables.update({oid: None for oid, _ in part.reading.callers})
        users = self._catalog.users
        for column, comparisons in columns.items():
            if (
                users
                and not self._spared(users)
                and column == (users.oid, "raw_user_meta_data")
                and column[1] in users.column
            ):
                for value in interesting_values(users.column[column[1]], comparisons)[:_SELF_MADE]:
                    statement = sql.SQL("update {} set {} where id = {}").format(
                        users.identifier, assignments(users, {column[1]: value}), other.user
                    )
                    yield f"they set their own user_metadata to {value}", [self._text(statement)], []
        for oid in tables:
            looked_up = self._catalog.tables.get(oid)
            if looked_up is None or oid == table.oid or looked_up is users or self._spared(looked_up):
                continue
            own = self._ownerships[oid].identity
            changes = [
                (name, value)
                for (its, name), comparisons in columns.items()
                if its == oid and name not in own and name in looked_up.column
                and not any(name in key.columns for key in looked_up.foreign_keys)
                for value in interesting_values(looked_up.column[name], comparisons)[:_SELF_MADE]
            ]  # fmt: skip
            yield from self._promotions(looked_up, a, changes)

    def _promotions(
        self, looked_up: ProbedTable, a: SampleRow, changes: Sequence[tuple[str, str | None]]
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        stranger = self._users[1]
        present = dict(self._maker.present)
        standing = (looked_up.oid, stranger) in present
        try:
            with self._sandbox.stage():
                row = self._maker.row(looked_up, stranger)
        except (RowNotMade, psycopg.Error):
            return
        finally:
            self._maker.present = present
        name = looked_up.identifier
        if looked_up.lets("authenticated", "UPDATE") and looked_up.primary_key:
            place = [] if standing or row.found else [self._text(insertion(looked_up, row.given))]
            for column, value in changes:
                act = sql.SQL("update {} set {} where {}").format(
                    name, assignments(looked_up, {column: value}), row.keyed
                )
                yield f"they set {looked_up.label}.{column} to {value} themselves", place, [self._text(act)]
        if looked_up.lets("authenticated", "INSERT") and not standing and not row.found:
            joined = self._owners_group(looked_up, a)
            for column, value in changes or [("", None)]:
                given = {**row.given, **joined, **({column: value} if column else {})}
                told = f" with {column} = {value}" if column else ""
                yield (
                    f"they insert a row into {looked_up.label}{told} themselves",
                    [],
                    [self._text(insertion(looked_up, given))],
                )

    def _owners_group(self, looked_up: ProbedTable, a: SampleRow) -> Values:
        """The owner's group in the columns that refer to it."""
        found: Values = {}
        for key in looked_up.foreign_keys:
            row = a if key.target == a.table.oid else self._maker.present.get((key.target, a.user))
            if row and not set(key.columns) & {*self._ownerships[looked_up.oid].identity}:
                found |= {n: row.values[t] for n, t in zip(key.columns, key.target_columns, strict=True)}
        return found

    def _spared(self, table: ProbedTable) -> bool:
        """Whether writing to the table would set off what no rollback undoes."""
        return self._effects is not None and bool(not_tried(self._effects.of(table)))

    def _in_group(self, looked_up: ProbedTable, table: ProbedTable) -> bool:
        """Whether its rows tie a user to what rows of `table` belong to, or to one of them."""
        own = self._ownerships[looked_up.oid].identity
        if not own:
            return False
        groups = {table.oid, *self._above(table)}
        return any(
            key.target in groups and key.target != looked_up.oid and not set(key.columns) & {*own}
            for key in looked_up.foreign_keys
        )

    def _above(self, table: ProbedTable) -> set[int]:
        """The tables that it refers to, directly or not, without the users and their profiles."""
        found: set[int] = set()
        waiting = [table]
        while waiting:
            each = waiting.pop()
            own = {*self._ownerships[each.oid].identity} if each.oid in self._ownerships else set()
            for key in each.foreign_keys:
                target = self._catalog.tables.get(key.target)
                users = self._catalog.users
                if target and key.target not in found and target is not users and not set(key.columns) & own:
                    found.add(key.target)
                    waiting.append(target)
        return found

    def _text(self, statement: sql.Composable) -> str:
        return statement.as_string(self._sandbox.connection)
