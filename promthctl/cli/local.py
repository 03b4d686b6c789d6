"""promthctl local …: Supabase on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promthctl.cli import clone, completion, snapshot
from promthctl.cli.groups import ForgivingGroup
from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DryRun, unix_time
from promthctl.configuration import API_PORT, DB_PORT
from promthctl.errors import PromthctlError, UsageError

if TYPE_CHECKING:
    from promthctl.local_stack.opened import Opened

app = typer.Typer(cls=ForgivingGroup, no_args_is_help=True, help="Run Supabase on this machine.")

mailbox = typer.Typer(
    cls=ForgivingGroup, invoke_without_command=True, help="What the embedded engine's Auth would have sent by e-mail."
)
app.add_typer(mailbox, name="mail")
app.add_typer(snapshot.app, name="snapshot")
app.command("clone")(clone.clone)

NoOpen = Annotated[bool, typer.Option("--no-open", help="Print the address only.")]
NoSeed = Annotated[bool, typer.Option("--no-seed", help="Do not run the seeds of supabase/config.toml.")]


@app.command()
def up(
    context: typer.Context,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="NAME",
            autocompletion=completion.engines,
            help="embedded, docker or auto: the one used before; at first Docker, if it is running. [default: auto]",
        ),
    ] = None,
    api_port: Annotated[
        int | None,
        typer.Option(
            "--api-port",
            metavar="PORT",
            min=0,
            max=65535,
            help=f"REST, Auth and Studio; 0 picks a free port. [default: {API_PORT}]",
        ),
    ] = None,
    db_port: Annotated[
        int | None,
        typer.Option(
            "--db-port",
            metavar="PORT",
            min=0,
            max=65535,
            help=f"PostgreSQL; 0 picks a free port. [default: {DB_PORT}]",
        ),
    ] = None,
    services: Annotated[
        str | None,
        typer.Option(
            "--services",
            metavar="LIST",
            autocompletion=completion.docker_services,
            help="Docker: all, or names separated by commas. [default: db,rest,auth,gateway,studio,meta]",
        ),
    ] = None,
    bind: Annotated[
        str | None,
        typer.Option(
            "--bind", metavar="ADDRESS", help="Docker: the address to publish the ports on. [default: 127.0.0.1]"
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Docker: do not pull images.")] = False,
    no_seed: NoSeed = False,
    example: Annotated[
        str | None,
        typer.Option(
            "--example",
            metavar="NAME",
            autocompletion=completion.examples,
            help="Use migrations that come with promthctl: mr-promth.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Go on: apply or replay the migrations and seeds whenever a file is saved."),
    ] = False,
) -> None:
    """Start the stack, sync the migrations and apply the pending ones.

    A new database gets supabase/roles.sql before them and the seeds after them; see `promthctl seed sql`.

    With --watch a new file is applied when it is saved. One that changed after it was applied, or is gone, is replayed
    on a new database, from the last kept state that holds, with the seeds; rows of your own are kept in a snapshot.
    What `promthctl types --output` wrote follows, and what changed is told. Ctrl-C ends it; the stack stays.
    """
    from promthctl import engines, local_stack
    from promthctl.cli import watch as watched
    from promthctl.resolve.production import announcement
    from promthctl.views import local as views

    run: Invocation = context.obj
    run.example = example
    if watch:
        watched.check_watch(run)
    options = engines.StartOptions(api_port, db_port, bind, services, offline)
    chosen, why = engines.pick(engine, run.settings, options, run.output)
    run.output.note(announcement(f"the local stack ({chosen.name} engine: {why})"))
    if not watch:
        run.output.show(local_stack.up(run.settings, chosen, why, run.output, seeding=not no_seed), views.up)
        return
    from promthctl import developing, watching

    loop = developing.Developing(run.settings, chosen, run.output, seeding=not no_seed)
    seen = watching.look(loop.files())
    try:
        run.output.show(local_stack.up(run.settings, chosen, why, run.output, seeding=not no_seed), views.up)
    except PromthctlError as error:
        if not chosen.status().running:  # nothing can be done about a file then
            raise
        watched.tell(run, error)
    watched.follow(run, chosen, seen, loop)


@app.command()
def down(
    context: typer.Context,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Also remove the database, what was kept of it, and the keys."),
    ] = False,
) -> None:
    """Stop the stack. Its data is kept for the next `up`."""
    from promthctl import engines, local_stack
    from promthctl.views import local as views

    run: Invocation = context.obj
    engine = engines.current(run.settings)
    if purge:
        run.confirm(
            f"Remove the local database of {run.settings.project_dir} permanently, with its snapshots?",
            "The local database was not removed",
        )
    run.output.show(local_stack.down(run.settings, engine, purge, run.output), views.down)


@app.command()
def status(context: typer.Context) -> None:
    """Show what is running and where, and which migrations are applied. Exit code 1 if the stack is not running."""
    from promthctl import engines, local_stack
    from promthctl.views import local as views

    run: Invocation = context.obj
    engine = engines.current(run.settings)
    result = local_stack.status(run.settings, engine)
    run.output.show(result, views.status)
    if not result.running:
        raise typer.Exit(1)


@app.command()
def logs(
    context: typer.Context,
    service: Annotated[
        str | None,
        typer.Argument(
            help="A service that `local status` shows. [default: all of them]", autocompletion=completion.services
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep showing new lines.")] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N lines of each service.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only what is newer: 10m ago, 2h, or a time as 2026-11-30T14:00."),
    ] = None,
) -> None:
    """Show the services' logs."""
    from promthctl import engines

    run: Invocation = context.obj
    engine = engines.current(run.settings)
    part = engines.LogPart(follow, tail, None if since is None else unix_time(since))
    run.output.log_lines(engine.logs(service, part), endless=follow)


