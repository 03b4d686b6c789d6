"""In which order tables are tried, and which of them together: parents first, and none with its parents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from promthctl.isolation.tables import ProbedCatalog, ProbedTable

_TOGETHER = 32  # tables; what is tried on that many is one message of at most some megabytes


def waves(
    catalog: ProbedCatalog, membership_tables: Mapping[int, ProbedTable], together: int = _TOGETHER
) -> Iterator[list[ProbedTable]]:
    """The exposed tables and those that their rows refer to. A table in a circle of references is a wave of its own.

    membership_tables: by the oid of a table, the one whose rows are made with its rows.
    """
    depths: dict[int, int] = {}
    circular: set[int] = set()

    def visit(table: ProbedTable, below: tuple[int, ...]) -> int:
        if table.oid in below:
            circular.update(below[below.index(table.oid) :])
            return 0
        if table.oid not in depths:
            needed = {key.target for key in table.foreign_keys if key.target != table.oid}
            needed |= {membership_tables[oid].oid for oid in needed if oid in membership_tables} - {table.oid}
            path = (*below, table.oid)
            found = [visit(catalog.tables[oid], path) for oid in sorted(needed) if oid in catalog.tables]
            depths[table.oid] = 1 + max(found, default=0)
        return depths[table.oid]

    for table in catalog.exposed:
        visit(table, ())
    for depth in sorted({*depths.values()}):
        level = [table for table in catalog.tables.values() if depths.get(table.oid) == depth]
        yield from ([table] for table in level if table.oid in circular)
        rest = [table for table in level if table.oid not in circular]
        yield from (rest[start : start + together] for start in range(0, len(rest), together))
