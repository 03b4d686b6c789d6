"""promthctl dump: a database as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import with_target
from promthctl.errors import UsageError
from promthctl.resolve.choice import TargetChoice

app = typer.Typer(add_completion=False)


@app.command("dump")
@with_target
def command(
    context: typer.Context,
    choice: TargetChoice,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file: .sql, or .sql.gz to compress it.")],
    data_only: Annotated[bool, typer.Option("--data-only", help="Rows alone, without the history.")] = False,
    schema_only: Annotated[bool, typer.Option("--schema-only", help="The schema and the history alone.")] = False,
    include_auth: Annotated[bool, typer.Option("--include-auth", help="Also the rows of the schema auth.")] = False,
    include_storage: Annotated[
        bool, typer.Option("--include-storage", help="Also the rows of the schema storage; files are not in them.")
    ] = False,
) -> None:
    """Write a database to a file with pg_dump: the schema, the rows and the migration history.

    What the platform makes itself (auth, storage, vault, extensions …) is left out. The file can be read by you alone
    and is read back before it gets its name. `promthctl local clone --file FILE` makes the local stack of it.
    """
    from promthctl.copies.dumping import DumpOptions, dump
    from promthctl.views import copies as views

    run: Invocation = context.obj
    if data_only and schema_only:
        raise UsageError("--data-only and --schema-only exclude each other", "nothing would be left", "leave one out")
    if schema_only and (include_auth or include_storage):
        why = "--include-auth and --include-storage ask for rows"
        raise UsageError("--schema-only writes no rows", why, "leave --schema-only out")
    options = DumpOptions(not data_only, not schema_only, include_auth, include_storage)
    path = run.typed_path(file)
    path = path if path.is_absolute() else run.settings.project_dir / path
    run.output.show(dump(run.settings, run.target(choice, migrations=False), path, options, run.output), views.dumped)
