"""promthctl local snapshot …: the local database, kept under names."""

from __future__ import annotations

from typing import Annotated

import typer

from promthctl.cli import completion
from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation

app = typer.Typer(
    cls=ForgivingGroup, no_args_is_help=True, help="Keep the local database under a name, and bring it back."
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", autocompletion=completion.snapshots, help="The snapshot's name, as `list` shows it."
    ),
]


@app.command("save")
def save(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: letters, digits, . _ and -.")],
) -> None:
    """Copy the local database with the files of Storage. It is stopped for as long as the copy takes.

    Snapshots are the embedded engine's. They lie outside of the project, and go with `local down --purge`.
    """
    from promthctl import engines
    from promthctl.local_stack import snapshots
    from promthctl.views import snapshots as views

    run: Invocation = context.obj
    run.output.show(snapshots.save(run.settings, engines.current(run.settings), name, run.output), views.saved)


@app.command("list")
def list_(context: typer.Context) -> None:
    """Show the snapshots with their sizes, those that promthctl made before a reset, restore or rollback too."""
    from promthctl import engines
    from promthctl.local_stack import snapshots
    from promthctl.views import snapshots as views

    run: Invocation = context.obj
    run.output.show(snapshots.list_snapshots(engines.current(run.settings)), views.listed)


@app.command("restore")
def restore(context: typer.Context, name: Name) -> None:
    """Put a snapshot in the place of the local database, which is kept: `local reset --undo` brings it back."""
    from promthctl import engines
    from promthctl.local_stack import snapshots
    from promthctl.views import snapshots as views

    run: Invocation = context.obj
    run.output.show(snapshots.restore(run.settings, engines.current(run.settings), name, run.output), views.restored)


@app.command("remove")
def remove(context: typer.Context, name: Name) -> None:
    """Remove a snapshot for good."""
    from promthctl import engines
    from promthctl.local_stack import snapshots
    from promthctl.views import snapshots as views

    run: Invocation = context.obj
    run.confirm(f"Remove the snapshot {name} permanently?", "No snapshot was removed")
    run.output.show(snapshots.remove(run.settings, engines.current(run.settings), name, run.output), views.removed)
