"""promthctl sql: tables for people, values for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from promthctl.quantities import count
from promthctl.redact import redact
from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.querying import QueryResult, SqlResult

_TO_QUOTE = set(',"\r\n')


def sql(result: SqlResult) -> Iterator[RenderableType]:
    for one in result.results:
        if not one.columns:
            yield escape(one.command)
            continue
        shown = table()
        for column in one.columns:
            justify = "right" if column.number else "left"
            shown.add_column(Text(column.name), overflow="fold", justify=justify)  # type: ignore[arg-type]
        for row in one.rows:
            # Masked before a line break can come into a secret.
            shown.add_row(*(Text("NULL", style="dim italic") if cell is None else Text(redact(cell)) for cell in row))
        yield shown
        rows = count(len(one.rows), "row")
        yield f"[dim]the first {rows}; there are more: --limit 0 shows all[/dim]" if one.more else f"[dim]{rows}[/dim]"
    if result.written:
        yield "Committed."


def for_programs(result: SqlResult) -> dict[str, object]:
    """What --json prints."""
    return {
        "target": result.target,
        "caller": result.caller,
        "written": result.written,
        "results": [
            {
                "line": one.line,
                "command": one.command,
                "columns": [{"name": column.name, "type": column.type} for column in one.columns],
                "rows": one.objects(),
                "more": one.more,
            }
            for one in result.results
        ],
    }


def csv(result: SqlResult) -> str:
    """RFC 4180, with a line of names; NULL is nothing, an empty text is in quotes. Between results is an empty line."""
    return "\n".join(_csv(one) for one in result.results if one.columns)


def _csv(one: QueryResult) -> str:
    lines = [[column.name for column in one.columns], *one.rows]
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines)


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if text == "" or _TO_QUOTE.intersection(text) else text
