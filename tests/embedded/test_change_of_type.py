"""A column gets another type with every value as it was, or the SQL fails: no value is cut, rounded or moved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from promthctl.schema import compare, snapshot
from promthctl.schema.converting import change_of_type
from tests.servers import Server, fresh_database

VALUES = {
    "text": ("'" + "x" * 80 + "'", "'ab '", "'2030-01-02 10:11:12.5'", "'2030-01-02'", "'007'", "'1.55'",
             "'{\"a\":1,\"a\":2}'"),
    "varchar(80)": ("'" + "y" * 80 + "'", "'ab  '"),
    "varchar(50)": ("'z'", "'" + "z" * 50 + "'"),
    "character(5)": ("'ab'", "'abcde'"),
    '"char"': ("'a'",),
    "smallint": ("7", "32767"),
    "integer": ("7", "0", "2147483647"),
    "bigint": ("7", "9007199254740993"),
    "numeric": ("7", "1.55", "123456789012345678901234567890.5"),
    "numeric(10,2)": ("7", "1.55", "99999999.99"),
    "numeric(3)": ("100",),
    "real": ("1.5", "0.1"),
    "double precision": ("1.5", "0.1", "1e300"),
    "boolean": ("true",),
    "date": ("'2030-01-02'",),
    "timestamp": ("'2030-01-02 10:11:12.123456'", "'2030-01-02'"),
    "timestamp(0)": ("'2030-01-02 10:11:12'",),
    "timestamptz": ("'2030-01-02 23:30:00.5+00'", "'2030-01-02 00:00+00'"),
    "time": ("'10:11:12.5'",),
    "timetz": ("'10:11:12.5+02'",),
    "interval": ("'1 year 2 days 03:04:05.6'",),
    "interval(0)": ("'5 seconds'",),
    "bit(3)": ("'101'",),
    "bit(5)": ("'10101'",),
    "varbit(2)": ("'10'",),
    "uuid": ("'a11ce000-0000-0000-0000-000000000000'",),
    "json": ("'{\"a\":1,\"a\":2}'", "'[1]'"),
    "jsonb": ("'{\"a\": 1}'",),
    "inet": ("'10.1.2.3/8'", "'10.0.0.0/8'"),
    "cidr": ("'10.0.0.0/8'",),
    "text[]": ("array['" + "x" * 80 + "']", "array['7']"),
    "varchar(5)[]": ("array['ab']",),
    "integer[]": ("array[7]",),
    "mood": ("'good'",),
    "weather": ("'good'", "'rainy'"),
}  # fmt: skip

_SPELLED: dict[str, str] = {}


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with fresh_database(server) as url, psycopg.connect(url) as connected:
        connected.execute("create type mood as enum ('good', 'bad'); create type weather as enum ('good', 'rainy')")
        connected.execute("set timezone = 'America/New_York'")  # must not matter
        yield connected
        connected.rollback()


@pytest.mark.parametrize("old", VALUES)
def test_a_value_stays_as_it_was_or_the_change_fails(connection: psycopg.Connection[Any], old: str) -> None:
    kept = 0
    for new in VALUES:
        fix = change(connection, old, new)
        for value in (*VALUES[old], None):  # an empty column gets any type
            try:
                with connection.transaction(force_rollback=True):
                    filled = f"create table t (c {old}); insert into t values ({value})"
                    before = stored(connection, filled if value else f"create table t (c {old})")
                    after = stored(connection, fix)
            except psycopg.Error:
                assert value
                continue
            assert same(before, after), (old, new, value, before, after)
            kept += value is not None
    assert kept > len(VALUES[old])  # not everything is refused


def test_what_is_lost_is_said(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        fix = the_fix(connection, "text", "varchar(50)")
        connection.execute(f"create table t (c text); insert into t values ('{'x' * 80}')".encode())
        with pytest.raises(psycopg.errors.RaiseException, match="would change") as failed, connection.transaction():
            connection.execute(fix.encode())
        hint = failed.value.diag.message_hint or ""
        query = hint.partition("see them with: ")[2].partition(";")[0]
        assert connection.execute(query.encode()).fetchall() == [("x" * 80,)]


def the_fix(connection: psycopg.Connection[Any], old: str, new: str) -> str:
    """What verify prints where the database has the old type and the migrations make the new one."""
    sides = []
    for type_ in (new, old):
        with connection.transaction(force_rollback=True):
            connection.execute(f"create table t (c {type_})".encode())
            sides.append(snapshot(connection))
    (found,) = compare(sides[0], sides[1], only=("columns",))
    return found.fix


def change(connection: psycopg.Connection[Any], old: str, new: str) -> str:
    """The same, without reading two whole catalogs."""
    return change_of_type("public.t", "c", spelled(connection, old), spelled(connection, new), None)


def spelled(connection: psycopg.Connection[Any], type_: str) -> str:
    if type_ not in _SPELLED:
        with connection.transaction(force_rollback=True):
            connection.execute(f"create table s (c {type_})".encode())
            query = "select format_type(atttypid, atttypmod) from pg_attribute where attrelid = 's'::regclass"
            row = connection.execute(f"{query} and attnum = 1".encode()).fetchone()
        assert row is not None
        _SPELLED[type_] = row[0]
    return _SPELLED[type_]


def stored(connection: psycopg.Connection[Any], change: str) -> tuple[Any, str | None]:
    cursor = connection.execute(f"{change}; select c, c::text from t".encode())
    while cursor.nextset():
        pass
    found: tuple[Any, str | None] | None = cursor.fetchone()
    return found or (None, None)


def same(before: Any, after: Any) -> bool:
    """Whether it is the same text, number or moment."""
    (one, text), (two, written) = before, after
    if text == written or str(one).strip() == str(two).strip() == "":
        return True
    if isinstance(one, bool) or isinstance(two, bool):
        return {str(one).lower(), str(two).lower()} in ({"true", "1"}, {"false", "0"})
    if isinstance(one, (int, float, Decimal)) and isinstance(two, (int, float, Decimal)):
        return Decimal(repr(one) if isinstance(one, float) else one) == Decimal(
            repr(two) if isinstance(two, float) else two
        )
    if isinstance(one, date) and isinstance(two, date):
        return moment(one) == moment(two)
    return bool(one == two)


def moment(value: date) -> datetime:
    at = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
