"""promthctl seed …: data an app needs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli import completion
from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun, LockTimeout, lock_seconds, with_target
from promthctl.keys.providers import provider_names
from promthctl.quantities import count
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(cls=ForgivingGroup, no_args_is_help=True, help="Store data an app needs.")

User = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="EMAIL|UUID",
        help="The owner of the keys that do not name one. [default: a development user, on the local stack]",
    ),
]
Keys = Annotated[
    str | None,
    typer.Option(
        "--keys",
        metavar="FILE|-",
        help="JSON, JSON Lines or CSV; - is standard input. [default: the provider's variables]",
    ),
]
WeakSecret = Annotated[
    bool, typer.Option("--weak-secret", help="Also with an ENCRYPTION_SECRET that is easily guessed.")
]
Demo = Annotated[bool, typer.Option("--demo", help="Store fake keys.")]


@app.callback()
def group() -> None:
    """Store data an app needs."""


@app.command()
@with_target
def vanchin(
    context: typer.Context,
    choice: TargetChoice,
    user: User = None,
    keys: Keys = None,
    demo: Demo = False,
    dry_run: DryRun = False,
    weak_secret: WeakSecret = False,
) -> None:
    """Encrypt the fourteen VanchinAI keys and store them for a user: short for `seed keys --provider vanchin`."""
    _seed(context.obj, "vanchin", user, keys, demo, dry_run, weak_secret, choice)


@app.command("keys")
@with_target
def any_keys(
    context: typer.Context,
    choice: TargetChoice,
    provider: Annotated[
        str,
        typer.Option(
            "--provider",
            metavar="NAME",
            autocompletion=completion.providers,
            help=f"The API they are for: {', '.join(provider_names())}.",
        ),
    ],
    user: User = None,
    keys: Keys = None,
    demo: Demo = False,
    dry_run: DryRun = False,
    weak_secret: WeakSecret = False,
) -> None:
    """Encrypt any number of a provider's keys and store them for one user or many.

    --keys takes one of these formats, where KEY has the fields listed below:

    \b
      JSON        {"base_url": …, "agents": [KEY, …]}
      JSON Lines  KEY on each line
      CSV         the first line names the fields

    \b
      api_key      the key
      endpoint_id  the endpoint or model it is for (VanchinAI needs one)
      user         e-mail or UUID of its owner, instead of --user
      id, name, description, base_url: optional

    All keys are checked before the first one is stored. After an interruption, run the same command again: it
    continues where it stopped.
    """
    _seed(context.obj, provider, user, keys, demo, dry_run, weak_secret, choice)


@app.command("sql")
@with_target
def sql(
    context: typer.Context,
    choice: TargetChoice,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="SQL files. [default: the seeds of the project not run there yet]"),
    ] = None,
    dry_run: DryRun = False,
    lock_timeout: LockTimeout = None,
) -> None:
    """Run the project's SQL seeds on a target: what sql_paths of [db.seed] in supabase/config.toml names.

    Without that, the seed is supabase/seed.sql. Each file runs in one transaction, unless it commits by itself, and is
    recorded in supabase_migrations.seed_files, as the Supabase CLI records it; what is recorded is not run again
    unless it is named. A dump with COPY … FROM stdin works as well. `promthctl seed sql supabase/roles.sql` makes the
    project's roles.
    """
    from promthctl import seeds
    from promthctl.views import seed as views

    run: Invocation = context.obj
    patience = lock_seconds(lock_timeout)
    chosen = replace(run.target(choice, migrations=False), lock_seconds=patience)
    named = [run.settings.project_dir / run.typed_path(file) for file in files or ()]
    plan = seeds.plan_seeds(run.settings, chosen, named)
    if dry_run:
        run.output.show(plan, views.planned_seeds)
        return
    if plan.run and not chosen.local:
        run.output.aside(plan, views.planned_seeds)
        run.confirm(f"Run {count(len(plan.run), 'file')} on {chosen.label}?", f"Nothing was run on {chosen.label}")
    run.output.show(seeds.run_planned(run.settings, chosen, plan, run.output), views.run_seeds)


def _seed(
    run: Invocation,
    provider: str,
    user: str | None,
    keys_file: str | None,
    demo: bool,
    dry_run: bool,
    weak_secret: bool,
    choice: TargetChoice,
) -> None:
    from promthctl.keys.seeding import seed_keys
    from promthctl.views import seed as views

    chosen = run.api_target(choice)
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
        weak_secret=weak_secret,
        approve=lambda what: run.confirm(f"Store {what}?", "No key was stored"),
    )
    run.warn(result.warnings)
    if result.password:
        run.output.reveal(f"Made a development user: {result.seeded.user_email}  password: {result.password}")
        run.output.note("It is kept in .promthctl/dev-user.json and not shown again.")
    run.output.show(result, views.seeded)
