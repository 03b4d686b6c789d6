"""The rich console that promthctl prints on; imported where something is printed, since rich takes long to import."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from promthctl.terminal import visible


class VisibleConsole(Console):
    """Shows the control characters of a text instead of sending them; rich's own styles and movements stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)
