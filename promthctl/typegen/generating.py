"""The types of a database, and the file that has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promthctl import shadow, supabase_cli
from promthctl.engines.embedded import default_privileges
from promthctl.migration_set import supabase_folder
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target

_MAJOR = 17  # unless the project says otherwise
# What a formatter of TypeScript changes: white space, quotes, ends of members, the first bar of a union.
_LAYOUT = re.compile(r"[\s;,'\"]+")
_FIRST_BAR = re.compile(r"(?<=[:=<(\[])\|")


@dataclass(frozen=True)
class TypesResult:
    """database: where they come from. file: that has them, None where they are printed. changed: it was not what they
    are now; written: and is now.
    """

    database: str
    language: str
    file: str | None = None
    changed: bool = False
    written: bool = False


def types_of(settings: Settings, target: Target | None, language: str, schemas: Sequence[str], steps: Steps) -> str:
    """The types, as the Supabase CLI writes them. target: None for what the migrations make. schemas: none for those of
    the project's API.

    Raises as DatabaseCli.types does, and PromthctlError naming file and statement for a migration that fails.
    """
    schemas = schemas or _api_schemas(settings)
    cli = supabase_cli.find_database_cli(settings, steps)
    if target is not None:
        with steps.step("Reading the schema"):
            return cli.types(target, language, schemas)
    plan = supabase_folder.plan_project_sync(settings, (), history=())
    if refusal := plan.refusal:
        raise refusal
    files = supabase_folder.expected_migrations(settings, plan)
    privileges = default_privileges.of_settings(settings)
    with (
        steps.step("Reading what the migrations make"),
        shadow.kept_database(settings, files, _MAJOR, privileges, (), lambda *_: "", steps) as kept,
    ):
        return cli.types(kept.target, language, schemas)


def is_current(file: Path, text: str, language: str) -> bool:
    """Whether a file has these types; of TypeScript also one that a formatter has been at. Raises OSError."""
    if not file.exists():
        return False
    there = file.read_text(encoding="utf-8", errors="replace")
    return there == text or (language == "typescript" and _essence(there) == _essence(text))


def _api_schemas(settings: Settings) -> tuple[str, ...]:
    """[api] schemas of config.toml, as the CLI takes them; none where it says nothing."""
    api = settings.supabase.get("api")
    named = api.get("schemas") if isinstance(api, dict) else None
    return tuple(str(one) for one in named) if isinstance(named, list) else ()


def _essence(code: str) -> str:
    return _FIRST_BAR.sub("", _LAYOUT.sub("", code))
