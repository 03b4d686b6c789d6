"""What a name refers to at some point of the plan: the target as the earlier statements of the plan leave it.

A table that the plan itself creates has no rows to lose, and nobody waits for its locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from promthctl.push.risks.catalog import TargetCatalog, TargetColumn, TargetRelation


@dataclass
class PlannedTable:
    """A table, view, index or sequence, under the name it has at this point of the plan.

    relation: its row in the target's catalog; None when the plan creates it. added: columns that the plan adds to it.
    renamed: a column's new name → its name in the target. unchecked: CHECK constraints that are not validated yet → the
    column that they keep from being null. never_null: columns that a validated one keeps from being null.
    """

    schema: str
    name: str
    relation: TargetRelation | None = None
    added: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    unchecked: dict[str, str] = field(default_factory=dict)
    never_null: set[str] = field(default_factory=set)

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


class NameResolution:
    """The names of the target, changed by each statement of the plan in turn.

    path: the schemas in which an unqualified name is looked up. conditional: the current statement may not run at all.
    """

    def __init__(self, catalog: TargetCatalog) -> None:
        self.catalog = catalog
        self.path: Sequence[str] = catalog.path
        self.conditional = False

    @cached_property
    def _tables(self) -> dict[tuple[str, str], PlannedTable]:
        return {
            (found.schema, found.name): PlannedTable(found.schema, found.name, found)
            for found in self.catalog.relations
        }

    @cached_property
    def _by_oid(self) -> dict[int, PlannedTable]:
        return {table.relation.oid: table for table in self._tables.values() if table.relation}

    def lookup(self, *names: str | None) -> PlannedTable | None:
        """What a name, qualified with its schema or not, refers to; None if it does not exist."""
        *schema, name = (each for each in names if each)
        places = schema[-1:] or ["pg_temp", *self.path]
        return next((table for place in places if (table := self._tables.get((place, name)))), None)

    def table_of(self, variable: Any) -> PlannedTable | None:
        """What a RangeVar refers to."""
        return self.lookup(variable.schemaname, variable.relname)

    def by_oid(self, oid: int) -> PlannedTable | None:
        """A table of the target, under the name it has now."""
        return self._by_oid.get(oid)

    def in_schema(self, schema: str) -> list[PlannedTable]:
        return [table for (where, _), table in self._tables.items() if where == schema]

    def create(self, variable: Any, default_schema: str | None = None) -> None:
        """A RangeVar is created, unless it exists: that would be an error, or IF NOT EXISTS."""
        schema = variable.schemaname or default_schema or next(iter(self.path), "public")
        self.create_named("pg_temp" if variable.relpersistence == "t" else schema, variable.relname)

    def create_named(self, schema: str, name: str) -> None:
        self._tables.setdefault((schema, name), PlannedTable(schema, name))

    def drop(self, table: PlannedTable) -> None:
        if not self.conditional:
            self._tables.pop((table.schema, table.name), None)

    def move(self, table: PlannedTable, schema: str, name: str) -> None:
        """A new name or another schema; after a conditional statement the table is known under both names."""
        self.drop(table)
        self._tables[(schema, name)] = table
        if not self.conditional:
            table.schema, table.name = schema, name

    def column(self, table: PlannedTable, name: str) -> TargetColumn | None:
        """A column as it is in the target; None when the plan adds it, or when it does not exist."""
        if table.relation is None or name in table.added:
            return None
        return self.catalog.columns(table.relation.oid).get(table.renamed.get(name, name))
