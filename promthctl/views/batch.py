"""promthctl push to many targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.push.batch import BatchResult

_COLOURS = {"applied": "green", "up to date": "green", "pending": "yellow", "refused": "red", "failed": "red"}
_COLOURS |= {"interrupted": "yellow", "not known": "red"}


def batch(result: BatchResult) -> Iterator[RenderableType]:
    shown = table("Target", "State", "Migrations", "Destructive")
    for one in result.targets:
        colour = _COLOURS.get(one.state, "dim")
        total = len(one.applied) + len(one.pending)
        number = f"{len(one.applied)} of {total}" if one.state == "interrupted" else str(total or "-")
        shown.add_row(escape(one.target), f"[{colour}]{one.state}[/{colour}]", number, str(one.destructive or "-"))
    yield shown
    for one in result.targets:
        if one.problem:
            yield f"[red]{escape(one.target)}[/red]: {escape(one.problem.error)}"
            yield from (f"  [dim]why:[/dim]  {escape(line)}" for line in one.problem.why.splitlines())
            yield from (f"  [dim]next:[/dim] {escape(line)}" for line in one.problem.hint.splitlines())
    states = Counter(one.state for one in result.targets)
    yield f"{count(len(result.targets), 'target')}: " + ", ".join(
        f"{number} {state}" for state, number in states.items()
    )
