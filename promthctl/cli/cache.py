"""promthctl cache: what is kept on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation

app = typer.Typer(
    cls=ForgivingGroup,
    no_args_is_help=True,
    help="What promthctl keeps on this machine: how much it is, and its removal.",
)


@app.command("list")
def list_(context: typer.Context) -> None:
    """Show what is kept and how much room it takes: tools, prepared databases, this project's snapshots."""
    from promthctl import engines
    from promthctl.local_stack.cache import list_cache
    from promthctl.views import cache as views

    run: Invocation = context.obj
    run.output.show(list_cache(run.settings, engines.current(run.settings)), views.listed)


@app.command("clean")
def clean(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the tools that promthctl runs now, as before it is uninstalled.")
    ] = False,
) -> None:
    """Remove what nobody uses: older tools, kept and prepared databases. All of it is made again when it is needed.

    What a process runs from, and what another promthctl works with, stays; so do snapshots (`local snapshot remove`).
    """
    from promthctl.local_stack.cache import clean_cache
    from promthctl.views import cache as views

    run: Invocation = context.obj
    run.output.show(clean_cache(run.settings, everything=everything), views.cleaned)
