"""A script is read as it is cut for migrations, in blocks of any size, with psql's lines and the rows of COPY."""

from __future__ import annotations

import io
import random
import tracemalloc
from collections.abc import Iterator
from typing import BinaryIO, cast

import pytest

from promthctl.sql import scripts
from promthctl.sql.scripts import NotTextError, ScriptReader
from promthctl.sql.statements import split_statements

TEXTS = [
    "select 1; select 'a;b''c'; select \"x;\"\"y\"; select $$a;b$$; select $t$ $$; ; $t$ -- c; d\n; /* a; /* ; */ */",
    "select E'a\\';b';\n;; select E'a'\n'b\\';c'; select E'a''b\\';c'; select 1",
    "create function f() returns int begin atomic select 1; select case when true then 1 end; end; select 2",
    "insert into a values (1,'x'),(2,(select max(y) from (select 1) z));\ninsert into b values ('a\nb');\n\nselect 3",
    "select foo$bar$ from x; select a$b$; select $1; select B'01', U&'d\\0061', N'x;' ; select 1e5, 1.5",
    "create rule r as on insert to a do also (insert into b values (1); insert into c values (2)); select 1",
    "select 1-- a;\n+2;select 5/2;select 1 - 2;select 1 -/* ; */2",
    "begin; insert into x values (1); commit; end; select 1;begin atomic",
    "select 'é;ü', ünïcode from \"tä;b\"; select 'ไทย;' ; select 2",
    "\r\nselect 1;\r\n-- last\r\n",
    "do $body$ begin perform 1; end $body$; select 1",
    "select 'unclosed; select 2;",
    "select 1 /* open; select",
    "-- only\n",
    "",
]
WORDS = [
    "select ",
    "insert into t values ",
    *"();'\"\n a1-/é",
    "''",
    "$$",
    "$a$",
    "--x\n",
    "/*",
    "*/",
    "begin ",
    "atomic ",
]
WORDS += ["end ", "B'01'", "case ", "end; ", "E'", "''"]


def read(text: bytes) -> list[tuple[str, str, int]]:
    return [(part.kind, part.text.decode(), part.line) for part in ScriptReader(io.BytesIO(text))]


def expected(sql: str) -> list[tuple[str, str, int]]:
    pieces = [(piece.code, piece.end) for piece in split_statements(sql) if piece.code is not None]
    return [("statement", sql[code:end], sql.count("\n", 0, code) + 1) for code, end in pieces]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1 << 18])
@pytest.mark.parametrize("sql", TEXTS)
def test_a_script_is_cut_as_a_migration_is(monkeypatch: pytest.MonkeyPatch, sql: str, block: int) -> None:
    monkeypatch.setattr(scripts, "_BLOCK", block)
    assert read(sql.encode()) == expected(sql)


def test_any_text_is_cut_as_a_migration_is(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = random.Random(7)
    for _ in range(2000):
        sql = "".join(chosen.choices(WORDS, k=chosen.randint(1, 20)))
        if "$" in sql.replace("$$", "").replace("$a$", ""):  # a lone $ is no SQL
            continue
        monkeypatch.setattr(scripts, "_BLOCK", chosen.choice([1, 2, 5, 1000]))
        if not sql.count("$"):  # what follows an unclosed dollar quote is cut in other ways, and is no SQL either
            assert read(sql.encode()) == expected(sql), sql


@pytest.mark.parametrize("block", [1, 3, 1 << 18])
def test_what_pg_dump_writes_for_psql_is_told_apart(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(scripts, "_BLOCK", block)
    dump = (
        b"\\restrict abc\nSET a = 1;\nCOPY public.n (id, t) FROM stdin;\n1\ta;b'\n2\t\\\\.x\n\\.\n\n\\unrestrict abc\n"
        b"copy x from STDIN with (format csv);\r\na,b\r\n\\.\r\nselect 1 \\gset\n"
        b"copy y from '/file';COPY z FROM stdin;\n5"
    )
    reader, found = ScriptReader(io.BytesIO(dump)), []
    for part in reader:
        found.append((part.kind, part.line, part.inside, b"".join(reader.rows()) if part.kind == "copy" else b""))
    assert found == [
        ("meta", 1, False, b""),
        ("statement", 2, False, b""),
        ("copy", 3, False, b"1\ta;b'\n2\t\\\\.x\n"),
        ("meta", 8, False, b""),
        ("copy", 9, False, b"a,b\r\n"),
        ("meta", 12, True, b""),
        ("statement", 13, False, b""),
        ("copy", 13, False, b"5"),
    ]
    assert reader.done == len(dump)


def test_a_byte_order_mark_is_left_out_and_other_encodings_are_told() -> None:
    assert read(b"\xef\xbb\xbfselect 1") == [("statement", "select 1", 1)]
    with pytest.raises(NotTextError):
        read("select 1".encode("utf-16"))


class Endless:
    """A script of many statements that is never in memory as a whole."""

    def __init__(self, line: bytes, bytes_left: int) -> None:
        self._line, self._left = line, bytes_left

    def read(self, size: int) -> bytes:
        block = (self._line * (size // len(self._line) + 2))[: min(size, self._left)]
        self._left -= len(block)
        turn = len(block) % len(self._line)
        self._line = self._line[turn:] + self._line[:turn]
        return block


@pytest.mark.parametrize(
    "line", [b"insert into t values (1,';');\n", b"COPY t FROM stdin;\n" + b"1\n" * 1000 + b"\\.\n"]
)
def test_a_large_script_takes_little_memory(line: bytes) -> None:
    tracemalloc.start()
    try:
        for _ in ScriptReader(cast(BinaryIO, Endless(line, 2_000_000))):
            pass
        assert tracemalloc.get_traced_memory()[1] < 1_900_000
    finally:
        tracemalloc.stop()


def pieces() -> Iterator[bytes]:
    yield b"insert into t values\n"
    for number in range(200_000):
        yield b"(%d, 'it''s'),\n" % number
    yield b"(0, 'x');\nselect 1"


def test_a_statement_of_many_rows_is_one() -> None:
    found = read(b"".join(pieces()))
    assert [(kind, line) for kind, _, line in found] == [("statement", 1), ("statement", 200_003)]
