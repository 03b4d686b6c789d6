"""What the text of a function, of a trigger or of an expression calls, reads and writes, going by its tokens.

Strings are read as SQL too, because `execute` may run them. Where that is not enough to know what runs, it says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from promthctl.sql.tokens import scan_by_pattern

# What format() puts in unchanged, or as the name of what is called, read or written, is known only when it runs.
_SPECIFIER = r"%(?:\d+\$)?-?(?:\d+|\*(?:\d+\$)?)?"
_OPEN_FORMAT = re.compile(
    rf"{_SPECIFIER}s|{_SPECIFIER}I\s*[(.]"
    rf"|(?:\b(?:into|update|from|join|only|table|call|copy|using|view)\s+|\.\s*){_SPECIFIER}I"
    rf"|\bdo\s+{_SPECIFIER}",
    re.IGNORECASE,
)
_ENDS = {";", "into", "using", "loop"}
_DEFINITIONS = {"create", "alter", "drop", "grant", "revoke", "comment", "security", "refresh", "reindex"}
_NO_UPDATE = {"for", "do", "on", "key"}  # for update, on conflict do update, on update cascade, for no key update


@dataclass
class Mentions:
    """Names are (schema, name), the schema empty where none is written; names without quotes are in lower case.

    calls: what stands before a parenthesis. words: every name. attributes: names after a dot. inserted, written: tables
    of insert, and of any other writing statement. statements: copy (to a file or a program), notify, load, import
    foreign schema, and definition for any that event triggers follow. unreadable: SQL is run that is known only when it
    runs. formatted: SQL is run as PostgreSQL's format() makes it.
    """

    calls: set[tuple[str, str]] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    inserted: set[tuple[str, str]] = field(default_factory=set)
    written: set[tuple[str, str]] = field(default_factory=set)
    statements: set[str] = field(default_factory=set)
    unreadable: bool = False
    formatted: bool = False


@dataclass(frozen=True)
class _Piece:
    """name: of a word or a quoted name, None for the rest. text: of a word in lower case, of others as written."""

    text: str
    name: str | None = None
    string: bool = False

    @property
    def is_file(self) -> bool:
        """Whether it can name a file in `copy`: a literal, or what format() puts there."""
        return self.string or self.text.startswith("%")


def read_mentions(text: str) -> Mentions:
    """What the text mentions; any text will do, and none is refused."""
    found = Mentions()
    _read(text, found)
    return found


def _read(text: str, found: Mentions, *, within: bool = False) -> None:
    """within: the text is a string's; otherwise its first word may be the `create` that defines what is read."""
    pieces = list(_pieces(text, found))
    for place, piece in enumerate(pieces):
        if piece.string and (inner := _inside(piece.text)) and len(inner) < len(text):
            _read(inner, found, within=True)
        if piece.name is None:
            continue
        found.words.add(piece.name)
        if _text(pieces, place - 1) == ".":
            found.attributes.add(piece.name)
        if _text(pieces, place + 1) == "(":
            found.calls.add((_schema(pieces, place), piece.name))
        if piece.text in _DEFINITIONS and (place > 0 or within):
            found.statements.add("definition")
        _read_statement(pieces, place, found)


