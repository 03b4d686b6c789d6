"""What the trials of a function or view amount to: open, proven or not proven, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from promthctl.declarations import Declaration
from promthctl.isolation.batch import GUARDS
from promthctl.isolation.findings import Finding
from promthctl.isolation.witnesses import Witnesses

DoorState = Literal["proven", "declared", "leak", "not proven"]
DoorKind = Literal["function", "view", "materialized view"]

_REFUSED = ("42501", "28000", "P0001", "P0002", "P0003")  # what functions raise to refuse


@dataclass(frozen=True)
class DoorProof:
    """One function or view of the API. reason: why it is open or not proven; for a proven one how that is known."""

    door: str
    kind: DoorKind
    state: DoorState
    reason: str


@dataclass(frozen=True)
class Leak:
    """Something reached through a door. who: anon or other. what: "reads notes.body". call: with what, for people.

    world: what was special about the row. sure: False where it may be what the function is for. owned: somebody owns
    the rows.
    """

    who: str
    what: str
    call: str
    world: str
    sure: bool = True
    owned: bool = True


@dataclass(frozen=True)
class Change:
    """What became of one of the owner's rows: its place among the witnesses and the columns, none where it is gone.

    Of the place GUARDS: the oids, as texts, of the tables of which something else changed than rows.
    """

    place: int
    columns: tuple[str, ...]


def changes_in(text: str | None) -> Iterator[Change]:
    """What a change query found, without counters that moved by one and times of a change."""
    for place, (before, now) in sorted(json.loads(text or "{}").items(), key=lambda item: int(item[0])):
        if now is None:
            yield Change(int(place), ())
        elif before is not None:
            changed = tuple(
                name
                for name in {**before, **now}
                if now.get(name) != before.get(name) and not _counts(before.get(name), now.get(name))
            )
            if changed:
                yield Change(int(place), changed)


def _counts(before: Any, now: Any) -> bool:
    if isinstance(now, (int, float)) and not isinstance(now, bool) and isinstance(before, (int, float, type(None))):
        return abs(now - (before or 0)) == 1
    return isinstance(now, str) and len(now) >= 19 and now[4:5] == "-" and now[10:11] == "T"  # a time


def described(change: Change, witnesses: Witnesses) -> str:
    if change.place == GUARDS:
        labels = {str(each.table.oid): each.table.label for each in witnesses.rows}
        return f"alters {', '.join(sorted({labels.get(oid, 'a table') for oid in change.columns})[:4])}"
    witness = witnesses.rows[change.place]
    if not change.columns:
        return f"deletes {witness.table.label}"
    own = witnesses.identity(witness.table)
    verb = "takes over" if set(change.columns) & set(own) else "changes"
    return f"{verb} {', '.join(f'{witness.table.label}.{name}' for name in change.columns[:4])}"


def finding_of(label: str, kind: DoorKind, leaks: Sequence[Leak], fix: str, allow: Declaration | None) -> Finding:
    """The finding for a door with leaks; the first is told."""
    leak = min(leaks, key=lambda one: (not (one.sure and one.owned), one.who != "anon", bool(one.world)))
    whose = "another user's" if leak.owned else "hidden"
    who = "anon" if leak.who == "anon" else "another user"
    verb, _, objects = leak.what.rpartition(" ") if leak.what.startswith("deletes") else leak.what.partition(" ")[::1]
    how = f" when called with ({leak.call})" if kind == "function" and leak.call else ""
    sure = leak.sure and leak.owned
    what = f"{who} {verb} {whose} {objects}{how}, which the policies of the tables refuse"
    if verb == "alters":
        what = f"{who} alters {objects}{how}: its columns, its policies, or who has rights on it"
    elif not leak.owned:
        what = f"{who} {verb} {objects}{how}: rows that nobody owns and no policy shows"
    elif not leak.sure:
        what = f"{who} {verb} {whose} {objects}{how}; it asks who calls, so that may be what it is for"
    return Finding("leak" if sure else "not proven", label, what, leak.who, row=leak.world, allow=allow, fix=fix)


def refused(state: str) -> bool:
    return state in _REFUSED


def unproven(label: str, reason: str, allow: Declaration | None) -> Finding:
    return Finding("not proven", label, reason, allow=allow)
