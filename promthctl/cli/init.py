"""promthctl init: begin a project, choose the example, or add the table for API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.configuration import EXAMPLE

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
    """Make a project of an empty folder; of one that is there, say what it has. Safe to run again.

    An empty folder gets supabase/config.toml, a first migration with its down script, .env with a new
    ENCRYPTION_SECRET, for you alone, and the lines of .gitignore that keep it out of git. Nothing that is there is
    changed.
    """
    from promthctl.errors import UsageError
    from promthctl.mr_promth.project import add_keys_table
    from promthctl.setting_up import begin
    from promthctl.views import migrations as views

    run: Invocation = context.obj
    if (keys and example is not None) or example not in (None, EXAMPLE):
        why = f"there is one example, {EXAMPLE}, and --keys goes without it"
        raise UsageError("It is not clear what to set up", why, "promthctl init --keys")
    if keys:
        run.output.show(add_keys_table(run.settings), views.init)
    else:
        run.output.show(begin(run.settings, example is not None), views.begun)
