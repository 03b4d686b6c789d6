"""What the attempts on a table amount to: proven, a leak, failed or not proven, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from promthctl.isolation.attempts import Attempt
from promthctl.isolation.findings import Finding
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
    """True if clients are not meant to reach the table at all: no right and no policy says otherwise."""
    rights = any(table.may(role, p) for role in CLIENT_ROLES for p in ("SELECT", "INSERT", "UPDATE", "DELETE"))
    policies = any(policy.roles & {*CLIENT_ROLES} for policy in table.policies)
    # A partition is reached through its parent, whose policies count; it should be closed to direct access.
    return not policies and (not rights or (table.partition and table.rls))


def verdict(table: ProbedTable, attempts: tuple[Attempt, ...], reason: str, owned: bool, declared: bool) -> TableProof:
    """What the attempts amount to, or the reason why there are none."""

    def proof(state: ProofState, why: str) -> TableProof:
        return TableProof(table.label, state, why, attempts)

    held = {p.lower(): None for p in ("SELECT", "INSERT", "UPDATE", "DELETE") for r in CLIENT_ROLES if table.may(r, p)}
    if not table.rls and held:
        roles = " and ".join(role for role in CLIENT_ROLES if any(table.may(role, p.upper()) for p in held))
        return proof("leak", f"row level security is off and {roles} may {', '.join(held)}")
    wrong = [attempt for attempt in attempts if not attempt.ok]
    if breaches := [attempt for attempt in wrong if _is_breach(attempt, owned)]:
        return proof("leak" if any(map(_is_leak, breaches)) else "failed", _description(breaches))
    if reason:
        return proof("not proven", reason)
    if not owned and any(attempt.verb == "select" and attempt.outcome == "reached" for attempt in wrong):
        return proof(
            "not proven",
            f"{_NOBODY}, and others read it: declare it public if that is intended",
        )
    if wrong:
        return proof("not proven", _description(wrong))
    if is_closed(table):
        return proof("proven", "closed: only service_role reaches it")
    if not owned and not declared:
        return proof("not proven", f"{_NOBODY}, so there is nobody to test as; others reach nothing")
    return proof("proven", "")


def _is_leak(attempt: Attempt) -> bool:
    return attempt.outcome == "reached" and attempt.expected != "reached"


def _is_breach(attempt: Attempt, owned: bool) -> bool:
    """True if a wrong attempt shows a fault; False if it leaves open whether there is one."""
    if attempt.outcome == "reached":
        return owned or attempt.verb != "select"
    if attempt.expected != "reached":
        return False
    return attempt.verb == "select" or (attempt.role == "service_role" and attempt.outcome != "error")


def _description(attempts: Sequence[Attempt]) -> str:
    first = attempts[0]
    more = f" (and {len(attempts) - 1} more)" if len(attempts) > 1 else ""
    return f"{first.verb} by {first.role}, {first.outcome}: {first.detail}{more}"
