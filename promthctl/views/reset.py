"""promthctl reset, and promthctl local reset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count, size
from promthctl.views.common import COPIED
from promthctl.views.seed import files as seed_files

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.engines import KeptCopy
    from promthctl.local_stack.reset import LocalResetPreview, LocalResetResult, UndoResult
    from promthctl.resetting import Contents, ResetPlan, ResetResult, Survivor

_SHOWN = 20  # tables, and names of a kind


def announced(result: ResetPlan) -> Iterator[str]:
    """The plan as plain text: for --dry-run, and before the question."""
    yield (
        f"A reset of {result.target} drops:"
        if not result.goes.empty
        else f"There is nothing to drop on {result.target}."
    )
    yield from _contents(result.goes)
    if result.stays:
        yield "It leaves there, as the Supabase CLI's reset does:"
        yield from _survivors(result.stays)
    tried = "tried in a throw-away database" if result.tried else "which could not be tried"
    yield f"Then it replays {count(len(result.replays), 'migration')}, {tried}."
    yield from (f"  whether that succeeds is not certain: {why}" for why in result.unsure)
    if result.backup and result.goes.rows:
        yield "The rows are exported first, to .promthctl/backups; what is written meanwhile is not in it."
    elif result.goes.rows:
        yield "No backup is made of these rows."


def plan(result: ResetPlan) -> Iterator[RenderableType]:
    yield from map(escape, announced(result))


def reset(result: ResetResult) -> Iterator[RenderableType]:
    yield f"[bold green]Reset[/bold green] {escape(result.target)}: {_now(len(result.applied), result.tables)}"
    yield from map(escape, _gone(result.gone, ()))
    if result.stayed:
        yield "Still there:"
        yield from map(escape, _survivors(result.stayed))
    yield from (f"Exported before: {escape(path)}" for path in result.backups)
    if result.again:
        yield "To put the rows back:"
        yield from (f"  {escape(command)}" for command in result.again)


def local_plan(result: LocalResetPreview) -> Iterator[RenderableType]:
    yield f"{escape(result.target)} would be replaced by a new database with {count(len(result.replays), 'migration')}."
    if not result.gone.empty or result.also:
        yield "These would go:"
        yield from map(escape, _contents(result.gone))
        yield from map(escape, _survivors(result.also))
    if result.keeps:
        yield "The database as it is would be kept: promthctl local reset --undo brings it back."
    else:
        yield "Nothing is kept of it on this engine."


def local_reset(result: LocalResetResult) -> Iterator[RenderableType]:
    replayed = len(result.applied) - result.copied
    by_copy = f"{count(result.copied, 'migration')} {COPIED}, " if result.copied else ""
    yield f"[bold green]Reset[/bold green] {escape(result.target)}: {by_copy}{_now(replayed, result.tables)}"
    yield from map(escape, _gone(result.gone, result.also))
    if result.seeds and result.seeds.files:
        yield f"Ran {count(len(result.seeds.files), 'seed')}"
        yield from seed_files(result.seeds)
    if result.kept:
        yield f"{_kept(result.kept, 'The database as it was')}; to bring it back:"
        yield "  promthctl local reset --undo"


def undo(result: UndoResult) -> Iterator[RenderableType]:
    users = f", {count(result.users, 'user')}" if result.users else ""
    yield (
        f"[bold green]Brought back[/bold green] {escape(result.target)}: {count(len(result.applied), 'migration')} "
        f"applied, {count(result.tables, 'table')} with {count(result.rows, 'row')}{users}"
    )
    yield f"{_kept(result.kept, 'The database that was in use')}; a second --undo brings that one back."


def _now(applied: int, tables: int) -> str:
    return f"{count(applied, 'migration')} replayed, {count(tables, 'table')} now"


def _kept(copy: KeptCopy, what: str) -> str:
    return f"{what} is kept ({size(copy.bytes)}) in {escape(copy.path)}"


def _gone(contents: Contents, also: Sequence[Survivor]) -> Iterator[str]:
    if contents.empty and not also:
        return
    yield "What was there is gone:" if contents.rows else "What was there is gone, no rows among it:"
    yield from _contents(contents)
    yield from _survivors(also)


def _contents(contents: Contents) -> Iterator[str]:
    if contents.schemas:
        yield f"  {_names('schema', contents.schemas)}"
    for table in contents.tables[:_SHOWN]:
        rows = "its rows could not be counted" if table.rows is None else count(table.rows, "row")
        yield f"  {'table' if table.dropped else 'the rows of'} {table.label}: {rows}"
    if len(contents.tables) > _SHOWN:
        rest = contents.tables[_SHOWN:]
        yield f"  {count(len(rest), 'more table')}: {count(sum(table.rows or 0 for table in rest), 'row')}"
    if contents.others:
        yield f"  {', '.join(count(number, kind) for kind, number in contents.others.items())}"
    if contents.extensions:
        yield f"  {_names('extension', contents.extensions)}"
    if contents.publications:
        yield f"  {_names('publication', contents.publications)}"


def _survivors(found: Sequence[Survivor]) -> Iterator[str]:
    for kind, group in groupby(sorted(found, key=lambda one: one.key), key=lambda one: one.kind):
        yield f"  {_names(kind, [one.name for one in group])}"


def _names(kind: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"{count(len(names), kind).replace('familys', 'families')}: {shown}"
