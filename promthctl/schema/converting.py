"""The SQL that gives a column another type and keeps every value, or fails and changes nothing.

PostgreSQL's own casts cut texts, round numbers and drop times without a word. So unless the new type holds whatever
the old one does, the values are converted there and back first, and what comes back must be what was there.
"""

from __future__ import annotations

import re

from promthctl.sql.quoting import literal

_TEXTS = ("text", "character varying")
_INTEGERS = ("smallint", "integer", "bigint")
_ZONED, _ZONELESS = "timestamp with time zone", ("timestamp without time zone", "date")
# Types with casts in both directions, whose values may be the same and be written differently.
_FAMILIES = (
    {*_INTEGERS, "numeric", "double precision"},
    {*_INTEGERS, "numeric", "real"},
    {"boolean", "integer"},
    {"numeric", "money"},
    {*_ZONELESS, _ZONED},
)
_TYPE = re.compile(r"(?P<base>[^(\[]+?)(?:\((?P<size>[^)]*)\))?(?P<tail> [a-z ]+)?(?P<array>(?:\[\])*)")


_Parts = tuple[str, tuple[int, ...], str]  # the type's name, its sizes, and the brackets of an array


def change_of_type(table: str, column: str, old: str, new: str, collation: str | None) -> str:
    """SQL for the change, which also drops the default: it may not fit the new type.

    table, column: as SQL spells them. old, new: types as format_type spells them. What would change a value fails and
    says which rows; on a column without values anything goes.
    """
    collate = f" collate {collation}" if collation else ""
    head = f"alter table {table} alter column {column}"
    statements = [f"{head} drop default;", f"{head} type {new}{collate} using {converted(column, old, new)};"]
    if _holds(_parts(new), _parts(old)):
        return "\n".join(statements)
    there = converted(column, old, new)
    before, after = f"{column}::text", f"({there})::text"
    if _related(_parts(old), _parts(new)):
        before, after = column, converted(f"({there})", new, old)
    lost = f"{after} is distinct from {before}"
    told = f"Values of {table}.{column} would change: {old} to {new} cuts, rounds or rewrites them"
    look = f"select {column} from {table} where {lost};"  # noqa: S608 - for people to run
    hint = f"see them with: {look} Change those rows, or if that is meant, run the last statement alone."
    return "\n".join(
        [
            "do $promthctl$",
            "begin",
            f"  lock table {table} in access exclusive mode;",
            f"  if exists (select from {table} where {lost}) then",
            f"    raise exception using message = {literal(told)},",
            f"      hint = {literal(hint)};",
            "  end if;",
            *(f"  {statement}" for statement in statements),
            "end $promthctl$;",
        ]
    )


def converted(value: str, old: str, new: str) -> str:
    """The expression that converts a value; times without a zone are in UTC, as Supabase's servers are."""
    (was, _, many), (becomes, _, more) = _parts(old), _parts(new)
    if old == new:
        return value
    if not many and not more:
        if was == _ZONED and becomes in _ZONELESS:
            return f"({value} at time zone 'UTC')::{new}"
        if was in _ZONELESS and becomes == _ZONED:
            return f"({value}::timestamp at time zone 'UTC')::{new}"
    direct = (many == more and was == becomes) or (was in _TEXTS and not many) or _related(_parts(old), _parts(new))
    return f"{value}::{new}" if direct or (was, becomes) == ("json", "jsonb") else f"{value}::text::{new}"


def _related(one: _Parts, other: _Parts) -> bool:
    return not one[2] and not other[2] and any({one[0], other[0]} <= family for family in _FAMILIES)


def _parts(type_: str) -> _Parts:
    match = _TYPE.fullmatch(type_)
    if match is None:
        return type_, (), ""
    base = match["base"] + (match["tail"] or "")
    sizes = tuple(int(size) for size in re.findall(r"-?\d+", match["size"] or ""))
    return base, sizes, match["array"]


def _holds(new: _Parts, old: _Parts) -> bool:
    """Whether every value of the old type is one of the new type; of JSON what it says, not how it is written."""
    (becomes, room, more), (was, size, many) = new, old
    if more != many:
        return becomes in _TEXTS and not room and not more
    if becomes in _TEXTS and not room:
        return not more or was in _TEXTS
    if was in _INTEGERS and becomes in _INTEGERS:
        return _INTEGERS.index(becomes) >= _INTEGERS.index(was)
    if (was, becomes) == ("numeric", "numeric") and room and size:
        (digits, scale), (wanted, fraction) = ((*each, 0)[:2] for each in (room, size))
        return scale >= fraction and digits - scale >= wanted - fraction
    if becomes == "numeric" and not room:
        return was in (*_INTEGERS, "numeric")
    if (was, becomes) == ("json", "jsonb"):
        return True
    if was == becomes and was in ("character varying", "bit varying"):
        return (bool(size) and bool(room) and room[0] >= size[0]) or not room
    return was == becomes and room == size
