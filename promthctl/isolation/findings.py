"""What the proof found, in one shape for tables, functions and views."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal, get_args

from promthctl.declarations import Declaration

# From the worst: somebody reaches what is not theirs; a right that was given works for nobody; the database is not what
# its migrations make; not enough could be tried; what is correct and could be better.
Severity = Literal["leak", "failed", "difference", "not proven", "advice"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\bu[0-9a-f]{14}(?=@example\.com)")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, unclear or could be better.

    object: the table, view or function, as labels are (without the schema public). what: one sentence without the
    object. who: "anon", "owner", "other", "service_role", empty where it concerns nobody in particular. policy,
    condition: which policy opens it, and by which part of its expression; empty where none does. row: what in the
    witness row makes the difference ("deleted = true"), the same in every run. allow: what would declare that it is
    meant so; None where nothing can. fix: SQL or an edit, empty where somebody has to decide. id:
    twelve letters that stay the same while the finding does; the ids of made rows do not count.
    """

    severity: Severity
    object: str
    what: str
    who: str = ""
    policy: str = ""
    condition: str = ""
    row: str = ""
    allow: Declaration | None = None
    fix: str = ""
    id: str = field(init=False)

    def __post_init__(self) -> None:
        parts = (self.severity, self.object, self.what, self.who, self.policy, self.condition, self.row)
        digest = hashlib.sha256(_UUID.sub("uuid", "\0".join(parts)).encode()).hexdigest()
        object.__setattr__(self, "id", digest[:12])
