"""promthctl seed …"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.seed import VanchinResult


def vanchin(result: VanchinResult) -> Iterator[RenderableType]:
    seeded = result.seeded
    shown = table("Agent", "Name", "Endpoint", "Key", "State")
    for agent in seeded.agents:
        shown.add_row(
            str(agent.number), escape(agent.name), escape(agent.endpoint_id), escape(agent.masked_key), agent.state
        )
    yield shown
    verb = "would be" if seeded.dry_run else "were"
    yield (
        f"For {escape(seeded.user_email)}: {seeded.created} {verb} created, {seeded.updated} updated,"
        f" {seeded.unchanged} unchanged"
    )
