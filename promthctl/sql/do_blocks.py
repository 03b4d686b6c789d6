"""Looks into DO blocks: the SQL that their PL/pgSQL runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_STATIC = {"PLpgSQL_stmt_execsql": "sqlstmt", "PLpgSQL_stmt_perform": "expr", "PLpgSQL_stmt_call": "expr"}
_DYNAMIC = {
    "PLpgSQL_stmt_dynexecute": "query",
    "PLpgSQL_stmt_dynfors": "query",
    "PLpgSQL_stmt_return_query": "dynquery",
    "PLpgSQL_stmt_open": "dynquery",
}


def body_location(node: Any) -> int:
    """The offset of a DO block's body in the text that was parsed. node: pglast's DoStmt."""
    return int(next(option.location for option in node.args if option.defname == "as"))


def sql_in_block(node: Any, text: str) -> Iterator[tuple[int, str | None]]:
    """The SQL that a DO block may run, each with its line counted from the body's first as 0; None where it is unknown.

    node: pglast's DoStmt. text: the statement.
    """
    body = _body(node, text)
    if body is None:
        yield 0, None
        return
    for name, fields in _walk(body):
        line = fields.get("lineno", 1) - 1
        if name in _STATIC:
            yield line, fields[_STATIC[name]]["PLpgSQL_expr"]["query"]
        elif dynamic := fields.get(_DYNAMIC.get(name, "")):
            yield line, _constant(dynamic["PLpgSQL_expr"]["query"])


def rolls_back(node: Any, text: str) -> bool:
    """True for a DO block or a procedure with a ROLLBACK of its own. node: pglast's. text: the statement."""
    return any(name == "PLpgSQL_stmt_rollback" for name, _ in _walk(_body(node, text)))


def _body(node: Any, text: str) -> Any:
    """The parsed block; None where it is not PL/pgSQL or cannot be read."""
    from pglast import parser

    options = node.args if hasattr(node, "args") else node.options
    if any(option.defname == "language" and option.arg.sval.lower() != "plpgsql" for option in options):
        return None
    try:
        return json.loads(parser.parse_plpgsql_json(text))
    except (parser.ParseError, ValueError):
        return None


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
