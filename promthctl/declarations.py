"""What a project opens on purpose: `public`, `shared` and `open_functions` under [tool.promthctl] in pyproject.toml."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from promthctl.errors import UsageError

DeclarationKind = Literal["public", "shared", "open_functions"]

EVERYONE, SIGNED_IN = "everyone", "every signed-in user"
DECLARED_IN: tuple[DeclarationKind, ...] = ("public", "shared", "open_functions")

_EXAMPLES: Mapping[DeclarationKind, str] = {
    "public": "is_public",
    "shared": "insert: another user's listing_id",
    "open_functions": "search_listings",
}
_MEANINGS: Mapping[DeclarationKind, str] = {
    "public": "it must be an SQL condition on the rows that everyone may read, as text",
    "shared": "it must be a command (insert, update, upsert, move) and what may be in the row, or a command and for"
    " which rows of others it is meant (every signed-in user, everyone), as text or as a list of texts",
    "open_functions": "it must be the names of functions that anyone may call, as a list of texts",
}
# What a user may put into their own row; the columns are those of a foreign key to what another user owns.
_SHARED = re.compile(r"(insert|update|upsert|move)\s*:\s*another user's\s+(\S.*)")
# What they may do with rows that are not theirs, or nobody's.
_OPEN_TO = re.compile(r"(select|insert|update|delete|move)\s*:\s*(every signed-in user|everyone)")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TEXT: Mapping[DeclarationKind, str] = {"public": "condition", "shared": "what", "open_functions": "name"}


@dataclass(frozen=True)
class Declaration:
    """One thing that is open on purpose.

    name: a table or a function, with its schema unless that is public, as labels are. what: for `public` an SQL
    condition on the rows that everyone may read, for `shared` what a user may put into their own row ("insert: another
    user's listing_id") or may do with every row ("delete: every signed-in user"), empty for a function. reason: why, in
    the team's words; may be empty.
    """

    kind: DeclarationKind
    name: str
    what: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Declarations:
    """Everything that is declared, in the file's order."""

    all: tuple[Declaration, ...] = ()

    @property
    def conditions(self) -> dict[str, str]:
        """By table label, the SQL condition on the rows that everyone may read."""
        return {one.name: one.what for one in self.all if one.kind == "public"}

    def shared(self, table: str, command: str, columns: str) -> Declaration | None:
        """What declares that `command` on the table may name another user's `columns`, such as "listing_id"."""
        what = f"{command}: another user's {columns}"
        return next((one for one in self.all if (one.kind, one.name, one.what) == ("shared", table, what)), None)

    def opened_to(self, table: str, command: str, anon: bool) -> Declaration | None:
        """What declares that `command` reaches every row of the table. anon: for who is not signed in, too."""
        crowds = (EVERYONE,) if anon else (SIGNED_IN, EVERYONE)
        wanted = {f"{command}: {crowd}" for crowd in crowds}
        return next((one for one in self.all if (one.kind, one.name) == ("shared", table) and one.what in wanted), None)

    def open_function(self, name: str) -> Declaration | None:
        """What declares that anyone may call the function of that label."""
        return next((one for one in self.all if one.kind == "open_functions" and one.name == name), None)


NOTHING_DECLARED = Declarations()


def public_where(conditions: Mapping[str, str] | Iterable[str]) -> Declarations:
    """Declarations of public rows alone: conditions by table, or tables of which every row is public."""
    given = conditions if isinstance(conditions, Mapping) else dict.fromkeys(conditions, "true")
    return Declarations(tuple(Declaration("public", label(name), what) for name, what in given.items()))


def read_declarations(tool: Mapping[str, Any]) -> Declarations:
    """What [tool.promthctl] declares. Raises UsageError, naming the line, for what is no declaration.

    A value is a text, or a table of the text and its reason: { condition = "…", reason = "…" } in `public`,
    { what = "…", reason = "…" } in `shared`, { name = "…", reason = "…" } in `open_functions`.
    """
    found: list[Declaration] = []
    for kind in ("public", "shared"):
        table = tool.get(kind, {})
        if not isinstance(table, dict):
            raise _wrong(kind, "", None)
        for name, value in table.items():
            found += _declared(kind, label(name), value)
    functions = tool.get("open_functions", [])
    if not isinstance(functions, list):
        raise _wrong("open_functions", "", None)
    for value in functions:
        name, reason = _text_and_reason("open_functions", "", value)
        found.append(Declaration("open_functions", label(name), "", reason))
    return Declarations(tuple(found))


def lines_of(declarations: Iterable[Declaration]) -> str:
    """The lines that declare all of these in a pyproject.toml that has none yet; "" for none."""
    functions = dict.fromkeys(_quoted(one.name) for one in declarations if one.kind == "open_functions")
    lines = [f"[tool.promthctl]\nopen_functions = [{', '.join(functions)}]"] if functions else []
    for kind in ("public", "shared"):
        told: dict[str, dict[str, None]] = {}
        for one in declarations:
            if one.kind == kind:
                told.setdefault(one.name, {})[_quoted(one.what)] = None
        lines += [f"[tool.promthctl.{kind}]"] if told else []
        for name, texts in told.items():
            key = name if _BARE_KEY.fullmatch(name) else _quoted(name)
            first, *more = texts
            lines.append(f"{key} = [{', '.join(texts)}]" if more else f"{key} = {first}")
    return "\n".join(lines)


def label(name: str) -> str:
    """A table's or function's name as it is told to people: without the schema public."""
    return name.strip().removeprefix("public.")


def _declared(kind: Literal["public", "shared"], name: str, value: Any) -> Iterator[Declaration]:
    for each in value if kind == "shared" and isinstance(value, list) else [value]:
        text, reason = _text_and_reason(kind, name, each)
        if kind == "shared":
            parts, crowd = _SHARED.fullmatch(text), _OPEN_TO.fullmatch(text)
            if parts is not None:
                columns = ", ".join(re.split(r"\s*,\s*", parts[2].strip()))
                text = f"{parts[1]}: another user's {columns}"
            elif crowd is not None:
                text = f"{crowd[1]}: {crowd[2]}"
            else:
                raise _wrong(kind, name, None)
        yield Declaration(kind, name, text, reason)


def _text_and_reason(kind: DeclarationKind, name: str, value: Any) -> tuple[str, str]:
    given = value if isinstance(value, dict) else {_TEXT[kind]: value}
    text, reason = given.get(_TEXT[kind]), given.get("reason", "")
    unknown = sorted({*given} - {_TEXT[kind], "reason"})
    if unknown or not (isinstance(text, str) and text.strip() and isinstance(reason, str)):
        raise _wrong(kind, name, unknown[0] if unknown else None)
    return text.strip(), reason.strip()


def _wrong(kind: DeclarationKind, name: str, unknown: str | None) -> UsageError:
    """unknown: a key that its table does not take; `app.notes` without quotes is such a key of app."""
    why = _MEANINGS[kind]
    if unknown is not None:
        named = f'; if {name}.{unknown} is a name with its schema, write "{name}.{unknown}" in quotes' if name else ""
        why = f"{unknown} is not known there, it takes {_TEXT[kind]} and reason{named}"
    where, line = f"[tool.promthctl.{kind}]", f'{name or "listings"} = "{_EXAMPLES[kind]}"'
    if kind == "open_functions":
        where, line = "[tool.promthctl]", f'open_functions = ["{_EXAMPLES[kind]}"]'
    rows = ', or "true" for all rows,' if kind == "public" else ""
    what = f"pyproject.toml has a wrong setting: {kind}{'.' if name else ''}{name}"
    return UsageError(what, why, f"set {line}{rows} under {where} in pyproject.toml")


def _quoted(text: str) -> str:
    """A basic string of TOML, whose escapes are JSON's: https://toml.io/en/v1.0.0#string"""
    return json.dumps(text, ensure_ascii=False)
