"""Secrets that the project has a use for and that nothing sets. Only their names are ever looked at here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.hosted.management import access_token
from promthctl.migration_set import Migration
from promthctl.settings import Settings, unset_variable

# Of a config.toml as `supabase init` writes it, these name variables that hardly anybody has a use for.
_OPTIONAL = ("studio", "experimental")
_API_KEYS = re.compile(r"create\s+table\s+(if\s+not\s+exists\s+)?(public\.)?api_keys\b", re.IGNORECASE)
_VANCHIN = re.compile(r"VANCHIN_API_KEY_\d+")


@dataclass(frozen=True)
class Missing:
    """name: of the variable, or of several of which one would do. used_for: in words."""

    name: str
    used_for: str


def missing_secrets(settings: Settings, migrations: Sequence[Migration], example: bool) -> tuple[Missing, ...]:
    """migrations: those of the project. example: they are Mr.Promth's, which has a use for VanchinAI's keys."""
    return tuple(_of_config(settings.supabase, "")) + tuple(_of_targets(settings, migrations, example))


def _of_config(table: Mapping[str, Any], path: str) -> Iterator[Missing]:
    """Variables that supabase/config.toml names, other than in what it switches off."""
    for key, value in table.items():
        place = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            if value.get("enabled") is not False and place not in _OPTIONAL:
                yield from _of_config(value, place)
        elif variable := unset_variable(value):
            yield Missing(variable, f"{place} of supabase/config.toml")


def _of_targets(settings: Settings, migrations: Sequence[Migration], example: bool) -> Iterator[Missing]:
    projects = [name for name, target in settings.targets.items() if target.project_ref]
    databases = [name for name, target in settings.targets.items() if target.db_url and not target.password_env]
    for name, target in settings.targets.items():
        if target.password_env and not settings.get(target.password_env):
            yield Missing(target.password_env, _for_targets([name]))
    if projects and not _has_token(settings):
        yield Missing("SUPABASE_ACCESS_TOKEN", _for_targets(projects))
    if databases and not settings.database_password:
        yield Missing("PGPASSWORD", _for_targets(databases))
    keeps_keys = any(_API_KEYS.search(file.sql) for file in migrations)
    if keeps_keys and settings.targets and not settings.get("ENCRYPTION_SECRET"):
        yield Missing("ENCRYPTION_SECRET", f"the keys in api_keys, on {_for_targets(list(settings.targets))}")
    if example and not settings.get("VANCHIN_KEYS_FILE") and not any(map(_VANCHIN.fullmatch, settings.env)):
        yield Missing("VANCHIN_KEYS_FILE or VANCHIN_API_KEY_1 …", "promthctl seed vanchin")


def _has_token(settings: Settings) -> bool:
    try:
        access_token(settings)
    except PrerequisiteError:
        return False
    except PromthctlError:  # one is there, and is none; the command that uses it says so
        return True
    return True


def _for_targets(names: Sequence[str]) -> str:
    return f"{'target' if len(names) == 1 else 'targets'} {', '.join(names)}"
