"""promthctl verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.declarations import lines_of
from promthctl.quantities import count
from promthctl.views.common import BAD, OK, differing, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.isolation import Finding, IsolationReport
    from promthctl.verify import VerifyResult
    from promthctl.verify.accepted import Accepted

_ROLES = ("anon", "owner", "other", "service_role")
_MANY = 20  # proven tables that are still listed one by one
_WIDE = 4  # tables that one and the same way leads into
_SHOWN = 3  # of its policies' conditions
_UNCLEAR = "[yellow]?[/yellow]"
_MARKS = {"proven": OK, "not proven": _UNCLEAR}
_LEGEND = (
    f"{OK} proven   {BAD} leak or failed   {_UNCLEAR} not proven   a cell: what reached a row, [red]red[/red]: wrongly",
    "anon is not signed in, owner is whose row it is, other is another signed-in user, service_role the server.",
)


def verify(result: VerifyResult, every: bool = False) -> Iterator[RenderableType]:
    """every: list all proven tables, however many there are."""
    yield from _differences(result)
    if result.isolation is not None:
        yield from _isolation(result.isolation, every)
    if result.unexposed:
        names = escape(", ".join(result.unexposed))
        yield f"[dim]· Not exposed by \\[api] schemas, reached by SQL alone: {names}[/dim]"
    wide = _wide_openings(result.findings)
    yield from (line for way, through in wide.items() for line in _wide_opening(way, through))
    rest = [finding for finding in result.findings if finding.row not in wide]
    for finding in rest:
        if finding.severity in ("leak", "failed", "not proven"):
            yield from _finding(finding)
    if lines := lines_of([finding.allow for finding in rest if finding.allow]):
        yield "[dim]What is meant so is declared in pyproject.toml, by its line of these:[/dim]"
        yield from (f"    {escape(line)}" for line in lines.splitlines())
    for scenario in result.lifecycles:
        if scenario.ok:
            yield f"{OK} {escape(scenario.name)}: {escape(scenario.detail)}"
    for finding in result.findings:
        if finding.severity == "advice" and finding.object != "advisors":
            yield f"[dim]·[/dim] advice: {escape(finding.what)}"
            yield from _fix(finding.fix)
    yield from _advisors(result)
    yield from map(_accepted, result.accepted)
    for one in result.gone:
        told = f"{escape(one.object)}: {_brief(one)}"
        yield f"[dim]· accepted and no longer found, verify --accept drops it: {told}[/dim]"
    for declared in result.isolation.unneeded if result.isolation else ():
        name = f"{declared.kind}: {declared.name}{f' = {declared.what}' if declared.what else ''}"
        yield f"[dim]· declared in pyproject.toml and not needed: {escape(name)}[/dim]"
    yield f"[bold {'green' if result.ok else 'red'}]{escape(result.verdict)}[/]"


def _differences(result: VerifyResult) -> Iterator[RenderableType]:
    from promthctl.verify.judging import finding_of

    if not result.differences:
        made_by = count(result.migrations, "migration")
        yield f"{OK} The schema is what {made_by} make{'s' if result.migrations == 1 else ''}"
    for one in result.differences:
        if finding_of(one) in result.findings:
            yield from differing(one)


def _isolation(report: IsolationReport, every: bool) -> Iterator[RenderableType]:
    """One line for each table: for each role the verbs that reached a row, red where one had the wrong outcome."""
    if not report.tables:
        yield "[dim]· No isolation was tried: there is no table that clients may reach[/dim]"
        return
    proven = [proof for proof in report.tables if proof.state == "proven"]
    brief = not every and len(proven) > _MANY
    shown = table("", "Table", *_ROLES)
    for proof in report.tables:
        if brief and proof.state == "proven":
            continue
        cells = []
        for role in _ROLES:
            reached = [a.verb for a in proof.attempts if a.role == role and a.outcome == "reached"]
            leaks = any(one.severity == "leak" and one.who == role for one in proof.findings)  # by other rows, perhaps
            wrong = leaks or any(not a.ok for a in proof.attempts if a.role == role)
            text = " ".join(dict.fromkeys(reached)) or ("see below" if leaks else "-")
            cells.append(f"[red]{text}[/red]" if wrong else text)
        shown.add_row(_MARKS.get(proof.state, BAD), escape(proof.table), *cells)
    if brief:
        yield f"{OK} {count(len(proven), 'table')} proven (--all lists them)"
    if shown.row_count:
        yield shown
        yield from (f"  [dim]{line}[/dim]" for line in _LEGEND)
    for proof in report.tables:
        if proof.state == "proven" and proof.reason and not brief:
            yield f"  [dim]{escape(proof.table)}: {escape(proof.reason)}[/dim]"
    yield from (f"  [dim]{escape(caveat)}[/dim]" for caveat in report.caveats)


def _wide_openings(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """What users can do themselves and many tables are open to then: told once, by what they do."""
    ways: dict[str, list[Finding]] = {}
    for one in findings:
        if one.severity == "leak" and one.row.startswith("they "):
            ways.setdefault(one.row, []).append(one)
    return {way: through for way, through in ways.items() if len({one.object for one in through}) >= _WIDE}


def _wide_opening(way: str, through: Sequence[Finding]) -> Iterator[str]:
    """One finding with the tables that are open by it."""
    tables = dict.fromkeys(one.object for one in through)
    policies = dict.fromkeys(one.condition for one in through if one.condition)
    conditions = ", by ".join([*policies][:_SHOWN]) + (", …" if len(policies) > _SHOWN else "")
    yield f"{BAD} {count(len(tables), 'table')}: leak. Another signed-in user gets in: {escape(way)}"
    yield f"      [dim]policies:[/dim] by {escape(conditions)}"
    yield f"      [dim]tables:[/dim] {escape(', '.join(tables))}"


def _finding(one: Finding) -> Iterator[str]:
    """What was found, what opens it, and SQL that shuts it."""
    what = one.what[:1].upper() + one.what[1:]
    yield f"{_MARKS.get(one.severity, BAD)} {escape(one.object)}: {one.severity}. {escape(what)}"
    if one.policy:
        opens = f" by {one.condition}" if one.condition else ""
        yield f"      [dim]policy:[/dim] {escape(one.policy + opens)}"
    if one.row:
        yield f"      [dim]row:[/dim] {escape(one.row)}"
    yield from _fix(one.fix)


def _fix(text: str) -> Iterator[str]:
    yield from (f"      [dim]fix:[/dim] {escape(line)}" for line in text.splitlines())


def _advisors(result: VerifyResult) -> Iterator[str]:
    if result.advisors is not None:
        lines = [one.what for one in result.findings if one.object == "advisors"]
        yield from (f"[dim]·[/dim] advisors: {escape(line)}" for line in lines)
        if not result.advisors:
            yield f"{OK} The Supabase CLI's advisors find nothing"
    elif result.isolation is not None:
        yield f"[dim]· The Supabase CLI's advisors could not run: {escape(result.unasked)}[/dim]"


def _accepted(one: Accepted) -> str:
    return f"[dim]· accepted: {escape(one.object)}: {_brief(one)}. Reason: {escape(one.reason)}[/dim]"


def _brief(one: Accepted) -> str:
    return f"{one.severity}: {escape(one.what)}"
