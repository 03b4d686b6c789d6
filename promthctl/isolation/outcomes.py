"""What became of one attempt: the row was reached, or who refused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from psycopg import errors

from promthctl.isolation.sandbox import StatementResult

RoleName = Literal["anon", "owner", "other", "service_role"]
Verb = Literal["select", "insert", "update", "delete", "move", "upsert"]
Outcome = Literal["reached", "denied", "filtered", "error"]
Expected = Literal["reached", "refused", "either"]

_NOT_ALLOWED = "42501"  # insufficient_privilege, also what row level security raises


@dataclass(frozen=True)
class Attempt:
    """One thing tried, in the rolled-back transaction.

    role: anon, the row's owner, another signed-in user, or service_role. verb: move gives a row to another owner or
    takes it from one; upsert is insert … on conflict do update. outcome: the row was reached, the database refused
    (denied), it answered as if the row were not there (filtered), or something else stopped it (error). expected:
    reached, refused (denied or filtered) or either. detail: what exactly was tried, and what stopped it.
    """

    table: str
    role: RoleName
    verb: Verb
    outcome: Outcome
    expected: Expected
    ok: bool
    detail: str


def judge(result: StatementResult) -> tuple[Outcome, str, bool]:
    """What happened, the database's message, and whether a rule about the data refused it, which it does for anyone."""
    if result.error is None:
        return ("reached" if result.rows else "filtered"), "", False
    state = result.error.sqlstate or ""
    why = (result.error.diag.message_primary or str(result.error)).partition("\n")[0]
    if state == _NOT_ALLOWED:
        return "denied", why, False
    # That a row exists already says nothing about who may write; what a constraint or a trigger refuses is refused.
    if state[:2] in ("23", "P0") and not isinstance(result.error, (errors.UniqueViolation, errors.ExclusionViolation)):
        return "denied", why, True
    return "error", why, False
