"""Squashed files: one migration in place of several, whose header says which, and what a history has of them.

    -- promthctl: squashed 001_first.sql 5d41402abc…
    -- promthctl: squashed 003_third.sql 7d793037a0… (001 002 003)

The digest is that of the statements as the Supabase CLI records them. In parentheses are the versions for which that
file itself stood, where it was squashed before. So a target that has applied the old files is known by its history
alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from promthctl.migration_set.folder import Migration
from promthctl.migration_set.history import HistoryEntry, MigrationRow, is_as_applied
from promthctl.sql.statements import split_statements

_MARK = "-- promthctl: squashed"
_LINE = re.compile(rf"{_MARK} (\d+)_(\S.*)\.sql ([0-9a-f]{{64}})(?: \(([\d ]+)\))?\s*")

# replaces: it has all of the old files as they were. left over: the new one is recorded, and old ones are still there.
# in part: some of the old files were never applied. unproven: all are there, and of some it is not recorded what they
# were, or it was something else.
SquashState = Literal["replaces", "left over", "in part", "unproven"]


@dataclass(frozen=True)
class Replaced:
    """A file that a squashed one stands for. parts: the versions that this one stood for; empty for a plain file."""

    version: str
    name: str
    digest: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Squash:
    """A squashed file and a history that has versions which it stands for.

    versions: those of the history, the file's own aside. missing: those that it stands for and that were not applied.
    unproven: those whose statements are not known to be the old file's.
    """

    file: Migration
    state: SquashState
    versions: tuple[str, ...]
    missing: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the history shows that its target has everything the file makes."""
        return self.state in ("replaces", "left over")


def squashed_by(file: Migration) -> tuple[Replaced, ...]:
    """The files that its header names; none for a file that is not squashed."""
    return tuple(_named(file.sql))


def _named(sql: str) -> Iterator[Replaced]:
    for line in sql.splitlines():
        if not line.startswith("--"):
            return
        if match := _LINE.fullmatch(line):
            yield Replaced(match[1], match[2], match[3], tuple((match[4] or "").split()))


def replaced_versions(files: Iterable[Migration]) -> dict[str, str]:
    """Every version that has no file of its own any more → the name of the file that stands for it."""
    listed = list(files)
    own = {file.version for file in listed}
    return {one.version: file.filename for file in listed for one in squashed_by(file) if one.version not in own}


def header(files: Sequence[Migration]) -> str:
    """The lines for a file that stands for these, those included for which they stand."""
    lines = []
    for file in files:
        inner = squashed_by(file)
        parts = " ".join(sorted({one.version for one in inner}))
        lines += [_line(one.version, one.name, one.digest, " ".join(one.parts)) for one in inner]
        lines.append(_line(file.version, file.name, digest([file.sql]), parts))
    return "\n".join(lines) + "\n"


def _line(version: str, name: str, digest: str, parts: str) -> str:
    return f"{_MARK} {version}_{name}.sql {digest}{f' ({parts})' if parts else ''}"


def digest(statements: Sequence[str]) -> str:
    """Of the statements of a history's entry, or of a file as a whole; the same, however they were cut."""
    text = "\n;\n".join(statements).replace("\r\n", "\n").removeprefix("\ufeff")
    pieces = [text[piece.start : piece.end] for piece in split_statements(text)]
    return hashlib.sha256("\0".join(pieces).encode()).hexdigest()


def with_squashed(
    rows: Iterable[MigrationRow], files: Iterable[Migration], history: Mapping[str, HistoryEntry] | None
) -> tuple[MigrationRow, ...]:
    """The rows of list_migrations, those without a file with the one that stands for them now."""
    listed = list(files)
    stands = replaced_versions(listed)
    older = {one.file.version for one in find_squashes(listed, history or {}) if one.state != "left over"}
    made = (replace(row, squashed=stands.get(row.version)) for row in rows)
    # What the history has under the version of the squashed file is the last of the old ones.
    return tuple(replace(row, edited=None) if row.version in older else row for row in made)


def find_squashes(files: Iterable[Migration], history: Mapping[str, HistoryEntry]) -> tuple[Squash, ...]:
    """The squashed files among these whose old versions the history has."""
    return tuple(found for file in files if (found := _met(file, history)) is not None)


def as_replaced(history: Mapping[str, HistoryEntry], squashes: Iterable[Squash]) -> dict[str, HistoryEntry]:
    """The history as it will be once every squashed file that is met is recorded in place of the old ones."""
    made = dict(history)
    for one in squashes:
        if one.met:
            for version in one.versions:
                made.pop(version, None)
            made[one.file.version] = HistoryEntry(one.file.version, one.file.name, (one.file.sql,))
    return dict(sorted(made.items()))


def _met(file: Migration, history: Mapping[str, HistoryEntry]) -> Squash | None:
    replaced = squashed_by(file)
    wanted = {one.version for one in replaced}
    there = sorted(wanted.intersection(history))
    others = tuple(version for version in there if version != file.version)
    own = history.get(file.version)
    recorded = own is not None and bool(own.statements) and is_as_applied(file.sql, own.statements)
    if not there or (own is not None and not others and (recorded or not own.statements)):
        return None
    if recorded:
        return Squash(file, "left over", others)
    covered, unproven = set[str](), list[str]()
    for version in there:
        entry = history[version]
        known = {one.digest: one for one in replaced if one.version == version}
        match = known.get(digest(entry.statements)) if entry.statements else None
        covered |= {version, *(match.parts if match else ())}
        unproven += [] if match else [version]
    if not others and unproven:
        return None  # the file itself, edited since it was applied
    missing = tuple(sorted(wanted - covered))
    state: SquashState = "in part" if missing else "unproven" if unproven else "replaces"
    return Squash(file, state, others, missing, tuple(unproven))
