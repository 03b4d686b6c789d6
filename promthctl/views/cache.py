"""promthctl cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import size
from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.local_stack.cache import CacheList, Cleaned


def listed(result: CacheList) -> Iterator[RenderableType]:
    shown = table("Folder", "Size", "Unused", "What")
    for part in result.parts:
        shown.add_row(part.name, size(part.bytes), size(part.unused), part.what)
    yield shown
    total, unused = sum(part.bytes for part in result.parts), sum(part.unused for part in result.parts)
    yield f"{size(total)} in {escape(result.folder)}; promthctl cache clean removes {size(unused)}"
    if result.snapshots or result.kept:
        kept = f"kept from before the last reset: {size(result.kept)}"
        yield f"Beside it, of this project: snapshots: {size(result.snapshots)}; {kept}"
    if result.replaced:
        yield f"Edited migration files that a sync has replaced, in .promthctl/replaced: {size(result.replaced)}"


def cleaned(result: Cleaned) -> Iterator[RenderableType]:
    yield f"[bold green]Removed[/bold green] {size(result.bytes)} from {escape(result.folder)}"
    yield from (f"  {escape(name)} ({size(number)})" for name, number in result.removed)
    yield from (f"  [red]still there[/red]: {escape(name)}" for name in result.left)
