"""What the rehearsal of a push has shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from promthctl.quantities import count

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.rehearsal import Drift, Finding, Rehearsal

_LABELS = {
    "opens": "[bold red]opens[/bold red]",
    "fails": "[bold red]fails[/bold red]",
    "destroys": "[bold red]data[/bold red]",
    "changes": "[bold red]data[/bold red]",
    "not_rehearsed": "[bold yellow]unsure[/bold yellow]",
}
_FIRST = ("opens", "fails")
_SHOWN = 8


def rehearsed(found: Rehearsal | None) -> Iterator[RenderableType]:
    """The findings of a rehearsal: who can read or write what first; nothing where there was none."""
    if found is None:
        return
    if found.findings:
        yield "[bold]Rehearsed in a throw-away database[/bold]" if found.tried else "[bold]Not rehearsed[/bold]"
        yield _findings(sorted(found.findings, key=lambda one: one.kind not in _FIRST))
    elif found.tried:
        yield "Rehearsed in a throw-away database: nothing was lost"
    for why in found.unsure[:_SHOWN]:
        yield f"[yellow]note:[/yellow] the rehearsal: {escape(why)}"
    if len(found.unsure) > _SHOWN:
        yield f"[yellow]note:[/yellow] and {len(found.unsure) - _SHOWN} more, see --json"
    yield from _drift(found.drift or ())


def _findings(found: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in found:
        place = f"{one.file} line {one.line}" if one.line else one.file
        rows = f" [bold]({'' if one.rows.exact else 'about '}{count(one.rows.count, 'row')})[/bold]" if one.rows else ""
        label = "[dim]data[/dim]" if one.safe else _LABELS[one.kind]
        table.add_row("  ", escape(place), label, escape(one.what) + ("" if one.kind == "fails" else rows))
    return table


def _drift(found: Sequence[Drift]) -> Iterator[str]:
    if not found:
        return
    noun = "1 thing is" if len(found) == 1 else f"{len(found)} things are"
    yield f"[yellow]note:[/yellow] {noun} not as the applied migrations make it (verify shows all):"
    yield from (f"  {one.state}: {escape(one.kind)} {escape(one.name)}" for one in found[:_SHOWN])
