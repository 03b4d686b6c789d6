"""promthctl pull"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import BAD, OK, differing, unread

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.migration_files.pulling import Pull


def pull(found: Pull) -> Iterator[RenderableType]:
    target = escape(found.target)
    if found.refused:
        number = count(len(found.left), "difference")
        yield f"{BAD} Nothing was pulled from {target}: what was drafted leaves {number}"
        for one in found.left:
            yield from differing(one)
        yield "Next: remove them there, or promthctl migrations new NAME, and write the migration by hand"
    elif not found.written and found.unread:
        yield f"{BAD} Nothing to pull that could be written as SQL"
    elif not found.written:
        yield f"{OK} Nothing to pull: {target} has the schema that its migrations make"
    else:
        verb = "[bold green]Written[/bold green]" if found.done else "Would write"
        yield from (f"{verb}: {escape(name)}" for name in found.written)
        yield "Tried with the Supabase CLI: after it the schema is the target's, after the down script the one before."
        versions = escape(", ".join(found.versions))
        yield f"{'Recorded' if found.done else 'Would record'} as applied to {target}: {versions}"
    yield from unread(found.unread)
    if found.reordered:
        yield f"The columns come in another order there: {escape(', '.join(found.reordered))}"
    if found.placeholders:
        yield f"In place of secrets the migration has {escape(', '.join(found.placeholders))}: set them by hand"
    if found.unmanaged:
        kinds = escape(", ".join(found.unmanaged))
        yield f"Left out by the Supabase CLI's diff engine, and known by name alone: {kinds}"
    if found.rows:
        yield f"Rows are not taken; there are some in {escape(', '.join(found.rows))}"
