"""Cuts SQL into tokens that know their place in the text.

PostgreSQL's own scanner decides. It refuses a text that it cannot scan to the end, because of a quote that nothing
closes for example; such a text, and short ones for which the scanner is not worth its import, are cut by pattern.
Source of the pattern: src/backend/parser/scan.l of PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal, NamedTuple

Kind = Literal["comment", "string", "quoted_name", "word", "mark"]

_LETTER = r"A-Za-z_\u0080-\U0010ffff"
# Strings on lines that follow each other are one string; a comment may end the first line.
CONTINUED = r"'[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*[\n\r])*'"
_PLAIN = r"[^']*(?:''[^']*)*"
ESCAPED = r"[^'\\]*(?:(?:''|\\(?:.|\Z))[^'\\]*)*"
_PATTERN = rf"""[ \t\n\r\f\v]*+ (?: (?P<comment>--[^\n\r]* | /\*)
    | (?P<string>
        [eE]'{ESCAPED}(?:(?:{CONTINUED}{ESCAPED})*'|\Z)
        | (?:[bBxX]|[uU]&)?'{_PLAIN}(?:(?:{CONTINUED}{_PLAIN})*'|\Z)
        | \$(?P<tag>(?:[{_LETTER}][{_LETTER}0-9]*)?)\$(?:.*?\$(?P=tag)\$|.*))
    | (?P<quoted_name>(?:[uU]&)?"[^"]*(?:""[^"]*)*(?:"|\Z))
    | (?P<word>[{_LETTER}][{_LETTER}0-9$]*)
    | (?P<mark>\$\d+ | \d[\w.]* | (?:(?!--|/\*)[-+*/<>=~!@\#%^&|`?:])+ | .))"""
_COMMENT_ENDS = re.compile(r"/\*|\*/")
_PGLAST_KINDS: dict[str, Kind] = {  # the rest are words and marks
    **dict.fromkeys(("SQL_COMMENT", "C_COMMENT"), "comment"),
    **dict.fromkeys(("SCONST", "USCONST", "BCONST", "XCONST"), "string"),
    "UIDENT": "quoted_name",
}


class Token(NamedTuple):
    """sql[start:end] is the token's text.

    kind: "string" also for dollar quotes, "word" for keywords and names without quotes, "mark" for all the rest:
    numbers, operators, brackets, semicolons.
    """

    kind: Kind
    start: int
    end: int


def scan_sql(sql: str) -> list[Token]:
    """The tokens of a text, comments included and white space left out."""
    from pglast.parser import ParseError, scan

    try:
        return [Token(_kind(sql, token), token.start, token.end + 1) for token in scan(sql)]
    except ParseError:
        return list(scan_by_pattern(sql))


def scan_by_pattern(sql: str) -> Iterator[Token]:
    """The tokens of any text, without pglast. What nothing closes reaches to the end of the text."""
    pattern, place = _compiled(), 0
    while match := pattern.match(sql, place):
        kind: Any = match.lastgroup  # the groups are named after the kinds
        start, place = match.span(kind)
        if kind == "comment" and sql[start] == "/":
            place = comment_end(sql, place)
        yield Token(kind, start, place)


@cache
def _compiled() -> re.Pattern[str]:
    """Compiling it takes 10 ms, which commands that read no SQL do without."""
    return re.compile(_PATTERN, re.DOTALL | re.VERBOSE)


def blanked(sql: str) -> str:
    """A text of the same length whose strings, quoted names and comments hold nothing."""
    parts, place = [], 0
    for token in scan_by_pattern(sql):
        if token.kind in ("string", "quoted_name", "comment"):
            length = token.end - token.start
            parts += [sql[place : token.start], f"'{'_' * (length - 2)}'"[:length]]
            place = token.end
    return "".join([*parts, sql[place:]])


def sql_words(sql: str) -> list[str]:
    """What a text says, lower case except for what is quoted; comments and white space are left out."""
    return [
        sql[start:end] if kind in ("string", "quoted_name") else sql[start:end].lower()
        for kind, start, end in scan_by_pattern(sql)
        if kind != "comment"
    ]


def ends_in_line_comment(sql: str) -> bool:
    """True if more text on the last line would belong to a comment."""
    if "--" not in sql.rpartition("\n")[2]:  # most texts: no need to look closer
        return False
    *_, last = scan_by_pattern(sql)
    return last.kind == "comment" and last.end == len(sql) and sql.startswith("--", last.start)


def line_at(sql: str, place: int) -> int:
    """The line, from 1, of a place in a text."""
    return sql.count("\n", 0, place) + 1


def comment_end(sql: str, place: int) -> int:
    """Where the comment that has begun before `place` ends; comments nest."""
    depth = 1
    while depth and (match := _COMMENT_ENDS.search(sql, place)):
        depth += 1 if match[0] == "/*" else -1
        place = match.end()
    return place if depth == 0 else len(sql)


def _kind(sql: str, token: Any) -> Kind:
    """token: pglast's."""
    if found := _PGLAST_KINDS.get(token.name):
        return found
    if token.name == "IDENT" and sql[token.start] == '"':
        return "quoted_name"
    return "word" if token.name in ("IDENT", "NCHAR") or token.kind != "NO_KEYWORD" else "mark"
