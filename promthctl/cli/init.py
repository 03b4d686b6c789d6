"""promthctl init: write down which migrations the project has, or add the table for API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.settings import EXAMPLE
from promthctl.views import migrations as views

app = typer.Typer(add_completion=False)


@app.command()
def init(
    context: typer.Context,
    example: Annotated[
        str | None,
        typer.Option("--example", metavar="NAME", help=f"Use migrations that come with promthctl: {EXAMPLE}."),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Add a migration that creates the table api_keys, for seed and keys.")
    ] = False,
) -> None:
    """Write down which migrations the project has, or add the table that seed and keys work with."""
    from promthctl.errors import UsageError
    from promthctl.mr_promth.project import add_keys_table, choose_example

    run: Invocation = context.obj
    if keys == (example is not None) or example not in (None, EXAMPLE):
        why = f"it takes one of --example {EXAMPLE} and --keys"
        raise UsageError("It is not clear what to set up", why, "promthctl init --keys")
    run.output.show(add_keys_table(run.settings) if keys else choose_example(run.settings), views.init)
