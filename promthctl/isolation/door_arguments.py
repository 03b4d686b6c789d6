"""What a function is called with: what an attacker may know or guess, the owner's ids and addresses first.

Secrets that a caller must hold (tokens, codes, passwords) are not given: who holds one is meant to get in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import uuid4

from promthctl.isolation.column_values import array_text, nearest_combinations
from promthctl.isolation.function_reading import ApiFunction, Argument
from promthctl.isolation.sandbox import email
from promthctl.isolation.witnesses import Witness

_CALLS = 24  # ways to call one function
_TEXTS = {"text", "varchar", "bpchar", "citext", "name", "anyelement", "anynonarray", "anycompatible"}
_INTEGERS = {
    "int2": 32_000,
    "int4": 2_000_000_000,
    "int8": 2_000_000_000,
    "numeric": 2_000_000_000,
    "float8": 1,
    "float4": 1,
}
_DATES = {"date", "timestamp", "timestamptz"}
_PREFIX = re.compile(r"^(?:p|v|in|arg|param|_)?_+|_+$")
_PERSON = re.compile(r"user|uid|owner|author|account|member|profile|customer|client|creator|sender|recipient|person|who"
                     r"|target|student|patient|employee|^id$")  # fmt: skip
_SECRET = re.compile(r"token|secret|code|passw|otp|hash|signature|api_?key|pin$")
_MANY = re.compile(r"limit|count|size|^n$|^num|top|max|rows|per_page|last")
_FEW = re.compile(r"offset|skip|page|min")
_QUERY = re.compile(r"^(?:sql|query|q|stmt|statement|command|cmd)(?:_text|_string)?$|sql")
_SEARCH = re.compile(r"search|term|keyword|pattern|filter|like|prefix|needle|query|^q$|text|name|title")
_TABLE = re.compile(r"table|^tbl|relation|entity|^rel|resource|^t$|collection")
_COLUMN = re.compile(r"column|^col|field|attribute|select")
_EARLY = re.compile(r"from|start|since|begin|after|min|low")
_LITERAL = re.compile(r"'((?:[^'\n]|'')*)'")
_KEY = re.compile(r"(?:->>?|#>>?|\?)\s*\(?'((?:[^'\n]|'')*)'")


@dataclass(frozen=True)
class Known:
    """What an attacker has to choose from. tables: those that the function mentions come first. constants: of its text.

    keys: of JSON, in its text. owner, other: the users' ids. named: what it runs may name what a text says.
    """

    tables: Sequence[Witness]
    constants: Sequence[str]
    keys: Sequence[str]
    owner: str
    other: str
    named: bool = False


@dataclass(frozen=True)
class Call:
    """sql: the arguments as SQL, between the parentheses. told: the same for people."""

    sql: str
    told: str


def constants_of(text: str) -> tuple[list[str], list[str]]:
    """The short literals in a function's text, and its JSON keys."""
    inner = re.sub(r"\$\w*\$", " ", text)
    keys = [key.replace("''", "'") for key in _KEY.findall(inner)]
    found = [each.replace("''", "'") for each in _LITERAL.findall(inner)]
    short = [each for each in found if 0 < len(each) <= 40 and "\n" not in each and "%" not in each]
    plain = [each for each in short if each.count(" ") < 2 and not each.startswith(("request.", "pg_"))]
    return list(dict.fromkeys(each for each in plain if each not in keys)), list(dict.fromkeys(keys))


def calls_of(function: ApiFunction, known: Known) -> list[Call]:
    """Ways to call the function, the likeliest to show something first."""
    options = [list(dict.fromkeys(_options(argument, known)))[:14] for argument in function.arguments]
    chosen: list[Sequence[str | None]] = [[each[0] for each in options]]
    chosen.append([None] * len(options))
    chosen.append([each[-1] if not a.optional else None for a, each in zip(function.arguments, options, strict=True)])
    if len(options) > 1:  # every argument at once moves on to its next choice
        chosen += [[each[step % len(each)] for each in options] for step in range(1, 6)]
    chosen += list(nearest_combinations(options, _CALLS))
    calls = [_call(function, values) for values in chosen]
    if any(argument.optional for argument in function.arguments):
        first = [
            None if argument.optional else each[0] for argument, each in zip(function.arguments, options, strict=True)
        ]
        names = frozenset(argument.name for argument in function.arguments if argument.optional)
        calls[1:1] = [_call(function, first, names), *_some_given(function, options, names)]
    return list({call.sql: call for call in calls}.values())[: _CALLS + 8]


def _some_given(
    function: ApiFunction, options: Sequence[Sequence[str | None]], optional: frozenset[str]
) -> Iterator[Call]:
    """Filters that can be left out are; ids and flags are given, all of them and then one flag at a time."""
    first = [each[0] for each in options]
    decisive = {argument.name: argument.base for argument in function.arguments if argument.base in ("uuid", "bool")}
    if all(argument.name for argument in function.arguments) and optional & decisive.keys():
        yield _call(function, first, optional - decisive.keys())
        for name in [name for name, base in decisive.items() if base == "bool" and name in optional][:4]:
            values = ["false" if a.name == name else one for a, one in zip(function.arguments, first, strict=True)]
            yield _call(function, values, optional - {name})


