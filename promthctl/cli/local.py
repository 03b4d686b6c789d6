"""promthctl local …: Supabase on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promthctl import engines, local_stack
from promthctl.cli.common import EngineName, Invocation
from promthctl.engines.access import stack_access
from promthctl.views import local as views
from promthctl.views import push as push_views

app = typer.Typer(no_args_is_help=True, help="Run Supabase on this machine.")


@app.command()
def up(
    context: typer.Context,
    engine: EngineName = None,
    api_port: Annotated[
        int | None,
        typer.Option(
            "--api-port", min=0, max=65535, help="REST, Auth and Studio; 0 picks a free one. [default: 54321]"
        ),
    ] = None,
    db_port: Annotated[
        int | None,
        typer.Option("--db-port", min=0, max=65535, help="PostgreSQL; 0 picks a free one. [default: 54322]"),
    ] = None,
    services: Annotated[
        str | None,
        typer.Option(
            "--services",
            metavar="LIST",
            help="Docker: all, or names with commas between. [default: db,rest,auth,gateway,studio,meta]",
        ),
    ] = None,
    bind: Annotated[
        str | None,
        typer.Option("--bind", metavar="ADDRESS", help="Docker: where the ports are published. [default: 127.0.0.1]"),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Docker: pull no image.")] = False,
) -> None:
    """Start the stack, sync the migrations and apply those that are pending."""
    run: Invocation = context.obj
    options = engines.StartOptions(api_port, db_port, bind, services, offline)
    chosen, why = engines.pick(engine, run.settings, options, run.output)
    run.output.note(f"Target: the local stack ({chosen.name} engine: {why})")
    run.output.show(local_stack.up(run.settings, chosen, why, run.output), views.up)


@app.command()
def down(
    context: typer.Context,
    purge: Annotated[bool, typer.Option("--purge", help="Remove the database and the keys too.")] = False,
) -> None:
    """Stop the stack; its data stays for the next `up`."""
    run: Invocation = context.obj
    engine = engines.current(run.settings)
    if purge:
        run.confirm(
            f"Remove the local database of {run.settings.project_dir} for good?", "The local database was not removed"
        )
    run.output.show(local_stack.down(run.settings, engine, purge, run.output), views.down)


@app.command()
def status(context: typer.Context) -> None:
    """Show what runs, where, and which migrations are applied. Exit code 1 when the stack is not running."""
    run: Invocation = context.obj
    engine = engines.current(run.settings)
    result = local_stack.status(run.settings, engine)
    run.output.show(result, views.status)
    if not result.running:
        raise typer.Exit(1)


@app.command()
def logs(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="One of those `local status` shows; all when left out.")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on showing new lines.")] = False,
) -> None:
    """Show the services' logs."""
    run: Invocation = context.obj
    engine = engines.current(run.settings)
    for name, line in engine.logs(service, follow):
        run.output.log_line(name, line)


@app.command()
def env(
    context: typer.Context,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Merge the lines into FILE, keeping all others.")
    ] = None,
) -> None:
    """Print the URL and keys of the stack as dotenv lines; they are secret."""
    run: Invocation = context.obj
    engine = engines.current(run.settings)
    if write is None:
        run.output.secret(stack_access(engine).variables())
    else:
        run.output.show(local_stack.write_env(run.settings, engine, write), views.env)


@app.command()
def reset(context: typer.Context) -> None:
    """Drop what the migrations made in the local database and replay them."""
    run: Invocation = context.obj
    engine = engines.current(run.settings)
    run.output.note("Target: the local stack")
    run.output.show(local_stack.reset(run.settings, engine, run.output), push_views.reset)
