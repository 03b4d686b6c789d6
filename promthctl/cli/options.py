"""Options that several commands share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from promthctl.resolve.choice import TargetChoice

_LOCAL = "The local stack; this is the default."
_PROJECT_REF = "A hosted Supabase project: the twenty letters in its dashboard's URL. Needs SUPABASE_ACCESS_TOKEN."
_DB_URL = "Any PostgreSQL database: postgresql://USER@HOST/DATABASE, with its password in PGPASSWORD."
_TARGET = "A target that pyproject.toml names: [tool.promthctl.targets.NAME]."
_REPEATED = " May be repeated."
_PANEL = "Target"


def _target_option(name: str, metavar: str | None, help_text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=help_text, rich_help_panel=_PANEL)


Local = Annotated[bool, _target_option("--local", None, _LOCAL)]
ProjectRef = Annotated[str | None, _target_option("--project-ref", "REF", _PROJECT_REF)]
DatabaseUrl = Annotated[str | None, _target_option("--db-url", "URL", _DB_URL)]
TargetName = Annotated[str | None, _target_option("--target", "NAME", _TARGET)]

ProjectRefs = Annotated[list[str] | None, _target_option("--project-ref", "REF", _PROJECT_REF + _REPEATED)]
DatabaseUrls = Annotated[list[str] | None, _target_option("--db-url", "URL", _DB_URL + _REPEATED)]
TargetNames = Annotated[list[str] | None, _target_option("--target", "NAME", _TARGET + _REPEATED)]
TargetsFile = Annotated[
    Path | None, _target_option("--targets-file", "FILE", "A file with one REF, URL or NAME on each line.")
]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")]

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