def _call(function: ApiFunction, values: Sequence[str | None], omitted: frozenset[str] = frozenset()) -> Call:
    written, told = [], []
    for argument, value in zip(function.arguments, values, strict=True):
        if argument.optional and argument.name in omitted:
            continue
        text = "null" if value is None else _quoted(value)
        cast = "text" if argument.base.startswith("any") and not argument.base.endswith("array") else argument.type
        cast = "text[]" if argument.base in ("anyarray", "anycompatiblearray") else cast
        # Without names the place counts: what is left out stands at the end.
        name = f'"{argument.name}" => ' if argument.name and not argument.variadic else ""
        named = all(each.name for each in function.arguments) and not any(a.variadic for a in function.arguments)
        written.append(f"{'variadic ' if argument.variadic else ''}{name if named else ''}{text}::{cast}")
        told.append(text)
    return Call(", ".join(written), ", ".join(told))


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'" if "\\" not in text else "E'" + escaped.replace("\\", "\\\\") + "'"


def _options(argument: Argument, known: Known) -> Iterator[str | None]:
    """Values for one argument as text, null last."""
    if argument.element is not None or argument.base.endswith("array"):
        inner = Argument(argument.name.removesuffix("s"), "", argument.element or "text", "b", None, 0, (), False)
        ones = [one for one in dict.fromkeys(_scalars(inner, known)) if one is not None]
        yield array_text(ones[:1])
        yield array_text(ones[:12])
        yield "{}"
    else:
        yield from _scalars(argument, known)
    yield None


def _scalars(argument: Argument, known: Known) -> Iterator[str]:
    name, base = _PREFIX.sub("", argument.name.lower()) or argument.name.lower(), argument.base
    if argument.labels:
        yield from argument.labels
    elif argument.row_of:
        yield from (_record(each) for each in known.tables if each.table.oid == argument.row_of)
    elif base == "bool":
        yield from ("true", "false")
    elif base in ("json", "jsonb"):
        yield from _documents(known)
    elif base == "uuid":
        yield from _ids(name, "uuid", known)
        yield str(uuid4())
    elif base in _TEXTS:
        yield from _texts(name, known)
    elif base in _INTEGERS:
        most = str(_INTEGERS[base])
        yield from ([most] if _MANY.search(name) else ["0", "1"] if _FEW.search(name) else [])
        yield from _ids(name, base, known)
        yield from ("1", "0", most, *(each for each in known.constants if each.lstrip("-").isdigit()))
    elif base in _DATES:
        ends = ("0001-01-01", "9999-12-31")
        yield from ends if _EARLY.search(name) else ends[::-1]
    elif base == "interval":
        yield from ("1000 years", "-1000 years", "0")


def _record(witness: Witness) -> str:
    """The owner's row as the text of a composite value."""
    values = ('"' + value.replace("\\", "\\\\").replace('"', '""') + '"' if value is not None else ""
              for value in witness.row.values.values())  # fmt: skip
    return f"({','.join(values)})"


def _ids(name: str, base: str, known: Known) -> Iterator[str]:
    """Ids of the owner's rows, those that the argument's name means first; a user's where it means a person."""
    person = _PERSON.search(name) is not None
    if person and base == "uuid":
        yield known.owner
    meant, others = [], []
    for witness in known.tables:
        noun = witness.table.name.lower()
        stem = name.removesuffix("_ids").removesuffix("_id").removesuffix("s")
        for column in witness.table.columns:
            value = witness.row.values.get(column.name)
            if column.type.name != base or value is None:
                continue
            key = column.name in witness.table.primary_key
            if (column.name.lower() == name and name != "id") or (key and stem and stem in noun):
                meant.append(value)
            elif key:
                others.append(value)
    yield from (*meant, *others)
    if base == "uuid":
        yield from (known.other, known.owner) if person else (known.owner, known.other)


def _texts(name: str, known: Known) -> Iterator[str]:
    if _SECRET.search(name):
        yield from known.constants
        yield uuid4().hex
        return
    if "mail" in name:
        yield email(known.owner)
    tables = [f'{each.table.schema}."{each.table.name}"' for each in known.tables]
    if _QUERY.search(name):
        for each, shown in zip(known.tables[:3], tables[:3], strict=True):
            where = each.row.keyed.as_string(None)
            yield f"select to_jsonb(t) from {shown} t"  # noqa: S608 - what an attacker would send
            yield f"select * from {shown}"  # noqa: S608
            yield f"delete from {shown} where {where}"  # noqa: S608
    if "schema" in name:
        yield from dict.fromkeys(each.table.schema for each in known.tables)
    if _TABLE.search(name):
        yield from (each.table.name for each in known.tables)
        yield from tables
    if _COLUMN.search(name):
        yield from ("*", "id")
    for witness in known.tables:
        for column, value in witness.row.values.items():
            if value and (column.lower() == name or (name.endswith("id") and column in witness.table.primary_key)):
                yield value
    if _SEARCH.search(name):
        yield from ("%", "")
    if known.named:
        yield from (each.table.name for each in known.tables[:3])
    yield from known.constants[:8]
    yield from ("", "%", known.owner, email(known.owner), "a")
    yield "%' or true --"


def _documents(known: Known) -> Iterator[str]:
    keys = known.keys or ("id", "user_id", "email")
    yield json.dumps(
        {key: next(_texts(key, known)) if "mail" in key else next(_ids(key, "uuid", known)) for key in keys}
    )
    yield from (json.dumps(dict.fromkeys(keys, constant)) for constant in known.constants[:4])
    yield from ("{}", "[]")
