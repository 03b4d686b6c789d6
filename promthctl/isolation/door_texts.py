"""What a function or view of the API runs, and what its text says about who calls and about the rows it shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from promthctl.isolation.call_graph import Function, Reached, Relation
from promthctl.isolation.column_values import hinted_values, nearest_combinations
from promthctl.isolation.door_arguments import constants_of
from promthctl.isolation.sample_row import Values
from promthctl.isolation.tables import ProbedColumn, ProbedTable
from promthctl.isolation.witnesses import Witness

_WORLDS = 12  # kinds of rows that one door is tried with
_ASKING = re.compile(
    r"\bauth\s*\.\s*(?:uid|jwt|role|email)\b|request\.jwt|session_user|\bcurrent_role\b", re.IGNORECASE
)
# What a signed-in user writes themselves, and what comes with a request.
_EDITABLE = re.compile(r"user_metadata|raw_user_meta_data|request\.(?:headers|cookies)", re.IGNORECASE)
_TEXTS = {"text", "varchar", "bpchar", "citext"}
_NUMBERS = {"int2", "int4", "int8", "numeric", "float4", "float8"}
_TIMES = {"timestamp", "timestamptz", "date"}
_END = re.compile(r"\b(?:and|or|order|group|limit|then|returning|else)\b|;", re.IGNORECASE)
_LITERAL = re.compile(r"'((?:[^'\n]|'')*)'")


@dataclass(frozen=True)
class DoorText:
    """tables: oids of those that it names. opens: something in it runs with its owner's rights. unread: it runs SQL
    that is known only then. text: of all functions and views in it.
    """

    tables: frozenset[int]
    opens: bool
    unread: bool
    text: str
    _compared: dict[str, list[str]] = field(default_factory=dict, compare=False, repr=False)  # by column, as asked for

    @cached_property
    def asks(self) -> bool:
        """Whether it asks who calls."""
        return _ASKING.search(self.text) is not None

    @cached_property
    def editable(self) -> bool:
        """Whether it asks for what the caller may write themselves."""
        return _EDITABLE.search(self.text) is not None

    @cached_property
    def constants(self) -> tuple[list[str], list[str]]:
        """Its short literals, and its JSON keys."""
        return constants_of(self.text)

    @cached_property
    def reads_vault(self) -> bool:
        return re.search(r"\bdecrypted_secrets\b|vault\W{1,3}secrets\b", self.text) is not None

    @property
    def secret_names(self) -> list[str]:
        """Names of secrets that it may look for in the vault; none where it does not look there."""
        likely = ("promthctl_secret", *self.compared("name"), *self.constants[0][:10])
        return list(dict.fromkeys(likely)) if self.reads_vault else []

    def compared(self, column: str) -> list[str]:
        """The literals that a column of that name is compared with; empty texts count."""
        if column not in self._compared:
            self._compared[column] = self._find_compared(column) if self.names(column) else []
        return self._compared[column]

    def _find_compared(self, column: str) -> list[str]:
        found: list[str] = []
        name = rf'(?<!\w)"?{re.escape(column)}"?'
        after = rf"{name}\)?\s*(?:::\s*\w+\s*)?(?:<>|!=|<=|>=|=|<|>|~~?\*?|\b(?:not\s+)?(?:in|i?like|between)\b|\bis\b)"
        for match in re.finditer(after, self.text, re.IGNORECASE):
            window = self.text[match.end() : match.end() + 120]
            window = window[: end.start()] if (end := _END.search(window)) else window
            found += [each.replace("''", "'") for each in _LITERAL.findall(window)]
            found += re.findall(r"^\s*\(*(-?\d+(?:\.\d+)?)\b", window)
        found += re.findall(rf"'([^'\n]*)'(?:::\w+)?\s*=\s*(?:\w+\.)?{name}", self.text)
        return list(dict.fromkeys(found))

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(re.findall(r"\w+", self.text.lower()))

    def names(self, column: str) -> bool:
        if re.fullmatch(r"\w+", column):
            return column.lower() in self._words
        return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", self.text, re.IGNORECASE) is not None


def door_text(reached: Iterable[Reached]) -> DoorText:
    """From what a call graph reaches, the door itself first."""
    tables, texts, opens, unread = set(), [], False, False
    for one in reached:
        # Policies, triggers and defaults run with every access to a table, not only through this door.
        beside = any(" on " in step and not step.startswith("view on ") for step in one.chain)
        if isinstance(one.what, Relation):
            tables.add(one.what.oid)
            opens |= one.what.definer and not beside
        elif beside:
            continue
        elif isinstance(one.what, Function):
            texts.append(one.what.text)
            opens |= one.what.definer
            unread |= one.mentions.unreadable or one.mentions.formatted
        elif one.what is None:
            texts.append(one.text)
    return DoorText(frozenset(tables), opens, unread, "\n".join(texts))


def decided_by(doors: Iterable[DoorText], tables: Iterable[ProbedTable]) -> dict[int, set[str]]:
    """By a table's oid, the columns that some door compares with a constant."""
    doors = tuple(doors)
    found: dict[int, set[str]] = {}
    for table in tables:
        naming = [door for door in doors if table.oid in door.tables]
        found[table.oid] = {name for name in table.column if any(door.compared(name) for door in naming)}
    return found


