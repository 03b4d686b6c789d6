"""promthctl keys …: list, check, rotate, replace and remove the stored API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from promthctl.cli import completion
from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.quantities import count
from promthctl.redact import remember
from promthctl.resolve.choice import TargetChoice, options_of

if TYPE_CHECKING:
    from promthctl.keys.changing import AgentRows

User = Annotated[
    str | None, typer.Option("--user", metavar="EMAIL|UUID", help="Only the keys of this user. [default: all users]")
]
WeakSecret = Annotated[bool, typer.Option("--weak-secret", help="Also with a new secret that is easily guessed.")]
_AGENT = "The agent's number, endpoint id or name, or the row's id."


class KeyCommands(ForgivingGroup):
    """The commands. An argument that looks like a key is masked in every message, including Typer's own."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from promthctl.keys.key import looks_like_key

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
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.listing import listed_pages
    from promthctl.views import keys as views

    run: Invocation = context.obj
    target = run.api_target(choice)
    with open_table(target) as table:
        run.output.show_pages(listed_pages(table, user), views.listed)


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
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST[:PORT]",
            help="With --live: a host besides its provider's that a key may be sent to, if its row says so.",
        ),
    ] = None,
) -> None:
    """Decrypt every stored key and compare it with its hash, mask and metadata. Exit code 1 if any is wrong."""
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.checking import check_keys
    from promthctl.keys.live_check import LiveOptions
    from promthctl.views import keys as views

    run: Invocation = context.obj
    target = run.api_target(choice)
    options = LiveOptions(jobs, timeout, frozenset(allow_host or ())) if live else None
    with open_table(target) as table:
        result = check_keys(run.settings, table, user, options, run.output)
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
    weak_secret: WeakSecret = False,
) -> None:
    """Re-encrypt every stored key with a new ENCRYPTION_SECRET. After an interruption, run the same command again."""
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.rotation import plan_rotation, rotate_keys, rotation_secrets
    from promthctl.views import keys as views

    run: Invocation = context.obj
    target = run.api_target(choice)
    secrets = rotation_secrets(run.settings, new_secret_env, weak=weak_secret)
    run.warn(secrets.warnings)
    with open_table(target) as table:
        plan = plan_rotation(table, secrets, user, run.output)
        if plan.pending and not target.local:
            run.output.note(
                f"The app cannot read {plan.pending} of {count(plan.rows, 'key')} until it has the new secret"
            )
            run.confirm(
                f"Re-encrypt {count(plan.pending, 'key')} of {target.label}?", f"No key of {target.label} was rotated"
            )
        result = rotate_keys(table, plan, run.output)
    run.output.show(result, lambda found: views.rotated(found, target.access.options))
    if not result.ok:
        for key in result.faulty:
            why, hint = "; ".join(key.problems), f"promthctl keys replace {key.id}, then rotate again"
            run.output.envelope.problem("failed", f"The key of {key.label} was not rotated", why, hint)
        if result.left:
            what, why = f"{count(result.left, 'key')} not rotated", "the app stored them under the old secret meanwhile"
            hint = f"stop the app, then: promthctl keys rotate --new-secret-env {result.variable}"
            run.output.envelope.problem("failed", what, why, hint)
        raise typer.Exit(1)


@app.command()
@with_target
def replace(
    context: typer.Context,
    choice: TargetChoice,
    agent: Annotated[str, typer.Argument(metavar="AGENT", autocompletion=completion.agents, help=_AGENT)],
    user: User = None,
) -> None:
    """Store another key for one agent. Type it at the prompt, where it is not shown, or pipe it in."""
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.changing import find_agent_rows, replace_key, secret_warnings
    from promthctl.views import keys as views

    run: Invocation = context.obj
    target = run.api_target(choice)
    with open_table(target) as table:
        found = find_agent_rows(run.settings, table, agent, user)
        _show_rows(run, found)
        run.warn(secret_warnings(run.settings, found))
        typed = run.ask_secret(f"New key of {found.label}: ")
        if not target.local:
            run.confirm(f"Replace the key of {found.label} on {target.label}?", "The key was not replaced")
        result = replace_key(run.settings, table, found, typed)
    run.warn(result.warnings)
    run.output.show(result, views.replaced)


@app.command()
@with_target
def remove(
    context: typer.Context,
    choice: TargetChoice,
    agent: Annotated[str | None, typer.Argument(metavar="AGENT", autocompletion=completion.agents, help=_AGENT)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All keys of all agents and providers.")] = False,
    user: User = None,
) -> None:
    """Remove one agent's key, or all keys."""
    from promthctl.errors import UsageError
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.changing import count_keys, find_agent_rows, remove_agent, remove_all_keys
    from promthctl.views import keys as views

    if (agent is None) != everything:
        why = "AGENT and --all exclude each other" if everything else "neither AGENT nor --all was given"
        raise UsageError("It is not clear what to remove", why, f"promthctl keys remove AGENT{options_of(choice)}")
    run: Invocation = context.obj
    target = run.api_target(choice)
    kept = f"No key of {target.label} was removed"
    with open_table(target) as table:
        if agent is None:
            rows = count_keys(table, user)
            if rows and not target.local:
                run.confirm(f"Remove {count(rows, 'key')}{f' of {user}' if user else ''} from {target.label}?", kept)
            result = remove_all_keys(table, user)
        else:
            found = find_agent_rows(run.settings, table, agent, user)
            _show_rows(run, found)
            if not target.local:
                run.confirm(f"Remove the key of {found.label} from {target.label}?", kept)
            result = remove_agent(table, found)
    run.output.show(result, views.removed)


def _show_rows(run: Invocation, found: AgentRows) -> None:
    for key in found.shown:
        run.output.note(f"  {key.agent} {key.masked_key}, {key.endpoint_id or key.provider}, user {key.user_id}")
