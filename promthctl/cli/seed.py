"""promthctl seed …: data an app needs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promthctl import engines, seed
from promthctl.cli.common import Invocation, Local
from promthctl.views import seed as views

app = typer.Typer(no_args_is_help=True, help="Store data an app needs.")


@app.callback()
def group() -> None:
    """Store data an app needs."""


@app.command()
def vanchin(
    context: typer.Context,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="EMAIL|UUID", help="Whose keys they are. [default: a development user]"),
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            "--keys",
            metavar="FILE|-",
            help="A JSON file, or standard input. [default: VANCHIN_* in .env or environment]",
        ),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Store fourteen fake keys.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be stored; write nothing.")] = False,
    local: Local = True,
) -> None:
    """Encrypt the fourteen VanchinAI keys and store them for a user of the local stack."""
    run: Invocation = context.obj
    engine = engines.current(run.settings)
    run.output.note("Target: the local stack")
    result = seed.vanchin(
        run.settings, engine, user=user, keys_file=keys, stdin=sys.stdin.read, demo=demo, dry_run=dry_run
    )
    for warning in result.warnings:
        run.output.note(f"warning: {warning}")
    if result.password:
        run.output.reveal(f"Made a development user: {result.seeded.user_email}  password: {result.password}")
        run.output.note("It is kept in .promthctl/dev-user.json and not shown again.")
    run.output.show(result, views.vanchin)
