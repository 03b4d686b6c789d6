"""promthctl seed …: data an app needs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, api_target
from promthctl.keys.providers import provider_names

app = typer.Typer(no_args_is_help=True, help="Store data an app needs.")

User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="EMAIL|UUID",
        help="Whose the keys are that name no user. [default: a development user, on the local stack]",
    ),
]
Keys = Annotated[
    str | None,
    typer.Option(
        "--keys",
        metavar="FILE|-",
        help="JSON, JSON Lines or CSV; - is standard input. [default: the provider's variables in .env or environment]",
    ),
]
Demo = Annotated[bool, typer.Option("--demo", help="Store fake keys.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be stored; write nothing.")]


@app.callback()
def group() -> None:
    """Store data an app needs."""


@app.command()
def vanchin(
    context: typer.Context,
    user: User = None,
    keys: Keys = None,
    demo: Demo = False,
    dry_run: DryRun = False,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target: TargetName = None,
) -> None:
    """Encrypt the fourteen VanchinAI keys and store them for a user: `seed keys --provider vanchin`."""
    _seed(context.obj, "vanchin", user, keys, demo, dry_run, (local, project_ref, db_url, target))


@app.command("keys")
def any_keys(
    context: typer.Context,
    provider: Annotated[
        str,
        typer.Option("--provider", metavar="NAME", help=f"Whose keys they are: {', '.join(provider_names())}."),
    ],
    user: User = None,
    keys: Keys = None,
    demo: Demo = False,
    dry_run: DryRun = False,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target: TargetName = None,
) -> None:
    """Encrypt any number of a provider's keys and store them, for one user or many.

    --keys takes one of these formats, where KEY has the fields below:

    \b
      JSON        {"base_url": …, "agents": [KEY, …]}
      JSON Lines  KEY on each line
      CSV         the first line names the fields

    \b
      api_key      the key
      endpoint_id  the endpoint or model it is for (VanchinAI needs one)
      user         e-mail or UUID of its owner, instead of --user
      id, name, description, base_url: if wanted

    All keys are checked before the first is stored. A run that was
    interrupted goes on where it ended when it is started again.
    """
    _seed(context.obj, provider, user, keys, demo, dry_run, (local, project_ref, db_url, target))


def _seed(
    run: Invocation,
    provider: str,
    user: str | None,
    keys_file: str | None,
    demo: bool,
    dry_run: bool,
    target: tuple[bool, str | None, str | None, str | None],
) -> None:
    from promthctl.keys.seeding import seed_keys
    from promthctl.views import seed as views

    chosen = api_target(run, *target)
    result = seed_keys(
        run.settings,
        chosen,
        run.output,
        provider=provider,
        user=user,
        keys_file=keys_file,
        stdin=sys.stdin.buffer if sys.stdin else None,  # none when it was closed
        demo=demo,
        dry_run=dry_run,
        approve=lambda what: run.confirm(f"Store {what}?", "No key was stored"),
    )
    for warning in result.warnings:
        run.output.note(f"warning: {warning}")
    if result.password:
        run.output.reveal(f"Made a development user: {result.seeded.user_email}  password: {result.password}")
        run.output.note("It is kept in .promthctl/dev-user.json and not shown again.")
    run.output.show(result, views.seeded)
