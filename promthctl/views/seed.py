"""promthctl seed …"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.keys.seed import KeysResult


def keys(result: KeysResult) -> Iterator[RenderableType]:
    seeded = result.seeded
    several = seeded.users > 1
    if seeded.agents:
        numbered = any(key.number is not None for key in seeded.agents)
        shown = table(
            *(["User"] if several else []), *(["Agent"] if numbered else []), "Name", "Endpoint", "Key", "State"
        )
        for key in seeded.agents:
            number = "" if key.number is None else str(key.number)
            texts = (key.user, number, key.name, key.endpoint_id, key.masked_key, key.state)
            wanted = (several, numbered, True, True, True, True)
            shown.add_row(*(escape(text) for text, kept in zip(texts, wanted, strict=True) if kept))
        yield shown
    verb = "would be" if seeded.dry_run else "was" if seeded.created == 1 else "were"
    whose = f"{seeded.users:,} users" if several else escape(seeded.user_email or seeded.user_id or "")
    yield (
        f"For {whose}: {seeded.created:,} {verb} created, {seeded.updated:,} updated, {seeded.unchanged:,} unchanged"
    )
