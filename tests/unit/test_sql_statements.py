"""Cutting a migration as the Supabase CLI does (compared with the CLI itself in embedded/test_bundle.py)."""

from __future__ import annotations

import pytest

from promthctl.migration_set import discover, packaged_source
from promthctl.sql.statements import NotSqlError, parse_statements, split_statements
from tests.embedded.test_history import FILES


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("", []),
        (" ;\n;", []),
        ("select 1", ["select 1"]),
        ("-- only a comment", ["-- only a comment"]),
        ("select 1;\n-- at the end;\n", ["select 1", "-- at the end;"]),
        ("select 1 -- ;\n;; select ';';", ["select 1 -- ;", "select ';'"]),
        ("create rule r as on insert to a do also (delete from a; delete from b); select 2",
         ["create rule r as on insert to a do also (delete from a; delete from b)", "select 2"]),
    ],
)  # fmt: skip
def test_it_cuts_between_statements(sql: str, texts: list[str]) -> None:
    assert [statement.text for statement in parse_statements(sql)] == texts


@pytest.mark.parametrize("sql", [*FILES.values(), *(file.sql for file in discover(packaged_source()))])
def test_every_piece_is_one_statement_or_a_comment(sql: str) -> None:
    for statement in parse_statements(sql.removeprefix("\ufeff")):
        assert [piece.text for piece in parse_statements(statement.text)] == [statement.text]
        assert (statement.node is None) == statement.text.startswith(("-- at the end", "-- nothing"))


def test_a_statement_knows_the_line_of_its_first_word() -> None:
    statements = parse_statements("-- one\nselect 1;\n\n-- ไทย\n/* three */ select 2; select 3")
    assert [statement.line for statement in statements] == [2, 5, 5]
    assert [statement.start for statement in statements] == [0, 18, 47]


@pytest.mark.parametrize(
    "sql",
    [
        "create function f() returns int language sql begin atomic select 1; select case when true then 2 end; end",
        "create procedure p() begin atomic end",
        "create rule r as on insert to a do also (delete from a; delete from b)",
        "select \"a;\", ';', E'\\';', $$;$$ -- ;\n /* ; /* ; */ */",
    ],
)
def test_a_semicolon_inside_does_not_end_a_statement(sql: str) -> None:
    text = f"{sql};\nselect 2;"
    pieces = split_statements(text)
    assert [text[piece.start : piece.end] for piece in pieces] == [sql, "select 2"]
    broken = f"{text} selekt 'open;"
    assert split_statements(broken)[:2] == pieces and len(split_statements(broken)) == 3


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("vacuum", "VACUUM"),
        ("analyze a", None),
        ("create index concurrently i on a (id)", "CONCURRENTLY"),
        ("drop index concurrently i", "CONCURRENTLY"),
        ("reindex table concurrently a", "CONCURRENTLY"),
        ("alter table a detach partition b concurrently", "CONCURRENTLY"),
        ("refresh materialized view concurrently v", None),
        ("create database d", "CREATE DATABASE"),
        ("alter system set work_mem = '1MB'", "ALTER SYSTEM"),
        ("reindex database", "REINDEX DATABASE"),
        ("reindex table a", None),
        ("cluster", "CLUSTER"),
        ("cluster a using i", None),
        ("discard all", "DISCARD ALL"),
        ("discard temp", None),
        ("copy a from stdin", "psql"),
        ("copy a to '/tmp/a'", None),
        ("begin", None),
        ("commit", None),
        ("rollback", "transaction"),
        ("savepoint a", "transaction"),
    ],
)
def test_what_cannot_be_part_of_a_transaction_is_known(sql: str, why: str | None) -> None:
    (statement,) = parse_statements(sql)
    assert statement.alone is None if why is None else why in str(statement.alone)
    assert statement.brackets is (sql in ("begin", "commit"))


@pytest.mark.parametrize(
    ("sql", "adds"), [("alter type t add value 'x'", True), ("alter type t rename value 'x' to 'y'", False)]
)
def test_a_new_value_of_an_enum_is_known(sql: str, adds: bool) -> None:
    assert parse_statements(sql)[0].adds_enum_value is adds


def test_what_is_no_sql_is_told_with_its_line() -> None:
    with pytest.raises(NotSqlError, match="line 3: syntax error"):
        parse_statements("select 1;\n\nselec 2;")
