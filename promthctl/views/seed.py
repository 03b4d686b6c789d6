"""promthctl seed …"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count, size
from promthctl.views.common import table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.keys.seed_rows import SeededKey
    from promthctl.keys.seeding import SeedReport
    from promthctl.seeds import SeedPlan, SeedResult


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


def planned_seeds(plan: SeedPlan) -> Iterator[RenderableType]:
    yield f"To run on {escape(plan.target)}: {count(len(plan.run), 'file')}"
    yield from (f"  {escape(file.name)} ({size(file.size)})" for file in plan.run)
    yield from _left_out(plan.done, plan.changed, plan.options)
    yield from (f"  no file matches {escape(pattern)} of sql_paths" for pattern in plan.unmatched)


def run_seeds(result: SeedResult) -> Iterator[RenderableType]:
    if result.files:
        yield f"[bold green]Ran[/bold green] {count(len(result.files), 'file')} on {escape(result.target)}"
        yield from files(result)
    else:
        yield f"Nothing was run on {escape(result.target)}"
    yield from _left_out(result.done, result.changed, result.options)


def files(result: SeedResult) -> Iterator[str]:
    """A line for each file that was run."""
    for run in result.files:
        yield f"  {escape(run.name)}: {count(run.statements, 'statement')}, {count(run.rows, 'row')} changed"


def _left_out(done: Iterable[str], changed: Iterable[str], options: str) -> Iterator[str]:
    yield from (f"  {escape(name)} was run before" for name in done)
    for name in changed:
        again = f"promthctl seed sql{options} {shlex.quote(name)}"
        yield f"  {escape(name)} was run before and differs now; to run it again: {escape(again)}"
