"""promthctl migrations squash"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.migration_files.squashing import Squashing, Undone


def squash(made: Squashing) -> Iterator[RenderableType]:
    written = "[bold green]Written[/bold green]" if made.done else "Would write"
    yield f"{written}: {escape(made.file)}, in place of {count(len(made.replaced), 'migration')}"
    if made.down:
        yield f"{written}: {escape(made.down)}"
    else:
        yield f"[yellow]No down script:[/yellow] {escape(made.why_no_down)}"
    if made.drafted:
        yield "Its SQL is drafted from the schema that they make."
    else:
        yield f"It has the files as they are written: {escape(made.why_written)}"
    rows = ""
    if made.tables:
        rows = f", and so are the rows of {escape(', '.join(made.tables))}"
    yield f"Tried in throw-away databases: the schema is the same{rows}."
    if made.volatile:
        names = escape(", ".join(made.volatile))
        yield f"[dim]Not compared, for two runs of the same files fill them differently: {names}[/dim]"
    yield f"The old files {'are' if made.done else 'would be'} in {escape(made.kept)}, which nothing reads."
    if made.done:
        yield "A target that has them: promthctl push records this one in their place, and runs nothing of it"


def undone(made: Undone) -> Iterator[RenderableType]:
    yield from (f"{'Restored' if made.done else 'Would restore'}: {escape(name)}" for name in made.restored)
    yield f"The squashed file {'is' if made.done else 'would be'} in {escape(made.aside)}"
