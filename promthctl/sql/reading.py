"""Cuts a migration into statements with a real parser, and looks into its DO blocks.

pglast is PostgreSQL's own parser (libpg_query); its grammar is that of PostgreSQL 18.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_STATIC = {"PLpgSQL_stmt_execsql": "sqlstmt", "PLpgSQL_stmt_perform": "expr", "PLpgSQL_stmt_call": "expr"}
_DYNAMIC = {
    "PLpgSQL_stmt_dynexecute": "query",
    "PLpgSQL_stmt_dynfors": "query",
    "PLpgSQL_stmt_return_query": "dynquery",
    "PLpgSQL_stmt_open": "dynquery",
}
_SEMICOLON = "ASCII_59"


@dataclass(frozen=True)
class Parsed:
    """A statement. line: from 1, of its first word, or of what the parser stumbles over.

    node: pglast's; None when it cannot be read, and then error says why. inside: it stands in a DO block, so it may
    run or not, or often. opaque: a DO block of which not everything can be seen.
    """

    line: int
    node: Any
    error: str = ""
    inside: bool = False
    opaque: bool = False


def read(sql: str) -> list[Parsed]:
    """The statements of a migration in their order; those inside a DO block follow it. Nothing is raised."""
    from pglast import parser

    try:
        return _parsed(sql, 1)
    except parser.ParseError as error:
        return _piecewise(sql, error)


def _parsed(sql: str, line: int, inside: bool = False) -> list[Parsed]:
    """line: the one on which `sql` begins. Raises pglast's ParseError."""
    from pglast import parser

    found, counted = [], 0
    raw: Any
    for raw in parser.parse_sql(sql):
        start = raw.stmt_location
        line += sql.count("\n", counted, start)
        counted = start
        if type(raw.stmt).__name__ != "DoStmt":
            found.append(Parsed(line, raw.stmt, inside=inside))
            continue
        body = next(option.location for option in raw.stmt.args if option.defname == "as")
        text = sql[start : start + raw.stmt_len if raw.stmt_len else None]
        within = _block(raw.stmt, text, line + sql.count("\n", start, body))
        found.append(Parsed(line, raw.stmt, inside=inside, opaque=None in within))
        found += [one for one in within if one is not None]
    return found


def _piecewise(sql: str, error: Exception) -> list[Parsed]:
    """What can be read of a file that cannot be read as a whole."""
    from pglast import parser

    try:
        tokens = parser.scan(sql)
    except parser.ParseError:  # a quote without its end: nobody knows where statements end
        return [_unread(sql, 1, error)]
    found: list[Parsed] = []
    start: int | None = None
    for token in tokens:
        if start is None and token.name not in ("SQL_COMMENT", "C_COMMENT", _SEMICOLON):
            start = token.start
        if start is not None and (token.name == _SEMICOLON or token is tokens[-1]):
            text, line = sql[start : token.end + 1], sql.count("\n", 0, start) + 1
            start = None
            try:
                found += _parsed(text, line)
            except parser.ParseError as problem:
                found.append(_unread(text, line, problem))
    return found


def _unread(sql: str, line: int, error: Exception) -> Parsed:
    message, place = error.args
    return Parsed(line + sql.count("\n", 0, place), None, str(message))


def _block(node: Any, text: str, line: int) -> list[Parsed | None]:
    """The statements of a DO block whose body begins on `line`; None for what nobody can see."""
    from pglast import parser

    if any(option.defname == "language" and option.arg.sval.lower() != "plpgsql" for option in node.args):
        return [None]
    try:
        body = json.loads(parser.parse_plpgsql_json(text))
    except (parser.ParseError, ValueError):
        return [None]
    found: list[Parsed | None] = []
    for name, fields in _walk(body):
        if name in _STATIC:
            query = fields[_STATIC[name]]["PLpgSQL_expr"]["query"]
        elif dynamic := fields.get(_DYNAMIC.get(name, "")):
            query = _constant(dynamic["PLpgSQL_expr"]["query"])
        else:
            continue
        try:
            found += [None] if query is None else _parsed(query, line + fields.get("lineno", 1) - 1, inside=True)
        except parser.ParseError:
            found.append(None)
    return found


def _walk(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of a parsed PL/pgSQL block, in the order of the text."""
    if isinstance(value, list):
        for item in value:
            yield from _walk(item)
    elif isinstance(value, dict):
        for name, fields in value.items():
            if name.startswith("PLpgSQL_stmt_"):
                yield name, fields
            yield from _walk(fields)


def _constant(expression: str) -> str | None:
    """The SQL of an EXECUTE of a plain string."""
    from pglast import parser

    try:
        select: Any = parser.parse_sql(f"select {expression}")[0].stmt
    except parser.ParseError:
        return None
    text = getattr(getattr(select.targetList[0].val, "val", None), "sval", None)
    return text if isinstance(text, str) else None
