"""How results look to people. Each function takes a result and yields lines and tables; output.py prints them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from promthctl.redact import mask

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.local import DownResult, EnvResult, StatusResult, UpResult
    from promthctl.migration_set import MigrationRow, SyncPlan
    from promthctl.push import PushResult, ResetResult
    from promthctl.seed import VanchinResult
    from promthctl.verify.checks import VerifyResult
    from promthctl.verify.isolation import IsolationReport

_OK, _BAD = "[green]✔[/green]", "[red]✘[/red]"
_ROLES = ("anon", "owner", "other", "service_role")
_YES, _NO, _UNKNOWN = "[green]yes[/green]", "no", "[dim]?[/dim]"


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
    yield from _foreign(result.foreign)
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
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Service", "State", "Process", "Port"):
        table.add_column(name)
    for service in result.services:
        colour = {"running": "green", "starting": "yellow"}.get(service.state, "dim")
        process = service.container or (str(service.pid) if service.pid else "-")
        table.add_row(service.name, f"[{colour}]{service.state}[/{colour}]", process, str(service.port or "-"))
    yield table
    if result.running:
        yield f"API {result.api_url} · Studio {result.studio_url}"
    if result.migrations.applied is not None:
        yield f"Migrations: {len(result.migrations.applied)} applied, {len(result.migrations.pending or ())} pending"
    for name in result.migrations.pending or ():
        yield f"  pending: {escape(name)}"


def env(result: EnvResult) -> Iterator[RenderableType]:
    changed = f": {', '.join(result.changed)} set" if result.changed else " already says so; nothing was changed"
    yield f"{escape(str(result.file))}{changed}"


def reset(result: ResetResult) -> Iterator[RenderableType]:
    yield f"[bold green]Reset[/bold green] {escape(result.target)}: {_count(len(result.applied), 'migration')} replayed"


def push(result: PushResult) -> Iterator[RenderableType]:
    if result.dry_run:
        yield f"{_count(len(result.pending), 'migration')} would be applied to {escape(result.target)}"
        yield from (f"  {escape(name)}" for name in result.pending)
    elif result.applied:
        yield f"[bold green]Applied[/bold green] {_count(len(result.applied), 'migration')} to {escape(result.target)}"
        yield from (f"  {escape(name)}" for name in result.applied)
    else:
        yield f"Nothing to do: all {result.total} migrations are applied to {escape(result.target)}"


def sync(plan: SyncPlan) -> Iterator[RenderableType]:
    for word, names in (
        ("added", [migration.filename for migration in plan.added]),
        ("overwritten", [difference.migration.filename for difference in plan.overwritten]),
        ("renamed", [f"{rename.old} → {rename.migration.filename}" for rename in plan.renamed]),
        ("differs, and is applied", [difference.migration.filename for difference in plan.refused]),
        ("has the version of another file", [conflict.other for conflict in plan.conflicts]),
    ):
        yield from (f"{word}: {escape(name)}" for name in names)
    for difference in (*plan.overwritten, *plan.refused):
        yield escape(difference.diff)
    yield f"{len(plan.unchanged)} unchanged in {escape(str(plan.destination))}"
    yield from _foreign(plan.foreign)


def migrations(rows: Sequence[MigrationRow]) -> Iterator[RenderableType]:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Version", "Name", "In source", "In supabase/", "Applied", "Edited since"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            row.version,
            escape(row.name),
            _flag(row.in_source),
            _flag(row.in_supabase),
            _flag(row.applied),
            "[red]yes[/red]" if row.edited else "-" if row.edited is None else "no",
        )
    yield table
    if any(row.applied is None for row in rows):
        yield "[dim]Applied is unknown: the local stack is not running (promthctl local up)[/dim]"


def verify(result: VerifyResult) -> Iterator[RenderableType]:
    count = _count(result.migrations, "migration")
    if not result.differences:
        yield f"{_OK} The schema is what {count} make"
    for one in result.differences:
        yield f"{_BAD} {one.state} {one.kind}: {escape(one.name)}"
        yield from (f"      [dim]mend:[/dim] {escape(line)}" for line in one.mend.splitlines())
    if result.isolation is not None:
        yield from _isolation(result.isolation)
    for life in result.lifecycles:
        yield f"{_OK if life.ok else _BAD} {escape(life.name)}: {escape(life.detail)}"
    for finding in result.advice:
        yield f"{'[dim]·[/dim]' if finding.level == 'info' else _BAD} {finding.level}: {escape(finding.text)}"
        yield from (f"      [dim]mend:[/dim] {escape(line)}" for line in finding.mend.splitlines())
    if result.advisors is not None:
        yield from (f"{_BAD} advisors: {escape(line)}" for line in result.advisors)
        if not result.advisors:
            yield f"{_OK} The Supabase CLI's advisors find nothing"
    elif result.isolation is not None:
        yield f"[dim]· The Supabase CLI's advisors could not run: {escape(result.unasked)}[/dim]"
    yield "[bold green]Verified[/bold green]" if result.ok else "[bold red]Not verified[/bold red]"


def _isolation(report: IsolationReport) -> Iterator[RenderableType]:
    """Tables by roles, each with the verbs that reached rows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "Table", *_ROLES):
        table.add_column(name, overflow="fold")
    for proof in report.tables:
        cells = []
        for role in _ROLES:
            reached = [a.verb for a in proof.attempts if a.role == role and a.outcome == "reached"]
            wrong = any(not a.ok for a in proof.attempts if a.role == role)
            text = " ".join(dict.fromkeys(reached)) or "-"
            cells.append(f"[red]{text}[/red]" if wrong else text)
        table.add_row(_OK if proof.state == "proven" else _BAD, escape(proof.table), *cells)
    yield table
    for proof in report.tables:
        if proof.reason:
            yield f"  {escape(proof.table)}: {proof.state}: {escape(proof.reason)}"
    yield from (f"  [dim]{escape(caveat)}[/dim]" for caveat in report.caveats)


def vanchin(result: VanchinResult) -> Iterator[RenderableType]:
    seeded = result.seeded
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("Agent", "Name", "Endpoint", "Key", "State"):
        table.add_column(name)
    for agent in seeded.agents:
        table.add_row(
            str(agent.number), escape(agent.name), escape(agent.endpoint_id), escape(agent.masked_key), agent.state
        )
    yield table
    verb = "would be" if seeded.dry_run else "were"
    yield (
        f"For {escape(seeded.user_email)}: {seeded.created} {verb} created, {seeded.updated} updated,"
        f" {seeded.unchanged} unchanged"
    )


def _foreign(names: Iterable[str]) -> Iterator[str]:
    if listed := [escape(name) for name in names]:
        yield f"Left alone, not from the source: {', '.join(listed)}"


def _flag(value: bool | None) -> str:
    return _UNKNOWN if value is None else _YES if value else _NO


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
