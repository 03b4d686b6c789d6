"""What the text of a statement shows of what runs in it: DO blocks, functions it calls, common table expressions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.sql.mentions import read_mentions
from promthctl.sql.parsing import parse_migration

if TYPE_CHECKING:
    import psycopg

_WRITES = {"DeleteStmt", "UpdateStmt", "MergeStmt", "TruncateStmt", "InsertStmt"}
_DESTROYS = {"DeleteStmt", "UpdateStmt", "MergeStmt", "TruncateStmt", "DropStmt", "AlterTableStmt", "DropOwnedStmt"}
_BRANCHES = re.compile(r"\b(?:if|case|while|loop|exception|perform|return\s+query)\b", re.IGNORECASE)
_SETTINGS = re.compile(
    r"\b(?:current_setting|inet_server_addr|inet_server_port|version|pg_is_in_recovery|current_database|now|random"
    r"|clock_timestamp|current_date|current_timestamp)\b",
    re.IGNORECASE,
)
_DEEPEST = 6  # functions that call functions
_FUNCTIONS = """
select p.oid::bigint, l.lanname::text, p.prosrc from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  join pg_language l on l.oid = p.prolang
 where p.proname = any (%s) and l.lanname in ('sql', 'plpgsql')
   and n.nspname not in ('pg_catalog', 'information_schema') and not exists (
     select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')"""


@dataclass(frozen=True)
class Inside:
    """writes: every statement in it that writes rows. hidden: SQL runs that is put together when it runs.

    destroys: it contains a statement that may destroy. branches: what runs is decided when it runs. settings: by
    settings or the time, too. runs_code: it is a DO block or calls a function of the database's own.
    """

    writes: tuple[Any, ...]
    hidden: bool
    destroys: bool
    branches: bool
    settings: bool
    runs_code: bool
    text: str


def look_inside(connection: psycopg.Connection[Any], text: str, node: Any) -> Inside:
    """connection: to the twin, in which the functions are looked up as they are now."""
    writes, destroys, hidden = list(_writes(node)), False, node is None
    bodies: list[str] = []
    if type(node).__name__ == "DoStmt":
        for piece in parse_migration(text):
            hidden = hidden or piece.opaque
            if piece.inside and piece.node is not None:
                writes += _writes(piece.node)
                destroys = destroys or _may_destroy(piece.node)
        bodies.append(text)
    waiting, seen = [name for _, name in read_mentions(text).calls] if _may_call(node) else [], set[int]()
    for _ in range(_DEEPEST):
        found = connection.execute(_FUNCTIONS, (waiting,)).fetchall() if waiting else []
        waiting = []
        for oid, language, body in found:
            if oid in seen:
                continue
            seen.add(oid)
            bodies.append(body)
            waiting += [name for _, name in read_mentions(body).calls]
            wrapped = body if language == "sql" else f"do $promthctl$ {body} $promthctl$"
            for piece in parse_migration(wrapped):
                hidden = hidden or piece.opaque or piece.node is None
                if piece.node is not None and (language == "sql" or piece.inside):
                    writes += _writes(piece.node)
                    destroys = destroys or _may_destroy(piece.node)
    whole = "\n".join(bodies)
    return Inside(
        tuple(writes),
        hidden,
        destroys,
        bool(_BRANCHES.search(whole)),
        bool(_SETTINGS.search(whole)),
        bool(bodies),
        whole,
    )


def _may_call(node: Any) -> bool:
    return type(node).__name__ not in (
        "CreateFunctionStmt",
        "CommentStmt",
        "CreatePolicyStmt",
        "ViewStmt",
        "CreateTrigStmt",
    )


def _writes(node: Any) -> Iterator[Any]:
    """The statements in it that write rows, itself included."""
    from pglast.visitors import Visitor

    found: list[Any] = []
    if node is None or type(node).__name__ in ("CreateFunctionStmt", "RuleStmt"):
        return iter(())

    class Writing(Visitor):
        def visit(self, _: Any, part: Any) -> None:
            if type(part).__name__ in _WRITES:
                found.append(part)

    Writing()(node)
    return iter(found)


def names_of(node: Any) -> tuple[str, ...]:
    """The names of the tables that a statement writes to."""
    if type(node).__name__ == "TruncateStmt":
        return tuple(each.relname for each in node.relations)
    return (node.relation.relname,)


def has_subquery(node: Any) -> bool:
    """Whether it reads other rows than those of its table."""
    from pglast.visitors import Visitor

    found = False

    class Selects(Visitor):
        def visit_SelectStmt(self, _: Any, part: Any) -> None:
            nonlocal found
            found = True

    Selects()(node)
    return found


def fills_only(node: Any, column_numbers: dict[str, int], old: frozenset[int]) -> bool:
    """True for an UPDATE that can only set columns which the plan has added, or ones that its condition says are null.

    column_numbers: of the table as it is now. old: the attnums that it had before the plan.
    """
    if type(node).__name__ != "UpdateStmt":
        return False
    empty = _empty_columns(node.whereClause)
    return all(
        target.name in empty or column_numbers.get(target.name, 0) not in old | {0} for target in node.targetList
    )


def _empty_columns(condition: Any) -> frozenset[str]:
    """The columns that every row which meets the condition has NULL in."""
    sort = type(condition).__name__
    if sort == "NullTest" and condition.nulltesttype.name == "IS_NULL" and type(condition.arg).__name__ == "ColumnRef":
        return frozenset((condition.arg.fields[-1].sval,))
    if sort == "BoolExpr" and condition.boolop.name == "AND_EXPR":
        return frozenset().union(*(_empty_columns(each) for each in condition.args))
    return frozenset()


def carries_all(node: Any, filled: Collection[str] = ()) -> bool:
    """True for a statement that copies a table's every row with its values as they are, into a table or a column.

    filled: columns of which rows that have no value there may be left out.
    """
    sort = type(node).__name__
    if sort == "CreateTableAsStmt":
        return _whole(node.query, filled)
    if sort == "InsertStmt":
        return node.onConflictClause is None and node.withClause is None and _whole(node.selectStmt, filled)
    if sort == "SelectStmt":
        return _whole(node, filled)
    if sort == "UpdateStmt":
        plain = all(_plain(target.val) for target in node.targetList)
        return plain and not node.fromClause and node.withClause is None and _only_null_tests(node.whereClause)
    return False


def _only_null_tests(condition: Any) -> bool:
    return condition is None or type(condition).__name__ == "NullTest"


def _is_filled(condition: Any, columns: Collection[str]) -> bool:
    """True for the condition that one of the columns is not null."""
    if type(condition).__name__ != "NullTest" or condition.nulltesttype.name != "IS_NOT_NULL":
        return False
    return type(condition.arg).__name__ == "ColumnRef" and getattr(condition.arg.fields[-1], "sval", None) in columns


def _whole(select: Any, filled: Collection[str]) -> bool:
    if type(select).__name__ != "SelectStmt" or select.op.name != "SETOP_NONE" or select.valuesLists:
        return False
    where = None if _is_filled(select.whereClause, filled) else select.whereClause
    limits = (where, select.limitCount, select.limitOffset, select.distinctClause, select.groupClause,
              select.havingClause, select.withClause)  # fmt: skip
    sources = select.fromClause or ()
    one = [type(source).__name__ for source in sources] == ["RangeVar"]
    return one and not any(limits) and all(_plain(target.val) for target in select.targetList)


def _plain(node: Any) -> bool:
    """A column, perhaps cast, a constant, or a function of no column."""
    from promthctl.rehearsal.demands import columns_in

    while type(node).__name__ == "TypeCast":
        node = node.arg
    if type(node).__name__ in ("ColumnRef", "A_Const"):
        return True
    if type(node).__name__ == "FuncCall":
        name = node.funcname[-1].sval
        return name in ("to_jsonb", "to_json", "row_to_json") or not columns_in(node)
    return False


_HARMLESS = {
    *("CommentStmt", "CreatePolicyStmt", "CreateFunctionStmt", "GrantStmt", "CreateTrigStmt", "ViewStmt", "IndexStmt"),
    *("CreateStmt", "CreateEnumStmt", "CreateDomainStmt", "CompositeTypeStmt", "CreateSeqStmt", "CreateExtensionStmt"),
    *("AlterPolicyStmt", "AlterDefaultPrivilegesStmt", "AlterOwnerStmt", "CreateRoleStmt", "AlterEnumStmt"),
    *("VariableSetStmt", "TransactionStmt", "CreatePublicationStmt", "AlterPublicationStmt", "CreateSchemaStmt"),
}
_HARMLESS_COMMANDS = {
    *("AT_AddColumn", "AT_AddConstraint", "AT_EnableRowSecurity", "AT_ForceRowSecurity", "AT_ColumnDefault"),
    *("AT_SetNotNull", "AT_DropNotNull", "AT_ValidateConstraint", "AT_ChangeOwner", "AT_DropConstraint"),
    *("AT_EnableTrig", "AT_DisableTrig", "AT_ReplicaIdentity", "AT_SetStatistics", "AT_AddIdentity"),
}


def proven_harmless(sql: str) -> bool:
    """True for a file of which its text alone shows that no row or value is lost, whatever the target has."""
    return all(_proven(piece.node) for piece in parse_migration(sql))


def _may_destroy(node: Any) -> bool:
    return type(node).__name__ in _DESTROYS and not _proven(node)


def _proven(node: Any) -> bool:
    sort = type(node).__name__
    if sort == "AlterTableStmt":
        return all(command.subtype.name in _HARMLESS_COMMANDS for command in node.cmds)
    if sort == "InsertStmt":
        writes = list(_writes(node))
        return len(writes) == 1 and (
            node.onConflictClause is None or node.onConflictClause.action.name.endswith("NOTHING")
        )
    return sort in _HARMLESS and (sort in ("CreateFunctionStmt", "CreateTrigStmt") or not list(_writes(node)))
