"""What became of one attempt: the row was reached, or who refused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from psycopg import errors

from promthctl.isolation.scenes import Tried

RoleName = Literal["anon", "owner", "other", "service_role"]
Verb = Literal["select", "insert", "update", "delete", "move", "upsert"]
Outcome = Literal["reached", "denied", "filtered", "error"]
Expected = Literal["reached", "refused", "either"]

_NOT_ALLOWED = "42501"  # insufficient_privilege, also what row level security raises
_THERE_ALREADY = (errors.UniqueViolation.sqlstate, errors.ExclusionViolation.sqlstate)


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


def judge(tried: Tried) -> tuple[Outcome, str, bool]:
    """What happened, the database's message, and whether a rule about the data refused it, which it does for anyone."""
    if not tried.state:
        return ("reached" if tried.rows else "filtered"), "", False
    why = tried.message.partition("\n")[0]
    if tried.state == _NOT_ALLOWED:
        return "denied", why, False
    # That a row exists already says nothing about who may write; what a constraint or a trigger refuses is refused.
    if tried.state[:2] in ("23", "P0") and tried.state not in _THERE_ALREADY:
        return "denied", why, True
    return "error", why, False