@app.command()
def env(
    context: typer.Context,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Merge the lines into FILE and keep its other lines.")
    ] = None,
) -> None:
    """Print the URL and keys of the stack as dotenv lines; they are secret.

    With ENCRYPTION_SECRET: your own, otherwise one made for this stack. Public names begin as package.json needs it:
    NEXT_PUBLIC_, VITE_ or EXPO_PUBLIC_.
    """
    from promthctl import engines, local_stack
    from promthctl.views import local as views

    run: Invocation = context.obj
    engine = engines.current(run.settings)
    if write is None:
        run.output.secret(local_stack.variables(run.settings, engine))
    else:
        run.output.show(local_stack.write_env(run.settings, engine, run.typed_path(write)), views.env)


def _tell(run: Invocation, opened: Opened) -> None:
    """What was opened, or else its address, for whoever asked for it."""
    if run.output.as_json:
        run.output.secret({"url": opened.url})
    elif opened.opened:
        run.output.note("Opened in your browser.")
    else:
        run.output.verbatim(f"{opened.url}\n")


@app.command()
def studio(context: typer.Context, no_open: NoOpen = False) -> None:
    """Open Studio in the browser: tables, SQL and users, with the rights of postgres.

    On the embedded engine the address is good once, for two minutes. It is printed where there is no browser.
    """
    from promthctl import engines
    from promthctl.local_stack import opened

    run: Invocation = context.obj
    _tell(run, opened.studio(run.settings, engines.current(run.settings), browser=not (no_open or run.output.as_json)))


@mailbox.callback()
def mails(
    context: typer.Context,
    open_link: Annotated[
        bool, typer.Option("--open", help="Open the link of the newest message in the browser, or print it.")
    ] = False,
) -> None:
    """List the messages that Auth would have sent, the newest first: sign-up, sign-in, recovery, invitation."""
    from promthctl import engines
    from promthctl.local_stack import mail, opened
    from promthctl.views import local as views

    run: Invocation = context.obj
    if context.invoked_subcommand is not None and open_link:
        raise UsageError(
            "--open does not go with `show`", "it opens the newest message's link", "promthctl local mail --open"
        )
    if open_link:
        _tell(run, opened.link(run.settings, engines.current(run.settings), 1, browser=not run.output.as_json))
    elif context.invoked_subcommand is None:
        run.output.show(mail.mails(engines.current(run.settings)), views.mails)


@mailbox.command("show")
def show_mail(
    context: typer.Context,
    number: Annotated[int, typer.Argument(metavar="[N]", help="Its number in the list.", min=1)] = 1,
) -> None:
    """Show a message with its one-time code and link, which sign a user in. [default: the newest]"""
    from promthctl import engines
    from promthctl.local_stack import mail
    from promthctl.views import local as views

    run: Invocation = context.obj
    message = mail.mail(engines.current(run.settings), number)
    if run.output.as_json:
        run.output.secret({name: value for name, value in vars(message).items() if value is not None})
    else:
        run.output.show(message, views.mail)


@app.command()
def reset(
    context: typer.Context,
    undo: Annotated[
        bool, typer.Option("--undo", help="Bring the database before the last reset back, and keep the present one.")
    ] = False,
    dry_run: DryRun = False,
    no_seed: NoSeed = False,
) -> None:
    """Replace the local database by a new one with all migrations applied and the seeds run, and nothing else.

    On the embedded engine the database as it was is kept until the next reset, and --undo brings it back. A migration
    or a seed that fails changes nothing.
    """
    from promthctl import engines
    from promthctl.resolve.production import announcement
    from promthctl.views import reset as reset_views

    run: Invocation = context.obj
    if undo and dry_run:
        why = "--undo changes nothing that a second --undo does not take back, and has no plan"
        raise UsageError("--undo and --dry-run exclude each other", why, "promthctl local reset --undo")
    run.output.note(announcement("the local stack"))
    if undo:
        from promthctl.local_stack.reset import undo_reset

        engine = engines.current(run.settings)
        run.output.show(undo_reset(run.settings, engine, run.output), reset_views.undo)
    else:
        from promthctl.cli.reset import reset_local

        run.say_example()
        reset_local(run, dry_run, seeding=not no_seed)
