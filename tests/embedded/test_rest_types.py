"""Every type through REST, against psycopg's reading of the same rows: no value and no JSON type differs.

The requests are generated: types, filters and representations, and values written as they were read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest

from promthctl.toolchain import Toolchain
from tests.rest_server import Rest, rest_server
from tests.servers import Server, fresh_database

REQUESTS = 500


@dataclass(frozen=True)
class Kind:
    """A type. values: of each row, as SQL writes them. ordered: it can be compared with a text.

    form: the JSON of a value from psycopg's reading of its text; None for what has an inner structure.
    """

    type: str
    values: tuple[str, ...]
    form: Callable[[str], Any] | None = str
    ordered: bool = True


def number(text: str) -> Any:
    """A number is a JSON number, of any size; what JSON has no number for is a string."""
    if text in ("NaN", "Infinity", "-Infinity"):
        return text
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def stamp(text: str) -> str:
    """PostgreSQL's text of a point in time, as ISO 8601."""
    if text in ("infinity", "-infinity"):
        return text
    text = text.replace(" ", "T", 1)
    return f"{text}:00" if text.endswith(("+00", "-00")) else text


def flag(text: str) -> bool:
    return text == "t"


KINDS = {
    "small": Kind("smallint", ("-32768", "0", "32767"), number),
    "whole": Kind("integer", ("-2147483648", "0", "2147483647"), number),
    "big": Kind("bigint", ("-9223372036854775808", "9007199254740993", "9223372036854775807", "0"), number),
    "exact": Kind("numeric", ("NaN", "0.10", "12345678901234567890.1234567890", "-1e-20", "1e30", "Infinity"), number),
    "money_like": Kind("numeric(10,2)", ("1", "2.50", "-99999999.99"), number),
    "real": Kind("real", ("NaN", "1.5", "3.4e38", "-Infinity", "0.1"), number),
    "double": Kind("double precision", ("NaN", "1e300", "0.1", "Infinity", "5e-324", "9007199254740993"), number),
    "truth": Kind("boolean", ("true", "false"), flag),
    "words": Kind("text", ("", "null", "a,b(c)", 'quote" back\\slash', "Zoë 👋", "line\nbreak\ttab", "{a}", "*%_")),
    "short": Kind("varchar(20)", ("", "ünï", "0012")),
    "padded": Kind("char(5)", ("ab", "abcde", "")),
    "raw": Kind("bytea", (r"\x", r"\x00ff10", r"\x5c78")),
    "id": Kind("uuid", ("00000000-0000-0000-0000-000000000000", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")),
    "day": Kind("date", ("0001-01-01", "2026-02-28", "infinity", "99999-12-31"), str),
    "clock": Kind("time", ("00:00", "23:59:59.999999", "24:00")),
    "moment": Kind("timestamp", ("2026-01-01 00:00", "2026-12-31 23:59:59.123456", "infinity"), stamp),
    "instant": Kind("timestamptz", ("2026-01-01 00:00+02", "2000-02-29 12:00:00.1+00", "-infinity"), stamp),
    "span": Kind("interval", ("1 year 2 days", "-03:04:05.678", "0")),
    "document": Kind(
        "jsonb", ('{"a": [1, null, {"b": "c"}]}', "null", '"text"', "12345678901234567890.5"), None, False
    ),
    "verbatim": Kind("json", ('{"b":1,  "a":[1,null]}', "[]", "1.10"), None, False),
    "labels": Kind("text[]", ("{}", '{a,NULL,"b,c","",NULL,"null"}', '{"quo\\"te"}'), None),
    "numbers": Kind("bigint[]", ("{}", "{9223372036854775807,NULL,-1}", "{{1,2},{3,4}}"), None),
    "between": Kind("int4range", ("empty", "[1,10)", "(,5]")),
    "period": Kind("tstzrange", ('["2026-01-01 00:00+00","2026-01-02 00:00+00")', "(,)")),
    "address": Kind("inet", ("127.0.0.1", "10.0.0.0/8", "::1")),
    "mood": Kind("mood", ("happy", "so so")),
    # PostgreSQL cannot read a composite without its type: `pair = '(1,)'` is an error there and here.
    "pair": Kind("pair", ('(1,"a b")', "(9223372036854775807,)", "(,)"), None, False),
    "bits": Kind("bit varying(8)", ("", "10101")),
    "terms": Kind("tsvector", ("'cat' 'fat':1A", ""), str, True),
}
ROWS = 8  # more than any type has values: the last ones are NULL

SCHEMA = """
create type mood as enum ('happy', 'so so'); create type pair as (number bigint, word text);
create table everything (n integer primary key, {columns});
create table copied (n integer primary key, {columns});
grant all on everything, copied to service_role;
"""


def value_of(kind: Kind, row: int) -> str | None:
    return kind.values[row] if row < len(kind.values) else None


@pytest.fixture(scope="module")
def rest(server: Server, tools: Toolchain) -> Iterator[Rest]:
    with fresh_database(server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            columns = ", ".join(f"{name} {kind.type}" for name, kind in KINDS.items())
            connection.execute(SCHEMA.format(columns=columns).encode())
            marks = ", ".join(f"%s::{kind.type}" for kind in KINDS.values())
            for row in range(ROWS):
                values = [value_of(kind, row) for kind in KINDS.values()]
                connection.execute(f"insert into everything values (%s, {marks})".encode(), (row, *values))
        with rest_server(url, tools) as running:
            yield running


def reading(connection: psycopg.Connection, table: str, names: list[str], tail: str, values: list[Any]) -> list[Any]:
    """The rows as psycopg reads them, each value in PostgREST's form."""

    def shown(name: str) -> str:
        # What has an inner structure is read as JSON of PostgreSQL's, everything else as its text.
        # format() asks for a type's own text, a cast to text for something else: inet's has a mask, char's no blanks.
        return (
            f"to_json({name})::text"
            if KINDS[name].form is None
            else f"case when {name} is not null then format('%%s', {name}) end"
        )

    items = ", ".join(["n", *map(shown, names)])
    rows = connection.execute(f"select {items} from {table} {tail}".encode(), values).fetchall()

    def form(name: str, text: str | None) -> Any:
        if text is None:
            return None
        made = KINDS[name].form
        return json.loads(text, parse_float=Decimal) if made is None else made(text)

    return [{"n": row[0]} | {name: form(name, text) for name, text in zip(names, row[1:], strict=True)} for row in rows]


def typed(value: Any) -> Any:
    """A value with its JSON types, so that 1 is not True and 1 is not 1.0."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, str(value) if isinstance(value, Decimal) else value


def test_what_is_read_and_filtered_has_the_form_that_postgrest_documents(rest: Rest) -> None:
    dice = random.Random(17)
    operators = {
        "eq": "=",
        "neq": "<>",
        "gt": ">",
        "gte": ">=",
        "lt": "<",
        "lte": "<=",
        "isdistinct": "is distinct from",
    }
    differences = []
    with psycopg.connect(rest.db_url, autocommit=True) as connection:
        for _ in range(REQUESTS):
            name = dice.choice(list(KINDS))
            kind = KINDS[name]
            others = dice.sample([other for other in KINDS if other != name], 2)
            names = [name, *others]
            value = dice.choice(kind.values)
            sort = dice.choice(["order by n", "order by n desc"])
            query = [("select", ",".join(["n", *names])), ("order", sort.removeprefix("order by ").replace(" ", "."))]
            possible = ["all", "null", "not.null"]
            if kind.ordered:
                possible += ["compare", "compare", "or"]
                possible += [] if kind.type.endswith("[]") else ["in", "any"]  # there are no arrays of arrays
            what = dice.choice(possible)
            where, values = "true", []
            quoted = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
            if what == "null":
                query.append((name, "is.null"))
                where = f"{name} is null"
            elif what == "not.null":
                query.append((name, "not.is.null"))
                where = f"{name} is not null" if kind.type != "pair" else f"not {name} is null"
            elif what == "compare":
                operator = dice.choice(list(operators))
                query.append((name, f"{operator}.{value}"))
                where, values = f"{name} {operators[operator]} %s::{kind.type}", [value]
            elif what == "in":
                query.append((name, f"in.({quoted},{quoted})"))
                where, values = f"{name} = %s::{kind.type}", [value]
            elif what == "any":
                query.append((name, f"eq(any).{{{quoted}}}"))
                where, values = f"{name} = %s::{kind.type}", [value]
            elif what == "or":
                query.append(("or", f"(n.eq.0,{name}.eq.{quoted})"))
                where, values = f"n = 0 or {name} = %s::{kind.type}", [value]
            limit = dice.choice([None, None, 3])
            if limit:
                query.append(("limit", "3"))
            tail = f"where ({where}) {sort}" + (" limit 3" if limit else "")
            expected = reading(connection, "everything", names, tail, values)
            single = len(expected) == 1 and dice.random() < 0.5
            accept = "application/vnd.pgrst.object+json" if single else "application/json"
            answer = rest.ask("GET", f"/everything?{urlencode(query, quote_via=quote)}", accept=accept)
            got = answer.json if answer.status == 200 else answer.text
            if typed(got) != typed(expected[0] if single else expected):
                differences.append((query, expected, got))
    assert differences == [], (len(differences), differences[0])


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_is_written_is_what_was_read(rest: Rest, method: str) -> None:
    """Each type's values as REST gave them are sent back as they were, and PostgreSQL has the same."""
    differences = []
    with psycopg.connect(rest.db_url, autocommit=True) as connection:
        for name, kind in KINDS.items():
            if method == "POST":
                text = rest.ask("GET", f"/everything?select=n,{name}").text
                assert rest.ask("POST", "/copied", text).status == 201
            else:
                rest.ask("POST", "/copied", [{"n": row} for row in range(ROWS)])
                for row in range(ROWS):
                    path = f"n=eq.{row}"
                    one = rest.ask(
                        "GET", f"/everything?select={name}&{path}", accept="application/vnd.pgrst.object+json"
                    )
                    assert rest.ask("PATCH", f"/copied?{path}", one.text).status == 204
            query = f"select n, {name}::text from {{}} order by n"
            before, after = (
                connection.execute(query.format(table).encode()).fetchall() for table in ("everything", "copied")
            )
            connection.execute(b"truncate copied")
            if kind.type in ("json", "jsonb"):  # JSON's null becomes SQL's
                before = [(n, None if shown == "null" else shown) for n, shown in before]
            if after != before:
                differences.append((name, before, after))
    assert differences == []
