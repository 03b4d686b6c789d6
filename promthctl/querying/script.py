"""What was typed, cut into statements by PostgreSQL's own parser."""

from __future__ import annotations

from dataclasses import dataclass

from promthctl.errors import RefusedError, UsageError
from promthctl.sql.psql_only import find_psql_only
from promthctl.sql.tokens import line_at, scan_by_pattern

_OWN = "promthctl runs all of it in one transaction of its own"


@dataclass(frozen=True)
class Statement:
    """line: from 1, of its first word. selects: it gives rows and can be read by a cursor."""

    text: str
    line: int
    selects: bool


@dataclass(frozen=True)
class Script:
    """place: the file it was read from, empty for what was typed."""

    place: str
    statements: tuple[Statement, ...]

    def at(self, line: int) -> str:
        return f"{self.place}, line {line}" if self.place else f"line {line}"


def read_script(sql: str, place: str = "") -> Script:
    """The statements of a text. place: its file.

    Raises UsageError for what is not SQL, and for COPY from or to a client; RefusedError for what begins or ends a
    transaction: the one that keeps it from writing would be over.
    """
    from pglast import parser

    where = f"{place} " if place else "The SQL "
    if "\x00" in sql:
        raise UsageError(f"{where}cannot be run", "it has a zero byte in it", "give it as UTF-8 text")
    if (only := find_psql_only(sql)) is not None:
        why = f"line {only.line}: {only.command} is for psql alone"
        copies = only.command == "COPY"
        hint = "a select with --csv gives the same" if copies else 'promthctl sql "select * from pg_tables"'
        raise UsageError(f"{where}cannot be run", why, f"write it as SQL: {hint}")
    try:
        parsed = parser.parse_sql(sql)
    except parser.ParseError as error:
        message, offset = (*error.args, 0)[:2]
        why = f"line {line_at(sql, min(int(offset), len(sql)))}: {message}"
        raise UsageError(f"{where}cannot be run", why, "correct that and run the same command again") from None
    script = Script(place, tuple(_statement(sql, raw) for raw in parsed))
    if not script.statements:
        raise UsageError(f"{where}cannot be run", "there is no statement in it", 'promthctl sql "select 1"')
    for raw, statement in zip(parsed, script.statements, strict=True):
        if type(raw.stmt).__name__ == "TransactionStmt":
            word = " ".join(statement.text.split()[:2]).rstrip(";")
            raise RefusedError(
                "Nothing was run", f"{script.at(statement.line)}: {word}; {_OWN}", "leave that statement out"
            )
    return script


def _statement(sql: str, raw: object) -> Statement:
    start, length, node = raw.stmt_location, raw.stmt_len, raw.stmt  # type: ignore[attr-defined]
    text = sql[start : start + length if length else None]
    begin = start + _before(text)
    selects = type(node).__name__ == "SelectStmt" and node.intoClause is None
    return Statement(sql[begin : start + len(text)].rstrip(), line_at(sql, begin), selects)


def _before(text: str) -> int:
    """How much white space and how many comments come before the first word."""
    return next((token.start for token in scan_by_pattern(text) if token.kind != "comment"), 0)
