"""Reads a folder of migrations and refuses one that the Supabase CLI would misread.

The CLI takes every file named digits, underscore, name, ".sql"; skips any other in silence; applies them in the
order of their versions as text; and keeps the version as the primary key of its history.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_set import numbering, other_tools
from promthctl.migration_set.problems import FolderProblem, os_reason, set_aside, shell_quote, unusable_folder
from promthctl.migration_set.psql_dumps import psql_problem
from promthctl.project_files import check_link, missing_folder

DOWN_FOLDER = "down"  # beside supabase/migrations, where the CLI would run them
FILE_NAME = re.compile(r"([0-9]+)_(.*)\.sql")  # the CLI's own pattern
_CONTENT = re.compile(r"[^\s;]")  # anything the CLI would send
_CONVERT = "promthctl migrations convert (--dry-run shows what it writes)"
# A migration as Prisma, Hasura and Diesel keep it: a folder.
_FOLDER_NAME = re.compile(r"[0-9][0-9-]*_.+")
_UP_FILES = ("migration.sql", "up.sql")


@dataclass(frozen=True)
class Migration:
    """One NNN_name.sql file.

    version: its digits as written, leading zeros included. name: what follows the underscore, without ".sql".
    content: the bytes as they are. down: its down script, if there is one: NNN_name.down.sql beside it, or for a file
    of supabase/migrations in supabase/down.
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


def packaged_source() -> Path:
    """The folder of the migrations that come with promthctl."""
    from importlib.resources import files

    return Path(str(files("promthctl.mr_promth.migrations")))


