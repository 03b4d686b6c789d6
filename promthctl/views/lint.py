"""promthctl migrations lint"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import OK

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.linting.linting import LintFinding, LintResult

_MARKS = {"error": "[red]error[/red]", "warning": "[yellow]warning[/yellow]"}


def lint(result: LintResult) -> Iterator[RenderableType]:
    for file, found in groupby(result.findings, key=lambda one: one.file):
        yield f"[bold]{escape(file)}[/bold]"
        for one in found:
            yield from _finding(one)
    yield _summary(result)
    if result.unasked:
        yield f"[dim]squawk's rules were not asked for; to have them: {escape(result.unasked)}[/dim]"
    if result.findings:
        yield "docs/lint.md explains each rule; `-- promthctl: allow RULE reason` allows one"


def _finding(one: LintFinding) -> Iterator[str]:
    yield f"  line {one.line}: {_MARKS[one.severity]} {escape(one.text)} [dim]({one.rule})[/dim]"
    yield from (f"      [dim]fix:[/dim] {escape(line)}" for line in one.fix.splitlines())


def _summary(result: LintResult) -> str:
    files = count(result.files, "migration")
    of_all = f"{files} of {result.total}" if result.files != result.total else files
    allowed = f", {len(result.allowed)} allowed" if result.allowed else ""
    if not result.findings:
        return f"{OK} Nothing found in {of_all}{allowed}"
    errors = sum(one.severity == "error" for one in result.findings)
    warnings = len(result.findings) - errors
    found = " and ".join(count(number, noun) for number, noun in ((errors, "error"), (warnings, "warning")) if number)
    return f"{found} in {of_all}{allowed}"