def _read_statement(pieces: Sequence[_Piece], place: int, found: Mentions) -> None:
    word, after = pieces[place].text, [_text(pieces, place + step) for step in (1, 2, 3)]
    # A block of PL/pgSQL has a begin; without one the word stands in a message, or is SQL's.
    if word == "execute" and _built(pieces, place + 1) and any(piece.text == "begin" for piece in pieces):
        found.unreadable = True
    elif word == "execute":
        found.formatted |= "format" in after
    elif word == "insert" and after[0] == "into":
        upsert = any(piece.text == "conflict" for piece in pieces)
        (found.written if upsert else found.inserted).update(_target(pieces, place + 2))
    elif (word, after[0]) in (("delete", "from"), ("merge", "into")):
        found.written.update(_target(pieces, place + 2))
    elif word == "update" and _text(pieces, place - 1) not in _NO_UPDATE:
        found.written.update(_target(pieces, place + 1))
    elif word == "truncate":
        found.written.update(_target(pieces, place + 1, several=True))
    elif word == "copy":
        rest = _until(pieces, place + 1, {";"})
        found.written.update(_target(pieces, place + 1))
        for piece, following in pairwise(rest):
            if piece.text in ("to", "from") and (
                following.text == "program" or (piece.text == "to" and following.is_file)
            ):
                found.statements.add("copy")
    elif word == "notify" and place + 1 < len(pieces) and pieces[place + 1].name is not None:
        found.statements.add("notify")
    elif word == "load" and place + 1 < len(pieces) and pieces[place + 1].string:
        found.statements.add("load")
    elif word == "import" and after[:2] == ["foreign", "schema"]:
        found.statements.add("import foreign schema")


def _pieces(text: str, found: Mentions) -> Iterator[_Piece]:
    for kind, start, end in scan_by_pattern(text):
        written = text[start:end]
        if kind == "word":
            yield _Piece(written.lower(), written.lower())
        elif kind == "quoted_name":
            found.unreadable |= written[0] in "uU" and "\\" in written  # its escapes could spell any name
            yield _Piece(written, written[written.index('"') + 1 :].removesuffix('"').replace('""', '"'))
        elif kind != "comment":
            yield _Piece(written, string=kind == "string")


def _text(pieces: Sequence[_Piece], place: int) -> str:
    return pieces[place].text if 0 <= place < len(pieces) else ""


def _schema(pieces: Sequence[_Piece], place: int) -> str:
    return (pieces[place - 2].name or "") if place > 1 and pieces[place - 1].text == "." else ""


def _until(pieces: Sequence[_Piece], place: int, ends: set[str]) -> list[_Piece]:
    found = []
    while place < len(pieces) and pieces[place].text not in ends:
        found.append(pieces[place])
        place += 1
    return found


def _target(pieces: Sequence[_Piece], place: int, several: bool = False) -> Iterator[tuple[str, str]]:
    """The table, or the tables, whose name begins at `place`."""
    while True:
        while _text(pieces, place) in ("only", "table"):
            place += 1
        while _text(pieces, place + 1) == ".":
            place += 2
        if place < len(pieces) and (name := pieces[place].name) is not None:
            yield _schema(pieces, place), name
        if not several or _text(pieces, place + 1) != ",":
            return
        place += 2


def _built(pieces: Sequence[_Piece], place: int) -> bool:
    """Whether what follows `execute` is anything but a text that is there to be read."""
    command = _until(pieces, place, _ENDS)
    if not command or command[0].text == "on":  # grant execute on …
        return False
    if command[0].text in ("function", "procedure") and len(command) > 1 and command[1].name is not None:
        return False  # of a trigger
    while len(command) > 2 and command[0].text == "(" and command[-1].text == ")":
        command = command[1:-1]
    if len(command) == 1 and command[0].string:
        return not _is_plain(command[0].text)
    texts = [piece.text for piece in command]
    if texts[:2] != ["format", "("] or not command[2:] or not command[2].string or "||" in texts:
        return True
    return not _is_plain(command[2].text) or _OPEN_FORMAT.search(_inside(command[2].text)) is not None


def _is_plain(string: str) -> bool:
    """Whether a string says what is written there; a backslash may begin an escape."""
    return string.startswith(("'", "$")) and "\\" not in string


def _inside(string: str) -> str:
    """The content of a literal or a dollar quote, its escapes left as they are."""
    if string.startswith("$"):
        tag = string[: string.index("$", 1) + 1]
        return string.removeprefix(tag).removesuffix(tag)
    return string[string.index("'") + 1 :].removesuffix("'").replace("''", "'")
