"""promthctl migrations …"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.views.common import flag, foreign, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.migration_set import MigrationRow, SyncPlan


def sync(plan: SyncPlan) -> Iterator[RenderableType]:
    for word, names in (
        ("added", [migration.filename for migration in plan.added]),
        ("overwritten", [difference.migration.filename for difference in plan.overwritten]),
        ("renamed", [f"{rename.old} → {rename.migration.filename}" for rename in plan.renamed]),
        ("differs, and is applied", [difference.migration.filename for difference in plan.refused]),
        ("has the version of another file", [conflict.other for conflict in plan.conflicts]),
    ):
        yield from (f"{word}: {escape(name)}" for name in names)
    for difference in (*plan.overwritten, *plan.refused):
        yield escape(difference.diff)
    yield f"{len(plan.unchanged)} unchanged in {escape(str(plan.destination))}"
    yield from foreign(plan.foreign)


def migrations(rows: Sequence[MigrationRow]) -> Iterator[RenderableType]:
    shown = table("Version", "Name", "In source", "In supabase/", "Applied", "Edited since")
    for row in rows:
        shown.add_row(
            row.version,
            escape(row.name),
            flag(row.in_source),
            flag(row.in_supabase),
            flag(row.applied),
            "[red]yes[/red]" if row.edited else "-" if row.edited is None else "no",
        )
    yield shown
    if any(row.applied is None for row in rows):
        yield "[dim]Applied is unknown: the local stack is not running (promthctl local up)[/dim]"
