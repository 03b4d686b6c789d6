"""promthctl rollback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.views.common import count, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.backups.folder import Backup, BackupRow
    from promthctl.backups.restoring import RestoreResult
    from promthctl.rollback import RollbackResult


def announced(result: RollbackResult) -> Iterator[str]:
    """What a rollback would do, as plain text: for --dry-run, and before the question."""
    yield f"{count(len(result.undone), 'migration')} would be undone on {result.target}, newest first:"
    yield from (f"  {name}" for name in result.undone)
    if not result.lost:
        yield "No table loses anything."
        return
    yield "What is lost:"
    for lost in result.lost:
        yield f"  {lost.name}: {lost.loses}, {lost.rows:,} {'row' if lost.rows == 1 else 'rows'}"
        if not lost.restorable:
            yield f"    its primary key does not stay: the exported rows cannot be put back while {lost.name} has rows"
    if result.backup:
        yield f"These tables are exported first, to {result.backup}"
    elif any(lost.rows for lost in result.lost):
        yield "No backup is made of these rows."


def rollback(result: RollbackResult) -> Iterator[RenderableType]:
    version = escape(result.to) if result.to else "none"
    if not result.undone:
        yield f"Nothing to do: no version newer than {version} is applied to {escape(result.target)}"
        return
    if result.dry_run:
        yield from map(escape, announced(result))
        return
    left = f"{version} is the newest version" if result.to else "no migration is left"
    yield f"[bold green]Rolled back[/bold green] {escape(result.target)}: {left}"
    yield from (f"  {escape(name)}" for name in result.undone)
    if result.backup:
        rows = sum(lost.rows for lost in result.lost)
        yield f"Exported before: {count(rows, 'row')} to {escape(str(result.backup))}"
    yield "To bring everything back:"
    yield from (f"  {escape(command)}" for command in result.again)


def backup(one: Backup) -> Iterator[str]:
    """What a backup holds, as plain text before the question."""
    manifest = one.manifest
    undone = ", ".join(migration.version for migration in manifest.undone)
    when = f"when {undone} was undone" if undone else "before a reset"
    yield f"Backup {one.path.name}: made {manifest.created}, of {manifest.target}, {when}"
    yield from (f"  {saved.label}: {count(saved.rows, 'row')}" for saved in manifest.tables)


def restore(result: RestoreResult) -> Iterator[RenderableType]:
    shown = table("Table", "Rows", "Inserted", "Updated", "Left out", "")
    for one in result.tables:
        shown.add_row(escape(one.name), *map(str, (one.rows, one.inserted, one.updated, one.left)), escape(one.note))
    yield shown
    if result.conflicts:
        outcome = "rows with other values are replaced, the others left out" if result.replaced else "left out"
        yield f"[yellow]Conflicts[/yellow] ({outcome}):"
    yield from (f"  {escape(conflict)}" for conflict in result.conflicts)
    verb = "Would restore" if result.dry_run else "Restored"
    yield f"[bold green]{verb}[/bold green] {escape(result.backup)} to {escape(result.target)}"


def backups(rows: Sequence[BackupRow]) -> Iterator[RenderableType]:
    if not rows:
        yield "There is no backup; promthctl rollback --to VERSION creates one."
        return
    shown = table("Backup", "Target", "Undone", "Tables", "Rows", "Bytes")
    for row in rows:
        if row.damaged:
            shown.add_row(escape(row.name), f"[red]{escape(row.damaged)}[/red]")
        else:
            cells = (row.target, ", ".join(row.undone), str(len(row.tables)), str(row.rows), str(row.bytes))
            shown.add_row(escape(row.name), *map(escape, cells))
    yield shown
