"""Undoing migrations: a plan made by trying; then export, down scripts and history in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promthctl import database
from promthctl.backups.folder import backups_folder
from promthctl.backups.manifest import Manifest, SavedColumn, SavedSequence, SavedTable, UndoneMigration
from promthctl.backups.writing import BackupWriter, new_backup, slug
from promthctl.database.transactions import ChangeTransaction, changing, undisturbed
from promthctl.errors import RefusedError, UsageError
from promthctl.migration_set import Migration, present_migrations, supabase_folder
from promthctl.migration_set.folder import DOWN_FOLDER, with_down_scripts
from promthctl.migration_set.squashed import find_squashes
from promthctl.push.squashes import check_recorded
from promthctl.rollback import losses, scripts
from promthctl.rollback.losses import Sequences, TableLoss
from promthctl.rollback.scripts import DownScript
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps
from promthctl.targets import Target, command_line_options

if TYPE_CHECKING:
    import psycopg

_HISTORY = "supabase_migrations.schema_migrations"


@dataclass(frozen=True)
class LostTable:
    """loses: "the table", or its columns, or rows. rows: how many it has. restorable: see TableLoss."""

    name: str
    loses: str
    rows: int
    restorable: bool


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback would do.

    applied: the target's history. undo: the down scripts, newest first. lost: what they take away, found by trying.
    backup: where that would be exported to; None if no table loses rows.
    """

    target: str
    to: str | None
    applied: tuple[str, ...]
    undo: tuple[DownScript, ...] = field(repr=False)
    losses: tuple[TableLoss, ...] = field(repr=False)
    lost: tuple[LostTable, ...]
    backup: Path | None


@dataclass(frozen=True)
class RollbackResult:
    """to: the newest version that stays, None when none does. undone: down scripts' names, newest first. backup: the
    folder with the lost tables' rows; None if they have none, or if no backup is wanted. again: the commands that bring
    everything back. In a dry run all of this is what would happen.
    """

    target: str
    to: str | None
    undone: tuple[str, ...]
    lost: tuple[LostTable, ...]
    backup: Path | None = None
    again: tuple[str, ...] = ()
    dry_run: bool = False


def plan_rollback(settings: Settings, target: Target, to: str, steps: Steps) -> RollbackPlan:
    """What a rollback would do, found by running the down scripts in a transaction that is taken back.

    to: the version that stays as the newest; "0" for none. Raises UsageError when the history has no such version,
    RefusedError for a version without its file or down script, PromthctlError when a script fails.
    """
    # Migrations that are only in supabase/migrations are in the history too.
    files = {
        file.version: file
        for file in (
            *with_down_scripts(present_migrations(settings.migrations_dir), settings.supabase_dir / DOWN_FOLDER),
            *supabase_folder.source_migrations(settings),
        )
    }
    with database.exclusive(target, steps):
        history = database.fetch_history(target)
        check_recorded(target, find_squashes(files.values(), history), "Nothing was rolled back")
        applied = tuple(history)
        stays = _version(target, to, applied)
        undo = scripts.read_down_scripts(_to_undo(files, applied, stays, target), settings.migrations_dir)
        if not undo:
            return RollbackPlan(target.label, stays, applied, (), (), (), None)
        with steps.step("Trying the down scripts"), changing(target, _failed(target), steps, keep=False) as change:
            before = losses.read_tables(change.connection)
            scripts.run_down_scripts(change, undo, target)
            found = losses.compare_tables(before, losses.read_tables(change.connection))
        with steps.step("Counting what would be lost"), changing(target, _failed(target), steps, keep=False) as change:
            change.connection.execute("set local row_security = off")  # fail rather than count a part
            lost = tuple(_lost(loss, _count(change.connection, loss)) for loss in found)
    path = backups_folder(settings) / _backup_name(target)
    return RollbackPlan(target.label, stays, applied, undo, found, lost, path if any(t.rows for t in lost) else None)


