"""promthctl ci: the file that makes continuous integration of a project."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation

app = typer.Typer(add_completion=False)


class Kind(StrEnum):
    """As setting_up.ci_files has them."""

    github = "github"
    gitlab = "gitlab"
    pre_commit = "pre-commit"
    devcontainer = "devcontainer"
    dockerfile = "dockerfile"


@app.command()
def ci(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(help="What runs it.")] = Kind.github,
) -> None:
    """Print the file that lints, verifies and tests every change on the embedded engine.

    The workflow for GitHub also comments a pull request with the plan of its migrations, and pushes main to a target
    once PROMTHCTL_TARGET names one. Checking needs neither Docker nor secrets. Nothing is written: where the file
    belongs is said.
    """
    from promthctl.setting_up.ci_files import CI_FILES, ci_file

    run: Invocation = context.obj
    run.output.verbatim(ci_file(kind.value))
    run.output.note(f"It belongs in {CI_FILES[kind.value][1]}")
