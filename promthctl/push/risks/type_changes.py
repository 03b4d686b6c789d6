"""ALTER COLUMN TYPE: does PostgreSQL rewrite the whole table, and do the new values keep all of the old ones?

Source: ATColumnChangeRequiresRewrite and the support functions of varchar, numeric, timestamp … in PostgreSQL, and
pg_cast. A conversion that fails on a value that does not fit loses nothing: the migration is rolled back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from promthctl.push.risks.catalog import TargetCatalog, TargetColumn
from promthctl.push.risks.nodes import modifiers, strings, type_name

_WHOLE = ("smallint", "integer", "bigint")
_LENGTHS = ("character varying", "bit varying", "character", "bit")
_ROUNDED = re.compile(r"(time|timestamp|interval)\b")
_TIMESTAMPS = {"timestamp with time zone", "timestamp without time zone"}
_MICROSECONDS = 6
_TEXT = ("text", "character varying", "character", '"char"', "name", "citext", "extensions.citext")
# Casts that PostgreSQL does not call implicit although they fail rather than lose something.
_SAFE = {
    ("bigint", "integer"),
    ("bigint", "smallint"),
    ("integer", "smallint"),
    ("money", "numeric"),
    ("timestamp with time zone", "timestamp without time zone"),
    ("integer", "boolean"),
    ("boolean", "integer"),
}
# Implicit casts that do not keep every digit.
_ROUNDING = {
    ("integer", "real"),
    ("bigint", "real"),
    ("bigint", "double precision"),
    ("numeric", "real"),
    ("numeric", "double precision"),
}


@dataclass(frozen=True)
class TypeChange:
    """rewrites: the table. loses: what may be lost; empty if nothing is. to: the new type, spelled like the old one."""

    rewrites: bool
    loses: str = ""
    to: str = ""


@dataclass(frozen=True)
class _Type:
    """name: as format_type spells it, without modifiers. checked: a domain with constraints."""

    oid: int
    name: str
    modifiers: tuple[int, ...]
    checked: bool = False


def judge_type_change(
    column: TargetColumn, name: str, wanted: Any, using: Any, catalog: TargetCatalog, path: Sequence[str]
) -> TypeChange:
    """What ALTER COLUMN TYPE does to a column.

    name: the column's current one. wanted: the new TypeName. using: the expression after USING, or None. path: the
    schemas in which an unqualified type is looked up.
    """
    casts = _casts(name, using)
    if casts is None:
        return TypeChange(
            True, "its values become what the USING expression makes of them", _spelled(wanted, catalog, path)
        )
    now = _Type(column.type_oid, column.type, _given(column.full))
    rewrites, loses = False, ""
    for node, explicit in [*((cast, True) for cast in casts), (wanted, False)]:
        found = catalog.type_named(type_name(node), path)
        if found is None:  # the plan creates the type, mostly an enum or a domain
            return TypeChange(rewrites or not _is_citext(node, now), loses, _spelled(wanted, catalog, path))
        oid, spelled, checked = found
        new = _Type(oid, spelled, modifiers(node), checked)
        step = _step(now, new, explicit, catalog)
        rewrites, loses, now = rewrites or step.rewrites, loses or step.loses, new
    return TypeChange(rewrites, loses, _spelled(wanted, catalog, path))


def _spelled(node: Any, catalog: TargetCatalog, path: Sequence[str]) -> str:
    found = catalog.type_named(type_name(node), path)
    name = found[1] if found else ".".join(strings(node.names)) + "[]" * len(node.arrayBounds or ())
    limits = ",".join(map(str, modifiers(node)))
    first, *rest = name.split(" with", 1)  # timestamp(3) with time zone
    return f"{first}({limits})" + "".join(f" with{each}" for each in rest) if limits else name


def _is_citext(node: Any, now: _Type) -> bool:
    """Stored as text is. Source: contrib/citext/citext--1.4.sql."""
    return strings(node.names)[-1] == "citext" and not node.arrayBounds and now.name in ("text", "character varying")


def _casts(column: str, using: Any) -> list[Any] | None:
    """The types that USING casts the column to, one after the other; None if it does more than cast."""
    casts: list[Any] = []
    while using is not None:
        if type(using).__name__ == "TypeCast":
            casts.insert(0, using.typeName)
            using = using.arg
        elif type(using).__name__ == "ColumnRef" and strings(using.fields)[-1:] == (column,):
            break
        else:
            return None
    return casts


def _step(old: _Type, new: _Type, explicit: bool, catalog: TargetCatalog) -> TypeChange:
    """One conversion: from type to type, then to the new one's modifiers."""
    if old.oid == new.oid:
        return _fit(old, new, explicit)
    element = old.name.endswith("[]") and new.name.endswith("[]")
    pair = (old.name.removesuffix("[]"), new.name.removesuffix("[]")) if element else (old.name, new.name)
    cast = catalog.cast(old.oid, new.oid)
    same = cast is not None and cast[0] == "b" and not element and pair[0] != "character"  # whose padding goes
    same = same or (catalog.utc and not new.modifiers and {*pair} == _TIMESTAMPS)
    rewrites, loses = not same or new.checked, ""
    if pair in _ROUNDING:
        loses = f"{pair[1]} does not keep every digit"
    elif cast is not None and cast[0] == "f" and cast[1] != "i" and pair not in _SAFE:
        loses = f"a cast from {pair[0]} to {pair[1]} can lose a part of the value"
    if pair[0] in _TEXT or pair[1] in ("text", "character varying", "citext", "extensions.citext"):
        loses = ""  # text keeps everything; from text a value is parsed, or the statement fails
        if pair[1] in ('"char"', "name"):
            loses = f"{pair[1]} keeps the first characters"
    fitted = _fit(_Type(new.oid, new.name, _limits(old, new)), new, explicit)
    return TypeChange(rewrites or fitted.rewrites, loses or fitted.loses)


