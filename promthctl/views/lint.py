"""promthctl migrations lint"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.linting.rules import SEVERITIES
from promthctl.quantities import count
from promthctl.views.common import OK

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.linting.linting import LintFinding, LintResult
    from promthctl.linting.rules import Severity

_MARKS = {"error": "[red]error[/red]", "warning": "[yellow]warning[/yellow]", "advice": "[cyan]advice[/cyan]"}


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
    numbers = Counter(one.severity for one in result.findings)
    found = ", ".join(_counted(numbers[severity], severity) for severity in SEVERITIES if numbers[severity])
    passes = "" if result.fails else f"; nothing of it is as bad as --fail-on {result.fail_on}"
    return f"{found} in {of_all}{allowed}{passes}"


def _counted(number: int, severity: Severity) -> str:
    if severity != "advice":
        return count(number, severity)
    return f"{number} {'piece' if number == 1 else 'pieces'} of advice"
