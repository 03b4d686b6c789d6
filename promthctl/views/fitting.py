"""Tables that fit a terminal without breaking words: narrower columns first, then one line for each cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table

_SHORT = 10
_GAP = 2  # columns of the terminal that rich counts beside each cell


class FittingTable(Table):
    """Without lines. On a terminal that is too narrow for its longest words each row becomes lines of name and value.

    What no terminal is there for is left as wide as it is.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        headers = [[column.header] if self.show_header else [] for column in self.columns]
        ranges = [
            _range(console, options, header, list(column.cells))
            for header, column in zip(headers, self.columns, strict=True)
        ]
        room = options.max_width - _GAP * len(ranges)
        if not console.is_terminal or sum(one.maximum for one in ranges) <= room:
            yield from super().__rich_console__(console, options)
        elif sum(one.minimum for one in ranges) <= room or len(ranges) < 3 or not self.show_header:
            for column, width in zip(self.columns, _widths(ranges, room), strict=True):
                column.width = width
            yield from super().__rich_console__(console, options)
        else:
            yield from self._records()

    def _records(self) -> Iterator[RenderableType]:
        rows = list(zip(*(list(column.cells) for column in self.columns), strict=True))
        for number, row in enumerate(rows):
            record = Table(box=None, pad_edge=False, show_header=False)
            record.add_column(no_wrap=True, style="bold")
            record.add_column(overflow="fold")
            sign: RenderableType | None = None
            for column, cell in zip(self.columns, row, strict=True):
                if not column.header and cell:
                    sign = cell
                    continue
                if column.header:
                    record.add_row(column.header, cell)
            if number:
                yield ""
            if sign is not None:
                yield sign
            yield record


def _range(
    console: Console, options: ConsoleOptions, header: Sequence[RenderableType], cells: Sequence[RenderableType]
) -> Measurement:
    """From the longest word to the longest line; a short cell such as 3 min 5 s stays on one line."""
    wide = options.update_width(10_000)
    measured = [Measurement.get(console, wide, cell) for cell in cells]
    whole = [one.maximum if one.maximum <= _SHORT else one.minimum for one in measured]
    heads = [Measurement.get(console, wide, cell) for cell in header]
    whole += [one.minimum for one in heads]
    return Measurement(max(whole, default=0), max((one.maximum for one in (*measured, *heads)), default=0))


def _widths(ranges: Sequence[Measurement], room: int) -> list[int]:
    """Each its longest word, and of what is left as much as it would use. Where even the words do not fit, those of the
    widest columns are broken.
    """
    widths = [one.minimum for one in ranges]
    while sum(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    for _ in range(room - sum(widths)):
        missing = [one.maximum - width for one, width in zip(ranges, widths, strict=True)]
        if max(missing) <= 0:
            break
        widths[missing.index(max(missing))] += 1
    return widths
