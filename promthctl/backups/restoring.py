"""Puts a backup back into its tables: everything in one transaction, or nothing.

The tables' triggers are disabled meanwhile, so that a trigger on updated_at does not change what is restored.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.backups import Conflicts
from promthctl.backups.folder import Backup
from promthctl.backups.manifest import SPELLING, SavedSequence, SavedTable
from promthctl.backups.present_tables import (
    ForeignKey,
    PresentTable,
    missing_parts,
    read_foreign_keys,
    read_present_tables,
)
from promthctl.database.transactions import changing, database_failure, undisturbed
from promthctl.errors import PromthctlError, RefusedError
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

    from promthctl.backups.loading import RowConflict


_CHUNK = 1 << 20
_TRIGGERS = """
select n.nspname, c.relname, t.tgname, t.tgenabled
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
 where not t.tgisinternal and t.tgenabled <> 'D'
   and c.oid in (select unnest(%(oids)s::oid[]) union
                 select (pg_partition_tree(o::oid)).relid from unnest(%(oids)s::oid[]) o)"""
_ENABLE = {"O": "enable trigger", "R": "enable replica trigger", "A": "enable always trigger"}


@dataclass(frozen=True)
class RestoredTable:
    """rows: those in the backup. inserted, updated: of them. left: those left out. note: why none was restored."""

    name: str
    rows: int
    inserted: int = 0
    updated: int = 0
    left: int = 0
    note: str = ""


@dataclass(frozen=True)
class RestoreResult:
    """conflicts: a sentence each. replaced: rows with other values were replaced; otherwise they were kept."""

    target: str
    backup: str
    tables: tuple[RestoredTable, ...]
    conflicts: tuple[str, ...]
    replaced: bool = False
    dry_run: bool = False


def restore(
    settings: Settings, target: Target, backup: Backup, conflicts: Conflicts, dry_run: bool, steps: Steps
) -> RestoreResult:
    """Put the rows of a checked backup back.

    conflicts: what happens to rows that are there with other values, or that refer to rows which are gone: "stop"
    refuses the whole restore and names them, "keep" leaves the target's rows as they are, "replace" lets the backup's
    win; both leave out what refers to gone rows. Raises RefusedError for conflicts and where tables or columns are
    missing, PromthctlError when the database refuses; then nothing was written.
    """
    what = f"The restore to {target.label} failed"
    saved = backup.manifest.tables
    with undisturbed(settings, target, steps), changing(target, what, steps, keep=not dry_run) as change:
        connection = change.connection
        connection.execute(SPELLING.encode())
        now = read_present_tables(connection, saved)
        if missing := missing_parts(saved, now):
            raise _incomplete(target, missing)
        _lock(connection, saved)
        foreign_keys = read_foreign_keys(connection, now)
        order = _order(saved, now, foreign_keys)
        with _without_triggers(connection, now.values()), _deferred(connection, order, now, foreign_keys):
            done, met, waiting = [], [], {current.oid for current in now.values()}
            for table in order:
                waiting.discard(oid := now[table.label].oid)
                known = [key for key in foreign_keys if key.child == oid and key.parent not in waiting]
                with steps.step(f"Restoring {table.label}"):
                    restored, found = _load(connection, backup, table, now[table.label], known, conflicts, what)
                done.append(restored)
                met += found
            if met and conflicts == "stop":
                raise _refused(target, backup, met)
        if not dry_run:
            _advance_sequences(connection, backup.manifest.sequences)
    texts = tuple(one.text for one in met)
    return RestoreResult(target.label, backup.path.name, tuple(done), texts, conflicts == "replace", dry_run)


def _load(
    connection: psycopg.Connection[Any],
    backup: Backup,
    saved: SavedTable,
    now: PresentTable,
    foreign_keys: Sequence[ForeignKey],
    conflicts: Conflicts,
    what: str,
) -> tuple[RestoredTable, list[RowConflict]]:
    """One table; with "stop", rows without a conflict are loaded too, so that other tables' rows can refer to them."""
    import psycopg

    from promthctl.backups.loading import TableLoading

    loading = TableLoading(connection, saved, now, conflicts == "replace")
    try:
        loading.stage()
        with connection.cursor() as cursor, cursor.copy(loading.copy()) as copy, gzip.open(backup.file(saved)) as rows:
            while chunk := rows.read(_CHUNK):
                copy.write(chunk)
        if (staged := loading.staged()) != saved.rows:
            why = f"{saved.file} holds {staged} rows, its manifest says {saved.rows}"
            raise PromthctlError(what, why, "nothing was written; take an undamaged copy of the backup")
        if now.extension and not loading.vacant():
            loading.unstage()
            note = f"its rows are left to the extension {now.extension}"
            return RestoredTable(saved.label, saved.rows, left=saved.rows, note=note), []
        if strange := loading.without_key():
            loading.unstage()
            return RestoredTable(saved.label, saved.rows, left=saved.rows, note=strange.why), [strange]
        found = loading.orphans(foreign_keys)
        left = sum(one.rows for one in found)
        if differing := loading.differing():
            found.append(differing)
            left += 0 if conflicts == "replace" else differing.rows
        updated = loading.update()
        inserted = loading.insert(leave=conflicts == "keep")
        left += loading.absent()
        loading.unstage()
    except psycopg.Error as error:
        if connection.broken:
            raise
        made = database_failure(what, error, "nothing was written", f"{saved.label}: ")
        if isinstance(error, psycopg.errors.UniqueViolation):
            made.hint = (
                "a row with another key has that value: change it, or pass over the backup's with --conflicts keep"
            )
        raise made from None
    return RestoredTable(saved.label, saved.rows, inserted, updated, left), found


