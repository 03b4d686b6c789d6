"""Down scripts: read, cut into statements, refused when they could not run in one transaction, and run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.database.lock_waits import LockWatch
from promthctl.database.transactions import ChangeTransaction, database_failure
from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import Migration
from promthctl.migration_set.creating import is_unwritten
from promthctl.migration_set.folder import down_path
from promthctl.sql.statements import NotSqlError, Statement, parse_statements
from promthctl.sql.tokens import line_at
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_SHOWN_LINES = 6


@dataclass(frozen=True)
class DownScript:
    """What undoes one migration."""

    migration: Migration
    path: Path
    sql: str = field(repr=False)
    statements: tuple[Statement, ...] = field(repr=False)


def read_down_scripts(migrations: Iterable[Migration], applied_whole: Path) -> tuple[DownScript, ...]:
    """The down scripts of these migrations, in the same order.

    applied_whole: supabase/migrations, where no down script may be. Raises RefusedError for a missing one, and for a
    statement that cannot be part of one transaction; PromthctlError for a file that cannot be read or is not SQL.
    """
    wanted = list(migrations)
    if without := [migration for migration in wanted if migration.down is None]:
        raise _missing(without, applied_whole)
    return tuple(_read(migration, migration.down) for migration in wanted if migration.down is not None)


def run_down_scripts(change: ChangeTransaction, scripts: Iterable[DownScript], target: Target) -> None:
    """Run them as part of the transaction. Raises PromthctlError that names the file, line and statement."""
    import psycopg

    for script in scripts:
        for number, statement in enumerate(script.statements):
            try:
                change.connection.execute(statement.text.encode(), prepare=False)
            except psycopg.Error as error:
                if change.connection.broken:
                    raise
                what = f"{script.path.name} could not be run on {target.label}"
                raise _failed(what, script, number, error, change.watch) from None
        change.connection.execute("set constraints all immediate")  # deferred ones are checked too
        change.settle()  # a script's settings end with it, as when the CLI applies migrations


def _failed(what: str, script: DownScript, number: int, error: psycopg.Error, watch: LockWatch) -> PromthctlError:
    """number: of the statement, from 0."""
    statement, line = script.statements[number], script.statements[number].line
    if error.diag.statement_position:
        line = line_at(script.sql, statement.start + int(error.diag.statement_position) - 1)
    made = database_failure(what, error, "nothing was changed", f"line {line}, statement {number + 1}: ", watch)
    rows = statement.text.splitlines()
    if len(rows) > _SHOWN_LINES:
        rows = [*rows[:_SHOWN_LINES], "…"]
    made.why += "".join(f"\n    {row}" for row in rows)
    return made


def _missing(migrations: Sequence[Migration], applied_whole: Path) -> RefusedError:
    names = ", ".join(migration.filename for migration in migrations)
    versions = " ".join(sorted(migration.version for migration in migrations))
    places = ", ".join(str(down_path(migration, applied_whole)) for migration in migrations)
    hint = f"promthctl migrations down {versions} writes and tries what the schemas tell; or write {places}"
    return RefusedError(
        "Nothing was rolled back", f"{names} {'has' if len(migrations) == 1 else 'have'} no down script", hint
    )


def _read(migration: Migration, path: Path) -> DownScript:
    try:
        sql = path.read_text(encoding="utf-8-sig")
        statements = parse_statements(sql)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise PromthctlError(f"{path} cannot be read", why, f"correct {path} and run again") from None
    except NotSqlError as error:
        raise PromthctlError(f"{path} is not SQL", str(error), f"correct {path} and run again") from None
    if is_unwritten(sql, f"{migration.version}_{migration.name}"):
        hint = (
            f"promthctl migrations down {migration.version} writes what undoes {migration.filename};"
            f" or write it into {path}, or a comment, if nothing has to be undone"
        )
        raise RefusedError("Nothing was rolled back", f"{path.name} has not been written yet", hint)
    for statement in statements:
        why = "BEGIN and COMMIT would end the transaction half-way" if statement.brackets else statement.alone
        if why:
            raise RefusedError(
                "Nothing was rolled back",
                f"{path.name}, line {statement.line}: {why}",
                f"take it out of {path}: the scripts run in one transaction that promthctl begins and commits",
            )
    return DownScript(migration, path, sql, statements)
