"""Compares two catalogs.

Ignored: comments unless they are asked for, which of the platform's roles owns an object, the order of columns, the
names of indexes and constraints whose content is the same, a grant that one to PUBLIC covers, roles that only the
target has, and the default privileges that older Supabase projects have and new ones do not, MAINTAIN among them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from promthctl.schema.canonical import canonical
from promthctl.schema.fixing import fix_sql
from promthctl.schema.model import KINDS, Attributes, Catalog, Difference, DifferenceState, selected_kinds
from promthctl.schema.queries import API_ROLES

_BY_CONTENT = frozenset(("constraints", "indexes"))
_MAINTAIN = ("MAINTAIN", None)
_WITH_MAINTAIN = {("TRUNCATE", None), ("REFERENCES", None), ("TRIGGER", None)}
_PLATFORM_DEFAULTS = ("public", "anon", "authenticated", "service_role")
# Dropped before anything is made, because it may be in the way; other extra objects go last, when nothing uses them.
_IN_THE_WAY = {
    *(
        "constraints",
        "views",
        "indexes",
        "triggers",
        "rules",
        "policies",
        "grants",
        "default_privileges",
        "publications",
    ),
    "event_triggers",
}


@dataclass
class _Found:
    """A difference whose SQL is not written yet. children: what comes and goes with a table."""

    difference: Difference
    children: list[Difference] = field(default_factory=list)

    def mentions(self, name: str) -> bool:
        sides = [(one.expected, one.actual) for one in (self.difference, *self.children)]
        return name in json.dumps(sides)


def compare(
    expected: Catalog, actual: Catalog, only: Collection[str] | None = None, named: Collection[str] = ()
) -> tuple[Difference, ...]:
    """What is missing, extra or different in `actual`, in an order in which the fixes can be executed.

    only: the kinds to compare, None for all; see model.selected_kinds. named: kinds of which the name counts too: under
    another name an index is not there for the migrations after it. A missing or extra table stands for everything
    that belongs to it. Raises UsageError for an unknown kind.
    """
    ordered = _ordered(_folded(list(_differences(expected, actual, only, named))))
    return tuple(
        replace(found.difference, fix=fix_sql(found.difference, expected, found.children, actual.major))
        for found in ordered
    )


def differ(expected: Catalog, actual: Catalog) -> bool:
    """Whether `compare` finds something; what is the same on both sides may be left out of both.

    For a grant the same object's grant to PUBLIC is to be there too.
    """
    return next(_differences(expected, actual, None, ()), None) is not None


def _differences(
    expected: Catalog, actual: Catalog, only: Collection[str] | None, named: Collection[str]
) -> Iterator[Difference]:
    kinds = selected_kinds(only)
    if min(expected.major, actual.major) < 17:
        expected, actual = _without_maintain(expected), _without_maintain(actual)
    loose = expected.major != actual.major
    for kind in KINDS:
        if kind in kinds:
            yield from _kind(kind, expected, actual, loose, kind in _BY_CONTENT and kind not in named)


def to_everybody(grant: str) -> str:
    """The name of the grant of the same object to PUBLIC."""
    return f"{grant.rpartition(' to ')[0]} to public"


def _without_maintain(catalog: Catalog) -> Catalog:
    """The catalog as a server before PostgreSQL 17 can have it."""
    grants = {
        name: {
            key: {p: c for p, c in value.items() if p != "MAINTAIN"} if isinstance(value, dict)
            else [p for p in value if p != "MAINTAIN"]
            for key, value in given.items()
        }
        for name, given in catalog.of("grants").items()
    }  # fmt: skip
    return replace(catalog, kinds={**catalog.kinds, "grants": grants})


def _kind(kind: str, expected: Catalog, actual: Catalog, loose: bool, by_content: bool) -> Iterator[Difference]:
    wanted, there = dict(expected.of(kind)), dict(actual.of(kind))
    if kind == "grants":
        yield from _grants(wanted, there, across=(expected.major < 15) != (actual.major < 15))
        return
    if by_content:
        _drop_renamed(wanted, there, loose)
    for name in sorted({**wanted, **there}):
        difference = _difference(kind, name, wanted.get(name), there.get(name), loose)
        if difference and not _harmless(difference):
            yield difference


def _difference(
    kind: str, name: str, wanted: Attributes | None, there: Attributes | None, loose: bool
) -> Difference | None:
    if wanted is None or there is None:
        state: DifferenceState = "missing" if there is None else "extra"
        return Difference(kind, name, state, wanted, there, "")
    if wanted == there:  # nearly all of them; to spell both in one way costs far more
        return None
    left, right = canonical(wanted, loose), canonical(there, loose)
    differing = sorted(key for key in {**left, **right} if left.get(key) != right.get(key))
    if not differing:
        return None
    return Difference(kind, name, "different", _only(wanted, differing), _only(there, differing), "")


def _only(attributes: Attributes, names: Sequence[str]) -> dict[str, Any]:
    return {name: attributes.get(name) for name in names}


def _harmless(difference: Difference) -> bool:
    """True for what differs between Supabase projects, whatever their migrations say."""
    if difference.kind == "roles":
        return difference.state == "extra" and difference.name not in API_ROLES
    if difference.kind == "default_privileges" and difference.state != "extra":
        place, _, holder = difference.name.rpartition(" to ")
        wide = " in schema " not in place or place.endswith(" in schema public")
        lost = set(_privileges(difference.actual)) <= set(_privileges(difference.expected))
        return lost and wide and holder in _PLATFORM_DEFAULTS
    # A publication without tables publishes nothing.
    return (
        difference.kind == "publications"
        and ": " not in difference.name
        and difference.name == "supabase_realtime"
        and difference.state != "different"
    )


def _privileges(attributes: Attributes | None) -> list[str]:
    return list((attributes or {}).get("privileges", ()))


def _drop_renamed(wanted: dict[str, Attributes], there: dict[str, Attributes], loose: bool) -> None:
    """Remove what both sides have, by content: the name of an index or constraint does not matter."""
    for name in [name for name, given in wanted.items() if given == there.get(name)]:  # no need to spell it alike
        del wanted[name], there[name]
    by_content: dict[str, list[str]] = {}
    for name in sorted(there, key=lambda name: name in wanted):  # its namesake last: popped first
        by_content.setdefault(_content(there[name], loose), []).append(name)
    for name in sorted(wanted, key=lambda name: name not in there):
        same = by_content.get(_content(wanted[name], loose))
        if same:
            twin = name if name in same else same[-1]
            same.remove(twin)
            del wanted[name], there[twin]


def same_content(kind: str, name: str, expected: Catalog, actual: Catalog) -> str | None:
    """The name under which `actual` has what `expected` calls `name`; None if it has no such object."""
    loose = expected.major != actual.major
    wanted = _content(expected.of(kind)[name], loose)
    found = (other for other, there in actual.of(kind).items() if _content(there, loose) == wanted)
    return next((other for other in found if other not in expected.of(kind)), None)


def _content(attributes: Attributes, loose: bool) -> str:
    return json.dumps(canonical(attributes, loose), sort_keys=True)


def _grants(wanted: Mapping[str, Attributes], there: Mapping[str, Attributes], across: bool) -> Iterator[Difference]:
    """across: only one of the servers is older than 15, where everybody may create objects in the schema public."""
    for name in sorted({**wanted, **there}):
        holder, everybody = name.rpartition(" to ")[2], to_everybody(name)
        shared = (
            set(_entries(wanted.get(everybody))) & set(_entries(there.get(everybody))) if holder != "public" else set()
        )
        left, right = set(_entries(wanted.get(name))) - shared, set(_entries(there.get(name))) - shared
        if across and name == "schema public to public":
            left, right = left - {("CREATE", None)}, right - {("CREATE", None)}
        gone, more = left - right, right - left
        if _MAINTAIN in gone and (holder in API_ROLES or (left >= _WITH_MAINTAIN and not gone >= _WITH_MAINTAIN)):
            gone -= {_MAINTAIN}  # a table made before PostgreSQL 17 lacks it
        if _MAINTAIN in more and right >= _WITH_MAINTAIN and not more >= _WITH_MAINTAIN:
            more -= {_MAINTAIN}  # part of ALL since PostgreSQL 17
        if not gone and not more:
            continue
        lost, won = _shown(gone), _shown(more)
        state: DifferenceState = "different" if lost and won else "missing" if lost else "extra"
        sides = [{"privileges": entries} if entries else None for entries in (lost, won)]
        yield Difference("grants", name, state, sides[0], sides[1], "")


def privilege_names(attributes: Attributes | None) -> list[str]:
    """The privileges of a grant, each as a Difference spells it, e.g. "SELECT (name)"."""
    return _shown(_entries(attributes))


def _entries(attributes: Attributes | None) -> Iterator[tuple[str, str | None]]:
    """(privilege, column or None); the right to pass a privilege on is an entry of its own."""
    for privilege in _privileges(attributes):
        yield privilege, None
    for privilege in (attributes or {}).get("grantable", ()):
        yield f"{privilege} with grant option", None
    for privilege, columns in (attributes or {}).get("columns", {}).items():
        for column in columns:
            yield privilege, column


def _shown(entries: Iterable[tuple[str, str | None]]) -> list[str]:
    return sorted(f"{privilege} ({column})" if column else privilege for privilege, column in entries)


def _folded(differences: Sequence[Difference]) -> list[_Found]:
    """Attach the children of a missing or extra object to it."""
    parents: dict[tuple[str, DifferenceState], _Found] = {
        (_object(one.kind, one.name), one.state): _Found(one) for one in differences if one.state != "different"
    }
    found: list[_Found] = []
    for one in differences:
        parent = next((parents[key] for owner in _owners(one) if (key := (owner, one.state)) in parents), None)
        if parent is not None:
            parent.children.append(one)
        else:
            found.append(parents.get((_object(one.kind, one.name), one.state)) or _Found(one))
    return found


def _object(kind: str, name: str) -> str:
    """An object's name among all kinds."""
    return f"{kind} {name}"


