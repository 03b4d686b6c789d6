"""Puts a backup back into its tables: everything in one transaction, or nothing.

Triggers of the tables stay silent meanwhile, so that a trigger on updated_at does not change what is restored.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from promthctl.backups import present
from promthctl.backups.folder import Backup
from promthctl.backups.manifest import SPELLING, SavedSequence, SavedTable
from promthctl.backups.present import Current, Link
from promthctl.database.transactions import changing, failure, undisturbed
from promthctl.errors import PromthctlError, RefusedError
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

    from promthctl.backups.loading import Conflict

Conflicts = Literal["stop", "keep", "replace"]

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
    """rows: in the backup. inserted, updated: of them. left: those that were left out. note: why none came in."""

    name: str
    rows: int
    inserted: int = 0
    updated: int = 0
    left: int = 0
    note: str = ""


@dataclass(frozen=True)
class RestoreResult:
    """conflicts: what was in the way, a sentence each. replaced: rows with other values gave way; else they stayed."""

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

    conflicts: what becomes of rows that are there with other values, or that refer to rows which are gone: "stop"
    refuses the whole restore and names them, "keep" leaves the target's rows as they are, "replace" lets the backup's
    win; both leave out what refers to gone rows. Raises RefusedError for conflicts and where tables or columns are
    missing, PromthctlError when the database refuses; then nothing was written.
    """
    what = f"The restore to {target.label} failed"
    saved = backup.manifest.tables
    with undisturbed(settings, target, steps), changing(target, what, keep=not dry_run) as change:
        connection = change.connection
        connection.execute(SPELLING.encode())
        now = present.tables(connection, saved)
        if missing := present.missing(saved, now):
            raise _incomplete(target, missing)
        _lock(connection, saved)
        links = present.links(connection, now)
        order = _order(saved, now, links)
        with _silent(connection, now.values()), _deferred(connection, order, now, links):
            done, met, waiting = [], [], {current.oid for current in now.values()}
            for table in order:
                waiting.discard(oid := now[table.label].oid)
                known = [link for link in links if link.child == oid and link.parent not in waiting]
                with steps.step(f"Restoring {table.label}"):
                    restored, found = _load(connection, backup, table, now[table.label], known, conflicts, what)
                done.append(restored)
                met += found
            if met and conflicts == "stop":
                raise _refused(target, backup, met)
        if not dry_run:
            _advance(connection, backup.manifest.sequences)
    told = tuple(one.text for one in met)
    return RestoreResult(target.label, backup.path.name, tuple(done), told, conflicts == "replace", dry_run)


def _load(
    connection: psycopg.Connection[Any],
    backup: Backup,
    saved: SavedTable,
    now: Current,
    links: Sequence[Link],
    conflicts: Conflicts,
    what: str,
) -> tuple[RestoredTable, list[Conflict]]:
    """One table; with "stop", what is not in the way is loaded all the same, so that other tables' rows find it."""
    import psycopg

    from promthctl.backups.loading import Loading

    loading = Loading(connection, saved, now, conflicts == "replace")
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
        found = loading.orphans(links)
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
        made = failure(what, error, "nothing was written", f"{saved.label}: ")
        if isinstance(error, psycopg.errors.UniqueViolation):
            made.hint = (
                "a row with another key has that value: change it, or pass over the backup's with --conflicts keep"
            )
        raise made from None
    return RestoredTable(saved.label, saved.rows, inserted, updated, left), found


def _incomplete(target: Target, missing: Iterable[str]) -> RefusedError:
    return RefusedError(
        f"Nothing was restored to {target.label}",
        f"it lacks what the backup's rows belong to: {', '.join(missing)}",
        f"bring it back first, promthctl push{command_line_options(target)}, then run the same command again",
    )


