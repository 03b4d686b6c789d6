"""Reads a policy's expression: split into alternatives, each told by what ties it to the caller, if anything.

`owner = auth.uid() or status = 'live'` has two alternatives. The first is a bond: only the caller whom the row or a
membership names gets through. The second is an opening: a row with the right values lets everybody in.
The expressions are those that pg_get_expr prints; the grammar is PostgreSQL's own, by pglast.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from promthctl.isolation.syntax_trees import function_name, is_a, parse, setting_named, spelled, walk

_MOST = 32  # alternatives of one expression; one with more is taken whole
_CALLER = {("auth", name) for name in ("uid", "jwt", "email", "role")}
_BINDING = {"=", "@>", "<@", "&&", "?", "?|", "?&"}  # operators that are true for few callers only
_SELF_SET = {"user_metadata", "raw_user_meta_data"}  # what users write about themselves
_ANYONE = {"aal", "amr", "is_anonymous", "role", "aud", "session_id"}  # claims that a stranger's token has, too

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


def asks_caller(node: Any, knows_caller: KnowsCaller) -> bool:
    """Whether it asks who calls, itself or through functions."""
    for each in walk(node):
        if is_a(each, "SQLValueFunction") and each.op.name.endswith(("_USER", "_ROLE")):
            return True
        if is_a(each, "FuncCall"):
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
    from pglast.enums import BoolExprType, BoolTestType, SubLinkType

    if is_a(node, "BoolExpr"):
        if node.boolop == BoolExprType.NOT_EXPR:
            return _alternatives_of(node.args[0], not negated)
        parts = [_alternatives_of(arg, negated) for arg in node.args]
        either = (node.boolop == BoolExprType.OR_EXPR) != negated
        return list(itertools.chain(*parts)) if either else _all_of(parts)
    if is_a(node, "A_Const") and is_a(node.val, "Boolean"):
        return [[]] if bool(node.val.boolval) != negated else []
    if is_a(node, "SubLink") and node.subLinkType == SubLinkType.EXPR_SUBLINK:
        inner = node.subselect
        if not inner.fromClause and not inner.whereClause and inner.targetList and len(inner.targetList) == 1:
            target = inner.targetList[0].val
            if not is_a(target, "FuncCall"):
                return _alternatives_of(target, negated)
    if is_a(node, "SubLink") and not negated and _is_lookup(node):
        return [[_looking_up(node, leaves)] for leaves in _alternatives_of(node.subselect.whereClause, False)]
    if is_a(node, "BooleanTest"):
        kind = BoolTestType(node.booltesttype)
        true = kind in (BoolTestType.IS_TRUE, BoolTestType.IS_NOT_FALSE)
        if kind in (BoolTestType.IS_TRUE, BoolTestType.IS_FALSE) and not negated:
            return _alternatives_of(node.arg, not true)
        if kind in (BoolTestType.IS_NOT_FALSE, BoolTestType.IS_NOT_TRUE) and not negated:
            return [*_alternatives_of(node.arg, not true), [_null(node.arg)]]
    if is_a(node, "CoalesceExpr") and not negated:
        found, before = [], list[Any]()
        for arg in node.args:
            found += _all_of([[list(before)], _alternatives_of(arg, False)])
            before.append(_null(arg))
        return found
    if is_a(node, "CoalesceExpr"):
        return [*_alternatives_of(node.args[0], True), [_not(node)]]
    if is_a(node, "CaseExpr"):
        return _cases(node, negated)
    return [[_not(node)]] if negated else [[node]]


def _is_lookup(node: Any) -> bool:
    """`exists (select …)` or `x in (select column …)` that is true for each row its condition is true for."""
    from pglast.enums import SetOperation, SubLinkType

    inner = node.subselect
    if node.subLinkType not in (SubLinkType.EXISTS_SUBLINK, SubLinkType.ANY_SUBLINK):
        return False
    more = (inner.groupClause, inner.havingClause, inner.limitCount, inner.limitOffset, inner.distinctClause)
    if inner.op != SetOperation.SETOP_NONE or any(more) or inner.whereClause is None:
        return False
    return all(is_a(target.val, "ColumnRef", "A_Const") for target in inner.targetList or ())


def _looking_up(node: Any, leaves: list[Any]) -> Any:
    """The lookup with these conditions instead of its own."""
    from pglast import ast
    from pglast.enums import BoolExprType

    where = leaves[0] if len(leaves) == 1 else ast.BoolExpr(BoolExprType.AND_EXPR, tuple(leaves)) if leaves else None
    inner = copy.copy(node.subselect)
    inner.whereClause = where
    found = copy.copy(node)
    found.subselect = inner
    return found


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
    from pglast.enums import A_Expr_Kind, SubLinkType

    if not asks_caller(leaf, knows_caller):
        return "plain"
    names = {str(each.val.sval) for each in walk(leaf)
             if is_a(each, "A_Const") and is_a(each.val, "String")}  # fmt: skip
    if any(is_a(each, "FuncCall") and function_name(each) == ("auth", "role") for each in walk(leaf)):
        names.add("role")
    if is_a(leaf, "NullTest", "BoolExpr"):
        return "signed in" if not any(is_a(each, "ColumnRef") for each in walk(leaf)) else "claims"
    if is_a(leaf, "FuncCall"):
        return "bond"
    if is_a(leaf, "SubLink"):
        if _is_lookup(leaf) and not asks_caller(leaf.testexpr, knows_caller):
            asked = _alternatives_of(leaf.subselect.whereClause, False)
            return "bond" if any(_kind(each, knows_caller) == "bond" for one in asked for each in one) else "claims"
        return "bond" if leaf.subLinkType != SubLinkType.EXPR_SUBLINK or leaf.subselect.fromClause else "claims"
    if names & _SELF_SET or any(setting_named(each) in ("request.headers", "request.cookies") for each in walk(leaf)):
        # A secret in a header that the row has, too, is known to those who were told.
        secret = not names & _SELF_SET and any(is_a(each, "ColumnRef") for each in walk(leaf))
        return "bond" if secret else "claims"
    if is_a(leaf, "A_Expr") and leaf.name[-1].sval in _BINDING:
        if leaf.kind == A_Expr_Kind.AEXPR_NOT_DISTINCT:
            return "claims"
        if names & {"service_role", "app_metadata"} or not names & _ANYONE:
            return "bond"
        return "signed in" if "authenticated" in names else "claims"
    if is_a(leaf, "A_Expr") and leaf.kind in (A_Expr_Kind.AEXPR_IN, A_Expr_Kind.AEXPR_OP_ANY):
        return "bond" if leaf.name[-1].sval == "=" and not names & _ANYONE else "claims"
    return "claims"
