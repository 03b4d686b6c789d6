"""promthctl local clone: the local stack as a copy of a database or of a backup."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promthctl.cli.invocation import Invocation
from promthctl.cli.options import DatabaseUrl, ProjectRef, TargetName
from promthctl.errors import UsageError
from promthctl.quantities import count, size
from promthctl.resolve.choice import TargetChoice

if TYPE_CHECKING:
    from promthctl.local_stack.copying import Amount

_EXAMPLE = "promthctl local clone --db-url URL, or --project-ref REF, or --file backup.sql.gz"


def clone(
    context: typer.Context,
    project_ref: ProjectRef = None,
    db_url: DatabaseUrl = None,
    target_name: TargetName = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="A backup as SQL, plain or .gz, with its rows.")
    ] = None,
    data: Annotated[bool, typer.Option("--data", help="With the rows, and the users of Auth.")] = False,
    sample: Annotated[
        int | None,
        typer.Option("--sample", metavar="N", min=1, help="N rows of each table, and the rows that these refer to."),
    ] = None,
    mask: Annotated[
        list[str] | None,
        typer.Option("--mask", metavar="TABLE.COLUMN,…", help="Columns whose values do not leave the source."),
    ] = None,
    with_passwords: Annotated[
        bool, typer.Option("--with-passwords", help="With the users' passwords, as Auth keeps them.")
    ] = False,
) -> None:
    """Make the local stack a copy of a database: its migration history, its schema, and with --data its rows.

    What was there is kept: `local reset --undo` brings it back. Nothing is changed where anything of it fails. Files of
    Storage are not copied. A --file is a dump for psql, as `promthctl dump` writes it or the dashboard gives it.
    """
    from promthctl import engines
    from promthctl.copies.masks import read_wanted
    from promthctl.local_stack.clone import CloneOptions, clone_database, clone_file
    from promthctl.resolve.production import announcement
    from promthctl.views import copies as views

    run: Invocation = context.obj
    choice = TargetChoice(False, project_ref, db_url, target_name)
    remote = any((project_ref, db_url, target_name))
    if remote == (file is not None):
        why = "a database and --file exclude each other" if remote else "neither a database nor a file is named"
        raise UsageError("What is to be cloned is not clear", why, _EXAMPLE)
    if file is not None and sample is not None:
        raise UsageError("--file and --sample exclude each other", "a file is read as it is", "leave --sample out")
    rows = data or file is not None
    if not rows and (sample is not None or mask or with_passwords):
        why = "--sample, --mask and --with-passwords are about rows"
        raise UsageError("Without --data no rows are copied", why, "add --data")
    options = CloneOptions(rows, sample, read_wanted(mask or ()), with_passwords)
    engine = engines.current(run.settings)
    if file is not None:
        path = run.settings.project_dir / run.typed_path(file)
        run.output.note(announcement("the local stack"))
        run.output.show(clone_file(run.settings, engine, path, options, run.output), views.cloned)
        return
    source = run.remote_target(choice)
    assert source is not None

    def agree(amount: Amount) -> None:
        rows = "rows" if amount.rows is None else f"about {count(amount.rows, 'row')}"
        question = f"Copy {rows} of {count(amount.tables, 'table')} ({size(amount.size)}) to this machine?"
        run.confirm(question, "Nothing was copied")

    run.output.show(clone_database(run.settings, engine, source, options, agree, run.output), views.cloned)
