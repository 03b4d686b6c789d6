"""What the target options of a command say, before anything is looked up."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from promthctl.errors import UsageError

if TYPE_CHECKING:
    from promthctl.settings import NamedTarget, Settings


@dataclass(frozen=True)
class TargetChoice:
    """--local, --project-ref, --db-url and --target (name). With none of them it is the local stack."""

    local: bool = False
    project_ref: str | None = None
    db_url: str | None = field(default=None, repr=False)
    name: str | None = None


def named_target(choice: TargetChoice, settings: Settings) -> NamedTarget | None:
    """The project or the database that was chosen; None for the local stack.

    Raises UsageError for more than one target, and for a name that pyproject.toml does not have.
    """
    given = [value for value in (choice.project_ref, choice.db_url, choice.name) if value is not None]
    if choice.local + len(given) > 1:
        why = "--local, --project-ref, --db-url and --target exclude each other"
        raise UsageError("There is more than one target", why, "give one of them")
    if choice.name is not None:
        return settings.target(choice.name)
    from promthctl.settings import NamedTarget

    return NamedTarget(choice.project_ref, choice.db_url) if given else None


def options_of(choice: TargetChoice) -> str:
    """What was chosen, as it stands on a command line, with a space before it and without a password; empty for the
    local stack. Raises UsageError for what is not a database URL.
    """
    from promthctl.targets import command_line_options, from_url

    if choice.name is not None:
        return f" --target {shlex.quote(choice.name)}"
    if choice.project_ref is not None:
        return f" --project-ref {shlex.quote(choice.project_ref)}"
    return command_line_options(from_url(choice.db_url)) if choice.db_url is not None else ""


def check_no_target(choice: TargetChoice, option: str) -> None:
    """Raise UsageError for a target beside an option that is about none."""
    if choice != TargetChoice():
        raise UsageError(f"{option} and a target exclude each other", "it uses no target", f"leave {option} out")
