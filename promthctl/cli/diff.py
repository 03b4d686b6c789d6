"""promthctl diff: what was changed in a database by hand, as SQL."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(add_completion=False)


@app.command("diff")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    reverse: Annotated[bool, typer.Option("--reverse", help="The SQL that takes the changes back.")] = False,
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", metavar="NAME", help="Only this schema. May be repeated."),
    ] = None,
) -> None:
    """Print what was changed in a database by hand, as SQL from what its applied migrations make to what it has.

    The SQL is run in a throw-away database first, and what it leaves different there is listed. Nothing is changed in
    the target. Exit code 1 if there are differences.
    """
    from promthctl.drafting import differences
    from promthctl.migration_set.source import without_default_example
    from promthctl.views import diff as views

    run: Invocation = context.obj
    run.settings = without_default_example(run.settings)
    found = differences.diff(run.settings, run.target(choice), tuple(schema or ()), reverse, run.output)
    if run.output.as_json:
        run.output.show(found, views.diff)
    else:
        if found.sql and sys.stdout.isatty():
            run.output.show(found, views.highlighted)
        elif found.sql:
            run.output.verbatim(f"{found.sql}\n")
        run.output.aside(found, views.diff)
    if found.differs:
        raise typer.Exit(1)
