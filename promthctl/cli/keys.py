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
        from promthctl.keys.key import looks_like_key

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
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.listing import listed_pages

    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    with open_table(target) as table:
        run.output.show_pages(listed_pages(table, user), views.listed)


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
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.checking import check_keys
    from promthctl.keys.live_check import LiveOptions

    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    with open_table(target) as table:
        result = check_keys(run.settings, table, user, LiveOptions(jobs, timeout) if live else None, run.output)
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
    """Re-encrypt every stored key under another ENCRYPTION_SECRET. If it is interrupted, run it again."""
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.rotation import plan_rotation, rotate_keys, rotation_secrets

    run: Invocation = context.obj
    secrets = rotation_secrets(run.settings, new_secret_env)
    target = api_target(run, local, project_ref, db_url, target_name)
    for warning in secrets.warnings:
        run.output.note(f"warning: {warning}")
    with open_table(target) as table:
        plan = plan_rotation(table, secrets, user, run.output)
        if plan.pending and not target.local:
            run.output.note(f"The app cannot read {plan.pending} of {plan.rows} keys until it has the new secret")
            run.confirm(f"Re-encrypt {plan.pending} keys of {target.label}?", f"No key of {target.label} was rotated")
        result = rotate_keys(table, plan, run.output)
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
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.changing import find_agent_rows, replace_key, secret_warnings

    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    with open_table(target) as table:
        found = find_agent_rows(run.settings, table, agent, user)
        for key in found.shown:
            run.output.note(f"  {key.agent} {key.masked_key}, {key.endpoint_id or key.provider}, user {key.user_id}")
        for warning in secret_warnings(run.settings, found):
            run.output.note(f"warning: {warning}")
        typed = run.ask_secret(f"New key of {found.label}: ")
        if not target.local:
            run.confirm(f"Replace the key of {found.label} on {target.label}?", "The key was not replaced")
        result = replace_key(run.settings, table, found, typed)
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
    from promthctl.keys.api_keys_table import open_table
    from promthctl.keys.changing import count_keys, find_agent_rows, remove_agent, remove_all_keys

    if (agent is None) != everything:
        why = "AGENT and --all exclude each other" if everything else "neither AGENT nor --all was given"
        raise UsageError("It is not clear what to remove", why, "promthctl keys remove AGENT")
    run: Invocation = context.obj
    target = api_target(run, local, project_ref, db_url, target_name)
    kept = f"No key of {target.label} was removed"
    with open_table(target) as table:
        if agent is None:
            rows = count_keys(table, user)
            if rows and not target.local:
                run.confirm(f"Remove all {rows} keys{f' of {user}' if user else ''} from {target.label}?", kept)
            result = remove_all_keys(table, user)
        else:
            found = find_agent_rows(run.settings, table, agent, user)
            for key in found.shown:
                seen = f"{key.agent} {key.masked_key}, {key.endpoint_id or key.provider}, user {key.user_id}"
                run.output.note(f"  {seen}")
            if not target.local:
                run.confirm(f"Remove the key of {found.label} from {target.label}?", kept)
            result = remove_agent(table, found)
    run.output.show(result, views.removed)
