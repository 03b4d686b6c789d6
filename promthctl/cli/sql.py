"""promthctl sql: SQL on any target, reading only unless --write."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.errors import UsageError
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(add_completion=False)

_SHOWN = 100  # rows in a terminal


@app.command("sql")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    sql: Annotated[
        str | None, typer.Argument(metavar="[SQL]", help="One statement or more. [default: standard input]")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="FILE", help="A file with the SQL; - is standard input.")
    ] = None,
    caller: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="WHO", help="A role, as anon or authenticated; or a user, by their e-mail address or id."
        ),
    ] = None,
    writes: Annotated[bool, typer.Option("--write", help="Let it change the database, in one transaction.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help=f"At most N rows of each result; 0 for all. [default: {_SHOWN} in a terminal, else 0]",
        ),
    ] = None,
) -> None:
    """Run SQL on a target and show what it gives.

    Without --write it runs in a read-only transaction that is rolled back: PostgreSQL refuses whatever would change
    the database, and what would end that transaction is refused before. What a function does outside of the database
    is not held back. With --write all of it is one transaction; except on the local stack you are asked.

    \b
      promthctl sql "select * from notes" --as me@example.com
      promthctl sql -f report.sql --csv --target live > report.csv
    """
    from promthctl import querying
    from promthctl.redact import redact
    from promthctl.views import sql as views

    run: Invocation = context.obj
    if as_csv and run.output.as_json:
        raise UsageError("--csv and --json exclude each other", "there is one output", "leave one of them out")
    text, place = _typed(run, sql, file)
    script = querying.read_script(text, place)
    target = run.target(choice, migrations=False)
    table = not (as_csv or run.output.as_json)
    shown = limit if limit is not None else _SHOWN if table and sys.stdout.isatty() else 0
    if writes:
        if not target.local:
            run.confirm(f"Run this SQL, which may change {target.label}?", "The SQL was not run")
        result = querying.write(target, script, caller, shown or None, run.output)
    else:
        result = querying.read(target, script, caller, shown or None)
    if as_csv:
        run.output.verbatim(redact(views.csv(result)))
    elif run.output.as_json:
        run.output.show(views.for_programs(result), lambda _: ())
    else:
        run.output.show(result, views.sql)


def _typed(run: Invocation, sql: str | None, file: Path | None) -> tuple[str, str]:
    """The SQL, and the file that it comes from. Raises UsageError for none, for two, and for what is not text."""
    if sql is not None and file is not None:
        raise UsageError("There is more than one SQL", "it was typed, and --file names one", "leave one of them out")
    if (sql is None and file is None and sys.stdin.isatty()) or sql == "":
        raise UsageError("There is no SQL", "it is neither typed nor piped in", 'promthctl sql "select 1"')
    if sql not in (None, "-"):
        return str(sql), ""
    try:
        if file is None or str(file) == "-":
            return sys.stdin.read(), ""
        return run.typed_path(file).read_text(encoding="utf-8-sig"), str(file)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        place = str(file or "Standard input")
        raise UsageError(f"{place} cannot be read", why, "name another file: promthctl sql -f FILE") from None
