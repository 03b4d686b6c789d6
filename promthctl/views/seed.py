"""promthctl seed …"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.keys.seed_rows import SeededKey
    from promthctl.keys.seeding import SeedReport


def seeded(result: SeedReport) -> Iterator[RenderableType]:
    stored = result.seeded
    several = stored.users > 1
    if stored.agents:
        numbered = any(key.number is not None for key in stored.agents)
        shown = table(
            *(["User"] if several else []), *(["Agent"] if numbered else []), "Name", "Endpoint", "Key", "State"
        )
        for key in stored.agents:
            number = "" if key.number is None else str(key.number)
            texts = (key.user, number, key.name, key.endpoint_id, key.masked_key, _state(key, stored.dry_run))
            wanted = (several, numbered, True, True, True, True)
            shown.add_row(*(escape(text) for text, kept in zip(texts, wanted, strict=True) if kept))
        yield shown
    verb = "would be" if stored.dry_run else "was" if stored.created == 1 else "were"
    whose = count(stored.users, "user") if several else escape(stored.user_email or stored.user_id or "")
    yield (
        f"For {whose}: {stored.created:,} {verb} created, {stored.updated:,} updated, {stored.unchanged:,} unchanged"
    )


def _state(key: SeededKey, dry_run: bool) -> str:
    return f"would be {key.state}" if dry_run and key.state != "unchanged" else key.state
