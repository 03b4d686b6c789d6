"""Reads an SQL script statement by statement, however large it is: a seed, or what pg_dump and psql write.

A statement ends where sql.statements ends it, at the semicolons that are in no parentheses and in no BEGIN ATOMIC …
END. Besides, there are psql's own lines, which begin with a backslash, and the rows after COPY … FROM STDIN, up to a
line `\\.`. The bytes stay as they are: the server decodes them. What is held in memory is one statement and a block.

Sources: psql/psqlscan.l and psql/copy.c of PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import BinaryIO, Literal, NamedTuple

from promthctl.sql.statements import Nesting
from promthctl.sql.tokens import CONTINUED, ESCAPED, comment_end, sql_words

_BLOCK = 1 << 18  # bytes; more at once for a statement that is longer
_BYTE_ORDER_MARK = "\xef\xbb\xbf"
_LETTER = r"A-Za-z_\x80-\xff"  # a byte is one character here, as it is in PostgreSQL's scanner
_NESTING_WORD = rf"(?i:begin|atomic|end)(?![{_LETTER}0-9$])"
_NO_ESCAPES = "(?![eE]')"  # a word that is not the beginning of E'…'
_COPY_END = re.compile(r"^\\\.[ \t]*\r?(?:\n|\Z)", re.MULTILINE)


class Part(NamedTuple):
    """A statement without its semicolon, one whose rows follow ("copy"), or a line for psql ("meta").

    line: from 1, where the text begins. inside: of a line for psql that it stands in the middle of a statement, whose
    text `before` it begins on the line `since`.
    """

    kind: Literal["statement", "copy", "meta"]
    text: bytes
    line: int
    inside: bool = False
    before: bytes = b""
    since: int = 0


class NotTextError(ValueError):
    """The script has a zero byte: it is UTF-16, compressed, or no text at all."""


class ScriptReader:
    """The parts of a script in order. done: how many bytes of it were used by now."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._text = ""  # what was read and not used; each character is one byte
        self._start = 0  # of the part that is being read
        self._line = 1  # of _start
        self._ended = False
        self._read = 0
        self._copying = False

    @property
    def done(self) -> int:
        return self._read - (len(self._text) - self._start)

    @property
    def line(self) -> int:
        """The line of what comes next."""
        return self._line

    def __iter__(self) -> Iterator[Part]:
        self._more()
        if self._text.startswith(_BYTE_ORDER_MARK):
            self._start = len(_BYTE_ORDER_MARK)
        while (part := self._next()) is not None:
            yield part
            if self._copying:
                for _ in self.rows():
                    pass

    def rows(self) -> Iterator[bytes]:
        """The rows that follow a "copy", in blocks of whole lines, without the line that ends them."""
        self._copying = False
        self._use(self._line_end(self._start))  # psql takes them from the next line on
        found = None
        while not found:
            if self._text.find("\n", self._start) < 0 and self._more():
                continue
            end = len(self._text) if self._ended else self._text.rfind("\n") + 1
            found = _COPY_END.search(self._text, self._start, end)
            rows = self._text[self._start : found.start() if found else end]
            self._use(found.end() if found else end)
            if rows:
                yield rows.encode("latin-1")
            if self._ended:
                return

    def _next(self) -> Part | None:
        pattern, nesting = _compiled(), Nesting()
        place, code = self._start, -1  # code: where the statement's first word is
        while True:
            match = pattern.match(self._text, place)
            end = len(self._text) if match is None else match.end()
            if match is not None and match.lastgroup == "comment":
                end = comment_end(self._text, end)
            if end == len(self._text) and not self._ended:  # what it ends with may go on
                used = self._start
                self._more()
                place, code = place - used, max(-1, code - used)
            elif match is None:  # nothing is left, or what nothing closes: PostgreSQL will say so
                return self._cut(place if code < 0 else code, end, end)
            elif match.lastgroup == "meta":
                return self._meta(place, code)
            else:
                if match.lastgroup not in ("blank", "comment"):
                    code = place if code < 0 else code
                    if nesting.ends_statement("" if match.lastgroup == "run" else match[0].upper()):
                        if code < place:
                            return self._cut(code, place, end)
                        code, nesting = -1, Nesting()  # a lone semicolon
                place = end

    def _cut(self, code: int, end: int, after: int) -> Part | None:
        self._use(code)
        text, line = self._text[code:end].rstrip(), self._line
        self._use(after)
        if not text:
            return None
        self._copying = _takes_rows(text)
        return Part("copy" if self._copying else "statement", text.encode("latin-1"), line)

    def _meta(self, place: int, code: int) -> Part:
        before, since = "", 0
        if code >= 0:
            self._use(code)
            before, since = self._text[code:place], self._line
        self._use(place)
        end = self._line_end(self._start)
        text, line = self._text[self._start : end].strip(), self._line
        self._use(end)
        return Part("meta", text.encode("latin-1"), line, code >= 0, before.rstrip().encode("latin-1"), since)

    def _line_end(self, place: int) -> int:
        """The place after the line's end, in the _text as it is then."""
        while (end := self._text.find("\n", place)) < 0:
            used = self._start
            if not self._more():
                return len(self._text)
            place -= used
        return end + 1

    def _use(self, place: int) -> None:
        """All before this place is done with."""
        self._line += self._text.count("\n", self._start, place)
        self._start = place

    def _more(self) -> bool:
        """Read on; False at the end. What was used is forgotten: places in _text change by _start, which becomes 0."""
        kept = len(self._text) - self._start
        block = self._stream.read(max(_BLOCK, kept))  # as much again: a long statement is looked at a few times only
        if b"\0" in block:
            raise NotTextError("a zero byte")
        self._read += len(block)
        self._text, self._start = self._text[self._start :] + block.decode("latin-1"), 0
        self._ended = not block
        return not self._ended


def _takes_rows(statement: str) -> bool:
    """True for COPY … FROM STDIN."""
    if statement[:4].lower() != "copy":
        return False
    words = sql_words(statement)
    return words[0] == "copy" and ("from", "stdin") in pairwise(words)


def _items(tag: str, word: str, more: str = "") -> str:
    """What has no say in where a statement ends. tag: a name for the group of a dollar quote's tag."""
    return rf"""(?: [^'"$();\\/\-0-9{_LETTER}]++ | [0-9][{_LETTER}0-9.]*+ | {word}[{_LETTER}][{_LETTER}0-9$]*+
        | '[^']*+(?:''[^']*+)*+' | "[^"]*+" | [eE]'(?>{ESCAPED}(?:{CONTINUED}{ESCAPED})*)(?!{CONTINUED})'
        | \$(?P<{tag}>(?:[{_LETTER}][{_LETTER}0-9]*+)?)\$.*?\$(?P={tag})\$ | \$\d++
        | --[^\n\r]*+ | -(?!-) | /(?!\*) {more})"""


@cache
def _compiled() -> re.Pattern[str]:
    row = rf"| \( {_items('tag_in_row', _NO_ESCAPES)}*+ \)"  # most parentheses hold no others
    word = f"{_NO_ESCAPES}(?!{_NESTING_WORD})"
    return re.compile(
        rf"""(?P<blank>(?:[ \t\n\r\f\v]++ | --[^\n\r]*+)++) | (?P<comment>/\*) | (?P<meta>\\)
        | (?P<word>{_NESTING_WORD}) | (?P<run>{_items("tag", word, row)}++) | (?P<mark>[();])""",
        re.DOTALL | re.VERBOSE,
    )
