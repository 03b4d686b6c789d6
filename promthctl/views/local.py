"""promthctl local …"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.redact import mask
from promthctl.views.common import foreign, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.local import DownResult, EnvResult, StatusResult, UpResult


def up(result: UpResult) -> Iterator[RenderableType]:
    state = "is up" if result.started else "was up already"
    yield f"[bold green]The local stack {state}[/bold green] ({result.engine} engine)"
    rows = [
        ("API", result.api_url),
        ("Studio", result.studio_url),
        ("Database", result.access.db_url),  # output masks the password
        ("anon key", mask(result.access.anon_key)),
        ("service_role key", mask(result.access.service_role_key)),
        ("Migrations", f"{result.total} applied" + (f", {len(result.applied)} of them now" if result.applied else "")),
    ]
    yield from (f"  [dim]{name:<17}[/dim] {escape(value)}" for name, value in rows)
    yield from foreign(result.foreign)
    yield "Next:"
    yield "  promthctl local env --write .env    the URL and the keys for your app"
    yield "  promthctl seed vanchin              store the VanchinAI keys"
    yield "  promthctl verify                    prove the schema, and that rows stay their owner's"
    yield "  promthctl local down                stop; the data stays"


def down(result: DownResult) -> Iterator[RenderableType]:
    yield "The local stack is down." if result.stopped else "The local stack was not running."
    yield "Its data is removed." if result.purged else "Its data is kept: promthctl local up brings it back."


def status(result: StatusResult) -> Iterator[RenderableType]:
    if not result.running:
        yield "[yellow]The local stack is not running.[/yellow] Start it with: promthctl local up"
    shown = table("Service", "State", "Process", "Port")
    for service in result.services:
        colour = {"running": "green", "starting": "yellow"}.get(service.state, "dim")
        process = service.container or (str(service.pid) if service.pid else "-")
        shown.add_row(service.name, f"[{colour}]{service.state}[/{colour}]", process, str(service.port or "-"))
    yield shown
    if result.running:
        yield f"API {result.api_url} · Studio {result.studio_url}"
    if result.migrations.applied is not None:
        yield f"Migrations: {len(result.migrations.applied)} applied, {len(result.migrations.pending or ())} pending"
    for name in result.migrations.pending or ():
        yield f"  pending: {escape(name)}"


def env(result: EnvResult) -> Iterator[RenderableType]:
    changed = f": {', '.join(result.changed)} set" if result.changed else " already says so; nothing was changed"
    yield f"{escape(str(result.file))}{changed}"
