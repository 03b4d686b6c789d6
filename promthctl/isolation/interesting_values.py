"""Values of a column that a condition could tell apart: what it is compared with, its neighbours, its type's edges."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from promthctl.isolation import patterns
from promthctl.isolation.column_values import array_text
from promthctl.isolation.policy_reading import Comparison
from promthctl.isolation.tables import ColumnType, ProbedColumn

MOST = 14  # values of one column

_NUMBERS = {"int2": (-(2**15), 2**15 - 1), "int4": (-(2**31), 2**31 - 1), "int8": (-(2**63), 2**63 - 1),
            "numeric": None, "float4": None, "float8": None, "money": None}  # fmt: skip
_TEXTS = {"text", "varchar", "bpchar", "citext", "name"}
_TIMES = {"date", "timestamp", "timestamptz"}
_LENGTHS = {"length", "char_length", "character_length", "octet_length", "cardinality", "array_length"}
_PLAIN = {"coalesce", "nullif", "uid", "jwt", "now"}  # functions that leave a text as it is
_INTERVAL = re.compile(r"(\d+) (year|mon|day|hour|min|sec)")
_CLOCK = re.compile(r"(\d+):(\d\d)(?::(\d\d))?")
_DAYS = {"year": 365.25, "mon": 30.5, "day": 1, "hour": 1 / 24, "min": 1 / 1440, "sec": 1 / 86400}


def interesting_values(column: ProbedColumn, comparisons: Sequence[Comparison]) -> list[str | None]:
    """Up to MOST different values as text input of the type, those it is compared with first; None for null."""
    found: list[str | None] = list(_of_type(column.type, comparisons))
    distinct = list(dict.fromkeys(found))[: MOST - 1]
    return distinct if column.not_null or column.type.not_null else [*distinct, None]


def _of_type(type_: ColumnType, comparisons: Sequence[Comparison]) -> Iterator[str]:
    strings = list(dict.fromkeys(itertools.chain(*(each.strings for each in comparisons))))
    if type_.labels or type_.name in _TEXTS:
        strings += [each for text in strings if text[:1] + text[-1:] == "{}" for each in text[1:-1].split(",")]
    numbers = list(dict.fromkeys(itertools.chain(*(each.numbers for each in comparisons))))
    functions = frozenset(itertools.chain(*(each.functions for each in comparisons)))
    if type_.labels:
        yield from (text for text in strings if text in type_.labels)
        yield from type_.labels
    elif type_.element is not None:
        yield from _arrays(type_.element, strings, numbers)
    elif type_.name == "bool":
        yield from ("true", "false")
    elif type_.name in _NUMBERS:
        yield from _numbers(type_.name, numbers)
    elif type_.name in _TEXTS:
        yield from _texts(comparisons, strings, numbers, functions)
    elif type_.name in _TIMES:
        if functions & {"extract", "date_part", "to_char"}:
            yield from _dates_with(numbers)
        yield from _times(strings)
    elif type_.name in ("json", "jsonb"):
        yield from _documents(comparisons)
    elif type_.kind in ("r", "m"):
        yield from _ranges(type_, strings, numbers)
    else:
        yield from strings
        if type_.name == "interval":
            yield from ("0", "1 hour", "100 years")


def _numbers(name: str, numbers: Iterable[float]) -> Iterator[str]:
    limits = _NUMBERS[name]
    given = list(numbers)
    steps = (0, 1, -1) if limits else (0, 1, -1, 0.5)
    every = [n + step for step in steps for n in given] + [0, 1, -1, 2, 10**6, -(10**6), *(-n for n in given)]
    for n in every:
        if limits is None or (limits[0] <= n <= limits[1] and n == int(n)):
            yield str(int(n)) if n == int(n) else str(n)


def _texts(
    comparisons: Sequence[Comparison], strings: Sequence[str], numbers: Iterable[float], functions: frozenset[str]
) -> Iterator[str]:
    for each in comparisons:
        if each.operators & {"~~", "~~*"}:
            yield from (patterns.text_like(text).replace("%", "") or "a" for text in each.strings)
            yield from (patterns.text_like(text.replace("%", "a")) for text in each.strings)
        if each.operators & {"~", "~*"}:
            for text, extra in itertools.product(each.strings, (0, 3)):
                try:
                    yield patterns.text_matching(text, "abcdef01", extra)
                except (ValueError, RecursionError):
                    continue
    yield from strings
    if functions & _LENGTHS:
        yield from ("x" * int(n + step) for n in numbers for step in (0, 1, -1) if 0 <= n + step <= 10_000)
    if functions - _PLAIN - _LENGTHS:  # what it does to the text is unknown: the likely ways to contain another
        for text in strings:
            yield from (text + "x", f"a@{text}", f"x{text}", f"x {text} x", text.upper(), text.lower())
    yield from ("", "other", *(str(int(n)) for n in numbers if n == int(n)))


def _times(strings: Iterable[str]) -> Iterator[str]:
    now = datetime.now(UTC)
    yield from ("2001-01-01", "2200-01-01", "now", "yesterday", "tomorrow")
    for text in strings:
        days = sum(int(n) * _DAYS[unit] for n, unit in _INTERVAL.findall(text))
        if clock := _CLOCK.search(text):
            days += int(clock[1]) / 24 + int(clock[2]) / 1440
        if days and not re.match(r"\d{4}-", text):
            margin = timedelta(days=days / 20)
            for distance in (timedelta(days=days) - margin, timedelta(days=days) + margin):
                yield from (str(now - distance), str(now + distance))
        elif re.match(r"\d{4}-\d\d-\d\d", text):
            yield text
            day = datetime.fromisoformat(text[:10])
            yield from (str(day - timedelta(days=1)), str(day + timedelta(days=1)))


def _dates_with(numbers: Iterable[float]) -> Iterator[str]:
    """Dates that have the numbers as year, month, hour, or day of the week."""
    for n in (int(number + step) for number in numbers for step in (0, 1, -1)):
        if 1000 <= n <= 9999:
            yield f"{n}-06-15"
        elif 0 <= n < 24:
            yield f"2024-{max(min(n, 12), 1):02}-{7 + n % 7:02} {n:02}:30"


def _arrays(element: ColumnType, strings: Sequence[str], numbers: Sequence[float]) -> Iterator[str]:
    given = [text for text in strings if text.startswith("{")]
    members = [text for text in strings if not text.startswith("{")] or [
        str(int(n)) for n in numbers if element.name in _NUMBERS
    ]
    yield from given
    yield from (array_text([member]) for member in members)
    if len(members) > 1:
        yield array_text(members)
    yield "{}"
    one = next(iter(_of_type(element, ())), "x" if element.name in _TEXTS else None)
    if one is not None:
        sizes = {int(n + step) for n in numbers for step in (0, 1) if 0 < n + step <= 50} | {1}
        yield from (array_text([one] * size) for size in sorted(sizes))


def _documents(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Objects with each path and each value beside it; those that have several paths at once first."""
    whole = [text for each in comparisons for text in each.strings if text[:1] in "{[" and _is_json(text)]
    choices: dict[tuple[str, ...], list[Any]] = {}
    for each in comparisons:
        for path in each.paths:
            if any(len(other) > len(path) and other[: len(path)] == path for other in each.paths):
                continue
            found: list[Any] = [*each.strings]
            for n in each.numbers:
                found += [_plain(n), _plain(n + 1), _plain(n - 1), [0] * min(int(abs(n)) + 1, 20)]
            choices.setdefault(path, []).extend([*found, True, 1, "a", False, None, [], {}])
    yield from whole
    if len(choices) > 1:
        for chosen in itertools.islice(itertools.product(*(values[:3] for values in choices.values())), 6):
            document: dict[str, Any] = {}
            for path, value in zip(choices, chosen, strict=True):
                _nested(document, path, value)
            yield json.dumps(document)
    for path, values in choices.items():
        yield from (json.dumps(_nested({}, path, value)) for value in values[:8])
    strings = [text for each in comparisons for text in each.strings if not _is_json(text)]
    yield from (json.dumps([text]) for text in strings[:2])
    yield "{}"


def _ranges(type_: ColumnType, strings: Sequence[str], numbers: Iterable[float]) -> Iterator[str]:
    brackets = ("{", "}") if type_.kind == "m" else ("", "")
    yield from (text for text in strings if text[:1] in "[({")
    if type_.name.startswith(("int", "num")):
        yield from (f"{brackets[0]}[{int(n)},{int(n) + 1}){brackets[1]}" for n in numbers)
        yield f"{brackets[0]}[0,1000000){brackets[1]}"
    else:
        spans = ("2001-01-01,2200-01-01", "2001-01-01,2002-01-01", "2200-01-01,2201-01-01")
        yield from (f"{brackets[0]}[{span}){brackets[1]}" for span in spans)
    yield "{}" if type_.kind == "m" else "empty"


def _nested(document: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    inner = document
    for key in path[:-1]:
        if not isinstance(inner.get(key), dict):
            inner[key] = {}
        inner = inner[key]
    inner[path[-1]] = value
    return document


def _plain(n: float) -> float:
    return int(n) if n == int(n) else n


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
