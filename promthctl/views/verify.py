"""promthctl verify."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import BAD, OK, differing, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.isolation import IsolationReport
    from promthctl.verify import VerifyResult

_ROLES = ("anon", "owner", "other", "service_role")


def verify(result: VerifyResult) -> Iterator[RenderableType]:
    made_by = count(result.migrations, "migration")
    if not result.differences:
        yield f"{OK} The schema is what {made_by} make{'s' if result.migrations == 1 else ''}"
    for one in result.differences:
        yield from differing(one)
    if result.isolation is not None:
        yield from _isolation(result.isolation)
    if result.untried:
        yield f"{BAD} {escape(result.untried)}"
    for scenario in result.lifecycles:
        yield f"{OK if scenario.ok else BAD} {escape(scenario.name)}: {escape(scenario.detail)}"
    for finding in result.advice:
        yield f"{'[dim]·[/dim]' if finding.level == 'info' else BAD} {finding.level}: {escape(finding.text)}"
        yield from (f"      [dim]fix:[/dim] {escape(line)}" for line in finding.fix.splitlines())
    if result.advisors is not None:
        yield from (f"{BAD} advisors: {escape(line)}" for line in result.advisors)
        if not result.advisors:
            yield f"{OK} The Supabase CLI's advisors find nothing"
    elif result.isolation is not None:
        yield f"[dim]· The Supabase CLI's advisors could not run: {escape(result.unasked)}[/dim]"
    if result.isolation is None and result.ok:
        yield "Only the kinds of --only were compared: without it, the isolation of users is tried too"
    else:
        yield "[bold green]Verified[/bold green]" if result.ok else "[bold red]Not verified[/bold red]"


def _isolation(report: IsolationReport) -> Iterator[RenderableType]:
    """One line for each table: for each role the verbs that reached a row, red where one had the wrong outcome."""
    if not report.tables:
        yield "[dim]· No isolation was tried: there is no table that clients may reach[/dim]"
    shown = table("", "Table", *_ROLES)
    for proof in report.tables:
        cells = []
        for role in _ROLES:
            reached = [a.verb for a in proof.attempts if a.role == role and a.outcome == "reached"]
            wrong = any(not a.ok for a in proof.attempts if a.role == role)
            text = " ".join(dict.fromkeys(reached)) or "-"
            cells.append(f"[red]{text}[/red]" if wrong else text)
        shown.add_row(OK if proof.state == "proven" else BAD, escape(proof.table), *cells)
    if report.tables:
        yield shown
    for proof in report.tables:
        if proof.reason:
            yield f"  {escape(proof.table)}: {proof.state}: {escape(proof.reason)}"
    yield from (f"  [dim]{escape(caveat)}[/dim]" for caveat in report.caveats)
