"""What a catalog that was read and a difference between two of them look like."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from promthctl.errors import UsageError

Attributes = Mapping[str, Any]
DifferenceState = Literal["missing", "extra", "different"]

# In the order in which things can be created.
KINDS = (
    "roles",
    "schemas",
    "extensions",
    "types",
    "sequences",
    "functions",
    "tables",
    "columns",
    "constraints",
    "views",
    "indexes",
    "triggers",
    "rules",
    "rls",
    "policies",
    "grants",
    "default_privileges",
    "publications",
    "event_triggers",
    "comments",
)
_ONLY_WHEN_NAMED = frozenset(("comments",))  # what a database does is the same without them
_EXAMPLE = "promthctl verify --only tables,rls,indexes"
_GROUPS = {"tables": ("tables", "columns", "constraints"), "rls": ("rls", "policies")}


@dataclass(frozen=True)
class Catalog:
    """What migrations make, as plain data that can be kept as JSON.

    major: the server's version, 14 to 18: it decides how Postgres spells an expression. kinds: kind → identity →
    attributes. An identity is quoted as SQL wants it: public.messages, public.messages.id (a column, constraint,
    trigger or policy of a table), public.f(integer), "table public.messages to anon" (a grant).
    """

    major: int
    kinds: Mapping[str, Mapping[str, Attributes]]

    def of(self, kind: str) -> Mapping[str, Attributes]:
        """The objects of one kind, by identity."""
        return self.kinds.get(kind, {})

    def to_json(self) -> str:
        return json.dumps({"major": self.major, "kinds": self.kinds}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Catalog:
        """Raises ValueError for what to_json did not write."""
        data = json.loads(text)
        if not isinstance(data, dict) or not isinstance(data.get("kinds"), dict):
            raise ValueError("not a catalog")
        return cls(int(data["major"]), data["kinds"])


@dataclass(frozen=True)
class Difference:
    """One thing that is not as expected.

    kind: one of KINDS. name: the object's identity. expected, actual: its attributes on either side, only those that
    differ when the state is "different"; None on the side where it is missing. fix: SQL that removes the difference on
    the actual side; only a comment where SQL cannot.
    """

    kind: str
    name: str
    state: DifferenceState
    expected: Attributes | None
    actual: Attributes | None
    fix: str


def selected_kinds(only: Collection[str] | None) -> frozenset[str]:
    """The kinds that `only` asks for; "tables" includes their columns and constraints, "rls" the policies.

    Raises UsageError for an unknown name, and for no name at all.
    """
    if only is None:
        return frozenset(KINDS) - _ONLY_WHEN_NAMED
    if not only:  # comparing nothing would pass everything
        raise UsageError("There is nothing to compare", "no kind of object is named", _EXAMPLE)
    if unknown := sorted(set(only).difference(KINDS)):
        raise UsageError(f"{unknown[0]!r} is not a kind of object", f"the kinds are {', '.join(KINDS)}", _EXAMPLE)
    return frozenset(kind for name in only for kind in _GROUPS.get(name, (name,)))
