"""PostgreSQL's syntax trees, by pglast: parsed, walked, spelled again, and what names in them mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

_JSON = {"->", "->>", "#>", "#>>"}
_TEXT_CAST = re.compile(r"CAST\(('(?:[^']|'')*') AS (?:text|pg_catalog\.bpchar|varchar)\)")


def is_a(node: Any, *kinds: str) -> bool:
    """Whether a node is one of pglast's classes, given by name: it costs no import and takes any value."""
    return type(node).__name__ in kinds


@lru_cache(maxsize=4096)  # tables of one project often have the same policies
def parse(expression: str) -> Any:
    """The syntax tree of an SQL expression, which nobody changes; None where it is none."""
    from pglast.parser import ParseError, parse_sql

    try:
        return parse_sql(f"select ({expression}\n)")[0].stmt.targetList[0].val  # type: ignore[union-attr]
    except (ParseError, TypeError, AttributeError):
        return None


def spelled(node: Any) -> str:
    """The SQL of a syntax tree, without the casts of literals to text that PostgreSQL adds when it prints."""
    from pglast.stream import RawStream

    return _TEXT_CAST.sub(r"\1", str(RawStream()(node)))


def walk(node: Any) -> Iterator[Any]:
    """Every node of a syntax tree, from the top down."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        kind: Any = type(each)
        if kind is tuple or kind is list:
            waiting.extend(reversed(each))
        elif (names := _parts(kind)) is not None:
            yield each
            waiting.extend([part for name in names if (part := getattr(each, name)) is not None])


@cache  # asking an abstract class each time took longer than the rest
def _parts(kind: type) -> tuple[str, ...] | None:
    """The names of a node's parts, the last first; None for what is no node."""
    from pglast import ast

    return tuple(reversed(tuple(getattr(kind, "__slots__", ())))) if issubclass(kind, ast.Node) else None


def function_name(call: Any) -> tuple[str, str]:
    """Schema (or "") and name of a function call."""
    names = [part.sval for part in call.funcname]
    return (names[-2] if len(names) > 1 else ""), names[-1]


def setting_named(node: Any) -> str | None:
    """The setting that `current_setting('…')` reads, None for any other node."""
    if not is_a(node, "FuncCall") or function_name(node)[1] != "current_setting" or not node.args:
        return None
    return next((str(each.val.sval) for each in walk(node.args[0]) if is_a(each, "A_Const")
                 and is_a(each.val, "String")), None)  # fmt: skip


def as_number(text: str) -> float | None:
    """The number that a text spells, None for any other text."""
    try:
        return float(text)
    except ValueError:
        return None


def json_chains(node: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """`base -> 'a' ->> 'b'` as (base, ("a", "b")), each chain and each beginning of one; `base ? 'a'`, too."""
    for each in walk(node):
        if is_a(each, "A_Expr") and each.name[-1].sval in (*_JSON, "?"):
            base, path = json_chain(each)
            if path:
                yield base, path


def json_chain(node: Any) -> tuple[Any, tuple[str, ...]]:
    """Where a chain of JSON operators begins, and its keys."""
    while is_a(node, "TypeCast"):
        node = node.arg
    if is_a(node, "SubLink") and node.subselect.targetList:  # (select auth.jwt())
        node = node.subselect.targetList[0].val
    if not is_a(node, "A_Expr") or node.name[-1].sval not in (*_JSON, "?"):
        return node, ()
    base, path = json_chain(node.lexpr)
    keys = [str(each.val.sval) for each in walk(node.rexpr)
            if is_a(each, "A_Const") and is_a(each.val, "String")]  # fmt: skip
    if node.name[-1].sval in ("#>", "#>>"):
        keys = [key for text in keys for key in text.strip("{}").replace('"', "").split(",")]
    return base, (*path, *keys)


def queries_of(found: Any) -> Iterator[str]:
    """The statements and expressions in what parse_plpgsql returns."""
    if isinstance(found, list):
        for each in found:
            yield from queries_of(each)
    elif isinstance(found, dict):
        if isinstance(query := found.get("query"), str):
            yield query
        for each in found.values():
            yield from queries_of(each)


def statement_tree(query: str) -> Any:
    """The syntax tree of a statement or an expression; `x := y` is read as y."""
    from pglast.parser import ParseError, parse_sql

    for text in (query, f"select {query}", f"select {query.partition(':=')[2]}"):
        try:
            if found := parse_sql(text):
                return found[0].stmt
        except ParseError:
            continue
    return None
