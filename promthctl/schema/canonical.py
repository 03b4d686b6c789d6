"""One spelling for what means the same: whitespace, comments, case outside quotes, options, versions of Postgres.

Between two servers of the same version, expressions are compared word for word as Postgres prints them. Before 16 it
put the table before every column of a view, so between two versions those prefixes are left out of the comparison.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from promthctl.schema.model import Attributes
from promthctl.sql.tokens import sql_words

_NAMED = re.compile(r'^(CREATE (?:UNIQUE )?INDEX) (?:"(?:[^"]|"")*"|\S+) ON (?:ONLY )?')
_EXPRESSIONS = {
    *(
        "arguments",
        "check",
        "checks",
        "default",
        "defaults",
        "definition",
        "generated",
        "partition_bound",
        "partition_key",
    ),
    *("using", "where"),
}
_TEXT_CASTS = [
    ["::", *name, *brackets] for name in (["text"], ["character", "varying"]) for brackets in (["[", "]"], [])
]
_NOT_COMPARED = frozenset(("ddl", "place"))
_UNDERSTOOD = frozenset(("sql", "plpgsql"))  # languages whose quotes and comments `sql_words` understands
_TRUE, _FALSE = frozenset(("true", "on", "yes", "1")), frozenset(("false", "off", "no", "0"))


def canonical(attributes: Attributes, loose: bool = False) -> dict[str, Any]:
    """The attributes in one spelling, without those that are not compared. loose: the Postgres versions differ."""
    return {name: _value(name, attributes, loose) for name in attributes if name not in _NOT_COMPARED}


def _value(name: str, attributes: Attributes, loose: bool) -> Any:
    value = attributes[name]
    if name == "body" and isinstance(value, str):
        return sql_words(value) if attributes.get("language") in _UNDERSTOOD else _lines(value)
    if name in _EXPRESSIONS:
        if isinstance(value, dict):
            return {key: _expression(text, loose) for key, text in value.items()}
        return _expression(value, loose)
    if name == "options":
        return sorted(filter(None, map(_option, value)))
    if name == "config":
        return [re.sub(r",\s*", ", ", setting) for setting in value]
    return value


def _expression(text: str | None, loose: bool) -> list[str] | None:
    if text is None:
        return None
    found = sql_words(_NAMED.sub(r"\1 ON ", text).removesuffix(";"))
    return _without_parentheses(_without_text_casts(_unqualified(found) if loose else found))


def _without_text_casts(found: list[str]) -> list[str]:
    """A dump and its restore move them: (array['a'::varchar])::text[] comes back as array[('a'::varchar)::text]."""
    kept: list[str] = []
    place = 0
    while place < len(found):
        cast = next((cast for cast in _TEXT_CASTS if found[place : place + len(cast)] == cast), None)
        if cast and found[place + len(cast) : place + len(cast) + 1] != ["("]:  # with a length it is another type
            place += len(cast)
        else:
            kept.append(found[place])
            place += 1
    return kept


def _without_parentheses(found: list[str]) -> list[str]:
    """Without those around a single word, those within a chain, and with one pair where two are around the same words.

    PostgreSQL reads `a between 1 and 2 and b` as `(a >= 1 and a <= 2) and b`, and what it prints of that as one chain.
    """
    pairs, opened = {}, []
    for place, word in enumerate(found):
        if word == "(":
            opened.append(place)
        elif word == ")" and opened:
            pairs[opened.pop()] = place
    dropped: set[int] = set()
    for start, end in pairs.items():
        called = start > 0 and (found[start - 1][0].isalnum() or found[start - 1][0] in '_"')
        twice = pairs.get(start + 1) == end - 1
        if twice or (not called and (end == start + 2 or _is_link(found, pairs, start, end))):
            dropped |= {start, end}
    kept = [word for place, word in enumerate(found) if place not in dropped]
    return kept if len(kept) == len(found) else _without_parentheses(kept)


def _is_link(found: list[str], pairs: Mapping[int, int], start: int, end: int) -> bool:
    """Whether these are the parentheses of `(a and b)` in `(a and b) and c`, or of the same with `or`."""
    inside, place = set(), start + 1
    while place < end:
        inside.add(found[place])
        place = pairs.get(place, place) + 1
    for chain, other in (("and", "or"), ("or", "and")):
        beside = {*found[start - 1 : start], *found[end + 1 : end + 2]}
        if chain in beside and beside <= {chain, "(", ")"}:
            return chain in inside and not inside & {other, "select", "with", "values", "case", "between"}
    return False


def _unqualified(found: list[str]) -> list[str]:
    """Without the "table." before a column; a function keeps its schema."""
    kept: list[str] = []
    for place, word in enumerate(found):
        called = found[place + 1 : place + 2] == ["("]
        if len(kept) > 1 and kept[-1] == "." and not called and (word[0].isalnum() or word[0] in '_"'):
            del kept[-2:]
        kept.append(word)
    return kept


def _option(entry: str) -> str | None:
    """A view's option; None for one that is set to its default."""
    name, _, value = entry.partition("=")
    if value.lower() in _FALSE:
        return None
    return f"{name}=true" if value.lower() in _TRUE else entry


def _lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
