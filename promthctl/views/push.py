"""promthctl push."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from promthctl.push.waits import BYTES_PER_SECOND
from promthctl.quantities import all_of, count, duration, size
from promthctl.views import rehearsal as rehearsal_views

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.push import PushPreview, PushResult
    from promthctl.push.disagreements import Disagreement
    from promthctl.push.lock_checks import LockCheck
    from promthctl.push.risks import PlannedStatement, Risk, Rows
    from promthctl.push.waits import Wait
    from promthctl.rehearsal import DataRehearsal

_LABELS = {
    "destroys": "[bold red]data[/bold red]",
    "unparsed": "[bold red]unread[/bold red]",
    "security": "[bold yellow]security[/bold yellow]",
    "not_analysed": "[yellow]unseen[/yellow]",
    "rewrites": "[cyan]lock[/cyan]",
    "locks": "[cyan]lock[/cyan]",
}
_ALL_LISTED = 20  # migrations; of more, those with nothing to note are only counted
_CASCADES_SHOWN = 6


def push(result: PushResult) -> Iterator[RenderableType]:
    if result.applied:
        yield f"[bold green]Applied[/bold green] {count(len(result.applied), 'migration')} to {escape(result.target)}"
        yield from (f"  {escape(name)}" for name in result.applied)
    elif not result.recorded:
        yield _nothing(result.target, result.total)
    for name in result.recorded:
        yield f"[bold green]Recorded[/bold green] {escape(name)} in the history, in place of what it stands for"


def preview(plan: PushPreview) -> Iterator[RenderableType]:
    """A dry run: the plan, and whether it could be carried out."""
    yield from planned(plan)
    if not plan.pending and not any(one.kind == "squashed" for one in plan.disagreements):
        yield _nothing(plan.target, plan.total)
    for one in plan.disagreements:
        if one.refuses:
            yield from _refused(one)
    if plan.tried is not None:
        yield from tried(plan.tried)
    if plan.destructive and not plan.local and not plan.refused:
        yield "A push needs [bold]--allow-destructive[/bold]"


def tried(found: DataRehearsal) -> Iterator[RenderableType]:
    """What came of running the migrations on a copy of the target's rows."""
    part = "" if found.sample is None else f", {found.sample:,} rows of each table and what they refer to"
    yield f"Tried on a copy of {count(found.rows, 'row')} of {count(found.tables, 'table')}{part}:"
    yield from (f"  {escape(one.file)}  {one.seconds:,.1f} s" for one in found.files)
    if (failure := found.failure) is not None:
        yield f"  [bold red]fails[/bold red] {escape(failure.file)} line {failure.line}: {escape(failure.what)}"
    yield from (f"[yellow]note:[/yellow] not copied: {escape(one)}" for one in found.left_out)
    yield from (f"[yellow]note:[/yellow] the copy is not like the target: {escape(one)}" for one in found.unlike)


def planned(plan: PushPreview) -> Iterator[RenderableType]:
    """The plan as it is shown before anything is done; each risk ends with its id (see docs/risks.md)."""
    for one in plan.disagreements:
        if not one.refuses:
            yield f"[yellow]note:[/yellow] {escape(one.why)}"
    if not plan.pending:
        return
    yield f"Pending on {escape(plan.target)}: {len(plan.pending)} of {count(plan.total, 'migration')}"
    yield from rehearsal_views.rehearsed(plan.rehearsal)
    rest: list[PlannedStatement] = []
    unlisted = 0
    files: dict[str, list[PlannedStatement]] = {name: [] for name in plan.pending}
    for statement in plan.statements:
        files[statement.file].append(statement)
    found_again = plan.rehearsal.kept if plan.rehearsal else frozenset()

    def kept(one: PlannedStatement, risk: Risk) -> bool:
        return risk.kind == "destroys" and (one.file, one.line) in found_again

    for name, statements in files.items():
        shown = [(one, risk) for one in statements for risk in one.risks if _notable(risk) and not kept(one, risk)]
        if not shown and len(plan.pending) > _ALL_LISTED:
            rest += statements
            unlisted += 1
            continue
        yield f"  [bold]{escape(name)}[/bold]  {_counts(statements)}"
        if shown:
            yield _risks(shown, plan.locks)
    if unlisted:
        yield f"  {unlisted} more with nothing to note: {_counts(rest)}"
    for lock in plan.locks:
        if lock.state == "seen":
            what = "rewritten" if lock.rewrite else f"locked ({lock.lock})"
            yield f"  {escape(lock.file)} line {lock.line}: {escape(lock.object)} is {what}; only seen, not predicted"
    for wait in plan.waits:
        yield _wait(wait)
    if any(risk.lock and _notable(risk) for statement in plan.statements for risk in statement.risks):
        yield "[dim]A lock is held until the end of its file.[/dim]"


