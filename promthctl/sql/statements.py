"""Cuts a migration into the statements that the Supabase CLI keeps of it, and looks at them with PostgreSQL's parser.

The CLI cuts at the semicolons between statements and trims white space; a comment stays with the statement after it, or
is a piece of its own where none follows. Source: pkg/parser of the CLI.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_SEMICOLON = "ASCII_59"  # pglast's name of the token
_COMMENTS = frozenset(("SQL_COMMENT", "C_COMMENT"))
# What PostgreSQL refuses inside a transaction: src/backend/tcop/utility.c, PreventInTransactionBlock.
_ALONE = {
    "VacuumStmt": "VACUUM",
    "CreatedbStmt": "CREATE DATABASE",
    "DropdbStmt": "DROP DATABASE",
    "AlterSystemStmt": "ALTER SYSTEM",
    "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "DropTableSpaceStmt": "DROP TABLESPACE",
    "CreateSubscriptionStmt": "CREATE SUBSCRIPTION",
    "DropSubscriptionStmt": "DROP SUBSCRIPTION",
    "DiscardStmt": "DISCARD",
}
_BRACKETS = frozenset(("TRANS_STMT_BEGIN", "TRANS_STMT_START", "TRANS_STMT_COMMIT"))


@dataclass(frozen=True)
class Statement:
    """text: as the CLI keeps it. line: from 1, where its first word stands. node: pglast's; None for a mere comment."""

    text: str
    line: int
    node: Any

    @property
    def brackets(self) -> bool:
        """True for BEGIN and COMMIT: they do nothing where somebody else begins and commits."""
        return type(self.node).__name__ == "TransactionStmt" and self.node.kind.name in _BRACKETS

    @property
    def adds_enum_value(self) -> bool:
        """True for ALTER TYPE … ADD VALUE: the value can be used only once its transaction is committed."""
        return type(self.node).__name__ == "AlterEnumStmt" and self.node.oldVal is None

    @property
    def alone(self) -> str | None:
        """Why it cannot be part of somebody else's transaction; None if it can."""
        name = type(self.node).__name__
        if name == "TransactionStmt" and not self.brackets:
            return "it would end or divide the transaction"
        if name == "CopyStmt" and self.node.filename is None:
            return "COPY without a file needs psql"
        if name in _ALONE and getattr(self.node, "is_vacuumcmd", True):  # ANALYZE is a VacuumStmt that is none
            return f"{_ALONE[name]} cannot run in a transaction"
        if name != "RefreshMatViewStmt" and _concurrently(self.node):
            return "CONCURRENTLY cannot run in a transaction"
        return None


def cut(sql: str) -> tuple[Statement, ...]:
    """The statements of a migration, in order. Raises NotSqlError for text that PostgreSQL's parser refuses."""
    from pglast.parser import ParseError, parse_sql, scan

    try:
        nodes = {raw.stmt_location: raw for raw in parse_sql(sql)}
        tokens = scan(sql)
    except ParseError as error:
        message, *place = error.args
        at = place[0] if place and isinstance(place[0], int) else 0
        raise NotSqlError(sql.count("\n", 0, at) + 1, str(message)) from None
    found: list[Statement] = []
    start, node, inside = 0, None, 0
    code: int | None = None
    for token in tokens:
        if raw := nodes.get(token.start):
            node, inside = raw.stmt, token.start + (raw.stmt_len or len(sql))
        if token.name == _SEMICOLON and token.start >= inside:
            found += _piece(sql, start, token.start, code, node)
            start, node, code = token.end + 1, None, None
        elif code is None and token.name not in _COMMENTS:
            code = token.start
    return (*found, *_piece(sql, start, len(sql), code, node))


class NotSqlError(ValueError):
    """PostgreSQL's parser cannot read it. line: from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


def _piece(sql: str, start: int, end: int, code: int | None, node: Any) -> Iterator[Statement]:
    if text := sql[start:end].strip():
        place = code if code is not None else start
        yield Statement(text, sql.count("\n", 0, place) + 1, node)


def _concurrently(node: Any) -> bool:
    """True for the CONCURRENTLY of an index, of REINDEX (an option) and of DETACH PARTITION (a part of ALTER TABLE)."""
    options = [getattr(option, "defname", None) for option in getattr(node, "params", None) or ()]
    parts = [node, *(getattr(command, "def_", None) for command in getattr(node, "cmds", None) or ())]
    return "concurrently" in options or any(getattr(part, "concurrent", False) for part in parts)
