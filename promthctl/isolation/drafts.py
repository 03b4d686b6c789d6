"""A row that is not accepted yet: what it holds, and what else its columns could hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from promthctl.isolation.column_values import candidate_values
from promthctl.isolation.sample_row import Values
from promthctl.isolation.tables import CheckConstraint, ColumnType, ProbedTable


@dataclass
class Draft:
    """A row that is not accepted yet. fixed: the values that are possible in columns that are not free, best first."""

    table: ProbedTable
    fixed: Mapping[str, Sequence[str | None]]
    token: str
    chosen: Values = field(default_factory=dict)
    series: dict[str, Iterator[tuple[str | None, ...]]] = field(default_factory=dict)
    fresh: dict[str, int] = field(default_factory=dict)
    rotation: Iterator[Values] | None = None
    violated: CheckConstraint | None = None  # the last one
    narrow: Mapping[str, ColumnType] = field(default_factory=dict)  # the smallest integers that refer to a column


def about(table: ProbedTable, column: str) -> list[str]:
    return [check.definition for check in table.checks if column in check.columns]


def options_of(draft: Draft, name: str, fresh: bool = False) -> list[str | None]:
    column = draft.table.column[name]
    column = replace(column, type=draft.narrow.get(name, column.type))
    unique = column.sequence or any(name in index.columns for index in draft.table.uniques)
    return [*candidate_values(column, about(draft.table, name), draft.token, fresh or unique)]


def is_free(draft: Draft, name: str) -> bool:
    """True if the draft may hold another value there."""
    column = draft.table.column[name]
    return not column.generated and len(draft.fixed.get(name, ("", ""))) > 1


def rotations(draft: Draft) -> Iterator[Values]:
    """For an error that names no column: fill every column, then try other values, one column at a time."""
    free = [column for column in draft.table.columns if column.name not in draft.fixed and not column.generated]
    yield {c.name: options_of(draft, c.name)[0] for c in free if c.name not in draft.chosen and c.default is None}
    for column in free:
        for value in options_of(draft, column.name)[1:4]:
            yield {column.name: value}
