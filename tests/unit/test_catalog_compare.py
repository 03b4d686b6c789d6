"""Catalogs compared without a database: what counts as a difference, in which order, with which fix."""

from __future__ import annotations

from typing import Any

import pytest

from promthctl.errors import UsageError
from promthctl.schema import Catalog, compare
from promthctl.schema.canonical import canonical, sql_words


def catalog(major: int = 17, **kinds: dict[str, dict[str, Any]]) -> Catalog:
    return Catalog(major, kinds)


def column(table: str, place: int = 1, **more: Any) -> dict[str, Any]:
    plain = {"type": "text", "collation": None, "default": None, "generated": None, "virtual": False, "identity": None}
    return {"table": table, "place": place, "not_null": False} | plain | more


def table(**more: Any) -> dict[str, Any]:
    plain = {"partition_key": None, "partition_bound": None, "parents": [], "replica_identity": "default"}
    return {"kind": "table", "persistence": "logged"} | plain | more


def index(definition: str, table: str = "public.t") -> dict[str, Any]:
    return {"table": table, "definition": definition, "valid": True}


def grant(*privileges: str) -> dict[str, Any]:
    return {"privileges": list(privileges), "grantable": [], "columns": {}}


def view(definition: str, *options: str) -> dict[str, Any]:
    return {"materialized": False, "definition": definition, "options": list(options)}


def function(body: str, language: str = "plpgsql") -> dict[str, Any]:
    return {"body": body, "language": language, "kind": "function", "ddl": f"create function {body}", "arguments": ""}


def test_a_catalog_survives_being_kept() -> None:
    kept = catalog(tables={"public.t": table()}, columns={"public.t.a": column("public.t")})
    assert Catalog.from_json(kept.to_json()) == kept
    for damaged in ("", "[]", "{", '{"major": 17}'):
        with pytest.raises(ValueError):
            Catalog.from_json(damaged)


def test_the_three_states() -> None:
    expected = catalog(columns={"public.t.a": column("public.t"), "public.t.b": column("public.t")})
    actual = catalog(columns={"public.t.b": column("public.t", not_null=True), "public.t.c": column("public.t")})
    found = {one.name: one for one in compare(expected, actual)}
    assert {name: one.state for name, one in found.items()} == {
        "public.t.a": "missing",
        "public.t.b": "different",
        "public.t.c": "extra",
    }
    assert (found["public.t.b"].expected, found["public.t.b"].actual) == ({"not_null": False}, {"not_null": True})
    assert found["public.t.b"].fix == "alter table public.t alter column b drop not null;"
    assert found["public.t.a"].actual is None and found["public.t.c"].expected is None


def test_a_missing_table_brings_its_children_and_is_told_once() -> None:
    expected = catalog(
        tables={"public.t": table()},
        columns={"public.t.b": column("public.t", 2, default="1"), "public.t.a": column("public.t", 1, not_null=True)},
        constraints={"public.t.t_pkey": {"table": "public.t", "definition": "PRIMARY KEY (a)", "enabled": True}},
        indexes={"public.i": index("CREATE INDEX i ON public.t USING btree (b)")},
        rls={"public.t": {"enabled": True, "forced": False}},
        grants={"table public.t to anon": grant("SELECT")},
    )
    (one,) = compare(expected, catalog())
    assert (one.kind, one.name, one.state) == ("tables", "public.t", "missing")
    lines = one.fix.splitlines()
    assert lines[0] == "create table if not exists public.t ("
    assert lines[1:3] == ["  a text not null,", "  b text default 1"]
    assert lines[4:6] == [
        "alter table public.t add constraint t_pkey PRIMARY KEY (a);",
        "CREATE INDEX i ON public.t USING btree (b);",
    ]
    assert lines[6] == "alter table public.t enable row level security;"
    assert lines[-1] == "grant SELECT on table public.t to anon;"


def test_tables_are_made_after_those_they_refer_to_and_dropped_before() -> None:
    whole = catalog(
        tables={"public.a": table(), "public.b": table(), "public.c": table()},
        constraints={
            f"public.{one}.fk": {
                "table": f"public.{one}",
                "definition": f"FOREIGN KEY (x) REFERENCES public.{other}(id)",
            }
            for one, other in (("a", "b"), ("b", "c"))
        },
    )
    assert [one.name for one in compare(whole, catalog())] == ["public.c", "public.b", "public.a"]
    assert [one.name for one in compare(catalog(), whole)] == ["public.a", "public.b", "public.c"]


def test_what_stands_in_the_way_goes_first_and_what_is_used_goes_last() -> None:
    expected = catalog(
        columns={"public.t.a": column("public.t")}, indexes={"public.i": index("CREATE INDEX i ON public.t (a)")}
    )
    actual = catalog(
        types={"public.e": {"kind": "enum", "values": ["a"]}},
        columns={"public.t.b": column("public.t", type="public.e")},
        views={"public.v": view("SELECT 1")},
    )
    assert [(one.kind, one.state) for one in compare(expected, actual)] == [
        ("views", "extra"),
        ("columns", "missing"),
        ("indexes", "missing"),
        ("columns", "extra"),
        ("types", "extra"),
    ]


def test_an_index_is_known_by_what_it_does() -> None:
    expected = catalog(indexes={"public.a": index("CREATE INDEX a ON public.t USING btree (x)")})
    actual = catalog(indexes={'public."b ON c"': index('CREATE INDEX "b ON c" ON public.t USING btree (x)')})
    assert compare(expected, actual) == ()
    twice = catalog(indexes=dict(expected.of("indexes")) | dict(actual.of("indexes")))
    assert [(one.name, one.state) for one in compare(expected, twice)] == [('public."b ON c"', "extra")]


