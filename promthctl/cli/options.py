"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from promthctl.cli import completion
from promthctl.errors import UsageError
from promthctl.quantities import read_duration
from promthctl.resolve.choice import TargetChoice

_LOCAL = "The local stack; this is the default."
_PROJECT_REF = "A hosted Supabase project: the twenty letters in its dashboard's URL. Needs SUPABASE_ACCESS_TOKEN."
_DB_URL = "Any PostgreSQL database: postgresql://USER@HOST/DATABASE, with its password in PGPASSWORD."
_TARGET = "A target that pyproject.toml names: [tool.promthctl.targets.NAME]."
_REPEATED = " May be repeated."
_PANEL = "Target"


def _target_option(name: str, metavar: str | None, help_text: str, offer: completion.Offer | None = None) -> Any:
    return typer.Option(name, metavar=metavar, help=help_text, rich_help_panel=_PANEL, autocompletion=offer)


Local = Annotated[bool, _target_option("--local", None, _LOCAL)]
ProjectRef = Annotated[str | None, _target_option("--project-ref", "REF", _PROJECT_REF)]
DatabaseUrl = Annotated[str | None, _target_option("--db-url", "URL", _DB_URL)]
TargetName = Annotated[str | None, _target_option("--target", "NAME", _TARGET, completion.targets)]

ProjectRefs = Annotated[list[str] | None, _target_option("--project-ref", "REF", _PROJECT_REF + _REPEATED)]
DatabaseUrls = Annotated[list[str] | None, _target_option("--db-url", "URL", _DB_URL + _REPEATED)]
TargetNames = Annotated[list[str] | None, _target_option("--target", "NAME", _TARGET + _REPEATED, completion.targets)]
TargetsFile = Annotated[
    Path | None, _target_option("--targets-file", "FILE", "A file with one REF, URL or NAME on each line.")
]

LockTimeout = Annotated[
    str | None,
    typer.Option(
        "--lock-timeout",
        metavar="TIME",
        help="How long to wait for one lock, as in 30s or 500ms; 0 for ever. [default: 10s; on the local stack 0]",
        show_default=False,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")]
FromMigrations = Annotated[
    bool,
    typer.Option(
        "--from-migrations", help="Use a throw-away database made from the migrations, also while the stack runs."
    ),
]

_LONGEST_LOCK = 86_400.0


def lock_seconds(text: str | None) -> float | None:
    """The value of --lock-timeout in seconds, None without one. Raises UsageError for what is not a duration."""
    if text is None:
        return None
    seconds = read_duration(text)
    if seconds is None or seconds > _LONGEST_LOCK or 0 < seconds < 0.001:
        why = f"{text!r} is not a time from 1ms to {_LONGEST_LOCK / 3600:.0f}h"
        raise UsageError("--lock-timeout cannot be understood", why, "give seconds, or a unit: --lock-timeout 30s")
    return seconds


def unix_time(text: str) -> float:
    """The value of --since: a duration before now, or a time, of this machine unless it says its zone.

    Raises UsageError for anything else.
    """
    if (seconds := read_duration(text)) is not None:
        return time.time() - seconds
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        why = f"{text!r} is neither a duration nor a time"
        raise UsageError("--since cannot be understood", why, "--since 10m, or --since 2026-11-30T14:00") from None


_PARAMETERS = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
    for name, default, annotation in (
        ("local", False, Local),
        ("project_ref", None, ProjectRef),
        ("db_url", None, DatabaseUrl),
        ("target_name", None, TargetName),
    )
]


def with_target(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --local, --project-ref, --db-url and --target; it takes them as `choice`, a TargetChoice."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    shown = [
        shown
        for parameter in own
        for shown in (_PARAMETERS if parameter.name == "choice" else [parameter.replace(kind=_PARAMETERS[0].kind)])
    ]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        choice = TargetChoice(*(values.pop(parameter.name) for parameter in _PARAMETERS))
        command(choice=choice, **values)

    run.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # what Typer makes the options of
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    return run
