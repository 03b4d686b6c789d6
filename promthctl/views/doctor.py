"""promthctl doctor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count

if TYPE_CHECKING:
    from promthctl.doctor import Diagnosis

_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def diagnosis(result: Diagnosis) -> Iterator[str]:
    for finding in result.findings:
        style = _STYLES[finding.level]
        yield f"[{style}]{finding.level:<8}[/{style}] {finding.check:<12} {escape(finding.detail)}"
        if finding.fix and finding.level != "ok":
            yield f"{'':<8} [dim]fix:[/dim]         {escape(finding.fix)}"
    for done in result.fixed:
        yield f"[bold green]Fixed[/bold green] {escape(done)}"
    levels = [finding.level for finding in result.findings]
    failures, warnings = levels.count("failure"), levels.count("warning")
    if failures:
        yield f"[bold red]{count(failures, 'failure')}[/bold red], {count(warnings, 'warning')}: `local up` would fail."
    else:
        yield f"Ready, {count(warnings, 'warning')}." if warnings else "[bold green]All is in order.[/bold green]"
