"""What `promthctl init` adds to a project: the choice of the example, the table for API keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from promthctl.configuration import EXAMPLE
from promthctl.errors import PrerequisiteError, UsageError
from promthctl.migration_set import present_migrations, replace_file, supabase_folder
from promthctl.migration_set.source import find_source, without_default_example
from promthctl.settings import Settings
from promthctl.sql.statements import split_statements

_KEYS_TABLE = "create table public.api_keys"
_METADATA = re.compile(r"\b(?:create|alter)\s+table\b[^(;]*\bapi_keys\b.*\bmetadata\b", re.IGNORECASE | re.DOTALL)
_DROP = "drop table public.api_keys;\ndrop function public.update_api_keys_updated_at();\n"
_ADD_METADATA = """-- What `promthctl seed` and `promthctl keys` store beside a key: its name and its endpoint.

alter table public.api_keys add column if not exists metadata jsonb not null default '{}';
create index if not exists api_keys_metadata_idx on public.api_keys using gin (metadata);
"""
_DROP_METADATA = "alter table public.api_keys drop column if exists metadata;\n"
_IF_MISSING = "create table if not exists public.api_keys"


@dataclass(frozen=True)
class InitResult:
    """written: the files that were created or changed; none if all that was asked for was there."""

    written: tuple[Path, ...]


def choose_example(settings: Settings) -> InitResult:
    """Write the example into pyproject.toml. Raises UsageError where that has another source of migrations."""
    if settings.example is not None:
        return InitResult(())
    path = settings.project_dir / "pyproject.toml"
    if settings.migrations is not None:
        why = f"{path} has migrations = … in [tool.promthctl]"
        raise UsageError(
            "The project has migrations of its own", why, "remove that line and run the same command again"
        )
    line, heading = f'example = "{EXAMPLE}"\n', "[tool.promthctl]\n"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if heading in text:
        text = text.replace(heading, heading + line, 1)
    else:
        text = f"{text.rstrip()}\n\n{heading}{line}".lstrip()
    _write(path, text)
    return InitResult((path,))


def add_keys_table(settings: Settings) -> InitResult:
    """Create a migration that makes the table api_keys, or the column that an early form of it is missing.

    Raises as new_migration does.
    """
    settings = without_default_example(settings)  # who asks for the table wants it among migrations of their own
    source = find_source(settings)
    files = present_migrations(source.folder)
    name, text, down = "create_api_keys", (Path(__file__).parent / "api_keys.sql").read_text(encoding="utf-8"), _DROP
    if any(_KEYS_TABLE in file.sql or _IF_MISSING in file.sql for file in files):
        if any(_has_metadata(file.sql) for file in files):
            return InitResult(())
        name, text, down = "add_api_keys_metadata", _ADD_METADATA, _DROP_METADATA
    made = supabase_folder.new_migration(settings, name)
    _write(made.up, text)
    if made.down is None:
        return InitResult((made.up,))
    _write(made.down, down)
    return InitResult((made.up, made.down))


def _has_metadata(sql: str) -> bool:
    """True for a file that creates api_keys with its column metadata, or adds that."""
    return any(_METADATA.search(sql[piece.start : piece.end]) for piece in split_statements(sql))


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode())
    except OSError as error:
        hint = "run promthctl where you have write access, or choose another folder with -C DIR"
        raise PrerequisiteError(f"{path} cannot be written", error.strerror or str(error), hint) from None
