"""promthctl trust: agree to what a project's files may not decide alone."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation

app = typer.Typer(add_completion=False)


@app.command()
def trust(
    context: typer.Context,
    remove: Annotated[bool, typer.Option("--remove", help="Take the agreement back.")] = False,
) -> None:
    """Show what the project's .env, pyproject.toml and .promthctl want that needs your agreement, and agree to it.

    That is to send your credentials to other addresses than their provider's, to run other programs than promthctl's
    own, and to start a database that was not made in this folder. Nothing else needs it, and neither does what your own
    environment or an option says. The agreement is kept outside of the project and ends when one of these values
    changes.
    """
    from promthctl.trust import agree, trusted
    from promthctl.views import trust as views

    run: Invocation = context.obj
    found = trusted(run.settings)
    if not remove and any(not wish.agreed for wish in found.wishes):
        run.output.aside(found, views.trusted)
        run.confirm("Agree to all of that?", "Nothing was agreed to")
        found = agree(run.settings)
    elif remove:
        found = agree(run.settings, agreed=False)
    run.output.show(found, views.trusted)