def preview_rollback(made: RollbackPlan, backup: bool) -> RollbackResult:
    """The plan as a result, for --dry-run and before the question."""
    path = made.backup if backup else None
    return RollbackResult(made.target, made.to, _names(made), made.lost, path, dry_run=True)


def roll_back(settings: Settings, target: Target, made: RollbackPlan, backup: bool, steps: Steps) -> RollbackResult:
    """Carry out a plan: everything in one transaction, the backup complete and on disk before its commit.

    backup: False to lose the rows. Raises RefusedError when the target is not as it was planned for.
    """
    if not made.undo:
        return RollbackResult(target.label, made.to, (), ())
    StateDir(settings.state_dir).make()
    with (
        undisturbed(settings, target, steps),
        new_backup(backups_folder(settings)) if backup else nullcontext() as writer,
        changing(target, _failed(target), steps, keep=True) as change,
    ):
        connection = change.connection
        _expect_history(connection, made)
        _lock(connection, made.losses)
        saved = _export(change, made.losses, writer, steps) if writer else {}
        before, counters = losses.read_tables(connection), losses.read_sequences(connection)
        with steps.step("Running the down scripts"):
            scripts.run_down_scripts(change, made.undo, target)
        found = losses.compare_tables(before, losses.read_tables(connection))
        _expect_losses(made, found)
        _shorten_history(connection, made)
        path = None
        if writer and saved:
            name = made.backup.name if made.backup else _backup_name(target)  # rows may have come since the plan
            path = writer.complete(_manifest(connection, made, found, saved, counters), name)
    database.confirm_history(target, f"The rollback of {target.label}", (), [s.migration.version for s in made.undo])
    rows = {label: table.rows for label, table in saved.items()}
    lost = made.lost if not backup else tuple(_lost(loss, rows.get(loss.table.label, 0)) for loss in found)
    again = [f"promthctl push{command_line_options(target)}"]
    if path:
        again.append(f"promthctl rollback --restore {path.name}{command_line_options(target)}")
    return RollbackResult(target.label, made.to, _names(made), lost, path, tuple(again))


def _version(target: Target, to: str, applied: Collection[str]) -> str | None:
    """The version of the history that `to` means: 1 is 001 if the history has that; 0 is none of them."""
    if to.isascii() and to.isdigit():
        for version in applied:
            if version.isdigit() and int(version) == int(to):
                return version
        if int(to) == 0:
            return None
    there = ", ".join(sorted(applied)) or "none"
    raise UsageError(
        f"There is nothing to roll back to: version {to} is not applied to {target.label}",
        f"the versions in its history: {there}",
        "promthctl rollback --to VERSION, one of these; it stays, what is newer goes; 0 undoes all",
    )


def _to_undo(
    files: Mapping[str, Migration], applied: Collection[str], to: str | None, target: Target
) -> list[Migration]:
    """The migrations to undo, newest first. Versions are ordered as text, as the Supabase CLI orders them."""
    if strange := sorted(set(applied) - set(files)):
        raise RefusedError(
            f"Nothing was rolled back on {target.label}",
            f"its history has versions that have no file here: {', '.join(strange)}",
            "add their files and down scripts here (from another branch?) and run it again;"
            " promthctl migrations list shows them",
        )
    return [files[version] for version in sorted(applied, reverse=True) if to is None or version > to]


def _expect_history(connection: psycopg.Connection[Any], made: RollbackPlan) -> None:
    """Lock the history, which must be as it was planned for: the Supabase CLI itself cannot add to it meanwhile."""
    connection.execute(f"lock table {_HISTORY} in share row exclusive mode".encode())
    now = {version for (version,) in connection.execute(f"select version from {_HISTORY}".encode())}  # noqa: S608
    if now != set(made.applied):
        raise _changed(made, "its history is not the one that the rollback was planned for")


