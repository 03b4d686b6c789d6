"""promthctl keys …: list, check, rotate, replace and remove the stored API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.redact import remember
from promthctl.resolve.choice import TargetChoice
from promthctl.views import keys as views

if TYPE_CHECKING:
    from promthctl.keys.changing import Chosen

User = Annotated[
    str | None, typer.Option("--user", metavar="EMAIL|UUID", help="Only the keys of this user. [default: all users]")
]
_AGENT = "The agent's number, endpoint id or name, or the row's id."


class KeyCommands(TyperGroup):
    """The commands. An argument that looks like a key is masked in every message, including Typer's own."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from promthctl.keys.pasted import looks_like_key

        for argument in args:
            for part in (argument, argument.partition("=")[2]):
                if looks_like_key(part):
                    remember(part)
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=KeyCommands, no_args_is_help=True, help="The stored API keys.")


@app.command("list")
@with_target
def list_keys(
    context: typer.Context,
    choice: TargetChoice,
    user: User = None,
) -> None:
    """Show what is stored: agents, endpoints, masked keys and times; never a key itself."""
    from promthctl.keys import listing

    run: Invocation = context.obj
    target = run.api_target(choice)
    run.output.show_pages(listing.pages(target.access, user), views.listed)


@app.command()
@with_target
def check(
    context: typer.Context,
    choice: TargetChoice,
    user: User = None,
    live: Annotated[bool, typer.Option("--live", help="Try each key with one tiny request to its API.")] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=64, metavar="N", help="With --live: how many requests at a time.")
    ] = 8,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="With --live: the limit for each request.")
    ] = 20,
) -> None:
    """Decrypt every stored key and compare it with its hash, mask and metadata. Exit code 1 if any is wrong."""
    from promthctl.keys import checking

    run: Invocation = context.obj
    target = run.api_target(choice)
    asked = checking.Live(jobs, timeout) if live else None
    result = checking.check(run.settings, target, user, asked, run.output)
    run.warn(result.warnings)
    run.output.show(result, views.checked)
    if not result.ok:
        raise typer.Exit(1)


@app.command()
@with_target
def rotate(
    context: typer.Context,
    choice: TargetChoice,
    new_secret_env: Annotated[
        str,
        typer.Option(
            "--new-secret-env",
            metavar="NAME",
            help="The variable that holds the new secret, in the environment or .env.",
        ),
    ],
    user: User = None,
) -> None:
    """Re-encrypt every stored key with a new ENCRYPTION_SECRET. After an interruption, run the same command again."""
    from promthctl.keys import rotation

    run: Invocation = context.obj
    both = rotation.secrets(run.settings, new_secret_env)
    target = run.api_target(choice)
    run.warn(both.warnings)
    plan = rotation.plan(target, both, user, run.output)
    if plan.pending and not target.local:
        run.output.note(f"The app cannot read these until it has the new secret: {plan.pending} of {plan.rows} keys")
        run.confirm(f"Re-encrypt {plan.pending} keys of {target.label}?", f"No key of {target.label} was rotated")
    result = rotation.rotate(target, plan, run.output)
    run.output.show(result, views.rotated)
    if not result.ok:
        raise typer.Exit(1)


@app.command()
@with_target
def replace(
    context: typer.Context,
    choice: TargetChoice,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help=_AGENT)],
    user: User = None,
) -> None:
    """Store another key for one agent. Type it at the prompt, where it is not shown, or pipe it in."""
    from promthctl.keys import changing

    run: Invocation = context.obj
    target = run.api_target(choice)
    chosen = changing.choose(run.settings, target, agent, user)
    _show_chosen(run, chosen)
    run.warn(changing.doubts(run.settings, chosen))
    typed = run.ask_secret(f"New key of {chosen.label}: ")
    if not target.local:
        run.confirm(f"Replace the key of {chosen.label} on {target.label}?", "The key was not replaced")
    result = changing.replace(run.settings, target, chosen, typed)
    run.warn(result.warnings)
    run.output.show(result, views.replaced)


@app.command()
@with_target
def remove(
    context: typer.Context,
    choice: TargetChoice,
    agent: Annotated[str | None, typer.Argument(metavar="AGENT", help=_AGENT)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All keys of all agents and providers.")] = False,
    user: User = None,
) -> None:
    """Remove one agent's key, or all keys."""
    from promthctl.errors import UsageError
    from promthctl.keys import changing

    if (agent is None) != everything:
        why = "AGENT and --all exclude each other" if everything else "neither AGENT nor --all was given"
        raise UsageError("It is not clear what to remove", why, "promthctl keys remove AGENT")
    run: Invocation = context.obj
    target = run.api_target(choice)
    kept = f"No key of {target.label} was removed"
    if agent is None:
        rows = changing.count(target, user)
        if rows and not target.local:
            run.confirm(f"Remove all {rows} keys{f' of {user}' if user else ''} from {target.label}?", kept)
        result = changing.remove_all(target, user)
    else:
        chosen = changing.choose(run.settings, target, agent, user)
        _show_chosen(run, chosen)
        if not target.local:
            run.confirm(f"Remove the key of {chosen.label} from {target.label}?", kept)
        result = changing.remove(target, chosen)
    run.output.show(result, views.removed)


def _show_chosen(run: Invocation, chosen: Chosen) -> None:
    for key in chosen.shown:
        run.output.note(f"  {key.agent} {key.masked_key}, {key.endpoint_id or key.provider}, user {key.user_id}")
