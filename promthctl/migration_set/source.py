"""Where a project's migrations come from: a setting, supabase/migrations, database/migrations, or the example.

The first that applies: [tool.promthctl] in pyproject.toml; supabase/migrations, used in place, if it has SQL files of
its own; database/migrations, copied into supabase/migrations; the bundled example in a folder that has no project;
otherwise supabase/migrations, where the first migration will be.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from promthctl.configuration import EXAMPLE
from promthctl.errors import UsageError
from promthctl.migration_set.copies import copied_names
from promthctl.migration_set.folder import is_sql, packaged_source
from promthctl.settings import Settings

CONFIG = """# Configuration of the Supabase CLI: https://supabase.com/docs/guides/local-development/cli/config
project_id = "{name}"
"""
_COPIED = "database/migrations"


@dataclass(frozen=True)
class MigrationSource:
    """kind: in-place is supabase/migrations itself; all others are copied into it."""

    kind: Literal["configured", "copied", "example", "in-place"]
    folder: Path

    @property
    def example(self) -> bool:
        return self.kind == "example"


def find_source(settings: Settings) -> MigrationSource:
    """Where the migrations come from. Raises UsageError where two folders have files and no setting decides."""
    if settings.migrations is not None:
        in_place = os.path.realpath(settings.migrations) == os.path.realpath(settings.migrations_dir)
        return MigrationSource("in-place" if in_place else "configured", settings.migrations)
    if settings.example == EXAMPLE:
        return MigrationSource("example", packaged_source())
    present, copied = _sql_files(settings.migrations_dir), settings.project_dir / _COPIED
    own, others = _own(settings, present), _sql_files(copied)
    if others and not own <= others:
        own -= copied_names(settings, own - others)  # their source may have another name now
    if others and own <= others:
        return MigrationSource("copied", copied)
    if own and others:
        raise UsageError(
            "It is not clear which migrations are the project's",
            f"{settings.migrations_dir} and {copied} both have SQL files of their own",
            f'set migrations = "supabase/migrations", or "{_COPIED}", under [tool.promthctl] in pyproject.toml',
        )
    if own:
        return MigrationSource("in-place", settings.migrations_dir)
    if present or not has_project(settings):
        return MigrationSource("example", packaged_source())
    return MigrationSource("in-place", settings.migrations_dir)


def without_default_example(settings: Settings) -> Settings:
    """In a folder without a project the settings of an empty one of its own, instead of the example's."""
    if settings.example or not find_source(settings).example or _sql_files(settings.migrations_dir):
        return settings
    return replace(settings, migrations=settings.migrations_dir)


def has_project(settings: Settings) -> bool:
    """True for a folder with a supabase/config.toml not made by us, with a setting of ours, or in a repository."""
    if settings.configured or any((folder / ".git").exists() for folder in _upwards(settings.project_dir)):
        return True
    try:
        written = (settings.supabase_dir / "config.toml").read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return (settings.supabase_dir / "config.toml").exists()
    return written != CONFIG.format(name=settings.project_id)


def _upwards(folder: Path) -> tuple[Path, ...]:
    return (folder, *folder.parents)


def _sql_files(folder: Path) -> frozenset[str]:
    """The names of its visible SQL files; of a folder that cannot be read, none: reading it reports that."""
    try:
        return frozenset(path.name for path in folder.iterdir() if is_sql(path.name))
    except OSError:
        return frozenset()


def _own(settings: Settings, names: frozenset[str]) -> frozenset[str]:
    """These files of supabase/migrations, unless the folder is the example's: none if promthctl filled it.

    One copy that is byte for byte the bundled file shows that; one that somebody edited shows the opposite.
    """
    folder, bundled = settings.migrations_dir, packaged_source()
    known = names & _sql_files(bundled)
    copies = {name for name in known if _content(folder / name) == (bundled / name).read_bytes()}
    edited = known - copies
    return frozenset() if copies and edited == copied_names(settings, edited) else names


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None
