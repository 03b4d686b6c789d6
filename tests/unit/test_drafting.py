"""Which schema a difference is about, and where SQL is cut into transactions."""

from __future__ import annotations

import pytest

from promthctl.drafting.engine import _after_new_values, in_schemas
from promthctl.drafting.unread import drop_sql
from promthctl.schema import Difference


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("tables", "app.notes"),
        ("columns", "app.notes.id"),
        ("functions", "app.f(integer)"),
        ("grants", "table app.notes to anon"),
        ("grants", "schema app to anon"),
        ("grants", "function app.f(integer) to anon"),
        ("schemas", "app"),
        ("default_privileges", "tables of postgres in schema app to anon"),
        ("publications", "supabase_realtime: app.notes"),
        ("comments", "table column app.notes.id"),
        ("comments", "policy mine on app.notes"),
        ("comments", "schema app"),
    ],
)
def test_a_difference_is_about_a_schema(kind: str, name: str) -> None:
    one = Difference(kind, name, "extra", None, {}, "")
    assert in_schemas(one, ["other", "app"]) and not in_schemas(one, ["other", "ap"])


def test_a_schema_whose_name_needs_quotes() -> None:
    one = Difference("tables", '"My app".notes', "extra", None, {}, "")
    assert in_schemas(one, ["My app"]) and not in_schemas(one, ["my app"])


def test_values_of_enums_end_a_transaction() -> None:
    sql = "create table a ();\nalter type e add value 'x';\nalter type e add value 'y';\ndrop table a;\n-- end"
    assert _after_new_values(sql) == (
        "create table a ();\n\nalter type e add value 'x';\n\nalter type e add value 'y';",
        "drop table a;\n\n-- end",
    )
    assert len(_after_new_values("alter type e rename value 'x' to 'y'; drop table a;")) == 1


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("operator public.===(integer,integer)", "DROP operator public.===(integer,integer);"),
        ("statistics object public.s", "DROP STATISTICS public.s;"),
        ("foreign-data wrapper w", "DROP FOREIGN DATA WRAPPER w;"),
    ],
)
def test_what_no_catalog_has_is_dropped_by_its_name(name: str, sql: str) -> None:
    assert drop_sql(name) == sql