def _expect_losses(made: RollbackPlan, found: Iterable[TableLoss]) -> None:
    planned = {(loss.table.label, loss.what) for loss in made.losses}
    if new := [f"{loss.table.label} ({loss.what})" for loss in found if (loss.table.label, loss.what) not in planned]:
        raise _changed(made, f"more would be lost than was planned: {', '.join(new)}")


def _changed(made: RollbackPlan, why: str) -> RefusedError:
    return RefusedError(
        f"Nothing was rolled back on {made.target}",
        f"somebody changed it meanwhile: {why}",
        "run the same command again",
    )


def _lock(connection: psycopg.Connection[Any], found: Iterable[TableLoss]) -> None:
    """No row may be written between the export and the down scripts.

    What they drop or alter is locked at once as strongly as they will: a second, stronger lock could deadlock.
    """
    from psycopg import sql

    for mode, whole in (("access exclusive", True), ("share row exclusive", False)):
        names = [
            sql.Identifier(loss.table.schema, loss.table.name)
            for loss in found
            if (loss.dropped or bool(loss.columns)) is whole
        ]
        if names:
            text = sql.SQL("lock table {} in {} mode").format(sql.SQL(", ").join(names), sql.SQL(mode))
            connection.execute(text)


def _export(
    change: ChangeTransaction, found: Iterable[TableLoss], writer: BackupWriter, steps: Steps
) -> Mapping[str, SavedTable]:
    """The tables that have rows, by name."""
    saved = {}
    for loss in found:
        table = loss.table
        columns = [SavedColumn(column.name, column.type) for column in table.columns.values()]
        with steps.step(f"Exporting {table.label}") as update:
            made = writer.export_table(change.connection, table.schema, table.name, columns, table.partitioned, update)
        if made.rows:
            saved[table.label] = made
        else:
            writer.forget(made)
    change.settle()  # the settings of the export must not reach the down scripts
    return saved


def _shorten_history(connection: psycopg.Connection[Any], made: RollbackPlan) -> None:
    """Take the versions out of the history.

    The one place where we write to what the Supabase CLI owns: `migration repair` would be a transaction of its own,
    and `migration down` drops everything and replays it.
    """
    versions = [script.migration.version for script in made.undo]
    connection.execute(f"delete from {_HISTORY} where version = any (%s)".encode(), (versions,))  # noqa: S608


def _manifest(
    connection: psycopg.Connection[Any],
    made: RollbackPlan,
    found: Iterable[TableLoss],
    saved: Mapping[str, SavedTable],
    before: Sequences,
) -> Manifest:
    from dataclasses import replace

    after = losses.read_sequences(connection)
    return Manifest(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        target=made.target,
        server=connection.info.server_version,
        undone=tuple(UndoneMigration(s.migration.version, s.migration.filename, s.migration.sha256) for s in made.undo),
        tables=tuple(
            replace(saved[loss.table.label], dropped=loss.dropped, lost=loss.columns, changed=loss.rows)
            for loss in found
            if loss.table.label in saved
        ),
        sequences=tuple(
            SavedSequence(schema, name, value)
            for (schema, name), value in before.items()
            if after.get((schema, name)) != value
        ),
    )


def _count(connection: psycopg.Connection[Any], loss: TableLoss) -> int:
    from psycopg import sql

    only = sql.SQL("" if loss.table.partitioned else "only")
    query = sql.SQL("select count(*) from {} {}").format(only, sql.Identifier(loss.table.schema, loss.table.name))
    ((number,),) = connection.execute(query).fetchall()
    return int(number)


def _lost(loss: TableLoss, rows: int) -> LostTable:
    return LostTable(loss.table.label, loss.what, rows, loss.restorable)


def _names(made: RollbackPlan) -> tuple[str, ...]:
    return tuple(script.path.name for script in made.undo)


def _backup_name(target: Target) -> str:
    """<UTC time>-<target>, so that names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{slug('local' if target.local else target.name)}"


def _failed(target: Target) -> str:
    return f"The rollback of {target.label} failed"