def _lock(connection: psycopg.Connection[Any], tables: Iterable[SavedTable]) -> None:
    """Nobody else writes to them until we are done; reading goes on."""
    from psycopg import sql

    names = sql.SQL(", ").join(sql.Identifier(table.schema, table.name) for table in tables)
    connection.execute(sql.SQL("lock table {} in share row exclusive mode").format(names))


def _order(tables: Sequence[SavedTable], now: Mapping[str, Current], links: Sequence[Link]) -> list[SavedTable]:
    """Parents before their children; where they go round in a circle, somewhere in it."""
    by_oid = {now[table.label].oid: table for table in tables}
    ordered: dict[int, SavedTable] = {}
    entered: set[int] = set()

    def visit(oid: int) -> None:
        if oid in entered or oid not in by_oid:
            return
        entered.add(oid)
        for link in links:
            if link.child == oid:
                visit(link.parent)
        ordered[oid] = by_oid[oid]

    for oid in by_oid:
        visit(oid)
    return list(ordered.values())


@contextmanager
def _deferred(
    connection: psycopg.Connection[Any], order: Sequence[SavedTable], now: Mapping[str, Current], links: Sequence[Link]
) -> Iterator[None]:
    """The foreign keys that close a circle are checked at the end of the block; then they are as they were."""
    from psycopg import sql

    place = {now[table.label].oid: number for number, table in enumerate(order)}
    labels = {now[table.label].oid: sql.Identifier(table.schema, table.name) for table in order}
    late = [link for link in links if place.get(link.parent, -1) > place[link.child]]

    def alter(link: Link, text: str) -> None:
        statement = sql.SQL("alter table {} alter constraint {} {}").format(
            labels[link.child], sql.Identifier(link.name), sql.SQL(text)
        )
        connection.execute(statement)

    for link in late:
        alter(link, "deferrable initially deferred")
    yield
    connection.execute("set constraints all immediate")
    for link in late:
        when = "initially deferred" if link.deferred else "initially immediate"
        alter(link, f"deferrable {when}" if link.deferrable else "not deferrable")


@contextmanager
def _silent(connection: psycopg.Connection[Any], tables: Iterable[Current]) -> Iterator[None]:
    """The tables' own triggers do not fire; session_replication_role would need a superuser.

    Those of tables that we do not own cannot be silenced. On an error the transaction takes it all back.
    """
    from psycopg import sql

    oids = [table.oid for table in tables if table.owned]
    found = connection.execute(_TRIGGERS, {"oids": oids}).fetchall()

    def alter(words: str, schema: str, table: str, trigger: str) -> None:
        text = sql.SQL("alter table only {} {} {}")
        connection.execute(text.format(sql.Identifier(schema, table), sql.SQL(words), sql.Identifier(trigger)))

    for schema, table, trigger, _ in found:
        alter("disable trigger", schema, table, trigger)
    yield
    for schema, table, trigger, state in found:
        alter(_ENABLE[str(state)], schema, table, trigger)


def _advance(connection: psycopg.Connection[Any], sequences: Iterable[SavedSequence]) -> None:
    """Sequences go on from where they were; never back, and last of all: this no transaction takes back."""
    for sequence in sequences:
        connection.execute(
            "select setval(format('%%I.%%I', schemaname, sequencename), case when increment_by < 0"
            " then least(%(value)s, last_value) else greatest(%(value)s, last_value) end)"
            " from pg_sequences where schemaname = %(schema)s and sequencename = %(name)s",
            {"value": sequence.last_value, "schema": sequence.schema, "name": sequence.name},
        )


def _refused(target: Target, backup: Backup, conflicts: Iterable[Conflict]) -> RefusedError:
    again = f"promthctl rollback --restore {backup.path.name}{command_line_options(target)}"
    return RefusedError(
        f"Nothing was restored to {target.label}",
        "\n".join(one.text for one in conflicts),
        f"{again} --conflicts replace lets the backup's rows win\n"
        f"{again} --conflicts keep leaves the target's rows as they are\n"
        "either leaves out what refers to rows that are gone",
    )
