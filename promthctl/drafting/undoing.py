"""Down scripts: the SQL from after a migration to before it, tried, with comments where it cannot bring rows back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from promthctl.drafting.engine import State, backward
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.schema import Difference
from promthctl.sql.statements import NotSqlError, Statement, parse_statements
from promthctl.supabase_cli import DatabaseCli
from promthctl.targets import Target

_CHANGES_ROWS = {
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
    "TruncateStmt": "TRUNCATE",
    "CopyStmt": "COPY",
    "DoStmt": "DO",
    "CallStmt": "CALL",
}
_SETS_ONLY = "set_config"


@dataclass(frozen=True)
class Undoing:
    """What undoes one migration.

    sql: the whole file; empty where none was written. why: the reason then. left, unread: what it would leave.
    """

    sql: str = ""
    why: str = ""
    left: tuple[Difference, ...] = ()
    unread: tuple[str, ...] = ()


def undoing(cli: DatabaseCli, migration: Migration, before: State, after: Target) -> Undoing:
    """The down script of a migration that was applied to `before` and made `after` of it.

    Both are databases of one throw-away server; nothing is changed in them. Raises what the Supabase CLI raises.
    """
    try:
        draft = backward(cli, before, after)
    except PromthctlError as error:
        return Undoing(why=error.why)
    if draft.left or draft.unread:
        why = "what leads back was tried in a throw-away database, and leaves differences"
        return Undoing(why=why, left=draft.left, unread=draft.unread)
    rows = list(_row_changes(migration))
    if rows and not draft.sql:
        why = f"it changes rows only ({', '.join(rows)}), which the schemas before and after it do not tell"
        return Undoing(why=why)
    stem = migration.filename.removesuffix(".sql")
    head = [f"-- Undoes {stem}. Written by promthctl from the schemas before and after it, and tried."]
    head += [f"-- What {where} did to rows is not undone." for where in rows]
    if not draft.sql:
        head.append("-- Nothing has to be undone: the schema after it is the one before.")
    return Undoing("\n".join(head) + "\n" + "".join(f"\n{part}\n" for part in _commented(draft.sql)))


def row_changing(migration: Migration) -> Iterator[str]:
    """The text of each statement that changes rows, or calls what may."""
    yield from (statement.text for statement, _ in _changing(migration))


def _row_changes(migration: Migration) -> Iterator[str]:
    """The statements that change rows, or call what may: "line 3 (UPDATE)"."""
    yield from (f"line {statement.line} ({kind})" for statement, kind in _changing(migration))


def _changing(migration: Migration) -> Iterator[tuple[Statement, str]]:
    try:
        statements = parse_statements(migration.sql)
    except NotSqlError:
        return
    for statement in statements:
        kind = _CHANGES_ROWS.get(type(statement.node).__name__)
        if kind is None and type(statement.node).__name__ == "SelectStmt" and _calls(statement.node):
            kind = "SELECT of a function"
        if kind:
            yield statement, kind


def _calls(node: Any) -> bool:
    """Whether it calls a function other than set_config."""
    from pglast import ast
    from pglast.visitors import Visitor

    found = []

    class Calls(Visitor):
        def visit_FuncCall(self, _: Any, call: ast.FuncCall) -> None:
            found.append((call.funcname or ())[-1].sval)

    Calls()(node)
    return any(name != _SETS_ONLY for name in found)


def _commented(sql: str) -> Iterator[str]:
    for statement in parse_statements(sql):
        if statement.node is None:
            yield statement.text
            continue
        comments = "".join(f"-- {line}\n" for line in _not_brought_back(statement))
        yield f"{comments}{statement.text};"


def _not_brought_back(statement: Statement) -> Iterator[str]:
    node = statement.node
    kind = type(node).__name__
    if kind == "CreateStmt" and node.partbound is None:
        yield "The table comes back without its rows."
    if kind != "AlterTableStmt":
        return
    for command in node.cmds:
        name = command.subtype.name
        if name == "AT_AddColumn" and not _generated(command.def_):
            yield f"The column {command.def_.colname} comes back without its values."
        elif name == "AT_AlterColumnType":
            yield f"The values of {command.name} are cast: what another type has lost of them does not come back."


def _generated(column: Any) -> bool:
    return any(one.contype.name == "CONSTR_GENERATED" for one in column.constraints or ())
