"""promthctl dump."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.copies.dumping import Dump


def dumped(result: Dump) -> Iterator[RenderableType]:
    unpacked = f", {size(result.unpacked)} of SQL" if result.unpacked != result.bytes else ""
    yield f"[bold green]Dumped[/bold green] {escape(result.target)} with pg_dump {result.pg_dump}"
    yield f"  {escape(result.path)}: {size(result.bytes)}{unpacked}, {count(result.tables, 'table')} with rows"
