"""Whether a migration's own BEGIN, COMMIT and ROLLBACK let it be applied and recorded.

In a file with such a command the Supabase CLI sends every statement by itself (committed.py), and its entry in the
history last, in the same session. So the entry is part of a transaction that the file leaves open, and is lost with it;
what a ROLLBACK throws away is recorded as applied all the same. Source: supabase 3.1.0, observed with the real binary
in tests/embedded/test_transactions.py.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from promthctl.sql.do_blocks import rolls_back
from promthctl.sql.statements import split_statements
from promthctl.sql.tokens import line_at

_COMMAND = re.compile(
    r"(?:BEGIN|START|COMMIT|END|ABORT|ROLLBACK|PREPARE|SAVEPOINT|RELEASE|DO|CALL)(?!\w)", re.IGNORECASE
)  # only these statements are parsed: the rest of the file may be anything
_PROCEDURE = re.compile(r"CREATE\s+(?:OR\s+REPLACE\s+)?PROCEDURE\b", re.IGNORECASE)
_OPENS = ("TRANS_STMT_BEGIN", "TRANS_STMT_START")
_INSIDE = ("TRANS_STMT_SAVEPOINT", "TRANS_STMT_RELEASE", "TRANS_STMT_ROLLBACK_TO")
_PREPARED = ("TRANS_STMT_COMMIT_PREPARED", "TRANS_STMT_ROLLBACK_PREPARED")
_SHOWN = 40  # characters of a command
_INSTEAD_OF_ROLLBACK = (
    "write `raise exception 'why'` instead of the ROLLBACK: then the migration fails and is not recorded; to undo only"
    " a part of the block, put that part into begin … exception when others then … end, and raise an exception in it"
)


@dataclass(frozen=True)
class TransactionFault:
    """Why a file would not be applied as it is recorded. line: from 1. fix: the edit."""

    line: int
    why: str
    fix: str


def find_transaction_fault(sql: str, rolling: Collection[str] = ()) -> TransactionFault | None:
    """The first command that would leave a transaction open or throw work away; None where there is none.

    Any text may be given. rolling: procedures of earlier files that roll back; what others do cannot be seen here.
    """
    if not _COMMAND.search(sql):
        return None
    machine = _Session({*rolling, *procedures_that_roll_back(sql)})
    for piece in split_statements(sql):
        if piece.code is None:
            continue
        text = sql[piece.code : piece.end]
        node = _parsed(text) if _COMMAND.match(text) else None
        line = line_at(sql, piece.code)
        if fault := machine.after(node, text, line):
            return fault
    return machine.at_the_end()


def procedures_that_roll_back(sql: str) -> frozenset[str]:
    """The names, without their schemas, of the procedures that a file creates and that have a ROLLBACK."""
    if not _PROCEDURE.search(sql):
        return frozenset()
    texts = (sql[piece.code : piece.end] for piece in split_statements(sql) if piece.code is not None)
    parsed = ((_parsed(text), text) for text in texts if _PROCEDURE.match(text))
    return frozenset(node.funcname[-1].sval for node, text in parsed if node is not None and rolls_back(node, text))


@dataclass
class _Session:
    """Follows the file as the server would. rolling: the procedures that roll back. opened: the command and line that
    opened the transaction; None outside of one. work: something was done since the last BEGIN or COMMIT.
    """

    rolling: set[str]
    opened: tuple[str, int] | None = None
    work: bool = False

    def after(self, node: Any, text: str, line: int) -> TransactionFault | None:
        """Take the next statement; the fault in it. node: pglast's, None for one that cannot matter here."""
        name = type(node).__name__
        if name != "TransactionStmt":
            self.work = True
            if name == "DoStmt" and rolls_back(node, text):
                why = "where the ROLLBACK in this block runs, what the file did is lost, and the file counts as applied"
                return TransactionFault(line, why, _INSTEAD_OF_ROLLBACK)
            if name == "CallStmt" and (called := node.funccall.funcname[-1].sval) in self.rolling:
                why = f"where the ROLLBACK in {called} runs, what the file did is lost, and the file counts as applied"
                return TransactionFault(line, why, _INSTEAD_OF_ROLLBACK.replace("ROLLBACK", f"ROLLBACK in {called}", 1))
            return None
        kind, chained, shown = node.kind.name, bool(node.chain), _shown(text)
        if self.opened is None and (kind in _INSIDE or chained):
            why = f"`{shown}` works only between begin and commit"
            return TransactionFault(line, why, "take it out, or put begin and commit around its part of the file")
        if kind == "TRANS_STMT_PREPARE":
            why = f"`{shown}` leaves its transaction waiting, outside of the history, for a COMMIT PREPARED"
            return TransactionFault(line, why, "write commit instead")
        if kind == "TRANS_STMT_ROLLBACK" and self.work:
            return self._thrown_away(shown, line)
        if kind in _OPENS:
            self.opened, self.work = self.opened or (shown, line), self.work and self.opened is not None
        elif kind not in (*_INSIDE, *_PREPARED):
            self.opened, self.work = (shown, line) if chained else None, False
        return None

    def at_the_end(self) -> TransactionFault | None:
        if self.opened is None:
            return None
        command, line = self.opened
        why = (
            f"`{command}` opens a transaction that the file does not commit: all of it would be lost, and with it the"
            " entry in the history"
        )
        return TransactionFault(line, why, f"add commit at its end, or take `{command}` out")

    def _thrown_away(self, shown: str, line: int) -> TransactionFault:
        if self.opened is None:
            why = f"`{shown}` has no transaction to roll back: what stands before it would be applied all the same"
        else:
            why = f"`{shown}` throws away what stands since line {self.opened[1]}, and the file would count as applied"
        return TransactionFault(line, why, "take it out, with what it should undo, or write commit instead")


def _parsed(text: str) -> Any:
    from pglast.parser import ParseError, parse_sql

    try:
        nodes: Any = parse_sql(text)
    except ParseError:
        return None
    return nodes[0].stmt if nodes else None


def _shown(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}…"
