"""Reads a folder of migrations and refuses one that the Supabase CLI would misread.

The CLI takes every file named digits, underscore, name, ".sql"; skips any other in silence; applies them in the
order of their versions as text; and keeps the version as the primary key of its history.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_set.psql_dumps import psql_problem

FILE_NAME = re.compile(r"([0-9]+)_(.*)\.sql")  # the CLI's own pattern
_CONTENT = re.compile(r"[^\s;]")  # anything the CLI would send
_DOWN = ".down.sql"
TIMESTAMP_WIDTH = 14  # versions made by `supabase migration new`: YYYYMMDDHHMMSS
_DEFAULT_WIDTH = 3
# The CLI leaves out a first migration of this name if it is older than 2021-12-09 (its own former dump).
_SKIPPED_NAME, _SKIPPED_BEFORE = "init", 20211209000000


@dataclass(frozen=True)
class Migration:
    """One NNN_name.sql file.

    version: its digits as written, leading zeros included. name: what follows the underscore, without ".sql".
    content: the bytes as they are. down: the NNN_name.down.sql beside it, if there is one.
    """

    version: str
    name: str
    path: Path
    content: bytes = field(repr=False)
    down: Path | None = None

    @property
    def filename(self) -> str:
        return f"{self.version}_{self.name}.sql"

    @property
    def sql(self) -> str:
        """The text as the CLI reads it: no byte order mark, what is not UTF-8 replaced by U+FFFD."""
        return self.content.decode("utf-8-sig", errors="replace")

    @property
    def sha256(self) -> str:
        """Digest of the content, as hex."""
        import hashlib

        return hashlib.sha256(self.content).hexdigest()


class _FolderProblem(NamedTuple):
    """Something wrong with the folder. fix: a command to run in that folder, or what to edit."""

    why: str
    fix: str


def packaged_source() -> Path:
    """The folder of the migrations that come with promthctl."""
    from importlib.resources import files

    return Path(str(files("promthctl.mr_promth.migrations")))


def discover(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a source folder in the order they apply.

    Links to files are followed; subfolders, hidden files and files that are not .sql are ignored.
    Raises UsageError when the folder is missing or holds no migration, PromthctlError listing everything wrong with
    its files: a version that two files share, a name that is not NNN_name.sql, an order that differs between text and
    numbers, an empty or non-UTF-8 file, a down script without its migration.
    """
    problems: list[_FolderProblem] = []
    misnamed: list[str] = []
    migrations: list[Migration] = []
    try:
        entries = {entry.name: entry for entry in _scan(folder)}
    except OSError as error:
        raise UsageError(
            f"The migrations folder {folder} cannot be read",
            "it does not exist" if isinstance(error, FileNotFoundError) else os_reason(error),
            f'mkdir -p {shell_quote(str(folder))}, or correct [tool.promthctl] migrations = "FOLDER" in pyproject.toml',
        ) from None
    downs = {name for name in entries if name.endswith(_DOWN)}
    for name, entry in entries.items():
        if not name.isprintable():
            misnamed.append(name)
        elif problem := _not_a_file(entry):
            problems.append(problem)
        elif name in downs:
            problems += _orphan(name, entries)
        elif (match := FILE_NAME.fullmatch(name)) is None or not match[2]:
            misnamed.append(name)
        else:
            path = Path(entry.path)
            down = f"{name.removesuffix('.sql')}{_DOWN}"
            try:
                content = path.read_bytes()
            except OSError as error:
                problems.append(
                    _FolderProblem(f"{name} cannot be read: {os_reason(error)}", f"chmod u+r {shell_quote(name)}")
                )
                continue
            problems += _unreadable(name, content)
            migrations.append(Migration(match[1], match[2], path, content, folder / down if down in downs else None))
    migrations.sort(key=lambda migration: (int(migration.version), migration.filename))
    numbers = _Numbers(migrations)
    problems += [_misnamed(name, numbers) for name in misnamed]
    problems += _twice(migrations, numbers) or _disorder(migrations)
    problems += _skipped(migrations)
    if problems:
        raise _unusable(folder, problems)
    if not migrations:
        raise UsageError(
            f"{folder} holds no migrations",
            "it has no file named NNN_name.sql, e.g. 001_initial_schema.sql",
            'correct [tool.promthctl] migrations = "FOLDER" in pyproject.toml, or put the first migration there',
        )
    return tuple(migrations)


