"""`promthctl migrations bundle`: the bundle, proven and written.

It is sent to a throw-away database as the dashboard's SQL editor would send it, and the catalog it leaves is compared
with the one that the Supabase CLI makes of the same files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from promthctl import schema, shadow
from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import Migration, supabase_folder
from promthctl.migration_set.bundle import MARK, compose
from promthctl.migration_set.problems import os_reason, shell_quote
from promthctl.migration_set.sync import replace_file
from promthctl.project_files import missing_folder
from promthctl.settings import Settings
from promthctl.steps import Steps

_NAME = "bundle.sql"


@dataclass(frozen=True)
class Bundle:
    """migrations: file names. transactions: how many it takes. file: where it is; None if `sql` has the text. proven:
    it was seen to make what the migrations make.
    """

    migrations: tuple[str, ...]
    transactions: int
    file: Path | None
    sql: str | None
    proven: bool


def bundle(settings: Settings, file: Path | None, force: bool, prove: bool, steps: Steps) -> Bundle:
    """Put together what push would apply to an empty database.

    file: where to write it, relative to the project; None for the text. force: overwrite any file. prove: False where
    the migrations need what no throw-away database has.
    Raises PromthctlError for migrations that cannot be used or cannot run in a transaction, RefusedError for a file
    that should not be overwritten, a folder that does not exist, and a bundle that does something else than the CLI.
    """
    plan = supabase_folder.plan_project_sync(settings, (), force=True, history=())
    if refusal := plan.refusal:
        raise refusal
    migrations = supabase_folder.expected_migrations(settings, plan)
    path = None if file is None else settings.project_dir / file.expanduser()
    if path is not None:
        folders = {migration.path.parent.resolve() for migration in migrations} | {plan.destination.resolve()}
        _check_destination(path, folders, force)
    sql, transactions = _proven(settings, migrations, steps) if prove else compose(migrations, each_alone=False)
    names = tuple(migration.filename for migration in migrations)
    if path is None:
        return Bundle(names, transactions, None, sql, prove)
    try:
        replace_file(path.resolve(), sql.encode())
    except OSError as error:
        hint = f"ls -ld {shell_quote(str(path.parent))} shows who owns the folder; choose one you may write to"
        raise PromthctlError(f"{path} cannot be written", os_reason(error), hint) from None
    return Bundle(names, transactions, path, None, prove)


def _proven(settings: Settings, migrations: Sequence[Migration], steps: Steps) -> tuple[str, int]:
    """In as few transactions as do what the CLI does."""
    import psycopg

    composed = compose(migrations, each_alone=False)
    try:
        expected = shadow.catalog_after_all(settings, migrations, steps)
    except PromthctlError as error:
        error.hint = f"promthctl migrations bundle --unproven does not try them; or {error.hint}"
        raise
    why = ""
    for sql, transactions in dict.fromkeys((composed, compose(migrations, each_alone=True))):
        try:
            actual = shadow.catalog_after_script(settings, sql, steps)
        except psycopg.Error as error:
            why = why or (error.diag.message_primary or str(error)).strip()
            continue
        different = schema.compare(expected, actual)
        if not different:
            return sql, transactions
        shown = ", ".join(f"{one.state} {one.kind}: {one.name}" for one in different[:3])
        why = why or f"it leaves another schema than the Supabase CLI: {shown}"
    raise RefusedError(
        "No bundle was made", f"tried on a throw-away database: {why}", "promthctl push applies the files"
    )


def _check_destination(path: Path, folders: Iterable[Path], force: bool) -> None:
    """Raise RefusedError if a bundle would be taken for a migration, or somebody's work would be lost."""
    what = f"{path} was not written"
    if not path.parent.is_dir():
        raise RefusedError(what, *missing_folder(path.parent))
    if path.parent.resolve() in folders:
        raise RefusedError(
            what, "the Supabase CLI would take it for a migration there", f"promthctl migrations bundle {_NAME}"
        )
    if not path.exists():
        return
    if not path.is_file():
        raise RefusedError(what, "it is not a file", f"promthctl migrations bundle {shell_quote(str(path / _NAME))}")
    with path.open("rb") as file:
        ours = file.read(len(MARK)) == MARK.encode()
    if not ours and not force:
        raise RefusedError(
            what, "it exists already and is not a bundle", "choose another name, or overwrite it with --force"
        )
