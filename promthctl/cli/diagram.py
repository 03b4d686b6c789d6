"""promthctl diagram: the tables as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(add_completion=False)


@app.command("diagram")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help=".svg a picture, .html a page to look around in, .mmd for Mermaid, .dot for Graphviz."
        ),
    ],
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="all|keys",
            help="All columns, or those of keys only. [default: all for up to 40 tables]",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[
        list[str] | None, typer.Option("--schema", metavar="NAME", help="Only this schema. May be repeated.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE even if it is not a diagram of ours.")] = False,
) -> None:
    """Draw the tables: their columns, keys, foreign keys, and whether row level security is on.

    What the migrations make is drawn; with a target option what that database has. Tables stand together by schema, or
    by a comment in the migrations that holds for the tables made below it: `-- promthctl: group NAME`. For migrations
    that are applied: `groups` under [tool.promthctl.diagram] in pyproject.toml.
    """
    from promthctl.diagram import drawing
    from promthctl.views import diagram as views

    run: Invocation = context.obj
    target = run.target(choice) if choice != TargetChoice() else None
    made = drawing.draw(
        run.settings, run.settings.project_dir / run.typed_path(file), target, schema or (), columns, force, run.output
    )
    run.output.show(made, views.diagram)
