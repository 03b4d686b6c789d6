"""promthctl local snapshot …"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count, size
from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.engines import Snapshot
    from promthctl.local_stack.snapshots import RemovedSnapshot, RestoredSnapshot, SnapshotList


def listed(result: SnapshotList) -> Iterator[RenderableType]:
    if result.snapshots:
        shown = table("Name", "Made (UTC)", "Size", "Migrations", "Why")
        for one in result.snapshots:
            applied = "?" if one.applied is None else str(len(one.applied))
            shown.add_row(*map(escape, (one.name, _time(one.made_at), size(one.bytes), applied, one.reason)))
        yield shown
        yield f"{count(len(result.snapshots), 'snapshot')}, {size(sum(one.bytes for one in result.snapshots))} on disk"
    else:
        yield "There are no snapshots yet: promthctl local snapshot save NAME makes one."
    if result.kept:
        yield (
            f"Kept from before the last reset or restore, {_time(result.kept.kept_at)}: {size(result.kept.bytes)} "
            "(promthctl local reset --undo)"
        )


def saved(result: Snapshot) -> Iterator[RenderableType]:
    yield f"[bold green]Saved[/bold green] the local database as {escape(result.name)} ({size(result.bytes)})."
    yield "To come back to it:"
    yield f"  promthctl local snapshot restore {escape(result.name)}"


def restored(result: RestoredSnapshot) -> Iterator[RenderableType]:
    yield (
        f"[bold green]Restored[/bold green] {escape(result.name)} to {escape(result.target)}: "
        f"{count(len(result.applied), 'migration')} applied, {count(result.tables, 'table')}"
    )
    if result.kept:
        yield f"The database that was in use is kept ({size(result.kept.bytes)}); to bring it back:"
        yield "  promthctl local reset --undo"


def removed(result: RemovedSnapshot) -> Iterator[RenderableType]:
    yield f"Removed the snapshot {escape(result.name)} ({size(result.bytes)})."


def _time(made_at: str) -> str:
    return made_at[:19].replace("T", " ")
