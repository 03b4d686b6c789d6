"""What a plan says of each statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["creates", "alters", "drops", "writes", "runs", "sets", "unparsed"]
RiskKind = Literal["destroys", "unparsed", "security", "not_analysed", "rewrites", "locks"]


@dataclass(frozen=True)
class Rows:
    """A number of rows. exact: counted just now; else the planner's estimate, or a part that could not be counted."""

    count: int
    exact: bool


def total(parts: Iterable[Rows | None]) -> Rows | None:
    """The sum; None stands for what nobody knows, and makes the sum inexact. None when all are unknown."""
    known, exact = [], True
    for part in parts:
        if part is not None:
            known.append(part.count)
        exact = exact and part is not None and part.exact
    return Rows(sum(known), exact) if known or exact else None


@dataclass(frozen=True)
class Risk:
    """What somebody should know of before a statement runs.

    kind: destroys (data is lost), unparsed (pglast cannot read it, so nobody can tell), security (a protection goes),
    not_analysed (its effects are decided when it runs), rewrites (a table, under ACCESS EXCLUSIVE), locks (a lock that
    stops writers or readers, until the end of the migration).
    object: what it happens to, e.g. public.messages or public.messages.title. what: the same as a phrase.
    rows: at risk in the target, or those a rewrite or a scan goes through. lock: PostgreSQL's name of its mode.
    brief: the lock is needed for an instant, not for a scan. cascades: what else goes, by the statement's CASCADE.
    """

    kind: RiskKind
    object: str
    what: str
    rows: Rows | None = None
    lock: str | None = None
    brief: bool = False
    cascades: tuple[str, ...] = ()


@dataclass(frozen=True)
class Statement:
    """A statement of a pending migration. line: from 1, where its first word stands.

    kind: what its first word makes of it. object: what it is about, as it is written there. Literals are left out of
    both: they may be secrets.
    """

    file: str
    line: int
    kind: Kind
    object: str
    risks: tuple[Risk, ...] = ()

    @property
    def destructive(self) -> bool:
        """True when it destroys data, or when nobody can tell because it cannot be read."""
        return any(risk.kind in ("destroys", "unparsed") for risk in self.risks)
