"""What a plan says about each statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

StatementKind = Literal["creates", "alters", "drops", "writes", "runs", "sets", "unparsed"]
RiskKind = Literal["destroys", "unparsed", "security", "not_analysed", "rewrites", "locks"]


@dataclass(frozen=True)
class Rows:
    """A number of rows. exact: counted just now; otherwise an estimate, or a sum with a part that was not counted."""

    count: int
    exact: bool


def total(parts: Iterable[Rows | None]) -> Rows | None:
    """The sum; None stands for an unknown number, and makes the sum inexact. None when all are unknown."""
    known, exact = [], True
    for part in parts:
        if part is not None:
            known.append(part.count)
        exact = exact and part is not None and part.exact
    return Rows(sum(known), exact) if known or exact else None


@dataclass(frozen=True)
class Risk:
    """What somebody should know before a statement runs. Made by the rule with its id: see rules.py.

    id: stable, e.g. drops-column; docs/risks.md explains each.
    kind: destroys (data is lost), unparsed (it cannot be read, so nobody can tell what it does), security (a
    protection is removed), not_analysed (its effects are decided when it runs), rewrites (a table, under ACCESS
    EXCLUSIVE), locks (a lock that stops writers or readers until the end of the migration).
    object: what it happens to, e.g. public.messages or public.messages.title. what: the same as a phrase.
    rows: those at risk in the target, or those that a rewrite or a scan goes through. lock: PostgreSQL's name of its
    mode. brief: the lock is needed for an instant, not for a scan. cascades: what else goes by the statement's CASCADE.
    """

    id: str
    kind: RiskKind
    object: str
    what: str
    rows: Rows | None = None
    lock: str | None = None
    brief: bool = False
    cascades: tuple[str, ...] = ()

    @property
    def destructive(self) -> bool:
        """True when data is lost, or when nobody can tell because the statement cannot be read."""
        return self.kind in ("destroys", "unparsed")


@dataclass(frozen=True)
class PlannedStatement:
    """A statement of a pending migration. line: from 1, that of its first word.

    kind: the kind of action, by its first word. object: what it is about, as written in the statement. Literals are
    left out of both, since they may be secrets.
    """

    file: str
    line: int
    kind: StatementKind
    object: str
    risks: tuple[Risk, ...] = ()

    @property
    def destructive(self) -> bool:
        """True when one of its risks is."""
        return any(risk.destructive for risk in self.risks)
