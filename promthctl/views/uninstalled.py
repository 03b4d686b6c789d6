"""promthctl self uninstall"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.local_stack.uninstalling import Kept, Uninstalled


def kept(found: Kept) -> Iterator[RenderableType]:
    yield f"promthctl keeps {size(found.bytes)} on this machine:"
    for title, paths in (("databases", found.databases), ("caches", found.caches), ("its own", found.own)):
        yield from (f"  {title:<10} {escape(path)}" for path in paths)


def uninstalled(result: Uninstalled) -> Iterator[RenderableType]:
    yield f"[bold green]Removed[/bold green] {size(result.bytes)}"
    yield from (f"  {escape(path)}" for path in result.removed)
    yield from (f"  [red]still there[/red]: {escape(path)}" for path in result.left)
    yield f"Next: {escape(result.next)}"
