"""Reads and rewrites policy expressions as Postgres prints them, with every name in full."""

from __future__ import annotations

import re
from typing import Any

from promthctl.sql.tokens import blanked

_AUTH_CALL = re.compile(r"\b(?:auth\.(?:uid|jwt|role|email)|(?<![.\w])current_setting)\s*\(")
_IN_SELECT = re.compile(r"\bIN (\(\s*SELECT\b)")
_EXISTS = re.compile(r"\bEXISTS (\(\s*SELECT\b)")
_SELECT = re.compile(r"\(\s*SELECT\b", re.IGNORECASE)


def called_functions(text: str) -> frozenset[str] | None:
    """The functions that an SQL expression calls, without their schemas; None for what is not exactly one expression.

    Written into `select (…)`, any other text could close the parenthesis and go on with statements of its own.
    """
    from pglast import ast
    from pglast.parser import ParseError, parse_sql
    from pglast.visitors import Visitor

    try:
        statements = parse_sql(f"select ({text}\n) is null")
    except ParseError:
        return None
    statement: Any = statements[0].stmt
    clauses = [name for name in statement if getattr(statement, name)]  # enumerations are 0 where nothing is said
    targets: Any = statement.targetList if clauses == ["targetList"] else ()
    if len(statements) != 1 or len(targets) != 1 or not isinstance(targets[0].val, ast.NullTest):
        return None
    called: set[str] = set()

    class Calls(Visitor):
        def visit_FuncCall(self, _: Any, node: Any) -> None:
            called.add(node.funcname[-1].sval)

    Calls()(statement)
    return frozenset(called)


def called_once(text: str) -> str:
    """With every auth call that is made per row put into a select of its own; the same text when there is none."""
    for call in reversed(list(_AUTH_CALL.finditer(blanked(text)))):
        end = _closing(text, call.end() - 1)
        if end is not None and not _alone_in_select(text, call.start()):
            text = f"{text[: call.start()]}(select {text[call.start() : end + 1]}){text[end + 1 :]}"
    return text


def arrayed(text: str) -> str:
    """With `x in (select …)` as `x = any (array(select …))`; the same text when there is none."""
    for match in reversed(list(_IN_SELECT.finditer(blanked(text)))):
        start = match.start(1)
        end = _closing(text, start)
        before = text[: match.start()].rstrip()
        if end is not None and not before.endswith("NOT"):
            text = f"{before} = ANY (ARRAY{text[start : end + 1]}){text[end + 1 :]}"
    return text


def correlated(text: str, table: str) -> bool:
    """True when an `exists (select …)` speaks of the policy's own table, so that it is asked for every row."""
    blank = blanked(text)
    for match in _EXISTS.finditer(blank):
        end = _closing(text, match.start(1))
        if end is not None and re.search(rf"(?<![\w.]){re.escape(table)}\.", text[match.start(1) : end]):
            return True
    return False


def compares(text: str, column: str, table: str) -> bool:
    """True when the column is compared for equality, which an index beginning with it answers."""
    name = rf"(?<![\w.])(?:{re.escape(table)}\.)?{re.escape(column)}"
    return re.search(rf"{name}\)?(?:::\w+)? (?:=|IN) |[^<>!]= \(?{name}\b", text) is not None


def _alone_in_select(text: str, place: int) -> bool:
    """True inside of `(select …)` that has no from: Postgres evaluates that once."""
    blank = blanked(text)
    opened: list[int] = []
    for index, letter in enumerate(blank[:place]):
        if letter == "(":
            opened.append(index)
        elif letter == ")" and opened:
            opened.pop()
    for start in reversed(opened):
        if _SELECT.match(blank, start):
            end = _closing(text, start)
            return end is not None and " FROM " not in _outermost(blank[start + 1 : end]).upper()
    return False


def _outermost(text: str) -> str:
    """A text without what stands in its parentheses, whitespace made one blank."""
    depth, kept = 0, []
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            kept.append(letter)
    return re.sub(r"\s+", " ", "".join(kept))


def _closing(text: str, start: int) -> int | None:
    """Where the parenthesis that opens at `start` closes."""
    depth = 0
    for index, letter in enumerate(blanked(text)[start:], start):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return index
    return None
