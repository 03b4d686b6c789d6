"""The target as the earlier statements of the plan leave it: what a name stands for at some point of the plan.

A table that the plan itself makes has no rows to lose and nobody who waits for its locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promthctl.push.risks.catalog import Catalog, Column, Relation


@dataclass
class Table:
    """A table, view, index or sequence. there: what it is in the target, None when the plan makes it.

    added: columns that the plan adds to it. renamed: a column's new name → its name in the target. unchecked: CHECK
    constraints that are not valid yet and say of a column that it is not null. never_null: columns of which a valid
    one does.
    """

    schema: str
    name: str
    there: Relation | None = None
    added: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    unchecked: dict[str, str] = field(default_factory=dict)
    never_null: set[str] = field(default_factory=set)

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


class Scene:
    """path: the schemas in which a name without one is looked for. maybe: the statement at hand may not run at all."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.path: Sequence[str] = catalog.path
        self.maybe = False

    @cached_property
    def _tables(self) -> dict[tuple[str, str], Table]:
        return {(found.schema, found.name): Table(found.schema, found.name, found) for found in self.catalog.relations}

    @cached_property
    def _by_oid(self) -> dict[int, Table]:
        return {table.there.oid: table for table in self._tables.values() if table.there}

    def find(self, *names: str | None) -> Table | None:
        """What a name, perhaps with its schema before it, stands for; None when there is no such thing."""
        *schema, name = (each for each in names if each)
        places = schema[-1:] or ["pg_temp", *self.path]
        return next((table for place in places if (table := self._tables.get((place, name)))), None)

    def of(self, variable: Any) -> Table | None:
        """What a RangeVar stands for."""
        return self.find(variable.schemaname, variable.relname)

    def by_oid(self, oid: int) -> Table | None:
        """A table of the target, under its name of now."""
        return self._by_oid.get(oid)

    def in_schema(self, schema: str) -> list[Table]:
        return [table for (where, _), table in self._tables.items() if where == schema]

    def create(self, variable: Any, default_schema: str | None = None) -> None:
        """A RangeVar is made, unless it is there: that would be an error, or an IF NOT EXISTS."""
        schema = variable.schemaname or default_schema or next(iter(self.path), "public")
        self.create_named("pg_temp" if variable.relpersistence == "t" else schema, variable.relname)

    def create_named(self, schema: str, name: str) -> None:
        self._tables.setdefault((schema, name), Table(schema, name))

    def drop(self, table: Table) -> None:
        if not self.maybe:
            self._tables.pop((table.schema, table.name), None)

    def move(self, table: Table, schema: str, name: str) -> None:
        """A new name, or another schema. One that may stay where it is has both names from now on."""
        self.drop(table)
        self._tables[(schema, name)] = table
        if not self.maybe:
            table.schema, table.name = schema, name

    def column(self, table: Table, name: str) -> Column | None:
        """A column as it is in the target; None when the plan adds it, or when it is not there."""
        if table.there is None or name in table.added:
            return None
        return self.catalog.columns(table.there.oid).get(table.renamed.get(name, name))