def worlds(door: DoorText, rows: Sequence[Witness]) -> list[dict[int, Values]]:
    """Other values for the owner's rows that may be what the door shows: by a table's oid, what to set.

    The rows as they are, with nothing to set, are not among them.
    """
    places: list[tuple[int, str]] = []
    options: list[list[str | None]] = []
    for witness in rows:
        if witness.table.oid not in door.tables and not door.unread:
            continue
        for column in witness.table.columns:
            if column.generated or column.name in witness.table.primary_key or not door.names(column.name):
                continue
            now = witness.row.values[column.name]
            if others := [value for value in _others(column, door, witness) if value != now]:
                places.append((witness.table.oid, column.name))
                options.append([now, *dict.fromkeys(others)][:6])
    found: list[dict[int, Values]] = []
    for chosen in nearest_combinations(options, _WORLDS + 1) if options else ():
        world: dict[int, Values] = {}
        for (oid, name), value, choices in zip(places, chosen, options, strict=True):
            if value != choices[0]:
                world.setdefault(oid, {})[name] = value
        if world:
            found.append(world)
    if len(options) > 2:  # all at once, which the nearest combinations do not come to
        for step in (1, 2):
            world = {}
            for (oid, name), choices in zip(places, options, strict=True):
                world.setdefault(oid, {})[name] = choices[min(step, len(choices) - 1)]
            found.append(world)
    return found


def _others(column: ProbedColumn, door: DoorText, witness: Witness) -> Iterator[str | None]:
    type_, table = column.type, witness.table
    compared = door.compared(column.name)
    keyed = {name for key in table.foreign_keys for name in key.columns}
    if column.name in keyed:
        return
    if type_.name == "bool":
        yield from ("true", "false")
    elif type_.labels:
        yield from (label for label in compared if label in type_.labels)
        yield from type_.labels
    elif type_.name in _TIMES:
        yield from ("2001-01-01", "2999-01-01")
    elif type_.name in _TEXTS and compared:
        checks = [check.definition for check in table.checks if column.name in check.columns]
        yield from compared
        yield from (value for check in checks for value in hinted_values(type_, check, "0" * 32))
    elif type_.name in _NUMBERS and compared:
        for text in compared:
            if re.fullmatch(r"-?\d+(\.\d+)?", text):
                number = int(float(text))
                yield from (text, str(number - 1), str(number + 1))
    else:
        return
    if not column.not_null:
        yield None


def told(world: Mapping[int, Values], rows: Sequence[Witness]) -> str:
    """A world for people: notes.status = 'active'."""
    tables = {witness.table.oid: witness.table.label for witness in rows}
    parts = [
        f"{tables.get(oid, '')}.{name} {'is null' if value is None else f'= {value!r}'}"
        for oid, values in world.items()
        for name, value in values.items()
    ]
    return " and ".join(parts)
