"""promthctl test"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.markup import escape

from promthctl.quantities import count
from promthctl.views.common import BAD, OK, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promthctl.pgtap.running import FileResult, TestRun

_MANY = 40  # files that pass are still listed one by one


def test(run: TestRun) -> Iterator[RenderableType]:
    if len(run.files) <= _MANY:
        yield _files(run)
    for file in run.files:
        yield from _failing(file)
    for name in run.left_out:
        yield f"[dim]· not run: {escape(name)}[/dim]"
    for note in run.notes:
        yield f"[dim]{escape(note)}[/dim]"
    tests = [one for file in run.files for one in file.assertions]
    failed = sum(one.failed for one in tests)
    bad = sum(not file.passed for file in run.files)
    where = f"{count(len(run.files), 'file')} on {escape(run.database)}, {run.seconds:.2f} s"
    aside = [
        f"{number} {word}"
        for word in ("todo", "skip")
        if (number := sum(one.directive == word for one in tests if not one.failed))
    ]
    more = f" ({', '.join(aside)})" if aside else ""
    if run.passed:
        yield f"{OK} {count(len(tests), 'test')} passed{more} in {where}"
    else:
        yield f"{BAD} {failed} of {count(len(tests), 'test')} failed{more}, {bad} of {where}"


def _files(run: TestRun) -> RenderableType:
    shown = table("", "File", "Tests", "Seconds")
    for file in run.files:
        said = f"skipped: {file.skipped}" if file.skipped is not None else str(len(file.assertions))
        shown.add_row(OK if file.passed else BAD, escape(file.file), escape(said), f"{file.seconds:.2f}")
    return shown


def _failing(file: FileResult) -> Iterator[str]:
    for one in file.assertions:
        if one.failed:
            yield f"{BAD} {escape(str(one.place))}: not ok {one.number} - {escape(one.name)}"
            yield from (f"      [dim]{escape(line)}[/dim]" for line in one.diagnostics)
        elif one.directive == "todo" and one.ok:
            yield f"[dim]· {escape(str(one.place))}: a todo test passed: {one.number} - {escape(one.name)}[/dim]"
    for problem in file.problems:
        first, *rest = problem.message.splitlines()
        yield f"{BAD} {escape(str(problem.place))}: {escape(first)}"
        yield from (f"      [dim]{escape(line)}[/dim]" for line in rest)
    if file.bailed is not None:
        yield f"{BAD} {escape(file.file)}: Bail out! {escape(file.bailed)}"
