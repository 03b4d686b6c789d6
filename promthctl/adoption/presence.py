"""How many of the migrations a database already has, going by its catalog alone.

A database has the migrations up to number n when every object that they make or change is there as the n-th leaves it,
and none that they dropped, nor a privilege that they revoked. What a migration revokes leaves no trace where nobody had
it by default; so it is read from a second run of the migrations, where everybody has everything by default. Anything
else that it has does not matter, unless it is a trace of a later migration: then that one is there in part.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from promthctl.schema import KINDS, Attributes, Catalog, Difference, compare
from promthctl.schema.canonical import canonical
from promthctl.schema.comparing import differ, privilege_names, same_content, to_everybody
from promthctl.shadow.states import BEFORE, CatalogChange, States

# These are not traces of a migration: a switch in the dashboard makes them too, or a server's databases share them.
_TRACELESS = frozenset(("roles", "schemas", "extensions", "grants", "default_privileges", "publications", "comments"))
# `compare` matches these by more than their names, or ignores that they are missing.
_NAMED = ("indexes",)
_NOT_BY_NAME = frozenset(
    ("constraints", "indexes", "roles", "grants", "default_privileges", "publications", "comments")
)


_GRANTED = ("tables", "views", "sequences", "functions")
# What a new object's roles may do where everything is granted by default: of the API's roles, and (True) of PUBLIC.
_TABLE = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"))
_EXECUTE = frozenset(("EXECUTE",))
_BY_DEFAULT = {
    "table": {False: _TABLE},
    "sequence": {False: frozenset(("SELECT", "UPDATE", "USAGE"))},
    "function": {False: _EXECUTE, True: _EXECUTE},
    "procedure": {False: _EXECUTE, True: _EXECUTE},
}


@dataclass(frozen=True)
class Gap:
    """Something that is not as a migration leaves it. version: the last migration that touches it."""

    version: str
    difference: Difference


@dataclass(frozen=True)
class Presence:
    """What was found.

    number: how many of the first migrations are there. silent: those of them that the catalog cannot prove, because
    they change nothing in it, or comments that are not there. gaps: what is missing of later ones that left traces, in
    the order in which it can be fixed. beyond: objects that no migration makes.
    """

    number: int
    silent: frozenset[str]
    gaps: tuple[Gap, ...]
    beyond: tuple[str, ...]


def find_presence(
    versions: Sequence[str],
    recorded: Collection[str],
    states: States,
    there: Catalog,
    make_opened: Callable[[], States] | None = None,
) -> Presence:
    """Compare a database's catalog with the states that the migrations leave.

    versions: of all migrations, in order. recorded: those that need no proof; what only they touch is not looked at.
    make_opened: makes the states where new objects are granted to every role of the API by default, if they are needed;
    None if `states` are that.
    """
    search = _Search(tuple(versions), frozenset(recorded), states, there, make_opened or (lambda: states))
    number, beyond = search.complete()
    return Presence(number, search.silent(number), search.in_part(number), beyond)


@dataclass(frozen=True)
class _Search:
    """A number stands for the state after that many migrations."""

    versions: tuple[str, ...]
    recorded: frozenset[str]
    states: States
    there: Catalog
    make_opened: Callable[[], States]

    @cached_property
    def opened(self) -> States:
        return self.make_opened()

    def complete(self) -> tuple[int, tuple[str, ...]]:
        """The largest number of migrations that are there without a gap, and what else there is."""
        limit = len(self.versions)
        for number in self._plausible():
            if number > limit:
                continue
            gaps, beyond = self.gaps_at(number)
            if not gaps:
                return number, beyond if number else ()
            # A gap stays one back to the migration that last changed its object.
            limit = min(self._made_at(gap, number) for gap in gaps) - 1
        raise AssertionError("with no migrations at all there are no gaps")

    def _made_at(self, gap: Gap, number: int) -> int:
        """From which on of these migrations it is a gap; `number` where its object is not known by name alone."""
        one = gap.difference
        if one.kind in _NOT_BY_NAME or one.state == "extra":
            return number
        changed = (place for place in self._places.get((one.kind, one.name), ()) if place <= number)
        return max((self.versions.index(gap.version) + 1, *changed))

    @cached_property
    def _places(self) -> dict[tuple[str, str], list[int]]:
        """The migrations that change an object, counted from 1."""
        places: dict[tuple[str, str], list[int]] = {}
        for place, version in enumerate(self.versions, start=1):
            for change in self.states.of(version):
                places.setdefault((change.kind, change.name), []).append(place)
        return places

    def gaps_at(self, number: int) -> tuple[tuple[Gap, ...], tuple[str, ...]]:
        """What is not as these migrations leave it, and what else is there."""
        touched = {
            (change.kind, change.name): version
            for version in self.versions[:number]
            if version not in self.recorded
            for change in self.states.of(version)
            if change.kind != "comments"  # people reword them
        }
        gaps, beyond = [], []
        after = self._after(number)
        for one in compare(after, self.there, named=_NAMED):
            version = touched.get((one.kind, one.name))
            if version is None and one.state == "missing":  # it stands for its columns too
                version = max((touched[key] for key in touched if one.name in key[1]), default=None)
            if version is not None and (one.state != "extra" or self._was_there(one, number)):
                gaps.append(Gap(version, self._renamed(one, after)))
            elif one.kind == "grants" and (revoking := self._revoked_by(one, number)):
                gaps.append(Gap(revoking, one))
            elif one.state == "extra" and one.kind not in _TRACELESS:
                beyond.append(f"{one.kind} {one.name}")
        return tuple(gaps), tuple(beyond)

    def silent(self, number: int) -> frozenset[str]:
        """Those of the first migrations that leave the catalog as it was, as far as `compare` sees."""
        found = []
        state = {(change.kind, change.name): change.attributes for change in self.states.of(BEFORE)}
        comments = self._after(number).of("comments")
        for version in self.versions[:number]:
            changes = {(change.kind, change.name): change.attributes for change in self.states.of(version)}
            named = [key for key in changes if key[0] not in _NOT_BY_NAME]
            # Making or dropping one of these objects is a difference in any case; `differ` decides about the rest.
            made = any(changes[key] is None or state.get(key) is None for key in named)
            everybody = {(kind, to_everybody(name)) for kind, name in changes if kind == "grants"}
            before = self._part(state, {*changes, *everybody})
            state.update(changes)
            seen = made or differ(self._part(state, {*changes, *everybody}), before)
            if version not in self.recorded and not seen and not self._comments_prove(changes, comments):
                found.append(version)
        return frozenset(found)

    def _part(self, state: Mapping[tuple[str, str], Attributes | None], keys: Collection[tuple[str, str]]) -> Catalog:
        """Those objects of a state."""
        kinds: dict[str, dict[str, Attributes]] = {}
        for key in keys:
            if (attributes := state.get(key)) is not None:
                kinds.setdefault(key[0], {})[key[1]] = attributes
        return Catalog(self.states.major, kinds)

    def _comments_prove(self, changed: Collection[tuple[str, str]], wanted: Mapping[str, Attributes]) -> bool:
        """Whether a migration that sets comments only has run: they are as these migrations leave them."""
        there = self.there.of("comments")
        names = [name for kind, name in changed if kind == "comments"]
        return any(name in wanted for name in names) and all(wanted.get(name) == there.get(name) for name in names)

    def in_part(self, number: int) -> tuple[Gap, ...]:
        """What keeps later migrations, of which there are traces, from being there."""
        traced = self._traced(number)
        if traced <= number:
            return ()
        numbers = [traced]
        for version in self.versions[traced:]:  # what makes nothing leaves no trace: it may be there too
            made = (change for change in self.states.of(version) if change.kind != "comments")
            if any(change.attributes is not None for change in made):
                break
            numbers.append(numbers[-1] + 1)
        return min((self.gaps_at(each)[0] for each in numbers), key=len)

    def _traced(self, number: int) -> int:
        """The last migration of which something is there that none before it makes, counted from 1; 0 for none."""
        found = 0
        before = {kind: dict(self._after(number).of(kind)) for kind in KINDS}
        for later, version in enumerate(self.versions[number:], start=number + 1):
            for change in self.states.of(version):
                if version not in self.recorded and self._is_trace(change, before[change.kind].get(change.name)):
                    found = later
                if change.attributes is None:
                    before[change.kind].pop(change.name, None)
                else:
                    before[change.kind][change.name] = change.attributes
        return found

    def _is_trace(self, change: CatalogChange, before: Attributes | None) -> bool:
        """True if the object is there as the change makes it, or at all where it was not before."""
        there = self.there.of(change.kind).get(change.name)
        if change.kind in _TRACELESS or change.attributes is None or there is None:
            return False
        if before is None:
            return True
        loose = self.states.major != self.there.major
        return canonical(there, loose) == canonical(change.attributes, loose) != canonical(before, loose)

    def _plausible(self) -> Iterator[int]:
        """The numbers, largest first, for which every object is there by its name; the others need no comparison."""
        missing: set[tuple[str, str]] = set()
        plausible = [0]
        for number, version in enumerate(self.versions, start=1):
            for change in self.states.of(version):
                if change.kind in _NOT_BY_NAME:
                    continue
                if change.attributes is None or change.name in self.there.of(change.kind):
                    missing.discard((change.kind, change.name))
                elif version not in self.recorded:
                    missing.add((change.kind, change.name))
            if not missing:
                plausible.append(number)
        return reversed(plausible)

    def _was_there(self, one: Difference, number: int) -> bool:
        """True if these migrations dropped it; a grant that was widened by hand is not theirs."""
        if one.kind != "grants":
            return True
        before = {
            privilege
            for version in (BEFORE, *self.versions[:number])
            for change in self.states.of(version)
            if (change.kind, change.name) == (one.kind, one.name)
            for privilege in privilege_names(change.attributes)
        }
        return not before.isdisjoint((one.actual or {})["privileges"])

    def _renamed(self, one: Difference, after: Catalog) -> Difference:
        """An index that is there under another name is renamed, not made a second time."""
        if one.kind not in _NAMED or one.state != "missing":
            return one
        other = same_content(one.kind, one.name, after, self.there)
        return replace(one, fix=f"alter index {other} rename to {one.name.partition('.')[2]};") if other else one

    def _revoked_by(self, one: Difference, number: int) -> str | None:
        """The last of these migrations that takes away what a grant adds, by its version; None if none does."""
        item, _, holder = one.name.rpartition(" to ")
        sort, _, name = item.partition(" ")
        everything = _BY_DEFAULT.get(sort, {}).get(holder == "public", frozenset())
        left = privilege_names(self.opened.after(self.versions[:number]).of("grants").get(one.name))
        added = {privilege.partition(" (")[0] for privilege in (one.actual or {})["privileges"]}
        if not added & (everything - set(left)) or name in self._given:
            return None
        makers = [
            version
            for version in self.versions[:number]
            if version not in self.recorded
            and any(
                (change.kind == "grants" and change.name == one.name)
                or (change.kind in _GRANTED and change.name == name and change.attributes is not None)
                for change in self.opened.of(version)
            )
        ]
        return makers[-1] if makers else None

    @cached_property
    def _given(self) -> frozenset[str]:
        """The names of what a fresh Supabase has: whoever may use that says nothing of the migrations."""
        return frozenset(change.name for change in self.opened.of(BEFORE) if change.kind in _GRANTED)

    def _after(self, number: int) -> Catalog:
        return self.states.after(self.versions[:number])
