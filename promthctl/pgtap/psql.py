"""psql's variables and commands, as far as test files use them.

Source: https://www.postgresql.org/docs/17/app-psql.html, meta-commands and variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from promthctl.sql.quoting import literal
from promthctl.sql.tokens import scan_by_pattern

# Of what psql shows, of its prompts and of its history nothing is seen here.
IGNORED = frozenset(
    {
        "pset",
        "x",
        "a",
        "t",
        "f",
        "H",
        "C",
        "T",
        "timing",
        "encoding",
        "restrict",
        "unrestrict",
        "conninfo",
        "errverbose",
    }
    | {"errverbose", "warn", "p", "print", "s"}
)
_ARGUMENT = re.compile(
    r"""\s*(?: (?P<end>\\\\|(?=\\)|\Z) | (?P<word>(?: '(?:[^'\\]|''|\\.)*' | "[^"]*" | [^\s'"\\`] )+ )
        | (?P<odd>.) )""",
    re.VERBOSE,
)
_NAME = re.compile(r"\\(?P<name>[A-Za-z_]+|[!?;.])")
_PIECE = re.compile(
    r"""'(?P<single>(?:[^'\\]|''|\\.)*)'|"[^"]*"|:(?P<form>['"]?)(?P<variable>\w+)(?P=form)|.""", re.DOTALL
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_IN_SQL = re.compile(r":(?:(?P<form>['\"])(?P<quoted>\w+)(?P=form)|(?P<plain>\w+)|\{\?(?P<asked>\w+)\})")
_TRUE, _FALSE = ("true", "on", "1", "yes"), ("false", "off", "0", "no")


def commands(line: str) -> Iterator[tuple[str, list[str]]]:
    """The commands on a line that begins with a backslash, each with its arguments as they are written.

    What cannot be read, such as a program's output in backquotes, is a command named "`".
    """
    place = 0
    while place < len(line):
        if not (match := _NAME.match(line, place)):
            yield line[place : place + 2], []
            return
        name, place, arguments = match["name"], match.end(), []
        while (found := _ARGUMENT.match(line, place)) and found["end"] is None:
            if found["odd"]:
                yield "`", []
                return
            arguments.append(found["word"])
            place = found.end()
        place = found.end() if found else len(line)
        yield name, arguments


def value(argument: str, variables: Mapping[str, str]) -> str:
    """What an argument says: quotes taken off, variables put in."""
    parts = []
    for match in _PIECE.finditer(argument):
        if match["single"] is not None:
            text = match["single"].replace("''", "'")
            parts.append(re.sub(r"\\(.)", lambda one: _ESCAPES.get(one[1], one[1]), text))
        elif match["variable"] is not None and match["variable"] in variables:
            parts.append(_formed(variables[match["variable"]], match["form"] or ""))
        else:
            parts.append(match[0])
    return "".join(parts)


def interpolated(sql: str, variables: Mapping[str, str]) -> str:
    """The statement with the variables that are known put in; those in strings, names and comments are none."""
    if ":" not in sql:
        return sql
    parts, place = [], 0
    for match in _IN_SQL.finditer(sql):
        name = match["quoted"] or match["plain"] or match["asked"]
        if match.start() < place or (match["asked"] is None and name not in variables):
            continue
        if sql[match.start() - 1 : match.start()] == ":" or _is_quoted(sql, match.start()):
            continue
        parts.append(sql[place : match.start()])
        if match["asked"]:
            parts.append("TRUE" if name in variables else "FALSE")
        else:
            parts.append(_formed(variables[name], match["form"] or ""))
        place = match.end()
    return "".join([*parts, sql[place:]])


def truth(text: str) -> bool | None:
    """What psql takes a word for; None for one that is neither."""
    word = text.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _formed(text: str, form: str) -> str:
    return literal(text) if form == "'" else f'"{text.replace(chr(34), chr(34) * 2)}"' if form == '"' else text


def _is_quoted(sql: str, place: int) -> bool:
    return any(
        token.start < place < token.end and token.kind in ("string", "quoted_name", "comment")
        for token in scan_by_pattern(sql)
    )
