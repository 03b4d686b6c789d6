"""Finds what only psql understands: its commands (\\restrict, \\connect) and the rows that follow COPY … FROM stdin.

A dump made by pg_dump is written for psql; the Supabase CLI, psycopg and the dashboard send SQL only.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from promthctl.sql.tokens import line_at, scan_by_pattern

# What makes a closer look worth its time, in milliseconds where a look for a word takes microseconds.
_SUSPECT = re.compile(r"(?<![^\s;])\\[A-Za-z!?.;:(]")  # a command at the start of a line, or after white space
_STREAM = re.compile(r"[sS][tT][dD]")  # of COPY … FROM stdin, and TO stdout
_COMMAND = re.compile(r"\\[^\s\\]*")
_CLIENT_COPY = {("from", "stdin"), ("to", "stdout")}


class PsqlOnly(NamedTuple):
    """line: from 1. command: as written, "\\restrict", or "COPY"."""

    line: int
    command: str


def find_psql_only(sql: str) -> PsqlOnly | None:
    """The first thing in a text that is for psql; None when it is SQL, as far as this can tell."""
    if not _STREAM.search(sql) and not ("\\" in sql and _SUSPECT.search(sql)):
        return None
    first = previous = ""
    start = 0
    for token in scan_by_pattern(sql):
        text = sql[token.start : token.end].lower()
        if token.kind == "mark" and text == "\\":
            found = _COMMAND.match(sql, token.start)
            return PsqlOnly(line_at(sql, token.start), found[0] if found else text)
        if text == ";" and token.kind == "mark":
            first = ""
        elif token.kind == "word":
            if not first:
                first, start = text, token.start
            elif first == "copy" and (previous, text) in _CLIENT_COPY:
                return PsqlOnly(line_at(sql, start), "COPY")
            previous = text
    return None
