"""What a target says was applied, compared with the files: one row per migration.

The CLI keeps in supabase_migrations.schema_migrations(version, statements text[], name) the statements of a file
as they were written: it cuts at the semicolons between statements, trims white space at both ends of each piece,
drops the byte order mark and pieces that are empty, and changes nothing else (seen with CLI 2.122 and 3.1).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promthctl.migration_set.folder import Migration
from promthctl.sql.tokens import ends_in_line_comment

# What may stand between two statements besides the semicolon.
_BETWEEN = re.compile(r"[\s;\ufeff]*")


@dataclass(frozen=True)
class HistoryEntry:
    """A row of supabase_migrations.schema_migrations.

    name: empty if the row has none. statements: empty if the row was written without them.
    """

    version: str
    name: str
    statements: tuple[str, ...]


@dataclass(frozen=True)
class MigrationRow:
    """What is known about one migration.

    applied: None when no target was asked. edited: a file differs from what was applied; None when that cannot be
    known: not applied, no file left, or a history row without statements. squashed: the file that stands for it now.
    """

    version: str
    name: str
    in_source: bool
    in_supabase: bool
    applied: bool | None
    edited: bool | None
    squashed: str | None = None


def list_migrations(
    source: Sequence[Migration],
    destination_files: Sequence[Migration],
    history: Mapping[str, HistoryEntry] | None,
) -> tuple[MigrationRow, ...]:
    """Every migration of the source, of supabase/migrations and of the target's history, by version.

    destination_files: see `present_migrations`. history: entries by version; None when no target was asked.
    """
    files: dict[tuple[str, str], list[Migration]] = defaultdict(list)
    for migration in (*source, *destination_files):
        files[migration.version, migration.name].append(migration)
    in_source = {(migration.version, migration.name) for migration in source}
    in_supabase = {(migration.version, migration.name) for migration in destination_files}
    applied = {_applied_file(entry, files) for entry in history.values()} if history is not None else set()
    rows = []
    for key in sorted({*files, *applied}):
        entry = history[key[0]] if history is not None and key in applied else None
        rows.append(
            MigrationRow(
                version=key[0],
                name=key[1],
                in_source=key in in_source,
                in_supabase=key in in_supabase,
                applied=None if history is None else entry is not None,
                edited=_edited(files.get(key, []), entry),
            )
        )
    return tuple(rows)


def is_as_applied(sql: str, statements: Sequence[str]) -> bool:
    """True if the CLI would cut `sql` into these statements, so that the file still is what was applied.

    White space and semicolons between statements do not count, nor does CRLF for LF (git's autocrlf). Anything
    else does, comments included. A history row that holds the whole file as one statement, as the Management API
    writes it, is recognised too.
    """
    text = sql.replace("\r\n", "\n")
    position = _after_gap(text, 0)
    pieces = [piece for statement in statements if (piece := _trimmed(statement.replace("\r\n", "\n")))]
    for piece in pieces[:-1]:
        end = position + len(piece)
        if not text.startswith(piece, position):
            return False
        position = _after_gap(text, end)
        gap = text[end:position]
        # A semicolon on the line of a comment belongs to the comment, not to the gap.
        if ";" not in (gap.partition("\n")[2] if ends_in_line_comment(piece) else gap):
            return False
    return _trimmed(text[position:]) == (pieces[-1] if pieces else "")


def _after_gap(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    assert match is not None  # the pattern matches nothing at all, too
    return match.end()


def _trimmed(text: str) -> str:
    """Without the white space and semicolons at its ends; a comment's own semicolon may go with them."""
    end = len(text)
    while end and _BETWEEN.fullmatch(text[end - 1]):
        end -= 1
    return text[_after_gap(text, 0) : end]


def _applied_file(entry: HistoryEntry, files: Mapping[tuple[str, str], Sequence[Migration]]) -> tuple[str, str]:
    """The version and name of the file that an entry refers to; its name may have changed since, its version not."""
    named = [key for key in files if key[0] == entry.version]
    if not named or (entry.version, entry.name) in named:
        return entry.version, entry.name
    return named[0]


def _edited(files: Sequence[Migration], entry: HistoryEntry | None) -> bool | None:
    if entry is None or not entry.statements or not files:
        return None
    return not all(is_as_applied(migration.sql, entry.statements) for migration in files)
