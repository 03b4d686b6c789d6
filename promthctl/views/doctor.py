"""promthctl doctor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.text import Text

from promthctl.quantities import count
from promthctl.redact import redact
from promthctl.views.fitting import FittingTable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.doctor import Diagnosis

_STYLES = {"ok": "green", "warning": "yellow", "failure": "bold red"}


def diagnosis(result: Diagnosis) -> Iterator[RenderableType]:
    shown = FittingTable(box=None, pad_edge=False, show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for finding in result.findings:
        shown.add_row(Text(finding.level, style=_STYLES[finding.level]), finding.check, _masked(finding.detail))
        if finding.fix and finding.level != "ok":
            shown.add_row("", Text("fix", style="dim"), _masked(finding.fix))
    yield shown
    for done in result.fixed:
        yield f"[bold green]Fixed[/bold green] {escape(done)}"
    levels = [finding.level for finding in result.findings]
    failures, warnings = levels.count("failure"), levels.count("warning")
    if failures:
        yield f"[bold red]{count(failures, 'failure')}[/bold red], {count(warnings, 'warning')}"
    else:
        yield f"Ready, {count(warnings, 'warning')}." if warnings else "[bold green]All is in order.[/bold green]"


def _masked(text: str) -> Text:
    """Masked before a line break can come into a secret."""
    return Text(redact(text))
