"""A new migration: its up and its down file, empty but for a comment, under the next version."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_set.folder import TIMESTAMP_WIDTH, free_version, quote, reason

_FIRST = "001"


@dataclass(frozen=True)
class NewMigration:
    """down: None in supabase/migrations itself, where the Supabase CLI would run it as a migration."""

    version: str
    up: Path
    down: Path | None


def create(folder: Path, name: str, taken: Collection[str], now: datetime, with_down: bool) -> NewMigration:
    """Write the files of a new migration.

    folder: the source, made if missing. name: what it does, in any words. taken: the versions there are, in order.
    now: in UTC, for versions that are timestamps. Raises UsageError for a name without a letter or digit,
    PromthctlError when the versions are used up or the disk refuses.
    """
    slug = "_".join("".join(letter if _is_part(letter) else " " for letter in name.lower()).split())
    if not slug:
        why = "it becomes part of the file names, so it needs a letter or a digit"
        raise UsageError(f"{name!r} is no name for a migration", why, "promthctl migrations new add_tags_to_prompts")
    last = max(taken, default=None)
    version = _next(last, taken, now) if last is not None else _FIRST
    if version is None:
        why = (
            f"after {last} the Supabase CLI, which orders versions as text, would take the next one for an earlier one"
        )
        raise PromthctlError(
            "There is no version left", why, f"give the files in {folder} longer numbers, e.g. 0{last}"
        )
    up, down = folder / f"{version}_{slug}.sql", folder / f"{version}_{slug}.down.sql"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(up, template(f"{version}_{slug}"))
        if with_down:
            _write(down, down_template(f"{version}_{slug}"))
    except OSError as error:
        hint = f"ls -ld {quote(str(folder))} shows whose it is: chown or chmod it, and run again"
        raise PromthctlError(f"{up.name} could not be made", reason(error), hint) from None
    return NewMigration(version, up, down if with_down else None)


def _next(last: str, taken: Collection[str], now: datetime) -> str | None:
    stamp = now.strftime("%Y%m%d%H%M%S")
    if len(last) == TIMESTAMP_WIDTH and stamp > last:
        return stamp
    return free_version(taken, last)


def _is_part(letter: str) -> bool:
    """True for letters and digits, and for the signs that Thai, say, writes above and below them."""
    return letter.isalnum() or unicodedata.category(letter).startswith("M")


def template(stem: str) -> str:
    """A new migration's text, until somebody writes its SQL. stem: of its file name."""
    return f"-- {stem}: what it is for.\n"


def down_template(stem: str) -> str:
    return f"-- Undoes {stem}.\n"


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
