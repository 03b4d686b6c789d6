"""Migrations are cut into statements with their lines, whatever stands in them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from promthctl.sql.parsing import ParsedStatement, parse_migration


def shape(sql: str) -> list[tuple[int, str]]:
    return [(one.line, type(one.node).__name__ if one.node else one.error) for one in parse_migration(sql)]


UNREADABLE = "syntax error at or near "


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("", []),
        ("-- nothing; here\n;;\n", []),
        ("select 1", [(1, "SelectStmt")]),
        ("\r\n\r\n-- ไทย; 👋\r\nselect 1;\r\ndrop table a", [(4, "SelectStmt"), (5, "DropStmt")]),
        ("/* /* nested; */ */\nselect ';' /* ; */ , $$;$$;\nselect 2", [(2, "SelectStmt"), (3, "SelectStmt")]),
        ("select 1;\nselekt\n2;\ndrop table a;", [(1, "SelectStmt"), (2, f'{UNREADABLE}"selekt"'), (4, "DropStmt")]),
        ("select 1;\n\\connect x\n-- end", [(1, "SelectStmt"), (2, f'{UNREADABLE}"\\"')]),
        ("select 1;\nselect 'open;\n", [(1, "SelectStmt"), (2, 'unterminated quoted string at or near "\'open;"')]),
        ("select 1;\ndrop tabel a, b;\n", [(1, "SelectStmt"), (2, f'{UNREADABLE}"tabel"')]),
        ("copy a from stdin;\n1\t2\n\\.\nselect 1;", [(1, "CopyStmt"), (2, f'{UNREADABLE}"1"')]),
    ],
)
def test_statements_and_what_cannot_be_read_have_their_lines(sql: str, expected: list[tuple[int, str]]) -> None:
    assert shape(sql) == expected


def block(body: str) -> list[ParsedStatement]:
    declared = "declare n int; r record; t public.users%rowtype;"
    return parse_migration(f"select 1;\ndo $é$\n{declared}\nbegin\n{body}\nend $é$;")


@pytest.mark.parametrize(
    ("body", "opaque", "inside"),
    [
        ("null;", False, []),
        ("n := 1; raise notice 'x';", False, []),
        ("if n = 1 then\n drop table a;\nelse truncate b; end if;", False, [(6, "DropStmt"), (7, "TruncateStmt")]),
        (
            "begin drop table a; exception when others then\ndrop table b; end;",
            False,
            [(5, "DropStmt"), (6, "DropStmt")],
        ),
        ("for r in select 1 loop\nperform f(); call g(); end loop;", False, [(6, "SelectStmt"), (6, "CallStmt")]),
        ("execute 'drop table a; drop table b';", False, [(5, "DropStmt"), (5, "DropStmt")]),
        ("execute 'drop table ' || n;", True, []),
        ("drop table a;\nexecute format('x %s', n);", True, [(5, "DropStmt")]),
        ("for r in execute 'x' || n loop null; end loop;", True, []),
        ("execute 'selekt';", True, []),
        ("selekt;", True, []),
        ("do $x$ begin drop table a; end $x$;", False, [(5, "DoStmt"), (5, "DropStmt")]),
    ],
)
def test_a_do_block_is_looked_into(body: str, opaque: bool, inside: list[tuple[int, str]]) -> None:
    _, outer, *within = block(body)
    assert (outer.line, outer.opaque, outer.inside) == (2, opaque, False)
    assert [(one.line, type(one.node).__name__) for one in within] == inside
    assert all(one.inside for one in within)


@pytest.mark.parametrize("sql", ["do language plv8 $$ drop table a $$", "do $$ drop table a"])
def test_another_language_is_not_looked_into(sql: str) -> None:
    (one,) = parse_migration(sql)
    assert one.opaque or one.error


def test_the_parser_is_imported_only_for_a_plan() -> None:
    modules = "promthctl.local_stack, promthctl.push, promthctl.cli.push, promthctl.cli.local"
    code = f"import sys, {modules}; sys.exit('pglast' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
