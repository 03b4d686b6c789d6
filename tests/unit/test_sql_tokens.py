"""Tokens: nothing of a text is lost, and the pattern agrees with PostgreSQL's scanner wherever that works."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from pglast.parser import ParseError, scan

from promthctl.migration_set import discover, packaged_source
from promthctl.sql.statements import split_statements
from promthctl.sql.tokens import Token, blanked, ends_in_line_comment, line_at, scan_by_pattern, scan_sql, sql_words
from tests.embedded.test_history import FILES

BETWEEN = " \t\r\n\f\v"  # what PostgreSQL takes for white space
TEXTS = {
    **FILES,
    "nothing": "",
    "semicolons": ";;\n ; ;",
    "strings": "select 'a;''b', '', '''', 'ไทย;', n'x;', b'01', x'1F', U&'d\\0061t;', u&\"d\\0061;\" uescape '!';",
    "escapes": "select E'\\'; ', e'\\\\', E'a'';', E'\\\\\\';', 'no\\';",
    "lines": "select 'a'\n  'b;', E'a' -- c;\n\t'\\';' , 'x'\r\n-- one\n-- two\n'y'",
    "dollars": "select $$;'$$, $a$ $b$ ; $b$ $$ $a$, $é$;$é$, $_1$;$_1$, a$b, a$$b, $1, $12;",
    "names": 'select "a;""b", "--", "/*", "\'" from "ไทย;" as é, _x$1, "$x$";',
    "comments": "/* a; /* b; */ -- c */ ; */ select 1 -- d; /* \n + 2 /**/; --\n--;\n/*/**/;*/ select 3;",
    "operators": "select a<-1, b||'x', 2*-3, c->>'k', 1+--x\n2, 3*/*;*/4, d@>e, f::text, g[1:2], h := 1, 5 !~ '';",
    "numbers": "select 1, 1.5, .5, 1e10, 1.5e-3, 0x1F, 1_000; select 1.;",
    "atomic": (
        "create function f() returns int language sql begin atomic; select case when true then 1 else 2 end;"
        " select 2; end; create procedure p() begin atomic end; select 1 as atomic; begin; commit;"
    ),
    "atomic twice": (
        'CREATE FUNCTION "begin atomic;"() RETURNS int\nBEGIN\n ATOMIC -- ;\n  SELECT (SELECT 1);\n /* ; */ END\n;'
        "create function g() returns int begin atomic select 1 as \"end\"; end; select 'end';"
    ),
    "a rule": "create rule r as on insert to a do also (delete from a; delete from b where ((true))); select 2",
    "CRLF": "select 1;\r\n-- a;\r\nselect\r\n';\r\n';\r\n/* ;\r\n */\r\nselect 2;\r\n",
    "white space": "select\x0b1;\x0cselect\t2;\rselect 3;-- a\rselect 4;",
    "other letters": "select '👋;', \"👋;\", 👋, \u00a0x, $👋$;$👋$; comment on schema public is 'ünïcödé — ✓';",
    "a backslash": "select 1;\n\\connect x;\n",
}
OPEN = {
    "a string": "select 1; select 'a;''b",
    "an escape": "select 1; select E'a\\';",
    "an escape at the end": "select 1; select E'a;\\",
    "the second of two lines": "select 1; select 'a'\n'b;",
    "a name": 'select 1; select "a;""b',
    "a dollar quote": "select 1; select $a$ ; $$ ; $A$",
    "a comment": "select 1; select 2 /* ; /* ; */ ;",
    "a quote alone": "select 1; '",
}


def edits(sql: str) -> list[str]:
    """`sql` with something added or taken away, at random places that are the same in every run."""
    chance = random.Random(sql)
    added = [
        "",
        ";",
        "\n",
        " ",
        "--",
        "'",
        "$$",
        "/*",
        "*/",
        "x",
        '"',
        "\r\n",
        "E'",
        "(",
        ")",
        " begin atomic ",
        " end ",
    ]
    edited = []
    for _ in range(40):
        place, taken = chance.randrange(len(sql) + 1), chance.choice([0, 0, 1, 2])
        edited.append(sql[:place] + chance.choice(added) + sql[place + taken :])
    return edited


def every_text() -> list[str]:
    texts = [*TEXTS.values(), *OPEN.values(), *(file.sql for file in discover(packaged_source()))]
    return [text.removeprefix("\ufeff") for sql in texts for text in (sql, *edits(sql))]


def rejoined(sql: str, tokens: list[Token]) -> str:
    """The text from its tokens and the white space between them."""
    ends = [0, *(place for token in tokens for place in (token.start, token.end)), len(sql)]
    assert ends == sorted(ends)
    assert all(sql[start:end].strip(BETWEEN) == "" for start, end in list(pairwise(ends))[::2])
    return "".join(sql[start:end] for start, end in pairwise(ends))


def told_apart(sql: str, tokens: list[Token]) -> list[tuple[str, str]]:
    """What cutting depends on: the kinds and texts of tokens, without numbers and operators."""
    return [
        (token.kind, sql[token.start : token.end])
        for token in tokens
        if token.kind != "mark" or sql[token.start : token.end] in (";", "(", ")")
    ]


def test_tokens_and_the_white_space_between_them_are_the_text() -> None:
    for sql in every_text():
        assert rejoined(sql, scan_sql(sql)) == sql
        assert rejoined(sql, list(scan_by_pattern(sql))) == sql


def test_the_pattern_agrees_with_the_scanner_where_that_works() -> None:
    scanned = 0
    for sql in every_text():
        try:
            scan(sql)
        except ParseError:
            continue
        scanned += 1
        assert told_apart(sql, list(scan_by_pattern(sql))) == told_apart(sql, scan_sql(sql)), sql
    assert scanned > len(every_text()) / 2


def test_statements_and_what_is_between_them_are_the_text() -> None:
    for sql in every_text():
        ends = [0, *(place for piece in split_statements(sql) for place in piece[:2]), len(sql)]
        assert ends == sorted(ends)
        for start, end in list(pairwise(ends))[::2]:
            assert sql[start:end].strip(" \t\r\n\f\v;\u00a0") == "", sql
        for piece in split_statements(sql):
            assert piece.code is None or piece.start <= piece.code < piece.end


@pytest.mark.parametrize("kind", OPEN)
def test_what_nothing_closes_reaches_to_the_end(kind: str) -> None:
    sql = OPEN[kind]
    with pytest.raises(ParseError):
        scan(sql)
    assert scan_sql(sql)[-1].end == len(sql)
    assert [sql[piece.start : piece.end] for piece in split_statements(sql)] == ["select 1", sql[10:]]


@pytest.mark.parametrize(
    ("sql", "blank"),
    [
        ("a = 'x(' and \"y)\" > E'\\'('", "a = '__' and '__' > '____'"),
        ("f('''') -- (\n+ $$($$", "f('__') '__'\n+ '___'"),
        ("'", "'"),
    ],
)
def test_what_is_quoted_can_be_blanked(sql: str, blank: str) -> None:
    assert blanked(sql) == blank and len(sql) == len(blank)


def test_words_keep_what_is_quoted() -> None:
    assert sql_words("SELECT 'A B', \"C\" -- D\n FROM t/*x*/;") == ["select", "'A B'", ",", '"C"', "from", "t", ";"]


@pytest.mark.parametrize(
    ("sql", "ends"),
    [("select 1 -- a", True), ("select 1 -- a\n", False), ("select '-- a'", False), ("select 1 /* -- */", False),
     ("/* /* -- */", False), ("select 1 -- '\n -- b", True), ("select $$ -- $$", False), ("", False)],
)  # fmt: skip
def test_a_line_comment_at_the_end_is_known(sql: str, ends: bool) -> None:
    assert ends_in_line_comment(sql) is ends


def test_a_place_has_a_line() -> None:
    assert [line_at("a\nb\r\nc", place) for place in (0, 1, 2, 5)] == [1, 1, 2, 3]