def _incomplete(target: Target, missing: Iterable[str]) -> RefusedError:
    return RefusedError(
        f"Nothing was restored to {target.label}",
        f"it does not have what the backup's rows belong to: {', '.join(missing)}",
        f"create it again first, promthctl push{command_line_options(target)}, then run the same command again",
    )


def _lock(connection: psycopg.Connection[Any], tables: Iterable[SavedTable]) -> None:
    """Nobody else writes to them until we are done; reading goes on."""
    from psycopg import sql

    names = sql.SQL(", ").join(sql.Identifier(table.schema, table.name) for table in tables)
    connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(names))


def _order(
    tables: Sequence[SavedTable], now: Mapping[str, PresentTable], foreign_keys: Sequence[ForeignKey]
) -> list[SavedTable]:
    """Parents before their children; a cycle is entered at any of its tables."""
    by_oid = {now[table.label].oid: table for table in tables}
    ordered: dict[int, SavedTable] = {}
    entered: set[int] = set()

    def visit(oid: int) -> None:
        if oid in entered or oid not in by_oid:
            return
        entered.add(oid)
        for foreign_key in foreign_keys:
            if foreign_key.child == oid:
                visit(foreign_key.parent)
        ordered[oid] = by_oid[oid]

    for oid in by_oid:
        visit(oid)
    return list(ordered.values())


@contextmanager
def _deferred(
    connection: psycopg.Connection[Any],
    order: Sequence[SavedTable],
    now: Mapping[str, PresentTable],
    foreign_keys: Sequence[ForeignKey],
) -> Iterator[None]:
    """The foreign keys that close a cycle are checked at the end of the block; then they are as they were."""
    from psycopg import sql

    place = {now[table.label].oid: number for number, table in enumerate(order)}
    labels = {now[table.label].oid: sql.Identifier(table.schema, table.name) for table in order}
    late = [key for key in foreign_keys if place.get(key.parent, -1) > place[key.child]]

    def alter(foreign_key: ForeignKey, text: str) -> None:
        statement = sql.SQL("alter table {} alter constraint {} {}").format(
            labels[foreign_key.child], sql.Identifier(foreign_key.name), sql.SQL(text)
        )
        connection.execute(statement)

    for foreign_key in late:
        alter(foreign_key, "deferrable initially deferred")
    yield
    connection.execute("set constraints all immediate")
    for foreign_key in late:
        when = "initially deferred" if foreign_key.deferred else "initially immediate"
        alter(foreign_key, f"deferrable {when}" if foreign_key.deferrable else "not deferrable")


@contextmanager
def _without_triggers(connection: psycopg.Connection[Any], tables: Iterable[PresentTable]) -> Iterator[None]:
    """The tables' own triggers do not fire; session_replication_role would need a superuser.

    Those of tables that we do not own cannot be disabled. On an error the transaction takes everything back.
    """
    from psycopg import sql

    oids = [table.oid for table in tables if table.owned]
    found = connection.execute(_TRIGGERS, {"oids": oids}).fetchall()

    def alter(action: str, schema: str, table: str, trigger: str) -> None:
        text = sql.SQL("alter table only {} {} {}")
        connection.execute(text.format(sql.Identifier(schema, table), sql.SQL(action), sql.Identifier(trigger)))

    for schema, table, trigger, _ in found:
        alter("disable trigger", schema, table, trigger)
    yield
    for schema, table, trigger, state in found:
        alter(_ENABLE[str(state)], schema, table, trigger)


def _advance_sequences(connection: psycopg.Connection[Any], sequences: Iterable[SavedSequence]) -> None:
    """Sequences continue from where they were, never back. Done last of all: no transaction takes this back."""
    for sequence in sequences:
        connection.execute(
            "select setval(format('%%I.%%I', schemaname, sequencename), case when increment_by < 0"
            " then least(%(value)s, last_value) else greatest(%(value)s, last_value) end)"
            " from pg_sequences where schemaname = %(schema)s and sequencename = %(name)s",
            {"value": sequence.last_value, "schema": sequence.schema, "name": sequence.name},
        )


def _refused(target: Target, backup: Backup, conflicts: Iterable[RowConflict]) -> RefusedError:
    again = f"promthctl rollback --restore {backup.path.name}{command_line_options(target)}"
    return RefusedError(
        f"Nothing was restored to {target.label}",
        "\n".join(one.text for one in conflicts),
        f"{again} --conflicts replace lets the backup's rows win\n"
        f"{again} --conflicts keep leaves the target's rows as they are\n"
        "either leaves out what refers to rows that are gone",
    )
