"""promthctl diagram"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.diagram.drawing import Drawing


def diagram(made: Drawing) -> Iterator[RenderableType]:
    done = "[bold green]Wrote[/bold green]" if made.written else "Up to date:"
    what = f"{count(made.tables, 'table')}, {count(made.references, 'foreign key')}"
    yield f"{done} {escape(str(made.file))}: {what}, of {escape(made.source)}"
    if made.columns == "keys" and made.file.suffix != ".html":
        yield "Columns that are no keys are left out: --columns all shows them."
    if made.without_rls:
        yield f"[yellow]Without row level security:[/yellow] {', '.join(map(escape, made.without_rls))}"
