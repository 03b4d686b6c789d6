"""promthctl local …"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count, duration, size
from promthctl.redact import mask
from promthctl.sql.quoting import identifier
from promthctl.views.common import COPIED, foreign, removed, skipped, table
from promthctl.views.seed import files as seed_files

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.engines import Service
    from promthctl.engines.engine import Message
    from promthctl.local_stack import DownResult, EnvResult, StatusResult, UpResult
    from promthctl.local_stack.mail import Mails


def up(result: UpResult) -> Iterator[RenderableType]:
    state = "is up" if result.started else "was up already"
    yield f"[bold green]The local stack {state}[/bold green] ({result.engine} engine)"
    rows = [
        ("API", result.api_url),
        ("Studio", "promthctl local studio" if result.studio_url else "not among the services"),
        ("Database", result.access.db_url),  # output masks the password
        ("anon key", mask(result.access.anon_key)),
        ("service_role key", mask(result.access.service_role_key)),
        ("Migrations", f"{result.total} applied{_now(result)}"),
    ]
    yield from (f"  [dim]{name:<17}[/dim] {escape(value)}" for name, value in rows)
    if result.seeds and result.seeds.files:
        yield f"  [dim]{'Seeds':<17}[/dim] {count(len(result.seeds.files), 'file')} run now"
        yield from (f"  {'':<17}{line}" for line in seed_files(result.seeds))
    if result.unseeded:
        names = ", ".join(result.unseeded)
        yield f"[yellow]Not run on this database:[/yellow] {escape(names)} (promthctl seed sql runs it)"
    if result.source_kind == "example":
        yield "These are Mr.Promth's example migrations: this folder has none of its own."
    yield from removed(result.removed)
    yield from skipped(result.foreign) if result.source_kind == "in-place" else foreign(result.foreign)
    if not result.total:
        yield f"There are no migrations yet: put the first one into {escape(result.source)}, or make it with"
        yield f"  promthctl migrations new NAME{' --from-schemas' if result.declared else ''}"
    if result.unreachable:
        yield _unreachable(result.unreachable)
    yield "Next:"
    yield "  promthctl local env --write .env    the URL and the keys for your app"
    if result.without_keys:
        yield "  promthctl seed vanchin --demo       store made-up keys, to try the app with"
    elif result.source_kind == "example":
        yield "  promthctl seed vanchin              store the VanchinAI keys"
    yield "  promthctl verify                    prove the schema, and that users reach only their own rows"
    yield "  promthctl local down                stop; the data stays"


def _now(result: UpResult) -> str:
    if not result.applied:
        return ""
    return f", {len(result.applied)} of them now" + (f" ({result.copied} {COPIED})" if result.copied else "")


def _unreachable(tables: Sequence[str]) -> str:
    """One line: how many, which, and what to write."""
    names = ", ".join(tables[:3]) + (", …" if len(tables) > 3 else "")
    what = "table or view of public is" if len(tables) == 1 else "tables and views of public are"
    grant = f"grant select, insert, update, delete on {identifier(tables[0])} to authenticated, service_role;"
    return (
        f"[yellow]{len(tables)} {what} out of the API's reach[/yellow] ({escape(names)}). Write into a migration: "
        f"{escape(grant)} or auto_expose_new_tables = true under \\[api] of supabase/config.toml, and run: "
        "promthctl local reset"
    )


def down(result: DownResult) -> Iterator[RenderableType]:
    yield "The local stack is down." if result.stopped else "The local stack was not running."
    if result.purged:
        copy = f", and what a reset had kept ({size(result.kept.bytes)})" if result.kept else ""
        yield f"Its data is removed{copy}." if result.had_data else "There was no data to remove."
    elif result.had_data:
        yield "Its data is kept: promthctl local up brings it back."
    else:
        yield "It has no data: promthctl local up makes a new one."


def status(result: StatusResult) -> Iterator[RenderableType]:
    if not result.running:
        parts = any(service.state != "stopped" for service in result.services)
        state, verb = ("is only partly running", "Repair") if parts else ("is not running", "Start")
        yield f"[yellow]The local stack {state}.[/yellow] {verb} it with: promthctl local up"
    yield _services(result.services)
    if result.running:
        yield f"API {result.api_url}" + (" · Studio: promthctl local studio" if result.studio_url else "")
    if result.migrations.applied is not None:
        yield f"Migrations: {len(result.migrations.applied)} applied, {len(result.migrations.pending or ())} pending"
    for name in result.migrations.pending or ():
        yield f"  pending: {escape(name)}"
    yield from (f"[yellow]{escape(problem)}[/yellow]" for problem in result.problems)


def _services(found: Iterable[Service]) -> RenderableType:
    """Columns for which the engine has no values are left out."""
    rows = list(found)
    columns: dict[str, list[str]] = {
        "Service": [service.name for service in rows],
        "State": [_state(service) for service in rows],
        "Up": [duration(service.uptime) if service.uptime is not None else "" for service in rows],
        "Memory": [size(service.memory) if service.memory is not None else "" for service in rows],
        "Port": [str(service.port or "") for service in rows],
        "Process": [str(service.pid or "") for service in rows],
        "Container": [service.container or "" for service in rows],
    }
    known = {title: cells for title, cells in columns.items() if any(cells)}
    shown = table(*known)
    for cells in zip(*known.values(), strict=True):
        shown.add_row(*(cell or "-" for cell in cells))
    return shown


def _state(service: Service) -> str:
    colour = {"running": "green", "starting": "yellow"}.get(service.state, "dim")
    text = service.state
    if service.health == "unhealthy":
        colour, text = "red", "running, unhealthy"
    elif service.state == "running" and service.health:
        text = f"running, {service.health}"
    elif service.exit_code:
        colour, text = "red", f"{service.state}, exit code {service.exit_code}"
    return f"[{colour}]{text}[/{colour}]"


def env(result: EnvResult) -> Iterator[RenderableType]:
    changed = f": {', '.join(result.changed)} set" if result.changed else " is up to date; nothing was changed"
    yield f"{escape(str(result.file))}{changed}"
    if result.kept_secret:
        yield "Its ENCRYPTION_SECRET was kept, and is another one than promthctl's: export it, or write it into .env"


def mails(result: Mails) -> Iterator[RenderableType]:
    if not result.messages:
        yield "Auth has sent no message yet."
        return
    listed = table("No.", "Sent (UTC)", "To", "Subject")
    for number, message in enumerate(result.messages, 1):
        listed.add_row(str(number), *map(escape, (message.sent_at[:19].replace("T", " "), message.to, message.subject)))
    yield listed
    yield "promthctl local mail show 1    the newest, with its code and link"
    yield "promthctl local mail --open    opens its link"


def mail(message: Message) -> Iterator[RenderableType]:
    yield f"[bold]{escape(message.subject)}[/bold], to {escape(message.to)}, {escape(message.sent_at)}"
    yield f"  [dim]code[/dim] {escape(message.code)}"
    if message.link:
        yield f"  [dim]link[/dim] {escape(message.link)}"
