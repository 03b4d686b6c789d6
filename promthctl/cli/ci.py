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
    write: Annotated[bool, typer.Option("--write", help="Write the file to where it belongs.")] = False,
    force: Annotated[bool, typer.Option("--force", help="With --write: also in place of another file.")] = False,
) -> None:
    """Print the file that lints, verifies and tests every change on the embedded engine, or write it (--write).

    The workflow for GitHub also comments a pull request with the plan of its migrations, and pushes main to a target
    once PROMTHCTL_TARGET names one. Checking needs neither Docker nor secrets. --write puts the file where its reader
    looks for it, at the top of the git repository, and never over another one without --force.
    """
    from promthctl.errors import UsageError
    from promthctl.migration_files import git
    from promthctl.setting_up.ci_files import CI_FILES, ci_file, write_ci_file
    from promthctl.views import ci as views

    run: Invocation = context.obj
    if write:
        top = git.top(run.settings.project_dir)
        run.output.show(write_ci_file(run.settings, kind.value, top, force), views.written)
        return
    if force:
        why = "without --write the file is printed, and nothing is written"
        raise UsageError("--force has no use here", why, f"promthctl ci {kind.value} --write --force")
    run.output.verbatim(ci_file(kind.value))
    run.output.note(f"It belongs in {CI_FILES[kind.value][1]}: promthctl ci {kind.value} --write")
