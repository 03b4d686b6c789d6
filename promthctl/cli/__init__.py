"""The command line: the root command, its global options, and what an error becomes.

Each command group is one module of this package. It is imported when it is used, so that `--help` and `--version`
stay quick.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli import interrupts
from promthctl.cli.groups import LazyGroup, hoist_global_options
from promthctl.cli.invocation import Invocation
from promthctl.errors import INTERRUPTED, Bug, PromthctlError, UsageError
from promthctl.output import Output
from promthctl.terminal import ENCODING_ERRORS, plain

_STOPPED = "Ctrl-C, or a signal to stop"
# Words of command lines that change nothing, so that nothing of theirs is kept.
_READS = frozenset(
    (
        "verify",
        "diff",
        "lint",
        "test",
        "types",
        "logs",
        "status",
        "env",
        "list",
        "check",
        "--list",
        "--check",
        "--dry-run",
        "--help",
    )
)


class Commands(LazyGroup):
    """The commands: name → (module of this package, one line of help)."""

    lazy = {  # noqa: RUF012 - read only
        "init": ("init", "Begin a project, or choose the example."),
        "local": ("local", "Run Supabase on this machine: up, down, status, logs, env, reset."),
        "migrations": ("migrations", "The folder of SQL migrations: list, new, down, lint, squash, adopt."),
        "push": ("push", "Apply the pending migrations to a database."),
        "diff": ("diff", "Print what was changed in a database by hand, as SQL."),
        "pull": ("pull", "Write what was changed in a database by hand as a migration."),
        "dump": ("dump", "Write a database to a file, with pg_dump."),
        "rollback": ("rollback", "Undo migrations with their down scripts, after a backup."),
        "reset": ("reset", "Drop everything in a database and run the migrations again."),
        "diagram": ("diagram", "Draw the tables into a file: SVG, HTML, Mermaid or Graphviz."),
        "verify": ("verify", "Check the schema, and prove that users are isolated."),
        "test": ("test", "Run pgTAP tests, on a copy of the local database."),
        "ci": ("ci", "Print or write a file for CI: github, gitlab, pre-commit, devcontainer, dockerfile."),
        "types": ("types", "Write the schema as types of a programming language."),
        "sql": ("sql", "Run SQL on a database, reading only unless --write."),
        "seed": ("seed", "Store data that an app needs: API keys, SQL seeds."),
        "cache": ("cache", "What promthctl keeps on this machine: list, clean."),
        "doctor": ("doctor", "Look at what promthctl needs here, and say what puts it right."),
        "trust": ("trust", "Agree to what a project's files may not decide alone."),
        "self": ("self", "promthctl itself: whether there is a newer one, its removal."),
        "keys": ("keys", "The stored API keys: list, check, rotate, replace, remove."),
    }
    stands_for = {  # noqa: RUF012 - read only
        **{word: ("local", word) for word in ("up", "down", "status", "logs", "env", "studio", "mail")},
        "version": ("--version",),
    }


app = typer.Typer(
    name="promthctl",
    cls=Commands,
    invoke_without_command=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a folder of SQL migrations to a running, verified, seeded Supabase.",
    epilog="These options can be given before or after the command. promthctl alone says where the project stands.",
)


def _version(wanted: bool) -> None:
    from promthctl import __version__

    if wanted:
        typer.echo(f"promthctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    project_dir: Annotated[
        Path | None,
        typer.Option(
            "-C",
            "--project-dir",
            metavar="DIR",
            help="The project's folder. [default: found from here upward]",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="No progress and no notes: results, warnings and errors.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show the details of each step.")] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Answer yes to every question.")] = False,
    supabase_cli: Annotated[
        str | None,
        typer.Option(
            "--supabase-cli",
            metavar="WHICH",
            autocompletion=lambda incomplete: [name for name in ("pinned", "system") if name.startswith(incomplete)],
            help="pinned, system (the one on PATH) or the path of a Supabase CLI, 2.100 or newer. [default: pinned]",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """`promthctl` alone says where the project stands."""
    if context.obj is None:  # otherwise main made it: it prints, too, where the options cannot be read
        context.obj = Invocation(Output(as_json=as_json, verbose=verbose, quiet=quiet), None, False)
    run: Invocation = context.obj
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other", "there is one output", "leave one of them out")
    run.project_dir, run.yes, run.supabase_cli = project_dir, yes, supabase_cli
    if context.invoked_subcommand is None:
        _where_one_stands(run)


def _where_one_stands(run: Invocation) -> None:
    from promthctl.overview import overview
    from promthctl.project_files import project_here
    from promthctl.views import overview as views

    run.project_dir = run.project_dir or project_here(Path.cwd())  # it is shown, so that no line needs to tell it
    run.output.show(overview(run.settings), views.overview)


def main() -> None:
    """The console script. Ends the process with the exit code of errors.py; no exception leaves it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in the order of their descriptors
        if getattr(sys, name) is None:  # closed, as by >&-
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the end
    received = interrupts.catch()
    codecs.register_error(ENCODING_ERRORS, plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ENCODING_ERRORS)  # a terminal without Unicode must not end the command
    arguments = hoist_global_options(sys.argv[1:])
    typed = set(takewhile("--".__ne__, sys.argv[1:]))
    output = Output(
        as_json="--json" in typed, verbose=bool({"-v", "--verbose"} & typed), quiet=bool({"-q", "--quiet"} & typed)
    )
    try:
        code = app(arguments, prog_name="promthctl", standalone_mode=False, obj=Invocation(output, None, False))
        if code == INTERRUPTED:  # Typer has turned the exception into an exit code
            raise KeyboardInterrupt
        output.finish()
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = _interrupted(output, arguments)
    except PromthctlError as error:
        if received:  # a failure while cleaning up is not worth reporting
            code = _interrupted(output, arguments)
        else:
            output.error(error)
            code = error.exit_code
    except BrokenPipeError:  # `promthctl … | head`: not an error
        sys.stderr.close()
        code = 0
    except SystemExit as end:
        code = 0 if isinstance(end.__context__, BrokenPipeError) else end.code  # Rich turns it into an exit
    except OSError as error:
        code = _unexpected_disk_error(output, error)
    except Exception as error:
        code = _usage_or_bug(output, error, arguments)
    with contextlib.suppress(OSError):  # of a full disk, or of `| head`: it has been told
        output.finish()
        sys.stdout.flush()
    for number in (*interrupts.STOPPING, signal.SIGALRM):  # a throw-away database may still be on its way out
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: os._exit(INTERRUPTED))
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted(output: Output, arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # cleaned up: a second Ctrl-C may end it at once
    kept = " What was done so far is kept: run the same command again to continue."
    kept = "" if _READS.intersection(arguments) else kept
    output.say(f"Interrupted.{kept}")
    why, hint = kept.strip() or _STOPPED, "run the same command again"
    output.envelope.problem("interrupted", "Interrupted", why, hint, INTERRUPTED)
    return INTERRUPTED


def _unexpected_disk_error(output: Output, error: OSError) -> int:
    path = f": {error.filename}" if error.filename else ""
    output.error(
        PromthctlError(
            "The operation failed", f"{error.strerror or error}{path}", "fix that and run the same command again"
        )
    )
    return 1


def _refused_by_database(error: Exception) -> PromthctlError | None:
    """What a database said on the way, e.g. to a role without rights; None for any other exception."""
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or not isinstance(error, psycopg.Error):
        return None
    from promthctl.database.transactions import database_failure
    from promthctl.redact import redact

    failure = database_failure("The database refused what promthctl asked of it", error, "see --verbose")
    hint = failure.hint.removesuffix("; see --verbose")
    return type(failure)(failure.what, redact(failure.why), hint, code=failure.code)


def _usage_or_bug(output: Output, error: Exception, arguments: Sequence[str]) -> int:
    """Typer's errors about the command line; anything else is a bug, shown with its traceback under --verbose."""
    message = getattr(error, "format_message", None)
    if message is None and (refusal := _refused_by_database(error)):
        output.error(refusal)
        return refusal.exit_code
    if message is None:
        if output.verbose:
            import traceback

            output.say(traceback.format_exc())
        name = type(error).__name__
        hint = "run the same command again with --verbose and report what it prints"
        output.error(Bug("promthctl has a bug", f"{name}: {error}", hint))
        return 1
    if not message():  # no command given: Typer has shown the help
        return 2
    from promthctl.cli.mistakes import explained

    mistake = explained(error, arguments)
    mistake.code = "usage.command_line"
    output.error(mistake)
    return 2
