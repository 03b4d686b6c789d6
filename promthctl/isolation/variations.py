"""Which rows to try: for every alternative of a policy, and every view, the values that could make it true.

The values of one alternative's columns are combined. Where there are too many combinations, PostgreSQL is asked, as a
stranger, for which of them the alternative is true; besides, every value is tried alone.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from promthctl.isolation.column_values import nearest_combinations
from promthctl.isolation.conditions import Alternative
from promthctl.isolation.interesting_values import interesting_values
from promthctl.isolation.policy_reading import Column, Comparison, PolicyReader, Reading
from promthctl.isolation.sample_row import SampleRow, literal
from promthctl.isolation.sandbox import Actor, Sandbox, email
from promthctl.isolation.tables import CLIENT_ROLES, Policy, ProbedCatalog, ProbedTable, ProbedView

_TEXT = re.compile(r"'((?:[^']|'')*)'")
_COMBINED = 48  # rows of one alternative that are made
_ASKED = 20_000  # rows of one alternative that PostgreSQL is asked about without making them
_FOUND = 8  # of those for which it is true
_MOST = 320  # rows of a table

Changes = tuple[tuple[Column, str | None], ...]


@dataclass(frozen=True)
class Part:
    """One alternative of one expression of a policy, or a view. for_new_rows: of `with check`."""

    policy: Policy | None
    alternative: Alternative
    reading: Reading
    for_new_rows: bool = False
    view: ProbedView | None = None

    def serves(self, verb: str) -> bool:
        """Whether it is asked when the verb is tried."""
        if self.policy is None:
            return False
        command = {"move": "UPDATE", "give": "UPDATE"}.get(verb, verb.upper())
        return self.policy.command in (command, "ALL") and self.for_new_rows == (verb in ("insert", "give"))


def parts_of(table: ProbedTable, views: Sequence[ProbedView], reader: PolicyReader) -> list[Part]:
    """Everything that decides who reaches a row of the table, apart from restrictive policies."""
    found: list[Part] = []
    for policy in table.policies:
        if not policy.permissive or not policy.roles & {*CLIENT_ROLES}:
            continue
        if policy.command != "INSERT":
            found += _parts(table, policy, policy.using, False, reader)
        if policy.command != "SELECT" and policy.command != "DELETE":
            check = policy.check or policy.using  # without a check, new rows have to pass what old ones do
            found += _parts(table, policy, check, True, reader)
    for view in views:
        reading = Reading()
        reader.read_view(view.definition, reading)
        found.append(Part(None, Alternative("true", "plain", "true"), reading, view=view))
    return found


def _parts(
    table: ProbedTable, policy: Policy, expression: str | None, new: bool, reader: PolicyReader
) -> Iterator[Part]:
    for one in reader.alternatives(expression):
        yield Part(policy, one, reader.read(one.text, table), new)


def restrictions_of(table: ProbedTable, reader: PolicyReader) -> Reading:
    """What the restrictive policies ask about."""
    reading = Reading()
    for policy in table.policies:
        if not policy.permissive:
            for text in (policy.using, policy.check):
                if text:
                    reader.read_into(reading, text, table)
    return reading


class VariationMaker:
    """Finds the changes to try. settable: for the columns of other tables, whether their rows are there to be changed.

    identity: columns of the table that name the owner, which can only become null.
    """

    def __init__(
        self, sandbox: Sandbox, catalog: ProbedCatalog, a: SampleRow, stranger: Actor, identity: frozenset[str]
    ) -> None:
        self._sandbox, self._catalog, self._a, self._stranger, self._identity = sandbox, catalog, a, stranger, identity

    def changes(self, parts: Sequence[Part], restrictions: Reading, settable: frozenset[int]) -> list[Changes]:
        """Different changes, those of few columns first."""
        found: dict[Changes, None] = {(): None}
        for part in parts:
            found.update(dict.fromkeys(self._of(part, restrictions, settable)))
        ordered = sorted(found, key=len)
        singles = [each for each in ordered if len(each) < 2]
        return [*singles, *(each for each in ordered if len(each) > 1)][:_MOST]

    def _of(self, part: Part, restrictions: Reading, settable: frozenset[int]) -> Iterator[Changes]:
        choices: dict[Column, list[str | None]] = {}
        for reading in (part.reading, restrictions):
            for column, comparisons in reading.columns.items():
                if column not in choices and (values := self._values(column, comparisons, settable)):
                    choices[column] = [*self._own_words(column, reading), *values]
        for column, values in choices.items():
            yield from (((column, value),) for value in values)
        kept: list[list[tuple[Column, str | None] | None]] = [
            [None, *((column, value) for value in values)] for column, values in choices.items()
        ]
        if math.prod(map(len, kept)) > _COMBINED:
            yield from self._asked(part, choices)
        for chosen in nearest_combinations(kept, _COMBINED):
            yield tuple(each for each in chosen if each is not None)

    def _values(self, column: Column, comparisons: Sequence[Comparison], settable: frozenset[int]) -> list[str | None]:
        oid, name = column
        table = self._catalog.tables.get(oid)
        if table is None or name not in table.column or not (oid == self._a.table.oid or oid in settable):
            return []
        probed = table.column[name]
        if probed.generated or probed.identity == "a":
            return []
        keys = {each for key in table.foreign_keys for each in key.columns}
        own = oid == self._a.table.oid
        if (own and name in self._identity) or name in keys:
            return [None] if own and not probed.not_null and name not in table.primary_key else []
        if name in table.primary_key and own:
            return []
        listed = [text for check in table.checks if name in check.columns for text in _TEXT.findall(check.definition)]
        return interesting_values(probed, [*comparisons, Comparison(strings=tuple(listed))])

    def _own_words(self, column: Column, reading: Reading) -> list[str | None]:
        """What makes the row the owner's, where a policy finds the caller in a text of it, such as a path."""
        oid, name = column
        user = self._a.user
        if column not in reading.callers or oid != self._a.table.oid or self._a.table.column[name].type.name != "text":
            return []
        return [email(user)] if reading.callers[column] == "email" else [user, f"{user}/x", f"x/{user}/x"]

    def _asked(self, part: Part, choices: Mapping[Column, Sequence[str | None]]) -> Iterator[Changes]:
        """The combinations for which PostgreSQL says, asked as a stranger, that the alternative is true."""
        table = self._a.table
        own = {column[1]: list(values) for column, values in choices.items() if column[0] == table.oid}
        while own and math.prod(len(values) + 1 for values in own.values()) > _ASKED:
            longest = max(own, key=lambda name: len(own[name]))
            own[longest].pop()
        if not own or part.view is not None:
            return
        options = {name: [self._a.values[name], *values] for name, values in own.items()}
        sources = [
            sql.SQL("(values {}) {} (place, value)").format(
                sql.SQL(", ").join(
                    sql.SQL("({}, {})").format(place, literal(table, name, value)) for place, value in enumerate(values)
                ),
                sql.Identifier(f"choice_{number}"),
            )
            for number, (name, values) in enumerate(options.items())
        ]
        numbers = {name: number for number, name in enumerate(options)}
        row = sql.SQL(", ").join(
            sql.SQL("{} as {}").format(
                sql.Identifier(f"choice_{numbers[column.name]}", "value")
                if column.name in numbers
                else literal(table, column.name, self._a.values[column.name]),
                sql.Identifier(column.name),
            )
            for column in table.columns
        )
        places = [sql.Identifier(f"choice_{number}", "place") for number in numbers.values()]
        statement = sql.SQL("select {} from {}, lateral (select {}) {} where ({}) order by {} limit {}").format(
            sql.SQL(", ").join(places), sql.SQL(", ").join(sources), row, sql.Identifier(table.name),
            sql.SQL(part.alternative.text), sql.SQL(" + ").join(places), _FOUND,
        )  # fmt: skip
        try:
            found = self._sandbox.ask(self._stranger, statement)
        except psycopg.Error:
            return
        for chosen in found:
            pairs = zip(options.items(), chosen, strict=True)
            yield tuple(((table.oid, name), values[place]) for (name, values), place in pairs if place)


def several(changes: Changes) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The changes by table."""
    for oid, each in itertools.groupby(sorted(changes, key=lambda one: one[0][0]), key=lambda one: one[0][0]):
        yield oid, {column[1]: value for column, value in each}
