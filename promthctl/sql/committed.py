"""How much of a failed migration stays applied: which statements the Supabase CLI runs outside of its transaction.

The CLI sends a migration as one pipeline, which is one transaction, except for three cases:

- A statement that it knows to need no transaction around it is sent by itself, after what stands before it has been
  committed. It knows these by their first words. REFRESH … CONCURRENTLY is not among them, nor is `reindex
  (concurrently)` or ALTER TABLE … DETACH … CONCURRENTLY.
- In a file with BEGIN, COMMIT or ROLLBACK of its own, every statement is sent by itself.
- So it is in a file whose first line is the mark of pg-delta.

Source: supabase 3.1.0 (2.122.1 is alike), observed in tests/embedded/test_push.py. A procedure or DO block that commits
is not known from its text, so that it does not count here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from promthctl.sql.statements import NotSqlError, parse_statements, split_statements

_NO_TRANSACTION = re.compile(r"-- pg-delta: transaction=false\r?(?:\n|\Z)")  # at the beginning of the file
_SENT_ALONE = re.compile(
    r"""(?: CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY | DROP\s+INDEX\s+CONCURRENTLY | REINDEX[\s(].*\sCONCURRENTLY
    | ALTER\s+SYSTEM | CLUSTER )(?:\s|\Z) | VACUUM(?:[\s(]|\Z)""",
    re.IGNORECASE | re.VERBOSE,
)
_BEGINS = re.compile(r"(?:BEGIN|START\s+TRANSACTION)(?:\s|\Z)", re.IGNORECASE)
_ENDS = re.compile(
    r"(?:COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!(?:\s+(?:WORK|TRANSACTION))?\s+TO\b))(?:\s|\Z)",
    re.IGNORECASE,
)


def committed_before(sql: str, failed: int) -> int:
    """How many statements of a migration, counted from its beginning, stay applied when a later one fails.

    failed: the place of the statement that failed, from 0.
    """
    pieces = split_statements(sql)
    texts = [sql[piece.start if piece.code is None else piece.code : piece.end] for piece in pieces]
    if _NO_TRANSACTION.match(sql):
        return failed
    if any(_BEGINS.match(text) or _ENDS.match(text) for text in texts):
        return _outside_of_blocks(texts[:failed])
    kept = 0
    for number, text in enumerate(texts[: failed + 1]):
        if sent_alone(text) or (number < failed and _committed_itself(text)):
            kept = min(number + 1, failed)
    return kept


def sent_alone(statement: str) -> bool:
    """True for a statement that the CLI takes out of its transaction. statement: without leading comments."""
    return _SENT_ALONE.match(statement) is not None


def _outside_of_blocks(texts: Sequence[str]) -> int:
    """How many statements are committed where each commits itself, except between BEGIN and its end."""
    kept, block = 0, False
    for number, text in enumerate(texts, start=1):
        block = not _ENDS.match(text) and (block or _BEGINS.match(text) is not None)
        kept = kept if block else number
    return kept


def _committed_itself(text: str) -> bool:
    """True for a statement that can only have succeeded by committing: PostgreSQL lets it begin a pipeline."""
    try:
        return any(statement.refused for statement in parse_statements(text))
    except NotSqlError:
        return False