def _wait(one: Wait) -> str:
    """Two figures that nobody measured, said as such."""
    parts = []
    if one.seconds:
        parts.append(
            f"its {size(one.size)} take about {duration(round(one.seconds))} at {size(BYTES_PER_SECOND)} a second"
        )
    if one.oldest:
        age = duration(round(one.oldest))
        parts.append(f"a transaction that uses it is open for {age}, and the lock waits for its end")
    return f"[yellow]note:[/yellow] estimated for the lock on {escape(one.object)} ({one.lock}): {'; '.join(parts)}"


def _nothing(target: str, total: int) -> str:
    return f"Nothing to do: {all_of(total, 'migration', f'applied to {escape(target)}')}"


def _refused(one: Disagreement) -> Iterator[str]:
    yield f"[bold red]A push is refused:[/bold red] {escape(one.why)}"
    yield from (f"  {escape(line)}" for line in one.fix.splitlines())


def _notable(risk: Risk) -> bool:
    """Not a lock that is over at once, because it is brief or because the table has no rows."""
    empty = risk.rows is not None and risk.rows.exact and risk.rows.count == 0
    return risk.kind not in ("rewrites", "locks") or not (risk.brief or empty)


def _counts(statements: Sequence[PlannedStatement]) -> str:
    """e.g. creates 3, alters 1, 2 brief locks"""
    kinds = Counter(statement.kind for statement in statements if statement.kind not in ("sets", "unparsed"))
    briefly = {risk.object for one in statements for risk in one.risks if risk.kind == "locks" and not _notable(risk)}
    parts = [f"{kind} {number:,}" for kind, number in kinds.items()]
    if briefly:
        parts.append(count(len(briefly), "brief lock"))
    unread = any(statement.kind == "unparsed" for statement in statements)
    return f"[dim]{', '.join(parts) or ('cannot be read' if unread else 'changes nothing')}[/dim]"


def _risks(shown: Iterable[tuple[PlannedStatement, Risk]], locks: Sequence[LockCheck]) -> Table:
    states = {(one.file, one.line, one.object, one.rewrite): one.state for one in locks}
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for statement, risk in shown:
        rows = _rows(risk.rows) if risk.kind in ("destroys", "rewrites", "locks") else ""
        text = escape(risk.what) + (f" [bold]({rows})[/bold]" if rows else "") + f" [dim]\\[{risk.id}][/dim]"
        state = states.get((statement.file, statement.line, risk.object, risk.kind == "rewrites"))
        if risk.lock and state:
            text += "[dim], confirmed[/dim]" if state == "confirmed" else "[dim], only predicted[/dim]"
        if risk.cascades:
            text += f"\n[dim]and with it: {escape(_some(risk.cascades))}[/dim]"
        table.add_row("  ", f"line {statement.line}", _LABELS[risk.kind], text)
    return table


def _rows(rows: Rows | None) -> str:
    if rows is None:
        return "rows not counted"
    return f"{'' if rows.exact else 'about '}{count(rows.count, 'row')}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_CASCADES_SHOWN])
    return shown if len(names) <= _CASCADES_SHOWN else f"{shown} and {len(names) - _CASCADES_SHOWN} more"