def _limits(old: _Type, new: _Type) -> tuple[int, ...]:
    """What is known about the values' size before a cast, as modifiers of the new type."""
    if old.name in _WHOLE:
        return (19, 0)
    if old.name == "date":
        return (0,)
    alike = (_ROUNDED.match(old.name) and _ROUNDED.match(new.name)) or {old.name, new.name} <= {*_LENGTHS}
    return old.modifiers if alike else ()


def _fit(old: _Type, new: _Type, explicit: bool) -> TypeChange:
    """The same type with other modifiers; no modifiers means no limit."""
    if old.modifiers == new.modifiers or (not new.modifiers and new.name != "character"):
        return TypeChange(False)
    name = new.name.removesuffix("[]")
    if name in _LENGTHS:
        shorter = not old.modifiers or old.modifiers > new.modifiers
        cut = f"what is longer than {new.modifiers[0]} is cut off" if shorter and explicit and new.modifiers else ""
        return TypeChange(shorter or not name.endswith("varying"), cut)
    if name == "numeric":
        precision, scale = (*new.modifiers, 0)[:2]
        before = (*old.modifiers, 0)[:2] if old.modifiers else (1000, 1000)
        lost = _rounded(scale) if before[1] > scale else ""
        return TypeChange(precision < before[0] or scale != before[1], lost)
    if _ROUNDED.match(name):
        coarser = (old.modifiers or (_MICROSECONDS,))[-1] > new.modifiers[-1]
        return TypeChange(coarser, _rounded(new.modifiers[-1]) if coarser else "")
    return TypeChange(True)


def _rounded(decimals: int) -> str:
    return f"it is rounded to {decimals} decimal{'' if decimals == 1 else 's'}"


def _given(full: str) -> tuple[int, ...]:
    """The modifiers in what format_type spells, e.g. timestamp(3) without time zone."""
    match = re.search(r"\(([-\d,]+)\)", full)
    return tuple(int(part) for part in match[1].split(",")) if match else ()
