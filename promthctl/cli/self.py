"""promthctl self: about promthctl itself."""

from __future__ import annotations

import typer

from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation

app = typer.Typer(cls=ForgivingGroup, no_args_is_help=True, help="promthctl itself.")


@app.callback()
def itself() -> None:
    """promthctl itself."""


@app.command("uninstall")
def uninstall(context: typer.Context) -> None:
    """Remove everything that promthctl keeps outside of projects, and say what removes promthctl itself.

    Its caches with the installed tools, the local databases of all projects, the key that signs its records. You are
    asked first (--yes). A stack that runs must be stopped before. Files in projects stay, and so do Docker's volumes:
    promthctl local down --purge removes those, and the .promthctl folder of a project.
    """
    from promthctl.local_stack import uninstalling
    from promthctl.views import uninstalled as views

    run: Invocation = context.obj
    found = uninstalling.kept(run.settings)
    if found.bytes:
        run.output.aside(found, views.kept)
        run.confirm("Remove all of this?", "Nothing was removed")
    run.output.show(uninstalling.uninstall(run.settings, found), views.uninstalled)


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
