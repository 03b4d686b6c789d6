"""Values to try in a column: from its type and from what its check constraints say. Nothing here asks a database.

A check is not interpreted but mined: the literals, bounds, lengths, patterns and JSON keys in it become values to try,
best guess first, and the database decides which of them fit.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar
from uuid import UUID, uuid5

from promthctl.isolation import patterns
from promthctl.isolation.tables import ColumnType, ProbedCatalog, ProbedColumn

T = TypeVar("T")

MAX_CANDIDATES = 24  # values tried in one column
_NAMESPACE = UUID("c2f3f2f4-6d0c-5d0e-9d53-6f2d9b0f5c11")
_CAST = re.compile(r"::(?:\"[^\"]+\"|[a-z_.]+)(?: varying| precision| with(?:out)? time zone)?(?:\([\d,]+\))?(?:\[\])*")
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w'.])-?\d+(?:\.\d+)?(?![\w'])")
_LENGTH = re.compile(r"\b(?:char_length|character_length|octet_length|bit_length|length|cardinality|array_length)\(")
_PATTERN = re.compile(r"(?<!!)(~~\*?|~\*?)\s*\(?'((?:[^']|'')*)'")
_KEY = re.compile(r"(?:->>|->|\?)\s*\(?'((?:[^']|'')*)'")
_KEYS = re.compile(r"\?[&|]\s*\(*ARRAY\[([^\]]*)\]")
INTEGERS = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
_NUMERIC = {*INTEGERS, "numeric", "float4", "float8", "money"}
_TIMES = {"date", "timestamp", "timestamptz", "time", "timetz", "interval", "uuid", "inet", "cidr"}
_TEXTS = {"text", "varchar", "bpchar", "citext", "name"}
# Short texts that hand-written checks often ask for.
_FAMILIAR = ("a", "en", "US", "USD", "1", "true", "#a1b2c3", "1.0.0", "+15555550100", "2030-01-01", "")

# Values of the remaining types, more than one where checks are common.
_SIMPLE: dict[str, tuple[str, ...]] = {
    "bool": ("false", "true"),
    "uuid": (),  # made fresh below
    "json": ("{}", "[]", '""', "1", "true"),
    "jsonb": ("{}", "[]", '""', "1", "true"),
    "jsonpath": ("$",),
    "date": ("today", "2099-01-01", "2001-01-01"),
    "timestamp": ("now", "2099-01-01", "2001-01-01"),
    "timestamptz": ("now", "2099-01-01 00:00+00", "2001-01-01 00:00+00"),
    "time": ("10:00", "20:00", "00:00"),
    "timetz": ("10:00+00", "20:00+00", "00:00+00"),
    "interval": ("1 hour", "0", "1 year"),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "point": ("(1,1)",),
    "line": ("{1,-1,0}",),
    "lseg": ("[(0,0),(1,1)]",),
    "box": ("((1,1),(0,0))",),
    "path": ("((0,0),(1,1),(1,0))",),
    "polygon": ("((0,0),(1,1),(1,0))",),
    "circle": ("<(0,0),1>",),
    "geometry": ("SRID=4326;POINT(1 1)", "POINT(1 1)", "SRID=4326;POLYGON((0 0,1 1,1 0,0 0))"),
    "geography": ("POINT(1 1)", "POLYGON((0 0,1 1,1 0,0 0))"),
    "tsvector": ("",),
    "tsquery": ("a",),
    "xml": ("<a/>",),
    "hstore": ("", "a=>1"),
    "ltree": ("a.b",),
    "oid": ("1",),
    "regclass": ("pg_class",),
    "regrole": ("anon",),
    "regproc": ("now",),
    "regtype": ("text",),
    "pg_lsn": ("0/1",),
    "xid": ("1",),
    "char": ("a",),
}
_RANGES: dict[str, tuple[str, str]] = {
    "int4range": ("{0}", "{1}"),
    "int8range": ("{0}", "{1}"),
    "numrange": ("{0}", "{1}"),
    "daterange": ("2030-01-01", "2030-01-02"),
    "tsrange": ("2030-01-01 10:00", "2030-01-01 11:00"),
    "tstzrange": ("2030-01-01 10:00+00", "2030-01-01 11:00+00"),
}


def candidate_values(column: ProbedColumn, checks: Sequence[str], token: str, fresh: bool = False) -> list[str]:
    """Up to MAX_CANDIDATES different values to try in `column`, as text input of its type, best first.

    checks: the constraints that name the column, as pg_get_constraintdef spells them. token: hexadecimal digits, new
    for every row. fresh: the value must differ from that of every other row, so what the token makes comes first.
    """
    hinted: list[str] = []
    for check in (*column.type.checks, *checks):
        hinted += hinted_values(column.type, check, token)
    own = _of_type(column.type, token, fresh)
    ordered = [*own[:1], *hinted, *own[1:]] if fresh or not hinted else [*hinted, *own]
    return list(dict.fromkeys(ordered))[:MAX_CANDIDATES]


def hinted_values(type_: ColumnType, check: str, token: str) -> list[str]:
    """The values that `check` suggests for a column of `type_`."""
    plain = _CAST.sub("", check)
    numbers = [float(found) if "." in found else int(found) for found in _NUMBER.findall(_TEXT.sub("''", plain))]
    texts = [found.replace("''", "'") for found in _TEXT.findall(plain)]
    sized = bool(_LENGTH.search(plain))
    if type_.element is not None:
        return _array_hints(type_, check, token, [int(n) for n in numbers] if sized else [], texts)
    if type_.name in _NUMERIC:
        return [_number(n) for n in _around(numbers)]
    if type_.name in ("json", "jsonb"):
        return _json_hints(plain)
    if type_.name in _TEXTS:
        lengths = [_text_of_length(token, int(n)) for n in _around(numbers) if 0 <= n <= 10_000] if sized else []
        return [*_pattern_hints(plain, token), *lengths, *texts]
    if type_.name == "bytea":
        return ["\\x" + "ab" * int(n) for n in numbers if sized and 0 <= n <= 10_000]
    # A check of several columns has texts for the others, too.
    if type_.labels:
        return [text for text in texts if text in type_.labels]
    if type_.name == "bool":
        return []
    return [text for text in texts if re.search(r"\d", text)] if type_.name in _TIMES else texts


def narrowed(catalog: ProbedCatalog) -> dict[int, dict[str, ColumnType]]:
    """By table and column, the type of the smallest integers that refer to it, where it is smaller than its own."""
    found: dict[int, dict[str, ColumnType]] = defaultdict(dict)
    for table in catalog.tables.values():
        for key in table.foreign_keys:
            if (target := catalog.tables.get(key.target)) is None:
                continue
            for own, theirs in zip(key.columns, key.target_columns, strict=True):
                type_, known = table.column[own].type, found[target.oid].get(theirs, target.column[theirs].type)
                if INTEGERS.get(type_.name, 2**64) < INTEGERS.get(known.name, 0):
                    found[target.oid][theirs] = type_
    return found


def nearest_combinations(options: Sequence[Sequence[T]], limit: int) -> Iterator[tuple[T, ...]]:
    """Every way to choose one from each, those nearest to the first choices first; at most `limit`."""
    indexes: Iterator[tuple[int, ...]] = itertools.product(*(range(len(each)) for each in options))
    if _size(options) <= 50_000:
        indexes = iter(sorted(indexes, key=sum))
    for chosen in itertools.islice(indexes, limit):
        yield tuple(each[index] for each, index in zip(options, chosen, strict=True))


def same_choices(options: Sequence[Sequence[T]]) -> Iterator[tuple[T, ...]]:
    """The second choice of each, then the third of each, and so on: for a check that wants the same of many columns."""
    for index in range(1, max(map(len, options), default=0)):
        yield tuple(each[min(index, len(each) - 1)] for each in options)


def ordered_numbers(types: Sequence[ColumnType]) -> Iterator[tuple[str, ...]]:
    """Numbers that rise and that fall from column to column, where all are numbers: for `a > b and b > c and c > 0`."""
    if len(types) > 1 and all(type_.name in _NUMERIC for type_ in types):
        rising = [str(place + 1) for place in range(len(types))]
        yield tuple(rising)
        yield tuple(reversed(rising))


def fresh_uuid(token: str, name: str) -> str:
    """The UUID of a token and a name, different for each pair."""
    return str(uuid5(_NAMESPACE, f"{token}/{name}"))


def _of_type(type_: ColumnType, token: str, fresh: bool) -> list[str]:
    number = int(token[:12], 16)
    if type_.labels:
        return list(type_.labels)
    if type_.element is not None:
        one = _of_type(type_.element, token, fresh)[:1]
        return ["{}", *(array_text([value]) for value in one)] if not fresh else [array_text(one), "{}"]
    if type_.name in _TEXTS:
        room = type_.modifier - 4 if type_.name in ("varchar", "bpchar") and type_.modifier > 4 else 60
        long = [f"{token}@example.com", f"https://example.com/{token}", f"p{token[:15]}", token, fresh_uuid(token, "")]
        fitting = [text for text in (long[2], *long[:2], *long[3:]) if len(text) <= room]
        return [*(fitting or [token[:room]]), *(text for text in _FAMILIAR if len(text) <= room)]
    if type_.name in INTEGERS:
        unique = str(-1 - number % (INTEGERS[type_.name] - 2))
        return [unique, unique[1:]] if fresh else ["1", "0", "2", "10", "100", "-1", unique[1:]]
    if type_.name in _NUMERIC:
        return [str(number % 1_000_000), "1"] if fresh and type_.modifier < 0 else ["1", "0", "0.5", "10", "100", "-1"]
    if type_.name == "uuid":
        return [fresh_uuid(token, "value")]
    return _unusual(type_, token, number)


def _unusual(type_: ColumnType, token: str, number: int) -> list[str]:
    name = type_.name
    if name in _SIMPLE:
        return list(_SIMPLE[name])
    if name in ("inet", "cidr"):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        return [address, f"{address}/32", "2001:db8::1"]
    if name == "bytea":
        return ["\\x" + token, "\\x"]
    if name in ("bit", "varbit"):
        return ["1" * type_.modifier if type_.modifier > 0 else "1"]
    if name in ("vector", "halfvec"):
        return ["[" + ",".join("1" * max(type_.modifier, 1)) + "]" if type_.modifier > 0 else "[1,2,3]"]
    if name == "sparsevec":
        return [f"{{1:1}}/{max(type_.modifier, 1)}"]
    if type_.kind == "m":
        return ["{}"]
    if type_.kind == "r":
        low, high = _RANGES.get(name, ("", ""))
        start = number % 1_000_000_000
        return [f"[{low},{high})".format(start, start + 1), "empty"] if low else ["empty"]
    if type_.kind == "c":
        return ["(" + "," * max(type_.fields - 1, 0) + ")"]
    return [token, "1", "{}", "[]", ""]


def _array_hints(type_: ColumnType, check: str, token: str, sizes: Iterable[int], texts: Sequence[str]) -> list[str]:
    assert type_.element is not None
    one = (_of_type(type_.element, token, False) or [""])[0]
    sized = [array_text([one] * size) for size in sorted({*sizes, *(n + 1 for n in sizes)}) if 0 < size <= 100]
    return [*sized, *(array_text([text]) for text in texts)]


def _json_hints(plain: str) -> list[str]:
    keys = [key.replace("''", "'") for key in _KEY.findall(plain)]
    for listed in _KEYS.findall(plain):
        keys += _TEXT.findall(listed)
    kinds = [{"array": "[]", "string": '""', "number": "1", "boolean": "true", "null": "null"}.get(text)
             for text in _TEXT.findall(plain)] if "typeof(" in plain else []  # fmt: skip
    values = ('"a"', "1", "true", "{}", "[]")
    objects = ["{" + ", ".join(f'"{key}": {value}' for key in dict.fromkeys(keys)) + "}" for value in values]
    return [*(objects if keys else ()), *(kind for kind in kinds if kind), "{}"]


def _pattern_hints(plain: str, token: str) -> list[str]:
    made: list[str] = []
    for sign, pattern in _PATTERN.findall(plain):
        text = pattern.replace("''", "'")
        if sign.startswith("~~"):
            made += [patterns.text_like(text), patterns.text_like(text.replace("%", token[:8]))]
            continue
        try:
            made += [patterns.text_matching(text, token, extra) for extra in (8, 0, 3)]
        except (ValueError, RecursionError):
            continue
    return made


def array_text(values: Iterable[str]) -> str:
    """PostgreSQL's text form of an array."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def _around(numbers: Sequence[float]) -> list[float]:
    """The middle of the outermost bounds, then each bound and its neighbours."""
    if not numbers:
        return []
    low, high = min(numbers), max(numbers)
    middle = [(low + high) // 2] if high - low > 1 else []
    return [*middle, *(n + step for step in (0, 1, -1) for n in numbers)]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _text_of_length(token: str, length: int) -> str:
    return (token * (length // len(token) + 1))[:length]


def _size(options: Sequence[Sequence[object]]) -> int:
    total = 1
    for each in options:
        total *= max(len(each), 1)
    return total
