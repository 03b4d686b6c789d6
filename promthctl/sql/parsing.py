"""Parses a migration, whatever is in it, and the SQL inside its DO blocks.

pglast is PostgreSQL's own parser (libpg_query); its grammar is that of PostgreSQL 18.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from promthctl.sql.do_blocks import body_location, sql_in_block
from promthctl.sql.statements import split_statements
from promthctl.sql.tokens import line_at


@dataclass(frozen=True)
class ParsedStatement:
    """A statement. line: from 1, of its first word, or of what the parser stumbles over.

    node: pglast's; None when it cannot be read, and then error says why. inside: it is in a DO block, so it may run
    once, often or never. opaque: a DO block of which not everything can be seen.
    """

    line: int
    node: Any
    error: str = ""
    inside: bool = False
    opaque: bool = False


def parse_migration(sql: str) -> list[ParsedStatement]:
    """The statements of a migration in their order; those inside a DO block follow it. Nothing is raised."""
    from pglast.parser import ParseError

    try:
        return _parsed(sql, 1)
    except ParseError:
        return list(_piecewise(sql))


def _parsed(sql: str, line: int, inside: bool = False) -> list[ParsedStatement]:
    """line: the one on which `sql` begins. Raises pglast's ParseError."""
    from pglast import parser

    found, counted = [], 0
    raw: Any
    for raw in parser.parse_sql(sql):
        start = raw.stmt_location
        line += sql.count("\n", counted, start)
        counted = start
        if type(raw.stmt).__name__ != "DoStmt":
            found.append(ParsedStatement(line, raw.stmt, inside=inside))
            continue
        text = sql[start : start + raw.stmt_len if raw.stmt_len else None]
        within = _block(raw.stmt, text, line + sql.count("\n", start, body_location(raw.stmt)))
        found.append(ParsedStatement(line, raw.stmt, inside=inside, opaque=None in within))
        found += [one for one in within if one is not None]
    return found


def _piecewise(sql: str) -> Iterator[ParsedStatement]:
    """What can be read of a file that cannot be read as a whole."""
    from pglast.parser import ParseError

    for piece in split_statements(sql):
        if piece.code is None:
            continue
        text, line = sql[piece.code : piece.end], line_at(sql, piece.code)
        try:
            yield from _parsed(text, line)
        except ParseError as error:
            message, place = error.args
            yield ParsedStatement(line + text.count("\n", 0, place), None, str(message))


def _block(node: Any, text: str, line: int) -> list[ParsedStatement | None]:
    """The statements of a DO block whose body begins on `line`; None for what nobody can see."""
    from pglast.parser import ParseError

    found: list[ParsedStatement | None] = []
    for offset, query in sql_in_block(node, text):
        try:
            found += [None] if query is None else _parsed(query, line + offset, inside=True)
        except ParseError:
            found.append(None)
    return found
