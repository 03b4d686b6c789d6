"""The rows that a reset takes, exported first, as a rollback's are: `promthctl rollback --restore` puts them back.

Tables that no migration makes get a backup of their own, so that those of the others can be restored without them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl.backups.folder import backups_folder
from promthctl.backups.manifest import Manifest, SavedColumn, SavedSequence, SavedTable, UndoneMigration
from promthctl.backups.writing import BackupWriter, new_backup, slug
from promthctl.database.transactions import ChangeTransaction, changing
from promthctl.migration_set import Migration
from promthctl.resetting.contents import TableRows
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg

_COLUMNS = """
select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a
 where a.attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) and a.attnum > 0 and not a.attisdropped
   and a.attgenerated = ''
 order by a.attnum"""
_SEQUENCES = "select schemaname, sequencename, last_value from pg_sequences where last_value is not null"


def save_rows(
    settings: Settings,
    target: Target,
    tables: Sequence[TableRows],
    made_by_migrations: frozenset[tuple[str, str]],
    undone: Sequence[Migration],
    steps: Steps,
) -> tuple[Path, ...]:
    """Export the tables that have rows; the folders of the backups, complete and on disk.

    made_by_migrations: the tables that are there again after the reset. undone: the migrations of the target's history.
    Raises PromthctlError when a table cannot be read as a whole, or a backup cannot be written.
    """
    again = [table for table in tables if (table.schema, table.name) in made_by_migrations]
    others = [table for table in tables if table not in again]
    StateDir(settings.state_dir).make()
    made = []
    with changing(target, f"{target.label} was not reset: its rows could not be exported", steps, keep=False) as change:
        _lock(change.connection, tables)
        for part, suffix in ((again, ""), (others, "-by-hand")):
            if not part:
                continue
            with new_backup(backups_folder(settings)) as writer:
                saved = _export(change, part, writer, steps)
                if saved:
                    made.append(
                        writer.complete(_manifest(change.connection, target, saved, undone), _name(target, suffix))
                    )
    return tuple(made)


def _lock(connection: psycopg.Connection[Any], tables: Iterable[TableRows]) -> None:
    """All of them as they are at one moment; others may go on reading."""
    from psycopg import sql

    names = [sql.Identifier(table.schema, table.name) for table in tables if table.dropped]
    if names:
        connection.execute(sql.SQL("lock table {} in share mode").format(sql.SQL(", ").join(names)))


def _export(
    change: ChangeTransaction, tables: Iterable[TableRows], writer: BackupWriter, steps: Steps
) -> tuple[SavedTable, ...]:
    saved = []
    for table in tables:
        rows = change.connection.execute(_COLUMNS.encode(), [table.schema, table.name]).fetchall()
        columns = [SavedColumn(str(name), str(kind)) for name, kind in rows]
        if not columns:
            continue
        with steps.step(f"Exporting {table.label}") as update:
            made = writer.export_table(change.connection, table.schema, table.name, columns, table.partitioned, update)
        if made.rows:
            saved.append(replace(made, dropped=True))
        else:
            writer.forget(made)
    return tuple(saved)


def _manifest(
    connection: psycopg.Connection[Any], target: Target, saved: tuple[SavedTable, ...], undone: Sequence[Migration]
) -> Manifest:
    schemas = {table.schema for table in saved}
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=target.label,
        server=connection.info.server_version,
        undone=tuple(UndoneMigration(one.version, one.filename, one.sha256) for one in reversed(undone)),
        tables=saved,
        sequences=tuple(
            SavedSequence(str(schema), str(name), int(value))
            for schema, name, value in connection.execute(_SEQUENCES.encode()).fetchall()
            if schema in schemas
        ),
    )


def _name(target: Target, suffix: str) -> str:
    """<UTC time>-<target>-reset, so that names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{slug(target.name)}-reset{suffix}"
