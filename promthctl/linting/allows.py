"""`-- promthctl: allow RULE reason`: what somebody has looked at and wants so.

It counts for the statement that it stands before, in, or behind on the same line; with a blank line between it and the
first statement, for the whole file. In a down script it counts for the whole migration: what is applied is not edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from promthctl.sql.statements import split_statements
from promthctl.sql.tokens import line_at, scan_sql

_ALLOW = re.compile(r"--\s*promthctl:\s*allow\b[ \t]*(?P<rule>[A-Za-z0-9-]*)[ \t]*:?[ \t]*(?P<reason>[^\r\n]*)")
_BLANK = re.compile(r"\n[ \t]*\r?\n")


@dataclass(frozen=True)
class Allow:
    """rule: an id, as it is written. first, last: the lines that it counts for; line: its own.

    whole: it counts for the file. down: it stands in the down script.
    """

    rule: str
    reason: str
    line: int
    first: int
    last: int
    whole: bool
    down: bool = False

    def covers(self, rule: str, line: int) -> bool:
        """Whether it is about a finding. One about the file as a whole is on line 1, wherever the allow stands."""
        return self.rule == rule and (self.whole or self.first <= line <= self.last)


def find_allows(sql: str, down: bool = False) -> tuple[Allow, ...]:
    """Those of a file, in order. Any text may be given. down: it is a migration's down script."""
    return tuple(replace(one, whole=True, down=True) if down else one for one in _allows(sql))


def _allows(sql: str) -> Iterator[Allow]:
    pieces = [(sql_start, code, end) for sql_start, end, code in split_statements(sql) if code is not None]
    for token in scan_sql(sql):
        text = sql[token.start : token.end]
        if token.kind != "comment" or (match := _ALLOW.match(text)) is None:
            continue
        line = line_at(sql, token.start)
        first, last, whole = _reach(sql, pieces, token.start, token.end)
        yield Allow(match["rule"].lower(), match["reason"].strip(), line, first, last, whole)


def _reach(sql: str, pieces: Sequence[tuple[int, int, int]], start: int, end: int) -> tuple[int, int, bool]:
    """The lines of the statement that a comment belongs to. pieces: (start, code, end) of the statements."""
    line = line_at(sql, start)
    for number, (_, code, stop) in enumerate(pieces):
        if stop <= start and line_at(sql, stop) == line and sql[stop:start].strip(" \t;") == "":
            return line_at(sql, code), line, False  # behind it, on its last line
        if start < stop:
            whole = number == 0 and end <= code and _BLANK.search(sql, end, code) is not None
            return line_at(sql, min(start, code)), line_at(sql, stop), whole
    return line, line, not pieces
