"""How an app reaches the stack, as variables of an env file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promthctl import dotenv_file
from promthctl.engines import Engine
from promthctl.engines.access import stack_access
from promthctl.engines.app_secret import NAME, app_secret, make_app_secret
from promthctl.errors import UsageError
from promthctl.locks import alone
from promthctl.process import read_regular
from promthctl.project_files import read_dotenv
from promthctl.settings import Settings
from promthctl.steps import Silent

# What the names must begin with, so that the tool puts them into the pages it makes.
_PREFIXES = {"next": "NEXT_PUBLIC_", "vite": "VITE_", "expo": "EXPO_PUBLIC_"}
_PACKAGES = ("package.json", "*/package.json", "apps/*/package.json", "packages/*/package.json")
_MOST = 100  # package.json files that are read


@dataclass(frozen=True)
class EnvResult:
    """file: where the variables were written. changed: the names whose values are new.

    kept_secret: the file has another ENCRYPTION_SECRET, which was kept: keys may be stored under it.
    """

    file: Path
    changed: tuple[str, ...]
    kept_secret: bool = False


def variables(settings: Settings, engine: Engine) -> dict[str, str]:
    """The stack's URL and keys, and ENCRYPTION_SECRET, under the names that the project's tools read.

    Raises TargetError when the stack was never started.
    """
    access = stack_access(engine)
    public = {
        "SUPABASE_URL": access.api_url,
        "SUPABASE_ANON_KEY": access.anon_key,
        "SUPABASE_PUBLISHABLE_KEY": access.publishable_key or access.anon_key,
    }
    values = public | {
        "SUPABASE_SERVICE_ROLE_KEY": access.service_role_key,
        "SUPABASE_SECRET_KEY": access.secret_key or access.service_role_key,
        "SUPABASE_DB_URL": access.db_url,
        NAME: app_secret(settings) or _made(settings),
    }
    used = {prefix for tool, prefix in _PREFIXES.items() if tool in set(_dependencies(settings.project_dir))}
    for prefix in (prefix for prefix in _PREFIXES.values() if prefix in (used or {"NEXT_PUBLIC_"})):
        values |= {prefix + name: value for name, value in public.items()}
    return values


def write_env(settings: Settings, engine: Engine, file: Path) -> EnvResult:
    """Merge the stack's variables into an env file. file: relative to the project.

    Raises UsageError for what is not a file, TargetError when the stack was never started.
    """
    path = settings.project_dir / file.expanduser()
    if str(file) == "-" or path.is_fifo():
        why = "the variables are secret, and are merged into a file that holds others"
        raise UsageError(f"{file} is not a file to write to", why, "leave --write out to print them")
    values = variables(settings, engine)
    there = read_dotenv(path)[0].get(NAME, "") if path.is_file() else ""
    kept = bool(there.strip()) and there != values[NAME]
    if kept:
        del values[NAME]
    return EnvResult(path, dotenv_file.merge(path, values), kept)


def _made(settings: Settings) -> str:
    """For a stack that was started by a promthctl that made none."""
    with alone(settings, Silent()):
        return make_app_secret(settings)


def _dependencies(project: Path) -> Iterator[str]:
    """The names of the packages that the project's package.json files depend on; what cannot be read has none."""
    found = (
        path for pattern in _PACKAGES for path in sorted(project.glob(pattern)) if "node_modules" not in path.parts
    )
    for _, path in zip(range(_MOST), found, strict=False):
        try:
            document: Any = json.loads(read_regular(path))
        except (OSError, ValueError, RecursionError):
            continue
        for kind in ("dependencies", "devDependencies"):
            named = document.get(kind) if isinstance(document, dict) else None
            if isinstance(named, dict):
                yield from named
