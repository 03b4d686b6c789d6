"""Which files are the seeds: [db.seed] of supabase/config.toml, as the Supabase CLI 3.1.0 reads it.

sql_paths are patterns relative to supabase/, ["./seed.sql"] by default. The files of a pattern are sorted by their
bytes, so that 10_a.sql comes before 2_b.sql; a file that two patterns match is run once, where it comes first. * and ?
match within one folder, ** as * does; a folder stands for all SQL files in it. Seen with 3.1.0; the matching is that of
path.Match in Go, see pkg/config/config.go (Glob) of the CLI.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promthctl import trust
from promthctl.errors import PromthctlError, UsageError
from promthctl.project_files import check_link
from promthctl.settings import Settings

_DEFAULT = "./seed.sql"
_MAGIC = re.compile(r"[*?\[]")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class SqlFile:
    """path: absolute. name: as the CLI records it, relative to the project where it is in there, e.g.
    supabase/seed.sql. size: bytes."""

    path: Path
    name: str
    size: int

    def sha256(self) -> str:
        """Of its bytes, in hexadecimal. Raises PromthctlError for a file that cannot be read."""
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise unreadable(self.path, error) from None
        return digest.hexdigest()


@dataclass(frozen=True)
class SeedFiles:
    """unmatched: the patterns of config.toml that no file matches, as it writes them."""

    files: tuple[SqlFile, ...] = ()
    unmatched: tuple[str, ...] = ()


def find_seeds(settings: Settings) -> SeedFiles:
    """The seeds, in the order in which they are run; none with [db.seed] enabled = false.

    Raises UsageError for sql_paths that are not a list of texts, RefusedError for what lies outside of the repository.
    """
    table = _seed_table(settings)
    if table.get("enabled") is False:
        return SeedFiles()
    patterns = table.get("sql_paths", [_DEFAULT])
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise UsageError(
            "supabase/config.toml has a wrong [db.seed] sql_paths",
            "it must be a list of file names or patterns, relative to supabase/",
            f'set sql_paths = ["{_DEFAULT}"] under [db.seed] in supabase/config.toml',
        )
    found: dict[str, None] = {}
    unmatched = []
    for pattern in patterns:
        matches = _matches(settings, pattern)
        if matches and not trust.check_seeds(settings, pattern):
            for file in matches:
                check_link(Path(file), settings.project_dir)
        found |= dict.fromkeys(sorted(matches))
        if not matches and "sql_paths" in table:
            unmatched.append(pattern)
    return SeedFiles(tuple(sql_file(settings, Path(path)) for path in found), tuple(unmatched))


def match_files(settings: Settings, patterns: Sequence[str]) -> tuple[SqlFile, ...]:
    """The SQL files that patterns relative to supabase/ match, as find_seeds orders them.

    Raises RefusedError for what lies outside of the repository.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = _matches(settings, pattern)
        for file in matches:
            check_link(Path(file), settings.project_dir)
        found |= dict.fromkeys(sorted(matches))
    return tuple(sql_file(settings, Path(path)) for path in found)


def watched_files(settings: Settings) -> tuple[Path, ...]:
    """The files whose change makes another database, beside the migrations: roles and seeds; what cannot be used is
    left out.
    """
    found = [settings.supabase_dir / "roles.sql"]
    with contextlib.suppress(PromthctlError):
        found += [file.path for file in find_seeds(settings).files]
    return tuple(found)


def seeds_are_enabled(settings: Settings) -> bool:
    return _seed_table(settings).get("enabled") is not False


def find_roles(settings: Settings) -> SqlFile | None:
    """supabase/roles.sql, if there is one."""
    path = settings.supabase_dir / "roles.sql"
    if not path.is_file():
        return None
    check_link(path, settings.project_dir)
    return sql_file(settings, path)


def sql_file(settings: Settings, path: Path) -> SqlFile:
    """A file by its absolute path. Raises PromthctlError for one that is not there."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
    except OSError as error:
        raise unreadable(path, error) from None
    return SqlFile(path, recorded_name(settings, path), size)


def recorded_name(settings: Settings, path: Path) -> str:
    """What a seed is called in the record, whether it is there or not."""
    inside = path.is_relative_to(settings.project_dir)
    return (path.relative_to(settings.project_dir) if inside else path).as_posix()


def unreadable(path: Path, error: OSError) -> PromthctlError:
    return PromthctlError(
        f"{path} cannot be read",
        error.strerror or str(error),
        "correct its name or its permissions, and run the same command again",
    )


def _seed_table(settings: Settings) -> dict[str, Any]:
    database = settings.supabase.get("db")
    table = database.get("seed") if isinstance(database, dict) else None
    return table if isinstance(table, dict) else {}


def _matches(settings: Settings, pattern: str) -> list[str]:
    return [file for match in _glob(settings.supabase_dir, pattern) for file in _sql_files(match)]


def _glob(folder: Path, pattern: str) -> Iterator[Path]:
    """The absolute paths that match."""
    root, *parts = Path(os.path.normpath(folder / pattern)).parts
    found = [Path(root)]
    for part in parts:
        if _MAGIC.search(part):
            wanted = part.replace("[^", "[!")
            found = [
                child for parent in found for child in _children(parent) if fnmatch.fnmatchcase(child.name, wanted)
            ]
        else:
            found = [parent / part for parent in found]
    yield from (path for path in found if path.exists())


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # not a folder, or one that cannot be read
        return []


def _sql_files(path: Path) -> Iterator[str]:
    """The file itself, or the SQL files in a folder and in those below."""
    yield from (str(file) for file in path.rglob("*.sql") if file.is_file()) if path.is_dir() else (str(path),)
