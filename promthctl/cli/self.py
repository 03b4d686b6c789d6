"""promthctl self: about promthctl itself."""

from __future__ import annotations

import typer

from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation

app = typer.Typer(cls=ForgivingGroup, no_args_is_help=True, help="promthctl itself.")


@app.callback()
def itself() -> None:
    """promthctl itself."""


@app.command("check-update")
def check_update(context: typer.Context) -> None:
    """Ask the package index of your pip once whether there is a newer promthctl. Nothing is installed.

    The index is PIP_INDEX_URL, UV_DEFAULT_INDEX or UV_INDEX_URL of your environment, then what pip's configuration
    says, then pip's default. No other command asks it.
    """
    from promthctl.doctor.updates import check_update
    from promthctl.views import updates as views

    run: Invocation = context.obj
    run.output.show(check_update(run.settings), views.checked)
