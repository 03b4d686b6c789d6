"""promthctl local up --watch"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import COPIED

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.developing import Change, Round

_MOST = 40  # changes that are listed
_ONE = {
    "policies": "policy",
    "indexes": "index",
    "rls": "row level security of",
    "default_privileges": "default privileges",
}


def round_(done: Round) -> Iterator[RenderableType]:
    if done.saved:
        yield f"[bold]Changed:[/bold] {escape(', '.join(done.saved))}"
    yield from (f"  {escape(line)}" for line in done.why)
    yield from _did(done)
    for change in done.changes[:_MOST]:
        yield f"  {change.what:<8} {escape(_named(change))}"
    if len(done.changes) > _MOST:
        yield f"  and {count(len(done.changes) - _MOST, 'more change')}"
    if done.did in ("applied", "replayed") and not done.changes:
        yield "  the schema is as it was"
    if done.types:
        yield f"  types written: {escape(', '.join(done.types))}"
    if done.types_failed:
        yield f"  [yellow]types not written[/yellow]: {escape(done.types_failed)}"


def _did(done: Round) -> Iterator[str]:
    if done.did == "nothing":
        yield "  The database has it already." if done.saved else "  The database is what the files make."
    elif done.did == "waits":
        yield "  A replay would lose the rows of this engine's database, so that it waits for you:"
        yield "  promthctl local reset"
    elif done.did == "applied":
        yield f"  [green]Applied[/green] {escape(', '.join(done.applied))}"
    else:
        copied = f"{count(done.copied, 'migration')} {COPIED}, " if done.copied else ""
        run = f"run: {escape(', '.join(done.applied))}" if done.applied else "none to run"
        yield f"  [green]Replayed[/green] on a new database: {copied}{run}"
        if done.lost:
            yield f"  {count(done.lost, 'row')} went with the old one; promthctl local reset --undo brings it back"
        if done.kept:
            yield f"  what no seed makes of it is kept: promthctl local snapshot restore {escape(done.kept)}"
    if done.seeds:
        yield f"  seeds run: {escape(', '.join(done.seeds))}"


def _named(change: Change) -> str:
    kind = _ONE.get(change.kind, change.kind.removesuffix("s"))
    parts = f" ({', '.join(change.parts)})" if change.parts else ""
    return f"{kind} {change.name}{parts}"
