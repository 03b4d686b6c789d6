"""What a folder needs to be a project of promthctl and of the Supabase CLI."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from promthctl import dotenv_file
from promthctl.engines.app_secret import NAME as APP_SECRET
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.migration_set import replace_file, supabase_folder
from promthctl.migration_set.source import find_source
from promthctl.mr_promth.project import choose_example
from promthctl.quantities import count
from promthctl.redact import remember
from promthctl.seeds.files import find_roles, find_seeds
from promthctl.settings import Settings

_FIRST = "create_notes"
_IGNORED = (".env", ".promthctl/")


@dataclass(frozen=True)
class Begun:
    """written: files that were made or added to. found: what was there, in words; it is left as it is."""

    written: tuple[Path, ...]
    found: tuple[str, ...]


def begin(settings: Settings, example: bool = False) -> Begun:
    """Make a project of an empty folder; of one that is a project, say what it has, and write nothing.

    example: with Mr.Promth's migrations. Raises as choose_example does, PrerequisiteError where nothing can be written.
    """
    found = _found(settings)
    if example:
        chosen = choose_example(settings).written
        return Begun((*chosen, *(() if found else _surroundings(settings))), found)
    if found:
        return Begun((), found)
    try:
        return Begun(_new_project(settings), ())
    except OSError as error:
        hint = "run promthctl where you have write access, or choose another folder with -C DIR"
        place = error.filename or settings.project_dir
        raise PrerequisiteError(f"{place} cannot be written", error.strerror or str(error), hint) from None


def _found(settings: Settings) -> tuple[str, ...]:
    """Empty for a folder without a project."""
    found = []
    if (settings.supabase_dir / "config.toml").is_file():
        found.append("supabase/config.toml")
    if settings.configured:
        found.append("[tool.promthctl] in pyproject.toml")
    source = find_source(settings)
    files = supabase_folder.source_migrations(settings) if source.folder.is_dir() else ()
    if files and not (source.example and settings.example is None):
        inside = source.folder.is_relative_to(settings.project_dir)
        place = source.folder.relative_to(settings.project_dir) if inside else source.folder
        found.append(f"{count(len(files), 'migration')} in {'promthctl (the example)' if source.example else place}")
    if (roles := find_roles(settings)) is not None:
        found.append(roles.name)
    try:
        found += [f"the seed {file.name}" for file in find_seeds(settings).files]
    except PromthctlError as error:
        found.append(f"seeds that cannot be used: {error.what}")
    return tuple(found)


def _new_project(settings: Settings) -> tuple[Path, ...]:
    made = supabase_folder.new_table(settings, _FIRST, in_place=True)
    written = [path for path in (made.up, made.down) if path is not None]
    written += _surroundings(settings)
    config = [settings.supabase_dir / name for name in ("config.toml", ".gitignore")]
    written += [path for path in config if not path.exists()]
    supabase_folder.ensure_config(settings)
    return tuple(written)


def _surroundings(settings: Settings) -> tuple[Path, ...]:
    """.env with a secret for what the app encrypts, for its owner alone, and what git is not to see."""
    written = []
    ignore, dotenv = settings.project_dir / ".gitignore", settings.project_dir / ".env"
    text = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
    there = {each.strip().strip("/") for each in text.splitlines()}
    lines = [line for line in _IGNORED if line.strip("/") not in there]
    if lines:
        gap = "\n" if text and not text.endswith("\n") else ""
        replace_file(ignore, f"{text}{gap}{chr(10).join(lines)}\n".encode())
        written.append(ignore)
    if settings.get(APP_SECRET) is None:
        secret = secrets.token_hex(16)
        remember(secret)
        dotenv_file.merge(dotenv, {APP_SECRET: secret})
        written.append(dotenv)
    return tuple(written)
