"""Cuts a migration into the statements that the Supabase CLI makes of it, and has PostgreSQL's parser read them.

The CLI cuts at the semicolons between statements, not at those in parentheses or in BEGIN ATOMIC … END, and trims white
space; a comment stays with the statement after it, or is a piece of its own where none follows. Source: the CLI's
pkg/parser (2.x), and 3.1.0 itself, with which tests/embedded/test_bundle.py compares.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from promthctl.sql.tokens import line_at, scan_sql

_SPACE = "".join(map(chr, (*range(9, 14), 32, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F)))
_TRIMMED = _SPACE + "\u3000\ufeff"  # what String.trim() of JavaScript takes away
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
}
_REINDEX_ALONE = {
    "REINDEX_OBJECT_SCHEMA": "REINDEX SCHEMA",
    "REINDEX_OBJECT_SYSTEM": "REINDEX SYSTEM",
    "REINDEX_OBJECT_DATABASE": "REINDEX DATABASE",
}
_BRACKETS = frozenset(("TRANS_STMT_BEGIN", "TRANS_STMT_START", "TRANS_STMT_COMMIT"))


class Piece(NamedTuple):
    """sql[start:end] is the text that the CLI keeps. code: where its first word is; None if it is only comments."""

    start: int
    end: int
    code: int | None


@dataclass(frozen=True)
class Statement:
    """text: as the CLI keeps it. start: its offset in the migration. line: from 1, of its first word.

    node: pglast's; None for a piece that is only comments.
    """

    text: str
    start: int
    line: int
    node: Any

    @property
    def brackets(self) -> bool:
        """True for BEGIN and COMMIT: they do nothing where somebody else begins and commits."""
        return type(self.node).__name__ == "TransactionStmt" and self.node.kind.name in _BRACKETS

    @property
    def begins(self) -> bool:
        """True for BEGIN and START TRANSACTION."""
        return self.brackets and self.node.kind.name != "TRANS_STMT_COMMIT"

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
        return f"{self.refused} cannot run in a transaction" if self.refused else None

    @property
    def refused(self) -> str | None:
        """What PostgreSQL refuses inside a transaction, by its name in SQL; None if it does not refuse this.

        Subscriptions are refused only if they have a slot, which is not always written in the statement.
        """
        name = type(self.node).__name__
        if name in _ALONE and getattr(self.node, "is_vacuumcmd", True):  # ANALYZE is a VacuumStmt and is not refused
            return _ALONE[name]
        if name == "DiscardStmt" and self.node.target.name == "DISCARD_ALL":
            return "DISCARD ALL"
        if name == "ClusterStmt" and self.node.relation is None:
            return "CLUSTER of all tables"
        if name == "ReindexStmt" and self.node.kind.name in _REINDEX_ALONE:
            return _REINDEX_ALONE[self.node.kind.name]
        return "CONCURRENTLY" if name != "RefreshMatViewStmt" and _concurrently(self.node) else None


class NotSqlError(ValueError):
    """PostgreSQL's parser cannot read it. line: from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


def split_statements(sql: str) -> tuple[Piece, ...]:
    """Where each statement of a migration is, in order. Any text can be split, also one that is not SQL."""
    found: list[Piece] = []
    start, code, nesting = 0, None, Nesting()
    for token in scan_sql(sql):
        if token.kind == "comment":
            continue
        quoted = token.kind in ("string", "quoted_name")
        if nesting.ends_statement("" if quoted else sql[token.start : token.end].upper()):
            found += _trimmed(sql, start, token.start, code)
            start, code, nesting = token.end, None, Nesting()
        elif code is None:
            code = token.start
    return (*found, *_trimmed(sql, start, len(sql), code))


def parse_statements(sql: str) -> tuple[Statement, ...]:
    """The statements of a migration, in order. Raises NotSqlError for text that PostgreSQL's parser refuses."""
    from pglast.parser import ParseError, parse_sql

    try:
        nodes: deque[Any] = deque(parse_sql(sql))
    except ParseError as error:
        message, *at = error.args
        raise NotSqlError(line_at(sql, at[0] if at and isinstance(at[0], int) else 0), str(message)) from None
    found: list[Statement] = []
    line, counted = 1, 0
    for start, end, code in split_statements(sql):
        place = start if code is None else code
        line, counted = line + sql.count("\n", counted, place), place
        node = nodes.popleft().stmt if nodes and nodes[0].stmt_location < end else None
        found.append(Statement(sql[start:end], start, line, node))
    return tuple(found)


class Nesting:
    """Follows a statement's words to where a semicolon ends it: not in parentheses, not in BEGIN ATOMIC … END."""

    def __init__(self) -> None:
        self._depth = 0
        self._atomic = False
        self._first = False  # of a statement in BEGIN ATOMIC
        self._previous = ""

    def ends_statement(self, word: str) -> bool:
        """word: the next one, in upper case; empty for a string or a quoted name."""
        previous, self._previous = self._previous, word
        first, self._first = self._first, False
        if word in ("(", ")"):
            self._depth = max(0, self._depth + (1 if word == "(" else -1))
        elif self._depth:
            return False
        elif word == ";":
            self._first = self._atomic
            return not self._atomic
        elif word == "ATOMIC" and previous == "BEGIN":
            self._atomic = self._first = True
        elif word == "END" and first:
            self._atomic = False
        return False


def _trimmed(sql: str, start: int, end: int, code: int | None) -> Iterator[Piece]:
    text = sql[start:end].lstrip(_TRIMMED)
    start = end - len(text)
    if text := text.rstrip(_TRIMMED):
        yield Piece(start, start + len(text), code)


def _concurrently(node: Any) -> bool:
    """True for the CONCURRENTLY of an index, of REINDEX (an option) and of DETACH PARTITION (a part of ALTER TABLE)."""
    options = [getattr(option, "defname", None) for option in getattr(node, "params", None) or ()]
    parts = [node, *(getattr(command, "def_", None) for command in getattr(node, "cmds", None) or ())]
    return "concurrently" in options or any(getattr(part, "concurrent", False) for part in parts)
