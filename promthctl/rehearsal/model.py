"""What a rehearsal tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FindingKind = Literal["destroys", "changes", "not_rehearsed", "opens", "fails"]


@dataclass(frozen=True)
class RowsAtRisk:
    """How many rows of the target; exact: counted just now, otherwise an estimate."""

    count: int
    exact: bool


@dataclass(frozen=True)
class Finding:
    """One effect of the pending migrations.

    kind: destroys (rows, values or a sequence's count are lost), changes (values are no longer what they were),
    not_rehearsed (it depends on what the rehearsal does not have), opens (somebody can read or write more), fails (the
    push would stop there). file, line: the statement; empty and 0 where no single one is to blame. object: what it
    happens to. what: the same as a phrase. rows: those at risk on the target; None where they were not counted.
    safe: the target was asked, and none of its rows is affected.
    """

    kind: FindingKind
    file: str
    line: int
    object: str
    what: str
    rows: RowsAtRisk | None = None
    safe: bool = False

    @property
    def destructive(self) -> bool:
        """True when data is lost or nobody can tell."""
        return self.kind in ("destroys", "changes", "not_rehearsed") and not self.safe


@dataclass(frozen=True)
class Drift:
    """Something that the target has otherwise than its migrations make. state: missing, extra or different there."""

    kind: str
    name: str
    state: str


@dataclass(frozen=True)
class SeenLock:
    """What a statement held, when it was done, on a table that was there before. lock: as SQL names its mode.

    fresh: it was not held by an earlier statement of the file. rewritten: the table got another file.
    """

    file: str
    line: int
    object: str
    lock: str
    fresh: bool
    rewritten: bool = False


@dataclass(frozen=True)
class Rehearsal:
    """What came of a rehearsal.

    tried: the pending files ran in the twin, up to where `unsure` says; otherwise unsure says why not. kept: the
    statements (file, line) whose data was found again elsewhere, so that what was said against them does not hold.
    unsure: what the twin lacks or cannot tell. drift: None where it was not looked for. judged: the statements that
    ran; watched: those whose locks were. locks: the heaviest on each table. tables: those that the target has; touched:
    those of them that the files use in any way, None where not all statements ran.
    """

    tried: bool
    findings: tuple[Finding, ...] = ()
    kept: frozenset[tuple[str, int]] = field(default=frozenset(), repr=False)
    judged: frozenset[tuple[str, int]] = field(default=frozenset(), repr=False)
    unsure: tuple[str, ...] = ()
    drift: tuple[Drift, ...] | None = None
    locks: tuple[SeenLock, ...] = field(default=(), repr=False)
    watched: frozenset[tuple[str, int]] = field(default=frozenset(), repr=False)
    tables: frozenset[str] = field(default=frozenset(), repr=False)
    touched: frozenset[str] | None = field(default=None, repr=False)

    @property
    def destructive(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.destructive)

    @property
    def failing(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.kind == "fails")


@dataclass(frozen=True)
class TriedFile:
    """A migration that ran on rows of the target, and how long it took there."""

    file: str
    seconds: float


@dataclass(frozen=True)
class DataRehearsal:
    """What came of running the pending files on a copy of the target's rows.

    tables, rows: how many were copied. sample: how many rows of each table were wanted, None for all. files: those that
    ran. failure: where it stopped. left_out: what was not copied, and why. unlike: what the copy's schema lacks.
    """

    tables: int
    rows: int
    sample: int | None
    files: tuple[TriedFile, ...]
    failure: Finding | None
    left_out: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
