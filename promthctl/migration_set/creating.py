"""A new migration: its up and its down file, with only a comment in each, under the next version."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_set.numbering import TIMESTAMP_WIDTH, free_version
from promthctl.migration_set.problems import os_reason, shell_quote

_FIRST = "001"


@dataclass(frozen=True)
class NewMigration:
    """down: None in supabase/migrations itself, where the Supabase CLI would run it as a migration."""

    version: str
    up: Path
    down: Path | None


def create_migration(folder: Path, name: str, taken: Collection[str], now: datetime, with_down: bool) -> NewMigration:
    """Write the files of a new migration.

    folder: the source, created if missing. name: what it does, in any words. taken: the versions in use.
    now: in UTC, for versions that are timestamps. Raises UsageError for a name without a letter or digit,
    PromthctlError when the versions are used up or the disk refuses.
    """
    slug = file_slug(name)
    version = next_version(folder, taken, now)
    up, down = folder / f"{version}_{slug}.sql", folder / f"{version}_{slug}.down.sql"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(up, up_template(f"{version}_{slug}"))
        if with_down:
            _write(down, down_template(f"{version}_{slug}"))
    except OSError as error:
        hint = f"ls -ld {shell_quote(str(folder))} shows who owns it: chown or chmod it, and run again"
        raise PromthctlError(f"{up.name} could not be created", os_reason(error), hint) from None
    return NewMigration(version, up, down if with_down else None)


def file_slug(name: str) -> str:
    """What a file name has of it. Raises UsageError for a name without a letter or digit."""
    slug = "_".join("".join(letter if _is_part(letter) else " " for letter in name.lower()).split())
    if not slug:
        why = "it becomes part of the file names, so it needs a letter or a digit"
        raise UsageError(
            f"{name!r} cannot be the name of a migration", why, "promthctl migrations new add_tags_to_prompts"
        )
    return slug


def next_version(folder: Path, taken: Collection[str], now: datetime) -> str:
    """The version after all of those. folder: that of the files. Raises PromthctlError when they are used up."""
    last = max(taken, default=None)
    version = _next(last, taken, now) if last is not None else _FIRST
    if version is None:
        why = f"the Supabase CLI orders versions as text, so the next one would come before {last}"
        raise PromthctlError("No version is left", why, f"give the files in {folder} longer numbers, e.g. 0{last}")
    return version


def _next(last: str, taken: Collection[str], now: datetime) -> str | None:
    stamp = now.strftime("%Y%m%d%H%M%S")
    if len(last) == TIMESTAMP_WIDTH and stamp > last:
        return stamp
    return free_version(taken, last)


def _is_part(letter: str) -> bool:
    """True for letters and digits, and for the marks that Thai, for example, writes above and below them."""
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def up_template(stem: str) -> str:
    """A new migration's text, until somebody writes its SQL. stem: that of its file name."""
    return f"-- {stem}: what it is for.\n"


def down_template(stem: str) -> str:
    return f"-- Undoes {stem}.\n"


def is_unwritten(down: str, stem: str) -> bool:
    """True for a down script in which nobody has written anything."""
    return down.strip() in ("", down_template(stem).strip())


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
