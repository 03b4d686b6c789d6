"""How much of a failed migration stays applied: which statements the Supabase CLI runs outside of its transaction.

The CLI sends a migration as one pipeline, which is one transaction, with three exceptions:

- Some statements, which it recognises by their first words, are sent by themselves, after everything before them has
  been committed. REFRESH … CONCURRENTLY is not one of them, and can run in a transaction; `reindex (concurrently)` and
  ALTER TABLE … DETACH … CONCURRENTLY are not either, and cannot.
- In a file with its own BEGIN, COMMIT or ROLLBACK, every statement is sent by itself.
- The same is true of a file whose first line is pg-delta's mark.

As the first statement of a pipeline, PostgreSQL accepts what it refuses inside a transaction, and commits it. Only the
last part of a CONCURRENTLY is then rolled back with the rest: a detached partition, for example, stays pending.

Source: supabase 3.1.0 (2.122.1 has the same rules), observed in tests/embedded/test_push.py. What a procedure or a DO
block commits does not count here: commits_unseen says whether there is one.
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
_COMMITS_ITSELF = re.compile(r"CALL\b|DO\b.*\bCOMMIT\b", re.IGNORECASE | re.DOTALL)
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
    if _has_own(texts):
        return _outside_of_blocks(texts[:failed])
    kept = 0
    for number, text in enumerate(texts[: failed + 1]):
        if sent_alone(text) or (number < failed and _committed_itself(text)):
            kept = min(number + 1, failed)
    return kept


def sends_each(sql: str) -> bool:
    """True for a file whose statements the CLI sends one by one: it begins, or commits, transactions of its own."""
    texts = [sql[piece.code : piece.end] for piece in split_statements(sql) if piece.code is not None]
    return _NO_TRANSACTION.match(sql) is not None or _has_own(texts)


def commits_unseen(sql: str, failed: int | None) -> bool:
    """True if a CALL, or a DO block with a COMMIT, stands before a statement that failed, or is it.

    failed: its place, from 0; None for the end of the migration.
    """
    pieces = split_statements(sql)[: None if failed is None else failed + 1]
    return any(_COMMITS_ITSELF.match(sql, piece.code, piece.end) for piece in pieces if piece.code is not None)


def sent_alone(statement: str) -> bool:
    """True for a statement that the CLI takes out of its transaction. statement: without leading comments."""
    return _SENT_ALONE.match(statement) is not None


def _has_own(texts: Sequence[str]) -> bool:
    return any(_BEGINS.match(text) or _ENDS.match(text) for text in texts)


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