def discover_in_place(folder: Path) -> tuple[Migration, ...]:
    """The migrations of supabase/migrations itself as the Supabase CLI takes them; a missing folder has none.

    Misnamed files are left out, empty ones are migrations, the order is that of the versions as text. Raises
    PromthctlError for what no CLI can apply: a version that two files share, a file that is not text, and for a down
    script, which the CLI would run as a migration.
    """
    files = present_migrations(folder)
    downs = [file for file in files if file.filename.endswith(_DOWN)]
    ups = [file for file in files if file not in downs]
    written = [file for file in files if _CONTENT.search(file.sql)]
    problems = [problem for file in written for problem in _unreadable(file.filename, file.content)]
    problems += [
        _FolderProblem(
            f"{file.filename} is a migration to the Supabase CLI, which would run it",
            f"mkdir -p ../down && git mv {shell_quote(file.filename)} ../down/",
        )
        for file in downs
    ]
    numbered = sorted(ups, key=lambda migration: (int(migration.version), migration.filename))
    problems += _twice(numbered, _Numbers(numbered)) + _skipped(ups)
    if problems:
        raise _unusable(folder, problems)
    return tuple(ups)


def _unusable(folder: Path, problems: Sequence[_FolderProblem]) -> PromthctlError:
    lines = [problem.fix for problem in problems]
    return PromthctlError(
        f"The migrations in {folder} cannot be used",
        "\n".join(problem.why for problem in problems),
        "\n".join([f"in {folder}:", *lines]) if len(lines) > 1 else f"in {folder}: {lines[0]}",
    )


def present_migrations(folder: Path) -> tuple[Migration, ...]:
    """The files of supabase/migrations that the CLI would apply, in its order; a missing folder has none.

    Nothing is checked: the CLI takes a misplaced down script for a migration, and so does this.
    Raises PromthctlError when the folder or a file in it cannot be read.
    """
    found = []
    try:
        for entry in _scan(folder):
            match = FILE_NAME.fullmatch(entry.name)
            if match and entry.is_file():
                path = Path(entry.path)
                found.append(Migration(match[1], match[2], path, path.read_bytes()))
    except FileNotFoundError:
        return ()
    except OSError as error:
        name = error.filename or folder
        raise PromthctlError(f"{name} cannot be read", os_reason(error), f"ls -l {shell_quote(str(name))}") from None
    return tuple(sorted(found, key=lambda migration: (migration.version, migration.name)))


def is_sql(name: str) -> bool:
    """True for what a person would take for a migration: a visible file ending in .sql, in any case."""
    return name.lower().endswith(".sql") and not name.startswith(".")


def free_version(taken: Iterable[str], after: str) -> str | None:
    """The next free version of the same width: with 001, 002 and 003 taken, after 002 it is 004; None after 999."""
    used = {int(version) for version in taken}
    number = int(after) + 1
    while number in used:
        number += 1
    version = f"{number:0{len(after)}}"
    return version if len(version) == len(after) else None


def os_reason(error: OSError) -> str:
    """The operating system's message, without its number."""
    return error.strerror or str(error)


def shell_quote(*names: str) -> str:
    """Arguments quoted for a shell."""
    import shlex

    return shlex.join(names)


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    """The folder's .sql entries by name; raises OSError."""
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if is_sql(entry.name)), key=lambda entry: entry.name)


class _Numbers:
    """Hands out free version numbers, each once, so that two proposals never collide."""

    def __init__(self, migrations: Sequence[Migration]) -> None:
        self._taken = [migration.version for migration in migrations]
        self._last = self._taken[-1] if self._taken else "0" * _DEFAULT_WIDTH

    def next(self, after: str | None = None) -> str | None:
        """The next free version after `after`, by default after the last one."""
        version = free_version(self._taken, after or self._last)
        if version is not None:
            self._taken.append(version)
        return version


def _not_a_file(entry: os.DirEntry[str]) -> _FolderProblem | None:
    try:
        if entry.is_file():
            return None
        kind = "is a folder" if entry.is_dir() else "is not a file" if entry.stat() else ""
    except OSError:
        kind = "is a link that leads nowhere"
    return _FolderProblem(f"{entry.name} {kind}", f"remove {shell_quote(entry.name)}, or put the SQL file in its place")


def _orphan(down: str, names: Iterable[str]) -> list[_FolderProblem]:
    up = f"{down.removesuffix(_DOWN)}.sql"
    if up in names:
        return []
    return [_FolderProblem(f"{down} has no {up} beside it", f"add {shell_quote(up)}, or git rm {shell_quote(down)}")]