def _owners(one: Difference) -> Iterator[str]:
    """The objects that this one cannot exist without."""
    sides = one.expected or one.actual or {}
    if one.kind == "grants":
        sort, _, rest = one.name.partition(" ")
        item = rest.rpartition(" to ")[0]
        kinds = {"table": ("tables", "views"), "sequence": ("sequences",), "schema": ("schemas",)}
        yield from (_object(kind, item) for kind in kinds.get(sort, ("functions",)))
    elif one.kind == "rls":
        yield _object("tables", one.name)
    elif one.kind == "publications" and ": " in one.name:
        yield _object("tables", one.name.partition(": ")[2])
    elif one.kind == "sequences" and sides.get("owned_by") and one.state == "extra":
        yield _object("columns", sides["owned_by"])
        yield _object("tables", sides["owned_by"].rpartition(".")[0])
    elif "table" in sides:
        yield _object("tables", sides["table"])
        yield _object("views", sides["table"])


def _ordered(found: Sequence[_Found]) -> list[_Found]:
    """First drop what is in the way, then make everything, then drop the other extra objects."""
    extra = [one for one in found if one.difference.state == "extra"]
    made = [one for one in found if one.difference.state != "extra"]
    first = [one for one in extra if one.difference.kind in _IN_THE_WAY]
    last = [one for one in extra if one.difference.kind not in _IN_THE_WAY]
    for group in (first, made, last):
        relations = [one.difference.name for one in group if one.difference.kind in ("tables", "views")]
        group.sort(key=lambda one: _rank(one.difference, relations), reverse=group is not made)
    return [*_users_first(first), *reversed(_users_first(list(reversed(made)))), *_users_first(last)]


def _rank(one: Difference, relations: Sequence[str]) -> float:
    """The place of its kind in KINDS; functions that need one of the relations come after them."""
    whole = one.expected or one.actual or {}
    if one.kind == "functions" and one.state != "different":
        atomic = "BEGIN ATOMIC" in str(whole.get("ddl"))
        needed = f"{one.name} {whole.get('arguments')} {whole.get('result')} {whole.get('body') if atomic else ''}"
        if any(name in needed for name in relations):
            return KINDS.index("views") + 0.5
    return KINDS.index(one.kind)


def _users_first(found: list[_Found]) -> list[_Found]:
    """Stable, but within a kind an object comes before those that it mentions."""
    done: list[_Found] = []
    for _, group in groupby(found, key=lambda one: one.difference.kind):
        done += _sorted_by_use(list(group))
    return done


def _sorted_by_use(waiting: list[_Found]) -> list[_Found]:
    done: list[_Found] = []
    while waiting:
        free = (
            one
            for one in waiting
            if not any(other is not one and other.mentions(one.difference.name) for other in waiting)
        )
        chosen = next(free, waiting[0])  # they mention each other: any order is as good
        done.append(chosen)
        waiting.remove(chosen)
    return done
