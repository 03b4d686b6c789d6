"""promthctl migrations lint: what is wrong or risky in the migration files, without a target."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.redact import redact


class LintFormat(StrEnum):
    """How findings are printed."""

    text = "text"
    json = "json"
    github = "github"
    sarif = "sarif"


class FailOn(StrEnum):
    """As linting.rules has the severities."""

    error = "error"
    warning = "warning"
    advice = "advice"


def command(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Only these; by default all.", show_default=False)
    ] = None,
    changed_since: Annotated[
        str | None,
        typer.Option("--changed-since", metavar="GITREF", help="Only files that are not as they were in that commit."),
    ] = None,
    form: Annotated[
        LintFormat, typer.Option("--format", help="For people, for programs, or beside the code on GitHub.")
    ] = LintFormat.text,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="The mildest that exits with 1.", metavar="SEVERITY")
    ] = FailOn.error,
) -> None:
    """Find what is wrong or risky in the migration files, without a target. Exit code 1 for errors.

    All files are run in a throw-away database, so what counts is the schema in the end: row-level security, policies,
    grants, indexes, functions. Of each file: what a push would warn of, and what squawk finds, if it is installed.
    Warnings and advice fail the run with --fail-on warning or --fail-on advice. A comment allows what is meant:
    `-- promthctl: allow RULE reason`, before or behind the statement, or for the whole file above a blank line at its
    top.
    """
    from promthctl.linting import linting, reporting
    from promthctl.views import lint as views

    run: Invocation = context.obj
    run.output.as_json |= form is LintFormat.json
    found = linting.lint(
        run.settings, [run.typed_path(file) for file in files or ()], changed_since, run.output, fail_on.value
    )
    if form is LintFormat.text or run.output.as_json:
        run.output.show(found, views.lint)
    else:
        run.output.verbatim(redact(reporting.sarif(found) if form is LintFormat.sarif else reporting.github(found)))
    if found.fails:
        raise typer.Exit(1)
