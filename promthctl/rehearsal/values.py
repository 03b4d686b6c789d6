"""Witness values: what a column holds in the throw-away database, chosen so that a lossy change shows.

They use the range of their type: parts below a day, fractions, signs, time zones, spaces and capitals, doubled keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from promthctl.isolation.tables import ColumnType

_LONGEST = 600  # characters of a text without a limit
_TEXTS = {"text", "varchar", "bpchar", "citext", "name"}
_INTEGERS = {"int2": 15, "int4": 31, "int8": 63}

_BY_TYPE: dict[str, tuple[str, ...]] = {
    "bool": ("true", "false"),
    "date": ("2024-02-29", "1969-07-20", "2031-12-31"),
    "timestamp": ("2024-02-29 23:59:59.123456", "1999-12-31 12:30:00.000001", "2031-07-01 00:00:01"),
    "timestamptz": ("2024-02-29 23:59:59.123456+07", "1999-12-31 12:30:00.000001-09:30", "2031-07-01 00:00:01+02"),
    "time": ("23:59:59.999999", "00:00:00.000001", "12:34:56"),
    "timetz": ("23:59:59.999999+07", "00:00:00.000001-09:30", "12:34:56+02"),
    "interval": ("1 year 2 mons 3 days 04:05:06.789012", "-00:30:00.5", "90 minutes"),
    "float4": ("1.2345678", "-0.1", "3.5e10"),
    "float8": ("1.23456789012345e+50", "-0.1", "98765.4321"),
    "money": ("1234.56", "-0.99", "7.00"),
    "bytea": ("\\x00ff10deadbeef", "\\x0a0d00", "\\x7f80"),
    "inet": ("10.1.2.3/24", "2001:db8::1", "192.168.7.9"),
    "cidr": ("10.1.2.0/24", "2001:db8::/48", "192.168.7.9/32"),
    "point": ("(1.5,-2.25)", "(-3,4.125)", "(0.1,0.2)"),
    "tsvector": ("'fat':1A 'rat':2", "'cat':3", "'dog':4B"),
    "hstore": ('"a"=>"1", "b"=>NULL', '"c"=>"x y"', '"d"=>""'),
    "xml": ("<a>1</a>", "<b c='2'/>", "<d/>"),
}
_RANGES: dict[str, tuple[str, ...]] = {
    "int4range": ("[3,8)", "(,-5]", "[100,)"),
    "int8range": ("[3,8)", "(,-5]", "[100,)"),
    "numrange": ("[1.5,2.25]", "(,-0.5)", "[100.125,)"),
    "daterange": ("[2024-02-28,2024-03-02)", "(,1999-12-31)", "[2031-01-01,)"),
    "tsrange": ("[2024-02-28 10:30:00.5,2024-02-29 11:45)", "(,1999-12-31)", "[2031-01-01 00:00:01,)"),
    "tstzrange": ("[2024-02-28 10:30:00.5+07,2024-02-29 11:45+07)", "(,1999-12-31 00:00+00)", "[2031-01-01 00:00+00,)"),
}  # fmt: skip


def witness_value(type_: ColumnType, number: int, token: str) -> str | None:
    """The value of the row with this number, from 0, as text input of the type; None where the type is not known here.

    token: hexadecimal digits, new for each row and column: values that can differ do.
    """
    from promthctl.isolation.column_values import array_text, fresh_uuid  # only a new twin needs it

    if type_.labels:
        return type_.labels[number % len(type_.labels)]
    if type_.element is not None:
        parts = [witness_value(type_.element, number + step, f"{token}{step}") for step in range(3)]
        return None if None in parts else array_text([part for part in parts if part is not None])
    if type_.name in _TEXTS:
        return _text(type_, number, token)
    if type_.name in _INTEGERS:
        return _integer(_INTEGERS[type_.name], number, token)
    if type_.name == "numeric":
        return _numeric(type_.modifier, number, token)
    if type_.name == "uuid":
        return fresh_uuid(token, "witness")
    if type_.name in ("json", "jsonb"):
        return _json(number, token)
    if type_.name in ("bit", "varbit"):
        return ("10" * 40)[number % 2 :][: type_.modifier if type_.modifier > 0 else 7]
    if type_.name in ("vector", "halfvec") and type_.modifier > 0:
        return "[" + ",".join(f"0.{number + place % 7 + 1}" for place in range(type_.modifier)) + "]"
    given = _BY_TYPE.get(type_.name) or _RANGES.get(type_.name)
    return given[number % len(given)] if given else None


def _text(type_: ColumnType, number: int, token: str) -> str:
    limited = type_.name in ("varchar", "bpchar") and type_.modifier > 4
    room = type_.modifier - 4 if limited else 63 if type_.name == "name" else _LONGEST
    shapes = (f"W{token} Crème ไทย ", f"  {token}  MiXed\tCase", f"007{token}")
    text = shapes[number % 3]
    if len(text) > room:
        text = f"W{token}"[:room]
    filler = (token * (room // len(token) + 1))[: room - len(text)]
    longest = number % 3 == 0 or limited  # one text uses the whole width
    text = f"{text}{filler}" if longest and type_.name != "bpchar" else text
    return text[: room - 1] + "Z" if longest and len(text) == room and room > 1 else text


def _integer(bits: int, number: int, token: str) -> str:
    """Near the end of the range, negative, and of everyday size."""
    offset = int(token[:4], 16) % 900
    return str((2**bits - 2 - offset, -(2 ** (bits - 1)) + offset, 1001 + offset)[number % 3])


def _numeric(modifier: int, number: int, token: str) -> str:
    digit = int(token[:4], 16) % 8 + 1
    if modifier < 4:
        return (f"12345678901234{digit}.123456789", f"-0.00000{digit}", f"{digit}1.50")[number % 3]
    precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
    if scale >= 1024 or scale > precision:
        return "0"
    whole, fraction = "9" * (precision - scale) or "0", "123456789" * (scale // 9 + 1)
    values = (f"{whole}.{fraction[:scale]}", f"-{digit % 10}.{'5' * scale}", f"{whole[:1]}.{digit}{'7' * scale}")
    value = values[number % 3] if precision > scale else f"0.{fraction[:scale]}"
    whole, _, rest = value.partition(".")
    return f"{whole}.{rest[:scale]}" if scale else whole


def _json(number: int, token: str) -> str:
    shapes = (
        '{{"b": 1,   "a": {{"deep": [1, 2.50, {{"x": null}}]}}, "b": 2, "tag": "{0}"}}',
        '[1, "two", {{"three": "{0}"}}, null]',
        '{{"tag": "{0}", "On": true, "text": "Zeile\\n2"}}',
    )
    return shapes[number % 3].format(token)
