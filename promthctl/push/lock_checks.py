"""The locks and rewrites that a plan predicts, beside those that were seen in the rehearsal.

A mismatch is a gap in promthctl's rules, not in the migration; both are told, the heavier one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from promthctl.push.risks import PlannedStatement
from promthctl.rehearsal import Rehearsal

_WEIGHT = {"SHARE": 1, "SHARE ROW EXCLUSIVE": 2, "EXCLUSIVE": 3, "ACCESS EXCLUSIVE": 4}


@dataclass(frozen=True)
class LockCheck:
    """A lock, or the rewrite of a table. state: confirmed, predicted (and not seen), or seen (and not predicted)."""

    file: str
    line: int
    object: str
    lock: str
    rewrite: bool
    state: Literal["confirmed", "predicted", "seen"]


def check_locks(statements: Iterable[PlannedStatement], found: Rehearsal | None) -> tuple[LockCheck, ...]:
    """Compare them, for the statements that ran in the rehearsal and the tables that it had.

    Not compared: several statements on one line, and those that drop what they lock.
    """
    if found is None or not found.tried:
        return ()
    return tuple(_checked(list(statements), found))


def _checked(statements: list[PlannedStatement], found: Rehearsal) -> Iterator[LockCheck]:
    from promthctl.push.risks.rules import FILLS_COLUMN

    lines = [(one.file, one.line) for one in statements]
    held: dict[tuple[str, str], int] = {}  # (file, table) → the weight of what the file holds on it so far
    for statement in statements:
        place = (statement.file, statement.line)
        if place not in found.watched or lines.count(place) > 1:
            continue
        seen = {one.object: one for one in found.locks if (one.file, one.line) == place}
        for label, one in seen.items():
            key = (statement.file, label)
            held[key] = max(held.get(key, 0), _WEIGHT[one.lock])
        predicted = {risk.object for risk in statement.risks}
        for risk in statement.risks:
            if risk.lock is None or risk.object not in found.tables or risk.lock not in _WEIGHT:
                continue
            rewrite = risk.kind == "rewrites" and risk.id != FILLS_COLUMN.id  # an UPDATE gives it no new file
            lock = seen.get(risk.object)
            right = held.get((statement.file, risk.object), 0) >= _WEIGHT[risk.lock]
            if rewrite:
                right = lock is not None and lock.rewritten
            yield LockCheck(*place, risk.object, risk.lock, rewrite, "confirmed" if right else "predicted")
        if any(risk.kind in ("destroys", "unparsed") for risk in statement.risks):
            continue
        for label, one in seen.items():
            if one.fresh and label not in predicted:
                yield LockCheck(*place, label, one.lock, one.rewritten, "seen")