def test_two_indexes_that_changed_names_are_no_difference() -> None:
    x, y = "CREATE INDEX {} ON public.t USING btree (x)", "CREATE INDEX {} ON public.t USING btree (y)"
    expected = catalog(indexes={"public.a": index(x.format("a")), "public.b": index(y.format("b"))})
    actual = catalog(indexes={"public.a": index(y.format("a")), "public.b": index(x.format("b"))})
    assert compare(expected, actual) == ()


def test_a_grant_that_everybody_has_adds_nothing() -> None:
    everybody = {"table public.t to public": grant("SELECT")}
    assert (
        compare(catalog(grants=everybody), catalog(grants=everybody | {"table public.t to anon": grant("SELECT")}))
        == ()
    )
    found = compare(catalog(grants={"table public.t to anon": grant("SELECT")}), catalog(grants=everybody))
    assert [(one.name, one.state) for one in found] == [
        ("table public.t to public", "extra"),
        ("table public.t to anon", "missing"),
    ]


@pytest.mark.parametrize(("expected", "actual"), [(14, 17), (17, 14)])
def test_everybody_could_create_in_public_before_15(expected: int, actual: int) -> None:
    sides = {14: catalog(14, grants={"schema public to public": grant("CREATE", "USAGE")})}
    sides[17] = catalog(17, grants={"schema public to public": grant("USAGE")})
    assert compare(sides[expected], sides[actual]) == ()


def test_versions_that_print_otherwise_are_compared_loosely() -> None:
    old, new = (
        view("SELECT t.a, upper((t.b)::text) AS b FROM public.t;"),
        view("SELECT a, upper((b)::text) AS b FROM public.t;"),
    )
    assert compare(catalog(17, views={"public.v": new}), catalog(15, views={"public.v": old})) == ()
    assert len(compare(catalog(17, views={"public.v": new}), catalog(17, views={"public.v": old}))) == 1
    other = view("SELECT c, upper((b)::text) AS b FROM public.t;")
    assert len(compare(catalog(17, views={"public.v": new}), catalog(15, views={"public.v": other}))) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("begin\n  return new;\nend", "BEGIN -- why\r\n return   NEW ; END", True),
        ("select 'a  b'", "select 'a b'", False),
        ("select 'A'", "select 'a'", False),
        ('select "A"', 'select "a"', False),
        ("select 1", "select 1 -- 'x", True),
        ("select a->>'b'", "select a ->> 'b'", True),
        ("select a - >'b'", "select a ->'b'", False),
        ("select $$ -- x $$", "select $$ -- y $$", False),
        ("select $1", "select $2", False),
        ("select 1/* x */+2", "select 1 + 2", True),
    ],
)
def test_bodies(one: str, other: str, same: bool) -> None:
    assert (sql_words(one) == sql_words(other)) is same
    expected, actual = (catalog(functions={"public.f()": function(body)}) for body in (one, other))
    assert (compare(expected, actual) == ()) is same


def test_a_body_in_another_language_is_compared_line_by_line() -> None:
    expected, actual = (
        catalog(functions={"public.f()": function(body, "plpython3u")})
        for body in ("# x\nreturn 1  \n", "# x\nreturn 1")
    )
    assert compare(expected, actual) == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            "CHECK (((role)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
            "CHECK (((role)::text = ANY (ARRAY[('a'::character varying)::text, ('b'::character varying)::text])))",
            True,
        ),
        ("CHECK ((a OR (b AND c)))", "CHECK (((a OR b) AND c))", False),
        ("CHECK ((a = (1)))", "CHECK ((a = 1))", True),
        ("CHECK ((a = f(1)))", "CHECK ((a = (f(1))))", False),
        ("CHECK ((x)::character varying(5) = y)", "CHECK ((x)::character varying(6) = y)", False),
    ],
)
def test_expressions(one: str, other: str, same: bool) -> None:
    assert (canonical({"definition": one}) == canonical({"definition": other})) is same


def test_options_that_say_what_holds_anyway() -> None:
    plain, off = view("SELECT 1"), view("SELECT 1", "security_invoker=false")
    on, yes = view("SELECT 1", "security_invoker=true"), view("SELECT 1", "security_invoker=on")
    assert compare(catalog(views={"public.v": plain}), catalog(views={"public.v": off})) == ()
    assert compare(catalog(views={"public.v": on}), catalog(views={"public.v": yes})) == ()
    (one,) = compare(catalog(views={"public.v": on}), catalog(views={"public.v": plain}))
    assert one.fix == "alter view public.v set (security_invoker=true);"


def test_default_privileges_that_new_projects_lack() -> None:
    name = "tables of postgres in schema public to {}"
    opened = catalog(default_privileges={name.format("anon"): {"privileges": ["SELECT"]}})
    assert compare(opened, catalog()) == ()
    (one,) = compare(catalog(), opened)
    assert one.fix == ("alter default privileges for role postgres in schema public revoke SELECT on tables from anon;")
    own = catalog(default_privileges={name.format("reader"): {"privileges": ["SELECT"]}})
    assert [found.state for found in compare(own, catalog())] == ["missing"]


def test_only() -> None:
    expected = catalog(
        columns={"public.t.a": column("public.t")},
        policies={"public.t.p": {"table": "public.t", "command": "all", "roles": ["public"], "permissive": True,
                                 "using": "true", "check": None}},
        functions={"public.f()": function("x")},
    )  # fmt: skip
    assert [one.kind for one in compare(expected, catalog(), only=["tables"])] == ["columns"]
    assert [one.kind for one in compare(expected, catalog(), only=["rls"])] == ["policies"]
    assert [one.kind for one in compare(expected, catalog(), only=["functions", "columns"])] == ["functions", "columns"]
    with pytest.raises(UsageError, match="'table'"):
        compare(expected, catalog(), only=["table"])
