"""The risks of PostgreSQL's table locks: brief, for as long as a scan takes, or for a rewrite of the whole table."""

from __future__ import annotations

from promthctl.push.risks.model import Risk
from promthctl.push.risks.name_resolution import NameResolution, PlannedTable
from promthctl.push.risks.rules import LOCKS_BRIEFLY, Rule

# PostgreSQL's names of the modes that stop writers. Source: src/include/storage/lockdefs.h.
ACCESS_EXCLUSIVE, EXCLUSIVE = "ACCESS EXCLUSIVE", "EXCLUSIVE"
SHARE_ROW_EXCLUSIVE, SHARE = "SHARE ROW EXCLUSIVE", "SHARE"


def scan_lock(
    rule: Rule,
    resolution: NameResolution,
    table: PlannedTable,
    why: str,
    mode: str = ACCESS_EXCLUSIVE,
    blocked: str | None = None,
) -> Risk:
    """A lock that lasts as long as a scan of the table. why: what is done meanwhile. blocked: None: by its mode."""
    assert table.relation
    blocked = blocked or ("reads and writes" if mode == ACCESS_EXCLUSIVE else "writes")
    what = f"locks {table.label} against {blocked}: {why}"
    return rule.risk(table.label, what, resolution.catalog.size(table.relation), lock=mode)


def brief_lock(table: PlannedTable, mode: str = ACCESS_EXCLUSIVE) -> Risk:
    """A lock for something that takes no time; it waits for everybody who uses the table, and others wait behind it."""
    return LOCKS_BRIEFLY.risk(table.label, f"locks {table.label} for an instant", lock=mode, brief=True)


def table_rewrite(rule: Rule, resolution: NameResolution, table: PlannedTable, why: str) -> Risk:
    """A lock against everybody while the whole table is written again. why: what makes it necessary."""
    assert table.relation
    what = f"rewrites {table.label}: {why}"
    return rule.risk(table.label, what, resolution.catalog.size(table.relation), lock=ACCESS_EXCLUSIVE)
