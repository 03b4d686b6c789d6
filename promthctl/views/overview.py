"""promthctl alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count

if TYPE_CHECKING:
    from promthctl.overview import Overview
    from promthctl.overview.standing import LocalStack, Migrations, Next

_MOST = 10  # pending files, and seeds, that are listed
_STATES = {"running": "green", "partly running": "yellow", "unknown": "yellow"}


def overview(result: Overview) -> Iterator[str]:
    if not result.is_project:
        yield f"No project in {escape(str(result.folder))}."
        yield "What can be started here:"
        yield from _commands(result.next)
        return
    yield f"Project [bold]{escape(result.name)}[/bold] in {escape(str(result.folder))}"
    yield _local(result.local)
    yield from _migrations(result.migrations, result.local)
    if result.seeds_problem:
        yield f"[yellow]Seeds cannot be used:[/yellow] {escape(result.seeds_problem)}"
    elif result.seeds:
        more = f" and {len(result.seeds) - _MOST} more" if len(result.seeds) > _MOST else ""
        yield f"Seeds: {escape(', '.join(result.seeds[:_MOST]))}{more}"
    if result.targets:
        yield "Targets:"
        width = max(len(target.name) for target in result.targets)
        for target in result.targets:
            marked = " · [bold]PRODUCTION[/bold]" if target.production else ""
            yield f"  {escape(target.name.ljust(width))}  {escape(target.place)}{marked}"
    if result.missing_secrets:
        yield "Secrets that are not set:"
        for missing in result.missing_secrets:
            yield f"  [yellow]{escape(missing.name)}[/yellow], for {escape(missing.used_for)}"
    yield "Next:"
    yield from _commands(result.next)


def _local(local: LocalStack) -> str:
    if local.engine is None:
        return "Local stack: not started here"
    style = _STATES.get(local.state, "dim")
    more = f", {local.api_url}" if local.api_url else f": {escape(local.why)}" if local.why else ""
    return f"Local stack: {local.engine} engine, [{style}]{local.state}[/{style}]{more}"


def _migrations(migrations: Migrations, local: LocalStack) -> Iterator[str]:
    where = f"Migrations: {escape(migrations.source)}"
    if migrations.problem:
        yield f"{where}; [yellow]they cannot be used:[/yellow] {escape(migrations.problem)}"
        return
    files = count(migrations.files, "file") if migrations.files else "no file yet"
    yield f"{where}, {files}"
    if migrations.applied is None:
        if migrations.files:
            unknown = "" if local.state == "running" else " while the local stack is not running"
            yield f"  which are applied is not known{unknown}"
        return
    pending = migrations.pending or ()
    shown = f"[yellow]{len(pending)} pending[/yellow]" if pending else "none pending"
    yield f"  on the local stack {len(migrations.applied)} applied, {shown}"
    yield from (f"  pending: {escape(name)}" for name in pending[:_MOST])
    if len(pending) > _MOST:
        yield f"  and {len(pending) - _MOST} more"
    if migrations.without_file:
        yield f"  [yellow]applied, without a file:[/yellow] {escape(', '.join(migrations.without_file))}"


def _commands(commands: tuple[Next, ...]) -> Iterator[str]:
    width = max(len(each.command) for each in commands)
    for each in commands:
        yield f"  [bold]{escape(each.command.ljust(width))}[/bold]  {escape(each.purpose)}"
