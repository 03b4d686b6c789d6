"""promthctl push and reset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.views.common import count

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.push import PushResult, ResetResult


def push(result: PushResult) -> Iterator[RenderableType]:
    if result.dry_run:
        yield f"{count(len(result.pending), 'migration')} would be applied to {escape(result.target)}"
        yield from (f"  {escape(name)}" for name in result.pending)
    elif result.applied:
        yield f"[bold green]Applied[/bold green] {count(len(result.applied), 'migration')} to {escape(result.target)}"
        yield from (f"  {escape(name)}" for name in result.applied)
    else:
        yield f"Nothing to do: all {result.total} migrations are applied to {escape(result.target)}"


def reset(result: ResetResult) -> Iterator[RenderableType]:
    yield f"[bold green]Reset[/bold green] {escape(result.target)}: {count(len(result.applied), 'migration')} replayed"
