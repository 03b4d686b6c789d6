"""promthctl keys …: the stored API keys, looked at and looked after."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from promthctl.cli.common import DatabaseUrl, Invocation, Local, ProjectRef, TargetName, api_target
from promthctl.redact import remember
from promthctl.views import keys as views

User = Annotated[
    str | None, typer.Option("--user", metavar="EMAIL|UUID", help="The keys of this user alone. [default: of all]")
]
_AGENT = "Its number, endpoint id or name, or a row's id."


class KeyCommands(TyperGroup):
    """The commands; a word of their command line that looks like a key is never repeated, whatever complains of it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        from promthctl.keys.pasted import looks_like_key

        for word in args:
            for part in (word, word.partition("=")[2]):
                if looks_like_key(part):
                    remember(part)
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=KeyCommands, no_args_is_help=True, help="The stored API keys.")


@app.command("list")
def list_keys(
    context: typer.Context,
    user: User = None,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Show what is stored: agents, endpoints, masks and times; never a key."""
    from promthctl.keys import listing

    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    run.output.show_pages(listing.pages(target.access, user), views.listed)


@app.command()
def check(
    context: typer.Context,
    user: User = None,
    live: Annotated[bool, typer.Option("--live", help="Try each key with one tiny request to its API.")] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=64, help="Requests at a time, with --live.")] = 8,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.1, help="For each, with --live.")
    ] = 20,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Decrypt every stored key and compare it with its hash, mask and metadata. Exit code 1 on any fault."""
    from promthctl.keys import checking

    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    asked = checking.Live(jobs, timeout) if live else None
    result = checking.check(run.settings, target, user, asked, run.output)
    for warning in result.warnings:
        run.output.note(f"warning: {warning}")
    run.output.show(result, views.checked)
    if not result.ok:
        raise typer.Exit(1)


@app.command()
def rotate(
    context: typer.Context,
    new_secret_env: Annotated[
        str,
        typer.Option(
            "--new-secret-env", metavar="NAME", help="The variable, in the environment or .env, with the new secret."
        ),
    ],
    user: User = None,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Encrypt every stored key anew under another ENCRYPTION_SECRET. Interrupted, run it again."""
    from promthctl.keys import rotation

    run: Invocation = context.obj
    both = rotation.secrets(run.settings, new_secret_env)
    target = api_target(run, local, project_ref, db_url, target_name)
    for warning in both.warnings:
        run.output.note(f"warning: {warning}")
    plan = rotation.plan(target, both, user, run.output)
    if plan.pending and not target.local:
        run.output.note(f"The app reads none of them before it has the new secret: {plan.pending} of {plan.rows} keys")
        run.confirm(f"Encrypt {plan.pending} keys of {target.label} anew?", f"No key of {target.label} was rotated")
    result = rotation.rotate(target, plan, run.output)
    run.output.show(result, views.rotated)
    if not result.ok:
        raise typer.Exit(1)


@app.command()
def replace(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(metavar="AGENT", help=_AGENT)],
    user: User = None,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Store another key for one agent. It is typed at a prompt, unseen, or piped in; never an argument."""
    from promthctl.keys import changing

    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    chosen = changing.choose(run.settings, target, agent, user)
    for key in chosen.shown:
        run.output.note(f"  {key.agent} {key.masked_key}, {key.endpoint_id or key.provider}, user {key.user_id}")
    for doubt in changing.doubts(run.settings, chosen):
        run.output.note(f"warning: {doubt}")
    typed = run.ask_secret(f"New key of {chosen.label}: ")
    if not target.local:
        run.confirm(f"Replace the key of {chosen.label} on {target.label}?", "The key was not replaced")
    result = changing.replace(run.settings, target, chosen, typed)
    for warning in result.warnings:
        run.output.note(f"warning: {warning}")
    run.output.show(result, views.replaced)


@app.command()
def remove(
    context: typer.Context,
    agent: Annotated[str | None, typer.Argument(metavar="AGENT", help=_AGENT)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All keys, of all agents and providers.")] = False,
    user: User = None,
    local: Local = False,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
) -> None:
    """Remove one agent's key, or all."""
    from promthctl.errors import UsageError
    from promthctl.keys import changing

    if (agent is None) != everything:
        why = "AGENT and --all exclude each other" if everything else "neither AGENT nor --all was given"
        raise UsageError("It is not clear what to remove", why, "promthctl keys remove AGENT")
    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    kept = f"No key of {target.label} was removed"
    if agent is None:
        rows = changing.count(target, user)
        if rows and not target.local:
            run.confirm(f"Remove all {rows} keys{f' of {user}' if user else ''} from {target.label}?", kept)
        result = changing.remove_all(target, user)
    else:
        chosen = changing.choose(run.settings, target, agent, user)
        for key in chosen.shown:
            run.output.note(f"  {key.agent} {key.masked_key}, {key.endpoint_id or key.provider}, user {key.user_id}")
        if not target.local:
            run.confirm(f"Remove the key of {chosen.label} from {target.label}?", kept)
        result = changing.remove(target, chosen)
    run.output.show(result, views.removed)
