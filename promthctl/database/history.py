"""The migration history that the Supabase CLI keeps in a target: read, never written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from promthctl.database.connection import connect
from promthctl.migration_set import HistoryEntry
from promthctl.targets import Target

if TYPE_CHECKING:
    import psycopg


def fetch_history(target: Target) -> dict[str, HistoryEntry]:
    """The migration history by version; empty if no migration was ever applied. Raises as connect does."""
    with connect(target) as connection:
        return read_history(connection)


def read_history(connection: psycopg.Connection[Any]) -> dict[str, HistoryEntry]:
    """See fetch_history. Source of the table's form: pkg/migration/history.go of the Supabase CLI."""
    found = connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone()
    if found is None or found[0] is None:
        return {}
    rows = connection.execute(
        "select version, coalesce(name, ''), coalesce(statements, '{}')"
        " from supabase_migrations.schema_migrations order by version"
    )
    return {str(version): HistoryEntry(str(version), str(name), tuple(lines)) for version, name, lines in rows}