def _unreadable(name: str, content: bytes) -> list[_FolderProblem]:
    """What keeps Postgres from reading the content."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
    else:
        if not _CONTENT.search(text):
            return [_FolderProblem(f"{name} is empty", f"write its SQL, or git rm {shell_quote(name)}")]
        offset = content.find(b"\0")  # valid in UTF-8, never in SQL: mostly UTF-16 without its byte order mark
        if offset < 0:
            return [_FolderProblem(*problem)] if (problem := psql_problem(name, text)) else []
    line = content.count(b"\n", 0, offset) + 1
    found = f"byte {content[offset]:#04x} at offset {offset}, line {line}"
    return [_FolderProblem(f"{name} is not UTF-8 text: {found}", f"save {shell_quote(name)} as UTF-8")]


def _misnamed(name: str, numbers: _Numbers) -> _FolderProblem:
    """A file the CLI would skip, with the name it probably should have."""
    stem = name[: -len(".sql")]
    shown = name if name.isprintable() else ascii(name)
    why = f"{shown} is not named NNN_name.sql, so the Supabase CLI would skip it"
    match = re.fullmatch(r"(?P<digits>[0-9]*)[\W_]*(?P<name>.*)", stem)
    version = (match and match["digits"]) or numbers.next()
    if match is None or version is None or not name.isprintable():
        return _FolderProblem(why, f"rename {shown} to NNN_name.sql, or move it out of the folder")
    better = f"{version}_{match['name'] or 'migration'}.sql"
    return _FolderProblem(why, f"git mv {shell_quote(name, better)}, or move it out of the folder")


def _rename(migration: Migration, version: str, name: str) -> str:
    """The commands that rename a migration, its down script included."""
    command = f"git mv {shell_quote(migration.filename, f'{version}_{name}.sql')}"
    if migration.down is not None:
        command += f" && git mv {shell_quote(migration.down.name, f'{version}_{name}{_DOWN}')}"
    return command


def _twice(migrations: Sequence[Migration], numbers: _Numbers) -> list[_FolderProblem]:
    """Versions that two files share; the first by name keeps it. 1 and 001 count as the same version."""
    groups: dict[int, list[Migration]] = defaultdict(list)
    for migration in migrations:
        groups[int(migration.version)].append(migration)
    problems = []
    for first, *others in groups.values():
        for other in others:
            free = numbers.next(after=first.version)
            problems.append(
                _FolderProblem(
                    f"{first.filename} and {other.filename} both have version {first.version}",
                    _rename(other, free, other.name)
                    if free
                    else f"give {shell_quote(other.filename)} a version of its own",
                )
            )
    return problems


def _disorder(migrations: Sequence[Migration]) -> list[_FolderProblem]:
    """Versions whose order as text, which the CLI uses, is not their order as numbers."""
    versions = [migration.version for migration in migrations]
    if versions == sorted(versions):
        return []
    before, after = next(pair for pair in pairwise(versions) if pair[0] > pair[1])
    # Of the widths in use, the one with the fewest renames: 9 becomes 09 beside 10, and 0015 becomes 015 beside 014.
    candidates = [_padded(versions, width) for width in sorted({len(version) for version in versions}, reverse=True)]
    fitting = [each for each in candidates if each == sorted(each) and len(set(each)) == len(each)]
    better = dict(zip(versions, min(fitting, key=lambda each: sum(map(str.__ne__, each, versions))), strict=True))
    moved = [
        _rename(migration, better[migration.version], migration.name)
        for migration in migrations
        if better[migration.version] != migration.version
    ]
    why = f"version {after} would be applied before {before}: the Supabase CLI orders versions as text"
    return [_FolderProblem(why, "\n".join(moved))]


def _padded(versions: Sequence[str], width: int) -> list[str]:
    """Plain numbers padded to that width where they fit; timestamps are kept, unless it is their own width."""
    kept = width < TIMESTAMP_WIDTH
    return [one if kept and len(one) >= TIMESTAMP_WIDTH else one.lstrip("0").rjust(width, "0") for one in versions]


def _skipped(migrations: Sequence[Migration]) -> list[_FolderProblem]:
    first = min(migrations, key=lambda migration: migration.version, default=None)
    if first is None or first.name != _SKIPPED_NAME or len(first.version) != TIMESTAMP_WIDTH:
        return []
    if int(first.version) >= _SKIPPED_BEFORE:
        return []
    why = f"{first.filename} would be skipped: the Supabase CLI takes an old first “init” for a dump of its own"
    return [_FolderProblem(why, _rename(first, first.version, "initial_schema"))]
