"""What the attempts on a table amount to: proven, a leak, failed or not proven, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from promthctl.declarations import Declaration
from promthctl.isolation.findings import Finding
from promthctl.isolation.openings import Openings
from promthctl.isolation.outcomes import Attempt
from promthctl.isolation.tables import CLIENT_ROLES, ProbedTable

_NOBODY = "it has no owner column (a foreign key to auth.users)"

ProofState = Literal["proven", "leak", "failed", "not proven"]


@dataclass(frozen=True)
class TableProof:
    """One table.

    state: leak where somebody reaches what is not theirs; failed where a right that was given works for nobody.
    reason: why it is not proven; for a proven one a remark, usually empty. findings: what makes the state, in detail.
    """

    table: str
    state: ProofState
    reason: str
    attempts: tuple[Attempt, ...] = ()
    findings: tuple[Finding, ...] = ()


def is_closed(table: ProbedTable) -> bool:
    """True if clients are not meant to reach the table at all: grants or row level security let none of them in."""
    # A partition is reached through its parent, whose policies count; it should be closed to direct access.
    return not any(table.lets(role, p) for role in CLIENT_ROLES for p in ("SELECT", "INSERT", "UPDATE", "DELETE"))


def verdict(
    table: ProbedTable,
    attempts: tuple[Attempt, ...],
    reason: str,
    owned: bool,
    declared: bool,
    openings: Openings | None = None,
) -> TableProof:
    """What the attempts on a table, and those on other rows of it, amount to; or the reason why there are none."""
    opened = openings or Openings()

    def proof(state: ProofState, why: str, findings: Sequence[Finding] = ()) -> TableProof:
        return TableProof(table.label, state, why, attempts, tuple(findings))

    held = {p.lower(): None for p in ("SELECT", "INSERT", "UPDATE", "DELETE") for r in CLIENT_ROLES if table.may(r, p)}
    if not table.rls and held and not (declared and [*held] == ["select"]):
        roles = " and ".join(role for role in CLIENT_ROLES if any(table.may(role, p.upper()) for p in held))
        return proof("leak", f"row level security is off and {roles} may {', '.join(held)}")
    wrong = [attempt for attempt in attempts if not attempt.ok and not _settled(attempt, opened)]
    breaches = [attempt for attempt in wrong if _is_breach(attempt, owned, opened)]
    if leaks := [*opened.leaks, *(_finding(attempt) for attempt in breaches if _is_leak(attempt))]:
        if not owned and all(leak.allow and leak.allow.kind == "public" for leak in leaks):
            public = [replace(leak, severity="not proven") for leak in leaks]
            return proof("not proven", f"{_NOBODY}, and {_sentence(leaks[0])}", public)
        if not owned and not opened.seen and all(_adds_only(leak) for leak in leaks):
            added = [replace(leak, severity="not proven") for leak in leaks]
            return proof("not proven", f"{_NOBODY}, and {_sentence(leaks[0])}, who reads and changes none", added)
        more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
        return proof("leak", f"{_sentence(leaks[0])}{more}", leaks)
    if breaches:
        return proof("failed", _description(breaches))
    if not held and not attempts:  # nothing has to be tried: PostgreSQL's own list of rights is the observation
        return proof("proven", "server only: anon and authenticated have no rights on it")
    if reason or opened.stopped:
        return proof("not proven", reason or opened.stopped)
    if wrong:
        return proof("not proven", _description(wrong))
    if is_closed(table) or (opened.hidden and not opened.owner and table.rls and not owned):
        return proof("proven", "server only: no grant and no policy lets anyone else in")
    if opened.unsettled:
        return proof("not proven", opened.unsettled[0])
    if not owned and not declared:
        if opened.declared:
            return proof("proven", "what others may do with it is declared; they reach nothing else")
        if "select" in opened.owner:
            return proof("proven", f"read only by callers who are let in: {next(iter(opened.roles)) or 'by a lookup'}")
        return proof("not proven", f"{_NOBODY}, so there is nobody to test as; others reach nothing")
    if owned and opened.hidden and "select" not in opened.owner and not declared:
        return proof("proven", "server only: no policy lets users read it")
    return proof("proven", "")


def _settled(attempt: Attempt, opened: Openings) -> bool:
    """Whether the trial of other rows answers what went wrong with this one."""
    if attempt.role in ("anon", "other"):
        needed = {"insert", "update"} if attempt.verb == "upsert" else {attempt.verb}
        return attempt.outcome == "reached" and {(attempt.role, one) for one in needed} <= opened.explained
    if attempt.role != "owner" or attempt.outcome in ("reached", "error") or not opened.parts:
        return False
    needed = {"insert", "update"} if attempt.verb == "upsert" else {attempt.verb}
    if needed <= opened.owner or (attempt.verb == "select" and opened.hidden):
        return True
    # What only some role may do works for nobody here, if the made memberships do not have it.
    return attempt.verb != "select" and not needed <= opened.direct


def _is_leak(attempt: Attempt) -> bool:
    return attempt.outcome == "reached" and attempt.expected != "reached"


def _is_breach(attempt: Attempt, owned: bool, opened: Openings) -> bool:
    """True if a wrong attempt shows a fault; False if it leaves open whether there is one."""
    if attempt.outcome == "reached":
        return owned or attempt.verb != "select"
    if attempt.expected != "reached":
        return False
    if attempt.verb == "select" and attempt.role == "owner":
        return (
            bool(opened.direct & {"select", "update", "delete"}) or not opened.parts
        )  # otherwise the made memberships may not have been the right ones
    return attempt.verb == "select" or (attempt.role == "service_role" and attempt.outcome != "error")


def _adds_only(finding: Finding) -> bool:
    """Whether it is that a policy lets others add rows, as to a contact form or a log."""
    return bool(finding.policy and finding.allow and finding.allow.what.startswith("insert: "))


def _finding(attempt: Attempt) -> Finding:
    what = f"{attempt.verb} by {attempt.role}, {attempt.outcome}: {attempt.detail}"
    own, _, columns = attempt.detail.partition("another user's ")
    linked = attempt.verb in ("insert", "move") and own.startswith("their own row") and columns
    allow = Declaration("shared", attempt.table, f"{attempt.verb}: another user's {columns}") if linked else None
    return Finding("leak", attempt.table, what, attempt.role, allow=allow)


def _sentence(finding: Finding) -> str:
    """The finding in one line, for the table's reason."""
    by = f" by policy {finding.policy}: {finding.condition}" if finding.policy else ""
    return f"{finding.what}{f', where {finding.row}' if finding.row else ''}{by}"


def _description(attempts: Sequence[Attempt]) -> str:
    first = attempts[0]
    more = f" (and {len(attempts) - 1} more)" if len(attempts) > 1 else ""
    return f"{first.verb} by {first.role}, {first.outcome}: {first.detail}{more}"