def discover(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a source folder in the order they apply.

    Links to files are followed; subfolders, hidden files and files that are not .sql are ignored.
    Raises UsageError when the folder is missing or holds no migration, PromthctlError listing everything wrong with
    its files: a version that two files share, a name that is not NNN_name.sql, an order that differs between text and
    numbers, an empty or non-UTF-8 file, a down part in a migration, a down script without its migration.
    """
    problems: list[FolderProblem] = []
    misnamed: list[str] = []
    migrations: list[Migration] = []
    try:
        entries = {entry.name: entry for entry in _scan(folder)}
    except OSError as error:
        why, hint = missing_folder(folder)
        if folder.is_dir():
            why, hint = os_reason(error), f"chmod u+rx {shell_quote(str(folder))}"
        hint = f"{hint}, or correct migrations under [tool.promthctl] in pyproject.toml"
        raise UsageError(f"The migrations folder {folder} cannot be read", why, hint) from None
    downs = down_scripts(entries)
    by_migration = {up: folder / down for down, up in downs.items()}
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
            try:
                content = path.read_bytes()
            except OSError as error:
                problems.append(
                    FolderProblem(f"{name} cannot be read: {os_reason(error)}", f"chmod u+r {shell_quote(name)}")
                )
                continue
            migrations.append(Migration(match[1], match[2], path, content, by_migration.get(name)))
            problems += _unreadable(name, content) or down_part(migrations[-1])
    migrations.sort(key=lambda migration: (int(migration.version), migration.filename))
    numbers = numbering.Numbers(migrations)
    problems += [_of_flyway(name) or numbering.misnamed(name, numbers) for name in misnamed]
    problems += numbering.twice(migrations, as_text=False) or numbering.disorder(migrations)
    problems += numbering.skipped(migrations)
    problems += [] if migrations else _in_folders(folder)
    if problems:
        raise unusable_folder(folder, problems)
    if not migrations:
        raise UsageError(
            f"{folder} holds no migrations",
            "it has no file named NNN_name.sql, e.g. 001_initial_schema.sql",
            "correct migrations under [tool.promthctl] in pyproject.toml, or put the first migration there",
        )
    return tuple(migrations)


def discover_in_place(folder: Path) -> tuple[Migration, ...]:
    """The migrations of supabase/migrations itself as the Supabase CLI takes them; a missing folder has none.

    Misnamed files are left out, empty ones are migrations, the order is that of the versions as text. Raises
    PromthctlError for what no CLI can apply: a version that two files share, a file that is not text, a link that
    leads nowhere; for a down script or part, which the CLI would run; and for a folder in which it would see nothing
    because another tool made it.
    """
    files = present_migrations(folder)
    names = {entry.name: entry for entry in _scan_if_there(folder)}
    downs = down_scripts(names)
    ups = [file for file in files if file.filename not in downs]
    problems = [
        FolderProblem(f"{name} is a migration to the Supabase CLI, which would run it", _CONVERT)
        for name in downs
        if FILE_NAME.fullmatch(name)
    ]
    for file in ups:
        if _CONTENT.search(file.sql):
            problems += _unreadable(file.filename, file.content) or down_part(file)
    problems += [found for name, entry in names.items() if entry.is_symlink() and (found := _dead_link(name, entry))]
    problems += numbering.twice(ups, as_text=True) + numbering.skipped(ups)
    if not files:
        problems += [found for name in names if (found := _of_flyway(name))] or _in_folders(folder)
    if problems:
        raise unusable_folder(folder, problems)
    return with_down_scripts(ups, folder.parent / DOWN_FOLDER)


def with_down_scripts(files: Iterable[Migration], folder: Path) -> tuple[Migration, ...]:
    """Migrations of supabase/migrations with their down scripts, which are in another folder."""
    found = list(files)
    kept = {entry.name for entry in _scan_if_there(folder)}
    pairs = other_tools.paired_downs({*kept, *(file.filename for file in found)})
    scripts = {up: folder / down for down, up in pairs.items() if down in kept}
    return tuple(replace(file, down=scripts.get(file.filename)) for file in found)


def down_path(file: Migration, applied_whole: Path) -> Path:
    """Where its down script may be. applied_whole: supabase/migrations, where the CLI would run it."""
    folder = applied_whole.parent / DOWN_FOLDER if file.path.parent == applied_whole else file.path.parent
    return folder / f"{file.version}_{file.name}.down.sql"


def down_scripts(names: Collection[str]) -> dict[str, str]:
    """The down scripts among these file names, each with the name of its migration, which may be missing."""
    alone = {name: f"{name[: -len('.down.sql')]}.sql" for name in names if other_tools.is_down_script(name)}
    return alone | other_tools.paired_downs(names)


def down_part(migration: Migration) -> list[FolderProblem]:
    """What undoes the migration in its own file, where the CLI would run it."""
    parts = other_tools.split_parts(migration.sql)
    if parts is None:
        return []
    why = f"{migration.filename}, line {parts.line}: the down part begins ({parts.tool}), and the Supabase CLI runs it"
    return [FolderProblem(why, _CONVERT)]


def migration_folders(folder: Path) -> tuple[tuple[Path, Path | None], ...]:
    """Migrations that are folders, as Prisma, Hasura and Diesel keep them: what makes, and what undoes if it is there.

    Raises OSError, RefusedError for a link out of the repository.
    """
    found = []
    for entry in sorted(folder.iterdir()):
        if _FOLDER_NAME.fullmatch(entry.name) and entry.is_dir():
            up = next((entry / name for name in _UP_FILES if (entry / name).is_file()), None)
            if up is not None:
                down = entry / "down.sql" if (entry / "down.sql").is_file() else None
                for file in filter(None, (up, down)):
                    check_link(file, folder.absolute())
                found.append((up, down))
    return tuple(found)


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
        hint = f"{'chmod u+r' if isinstance(error, PermissionError) else 'ls -l'} {shell_quote(str(name))}"
        raise PromthctlError(f"{name} cannot be read", os_reason(error), hint) from None
    return tuple(sorted(found, key=lambda migration: (migration.version, migration.name)))


def is_sql(name: str) -> bool:
    """True for what a person would take for a migration: a visible file ending in .sql, in any case."""
    return name.lower().endswith(".sql") and not name.startswith(".")


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    """The folder's .sql entries by name; raises OSError, RefusedError for a link out of the repository."""
    with os.scandir(folder) as entries:
        found = sorted((entry for entry in entries if is_sql(entry.name)), key=lambda entry: entry.name)
    for entry in found:
        if entry.is_symlink() and entry.is_file():
            check_link(Path(entry.path), folder.absolute())
    return found


def _scan_if_there(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return _scan(folder)
    except OSError:
        return []


def _not_a_file(entry: os.DirEntry[str]) -> FolderProblem | None:
    try:
        if entry.is_file():
            return None
        kind = "is a folder" if entry.is_dir() else "is not a file" if entry.stat() else ""
    except OSError:
        kind = "is a link that leads nowhere"
    return FolderProblem(f"{entry.name} {kind}", f"remove {shell_quote(entry.name)}, or put the SQL file in its place")


def _dead_link(name: str, entry: os.DirEntry[str]) -> FolderProblem | None:
    """A migration for the CLI, which fails when it gets there, after it has applied those before."""
    return None if entry.is_file() or entry.is_dir() or not FILE_NAME.fullmatch(name) else _not_a_file(entry)


def _orphan(down: str, names: Iterable[str]) -> list[FolderProblem]:
    up = down_scripts({down, *names})[down]
    if up in names:
        return []
    fix = f"put {shell_quote(up)} beside it, or {set_aside(down)}"
    return [FolderProblem(f"{down} has no {up} beside it", fix)]


def _of_flyway(name: str) -> FolderProblem | None:
    if other_tools.flyway_name(name) is None:
        return None
    return FolderProblem(f"{name} is named as Flyway names it, and the Supabase CLI would skip it", _CONVERT)


def _in_folders(folder: Path) -> list[FolderProblem]:
    """Of a folder without migration files."""
    try:
        found = migration_folders(folder)
    except OSError:
        return []
    why = "{} is in a folder of its own, as Prisma and Hasura keep it, and the Supabase CLI skips folders"
    return [FolderProblem(why.format(up.relative_to(folder)), _CONVERT) for up, _ in found[:1]]


def _unreadable(name: str, content: bytes) -> list[FolderProblem]:
    """What keeps Postgres from reading the content."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start + (3 if content.startswith(b"\xef\xbb\xbf") else 0)
    else:
        if not _CONTENT.search(text):
            return [FolderProblem(f"{name} is empty", f"write its SQL, or rm {shell_quote(name)}")]
        offset = content.find(b"\0")  # valid in UTF-8, never in SQL: mostly UTF-16 without its byte order mark
        if offset < 0:
            return [FolderProblem(*problem)] if (problem := psql_problem(name, text)) else []
    line = content.count(b"\n", 0, offset) + 1
    found = f"byte {content[offset]:#04x} at offset {offset}, line {line}"
    return [FolderProblem(f"{name} is not UTF-8 text: {found}", f"save {shell_quote(name)} as UTF-8")]
