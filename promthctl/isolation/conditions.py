"""Reads a policy's expression: split into alternatives, each told by what ties it to the caller, if anything.

`owner = auth.uid() or status = 'live'` has two alternatives. The first is a bond: only the caller whom the row or a
membership names gets through. The second is an opening: a row with the right values lets everybody in.
The expressions are those that pg_get_expr prints; the grammar is PostgreSQL's own, by pglast.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

_MOST = 32  # alternatives of one expression; one with more is taken whole
_CALLER = {("auth", name) for name in ("uid", "jwt", "email", "role")}
_BINDING = {"=", "@>", "<@", "&&", "?", "?|", "?&"}  # operators that are true for few callers only
_SELF_SET = {"user_metadata", "raw_user_meta_data"}  # what users write about themselves
_ANYONE = {"aal", "amr", "is_anonymous", "role", "aud", "session_id"}  # claims that a stranger's token has, too
_TEXT_CAST = re.compile(r"CAST\(('(?:[^']|'')*') AS (?:text|pg_catalog\.bpchar|varchar)\)")

Kind = Literal["bond", "plain", "claims"]
KnowsCaller = Callable[[str, str], bool]  # (schema or "", function) → whether its body asks who calls


@dataclass(frozen=True)
class Alternative:
    """One way for an expression to be true, as SQL; `true` where nothing is asked.

    kind: bond, it needs the caller whom row or membership names; plain, it asks about the row alone (and at most
    whether somebody is signed in); claims, it asks about what every caller may say about themselves.
    condition: without what it asks about the caller, for plain ones.
    """

    text: str
    kind: Kind
    condition: str


def alternatives(expression: str | None, knows_caller: KnowsCaller) -> list[Alternative]:
    """The alternatives of an expression; of none (a policy without one lets everything through) the one that is `true`.

    knows_caller: tells of a user's own function whether it asks who calls. An expression that cannot be read is one
    alternative, a bond, if its text mentions the caller.
    """
    if expression is None:
        return [Alternative("true", "plain", "true")]
    node = parse(expression)
    if node is None:
        return [Alternative(expression, "bond" if "auth." in expression else "plain", expression)]
    found = []
    for leaves in _split(node):
        kinds = [_kind(leaf, knows_caller) for leaf in leaves]
        kind: Kind = "bond" if "bond" in kinds else "claims" if "claims" in kinds else "plain"
        plain = [leaf for leaf, its in zip(leaves, kinds, strict=True) if its == "plain"]
        found.append(Alternative(_joined(leaves), kind, _joined(plain)))
    return list(dict.fromkeys(found))


def parse(expression: str) -> Any:
    """The syntax tree of an SQL expression, None where it is none."""
    from pglast.parser import ParseError, parse_sql

    try:
        return parse_sql(f"select ({expression}\n)")[0].stmt.targetList[0].val  # type: ignore[union-attr, index]
    except (ParseError, TypeError, AttributeError):
        return None


def spelled(node: Any) -> str:
    """The SQL of a syntax tree, without the casts of literals to text that PostgreSQL adds when it prints."""
    from pglast.stream import RawStream

    return _TEXT_CAST.sub(r"\1", str(RawStream()(node)))


def walk(node: Any) -> Iterator[Any]:
    """Every node of a syntax tree, from the top down."""
    from pglast import ast

    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, (tuple, list)):
            waiting.extend(reversed(each))
        elif isinstance(each, ast.Node):
            yield each
            waiting.extend(getattr(each, name) for name in reversed(tuple(each)))


def function_name(call: Any) -> tuple[str, str]:
    """Schema (or "") and name of a function call."""
    names = [part.sval for part in call.funcname]
    return (names[-2] if len(names) > 1 else ""), names[-1]


def setting_named(node: Any) -> str | None:
    """The setting that `current_setting('…')` reads, None for any other node."""
    from pglast import ast

    if not isinstance(node, ast.FuncCall) or function_name(node)[1] != "current_setting" or not node.args:
        return None
    return next((str(each.val.sval) for each in walk(node.args[0]) if isinstance(each, ast.A_Const)
                 and isinstance(each.val, ast.String)), None)  # fmt: skip


def asks_caller(node: Any, knows_caller: KnowsCaller) -> bool:
    """Whether it asks who calls, itself or through functions."""
    from pglast import ast

    for each in walk(node):
        if isinstance(each, ast.SQLValueFunction) and each.op.name.endswith(("_USER", "_ROLE")):
            return True
        if isinstance(each, ast.FuncCall):
            name = function_name(each)
            if name in _CALLER or (setting_named(each) or "").startswith("request."):
                return True
            if name[0] not in ("auth", "pg_catalog") and knows_caller(*name):
                return True
    return False


def _joined(leaves: list[Any]) -> str:
    texts = list(dict.fromkeys(spelled(leaf) for leaf in leaves))
    return " AND ".join(f"({text})" if len(texts) > 1 else text for text in texts) or "true"


def _split(node: Any) -> list[list[Any]]:
    """The alternatives, each a list of what has to be true for it; an empty list is true."""
    found = _alternatives_of(node, False)
    return found if len(found) <= _MOST else [[node]]


def _alternatives_of(node: Any, negated: bool) -> list[list[Any]]:
    from pglast import ast
    from pglast.enums import BoolExprType, BoolTestType, SubLinkType

    if isinstance(node, ast.BoolExpr):
        if node.boolop == BoolExprType.NOT_EXPR:
            return _alternatives_of(node.args[0], not negated)
        parts = [_alternatives_of(arg, negated) for arg in node.args]
        either = (node.boolop == BoolExprType.OR_EXPR) != negated
        return list(itertools.chain(*parts)) if either else _all_of(parts)
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Boolean):
        return [[]] if bool(node.val.boolval) != negated else []
    if isinstance(node, ast.SubLink) and node.subLinkType == SubLinkType.EXPR_SUBLINK:
        inner = node.subselect
        if not inner.fromClause and not inner.whereClause and inner.targetList and len(inner.targetList) == 1:
            target = inner.targetList[0].val
            if not isinstance(target, ast.FuncCall):
                return _alternatives_of(target, negated)
    if isinstance(node, ast.BooleanTest):
        kind = BoolTestType(node.booltesttype)
        true = kind in (BoolTestType.IS_TRUE, BoolTestType.IS_NOT_FALSE)
        if kind in (BoolTestType.IS_TRUE, BoolTestType.IS_FALSE) and not negated:
            return _alternatives_of(node.arg, not true)
        if kind in (BoolTestType.IS_NOT_FALSE, BoolTestType.IS_NOT_TRUE) and not negated:
            return [*_alternatives_of(node.arg, not true), [_null(node.arg)]]
    if isinstance(node, ast.CoalesceExpr) and not negated:
        found, before = [], list[Any]()
        for arg in node.args:
            found += _all_of([[list(before)], _alternatives_of(arg, False)])
            before.append(_null(arg))
        return found
    if isinstance(node, ast.CoalesceExpr):
        return [*_alternatives_of(node.args[0], True), [_not(node)]]
    if isinstance(node, ast.CaseExpr):
        return _cases(node, negated)
    return [[_not(node)]] if negated else [[node]]


def _cases(node: Any, negated: bool) -> list[list[Any]]:
    from pglast import ast
    from pglast.enums import A_Expr_Kind

    found, earlier = [], list[Any]()
    for when in node.args:
        condition = when.expr
        if node.arg is not None:
            condition = ast.A_Expr(A_Expr_Kind.AEXPR_OP, (ast.String("="),), node.arg, condition)
        found += _all_of([_alternatives_of(condition, False), _alternatives_of(when.result, negated)])
        earlier.append(ast.BooleanTest(arg=condition, booltesttype=3))  # is not true
    if node.defresult is not None:
        found += _all_of([[earlier], _alternatives_of(node.defresult, negated)])
    return found


def _all_of(parts: list[list[list[Any]]]) -> list[list[Any]]:
    return [list(itertools.chain(*chosen)) for chosen in itertools.islice(itertools.product(*parts), _MOST + 1)]


def _null(node: Any) -> Any:
    from pglast import ast
    from pglast.enums import NullTestType

    return ast.NullTest(arg=node, nulltesttype=NullTestType.IS_NULL)


def _not(node: Any) -> Any:
    from pglast import ast
    from pglast.enums import BoolExprType

    return ast.BoolExpr(BoolExprType.NOT_EXPR, (node,))


def _kind(leaf: Any, knows_caller: KnowsCaller) -> Literal["bond", "plain", "claims", "signed in"]:
    """How one condition depends on the caller; "signed in" asks no more than that there is one."""
    from pglast import ast
    from pglast.enums import A_Expr_Kind, SubLinkType

    if not asks_caller(leaf, knows_caller):
        return "plain"
    names = {str(each.val.sval) for each in walk(leaf)
             if isinstance(each, ast.A_Const) and isinstance(each.val, ast.String)}  # fmt: skip
    if any(isinstance(each, ast.FuncCall) and function_name(each) == ("auth", "role") for each in walk(leaf)):
        names.add("role")
    if isinstance(leaf, (ast.NullTest, ast.BoolExpr)):
        return "signed in" if not any(isinstance(each, ast.ColumnRef) for each in walk(leaf)) else "claims"
    if isinstance(leaf, ast.FuncCall):
        return "bond"
    if isinstance(leaf, ast.SubLink):
        return "bond" if leaf.subLinkType != SubLinkType.EXPR_SUBLINK or leaf.subselect.fromClause else "claims"
    if names & _SELF_SET or any(setting_named(each) in ("request.headers", "request.cookies") for each in walk(leaf)):
        # A secret in a header that the row has, too, is known to those who were told.
        secret = not names & _SELF_SET and any(isinstance(each, ast.ColumnRef) for each in walk(leaf))
        return "bond" if secret else "claims"
    if isinstance(leaf, ast.A_Expr) and leaf.name[-1].sval in _BINDING:
        if leaf.kind == A_Expr_Kind.AEXPR_NOT_DISTINCT:
            return "claims"
        if names & {"service_role", "app_metadata"} or not names & _ANYONE:
            return "bond"
        return "signed in" if "authenticated" in names else "claims"
    if isinstance(leaf, ast.A_Expr) and leaf.kind in (A_Expr_Kind.AEXPR_IN, A_Expr_Kind.AEXPR_OP_ANY):
        return "bond" if leaf.name[-1].sval == "=" and not names & _ANYONE else "claims"
    return "claims"
