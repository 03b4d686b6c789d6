"""The only renderer: results on standard output, for people or as JSON; progress and errors on standard error.

Everything passes through redact on its way out, except what is meant to be seen (`secret`, `reveal`).
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from promthctl.errors import PromthctlError
from promthctl.quantities import size
from promthctl.redact import redact
from promthctl.steps import Advance, Progress, RowUpdate, Update
from promthctl.terminal import json_visible, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as RichProgress
    from rich.status import Status

Result = TypeVar("Result")

_PIPE_WIDTH = 200  # no terminal to fit into: tables keep their words whole


class Output:
    """as_json: results as one JSON value. verbose: with the details of each step."""

    def __init__(self, *, as_json: bool = False, verbose: bool = False) -> None:
        self.as_json = as_json
        self.verbose = verbose
        self._status: Status | None = None

    def show(self, result: Result, view: Callable[[Result], Iterable[RenderableType]]) -> None:
        """Print a result: `view` turns it into what people read; --json prints its fields."""
        if self.as_json:
            sys.stdout.write(_json(to_json(result)) + "\n")
            return
        console = self._console(sys.stdout)
        for part in view(result):
            # Text is never wrapped: a secret must not be split before it is masked.
            console.print(part, highlight=False, soft_wrap=isinstance(part, str))

    def aside(self, result: Result, view: Callable[[Result], Iterable[RenderableType]]) -> None:
        """Show people on standard error what they should see before the result: `view` as in show."""
        console = self._console(sys.stderr)
        for part in view(result):
            console.print(part, highlight=False, soft_wrap=isinstance(part, str))

    def show_pages(
        self, pages: Iterable[Sequence[Result]], view: Callable[[Sequence[Result]], Iterable[RenderableType]]
    ) -> None:
        """Print any number of results as they come: a table for each page, or with --json one array.

        Nothing is printed before the first page is there, so that what fails by then leaves no half array.
        """
        rest = iter(pages)
        page: Sequence[Result] | None = next(rest, ())
        separator = "["
        while page is not None:
            if not self.as_json:
                self.show(page, view)
            for result in page if self.as_json else ():
                sys.stdout.write(f"{separator}\n{_json(to_json(result))}")
                separator = ","
            page = next(rest, None)
        if self.as_json:
            sys.stdout.write("[]\n" if separator == "[" else "\n]\n")

    def secret(self, variables: Mapping[str, str]) -> None:
        """Print what the user asked for although it is secret: dotenv lines, or an object."""
        if self.as_json:
            sys.stdout.write(json.dumps(dict(variables), indent=2) + "\n")
            return
        for name, value in variables.items():
            sys.stdout.write(f"{name}={value}\n")

    def verbatim(self, text: str) -> None:
        """Print what another program will read: UTF-8, byte for byte."""
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()

    def reveal(self, text: str) -> None:
        """Show a secret the user needs to see once, on standard error."""
        sys.stderr.write(visible(text) + "\n")

    def log_line(self, service: str, line: str) -> None:
        """One line of a service's log, as it comes; with --json one object a line."""
        line = redact(line)
        text = json.dumps({"service": service, "line": line}) if self.as_json else f"{service:<8} | {visible(line)}"
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[Update]:
        """See steps.Steps: a spinner on a terminal, a line of text elsewhere."""
        from rich.markup import escape

        console = self._console(sys.stderr)
        if not _moves(console):
            console.print(f"{title} …", highlight=False, soft_wrap=True, markup=False)
            yield self._detail
            return
        title = escape(title)
        if self._status is not None:  # a step of a step: one spinner, with the inner title for as long as it takes
            outer = self._status.status
            self._status.update(title)
            try:
                yield self._updater(title)
            finally:
                self._status.update(outer)
        else:
            try:
                with console.status(title) as self._status:
                    yield self._updater(title)
            finally:
                self._status = None

    @contextmanager
    def board(self, rows: Sequence[str]) -> Iterator[RowUpdate]:
        """See steps.Steps: a live table on a terminal, a line for each change elsewhere."""
        console = self._console(sys.stderr)
        if not _moves(console):
            yield lambda row, text: self.note(f"{rows[row]}: {text}")
            return
        from rich.live import Live
        from rich.table import Table
        from rich.text import Text

        texts = [""] * len(rows)

        def table() -> Table:
            shown = Table(box=None, pad_edge=False, show_header=False)
            for name, text in zip(rows, texts, strict=True):
                shown.add_row(Text(name, overflow="ellipsis", no_wrap=True), Text(text, style="dim"))
            return shown

        with Live(table(), console=console, auto_refresh=False) as live:

            def update(row: int, text: str) -> None:
                texts[row] = text
                live.update(table(), refresh=True)

            yield update

    def _updater(self, title: str) -> Update:
        def update(detail: str) -> None:
            if self._status is not None:
                self._status.update(f"{title} [dim]{detail}[/dim]")

        return update

    @contextmanager
    def downloads(self, title: str, names: Sequence[str]) -> Iterator[Progress]:
        """See steps.Steps: a bar for each and one for all on a terminal, a line for each elsewhere."""
        console = self._console(sys.stderr)
        if not _moves(console):
            self.note(f"{title} …")
            yield _Lines(self)
            return
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(30), DownloadColumn(), TransferSpeedColumn())
        with RichProgress(*columns, console=console) as bars:
            yield _Bars(bars, title, names)

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Advance]:
        """See steps.Steps: a bar on a terminal, a line of text for each tenth elsewhere."""
        console = self._console(sys.stderr)
        if not _moves(console):
            yield self._tenths(title, total)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=console, transient=True) as shown:
            task = shown.add_task(title, total=total)
            yield lambda number: shown.advance(task, number)

    def _tenths(self, title: str, total: int) -> Advance:
        done = 0

        def advance(number: int) -> None:
            nonlocal done
            before, done = done, done + number
            if done * 10 // total > before * 10 // total:
                self.note(f"{title}: {done:,} of {total:,}")

        return advance

    def note(self, text: str) -> None:
        self._console(sys.stderr).print(text, highlight=False, soft_wrap=True, markup=False)

    def error(self, error: PromthctlError) -> None:
        """The three lines of an error: what failed, why, what to run next."""
        if self.as_json:
            fields = {"error": error.what, "why": error.why, "hint": error.hint, "exit_code": error.exit_code}
            sys.stdout.write(_json(to_json(fields)) + "\n")
        console = self._console(sys.stderr)
        for label, style, text in (
            ("error", "bold red", error.what),
            ("  why", "dim", error.why),
            (" next", "bold cyan", error.hint),
        ):
            body = text.replace("\n", "\n       ")
            console.print(f"[{style}]{label}:[/{style}] ", end="", highlight=False)
            console.print(body, highlight=False, soft_wrap=True, markup=False)

    def _detail(self, detail: str) -> None:
        if self.verbose:
            self.note(f"  {detail}")

    def _console(self, stream: TextIO) -> Console:
        from promthctl.console import VisibleConsole

        width = None if stream.isatty() else _PIPE_WIDTH
        return VisibleConsole(file=cast(TextIO, _Redacting(stream)), width=width)


def _moves(console: Console) -> bool:
    """Whether lines can be written over: not in a file, nor on a terminal that is read aloud or knows no movements."""
    return console.is_terminal and not console.is_dumb_terminal


class _Lines:
    """Progress without a terminal: one line for what is done."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._sizes: dict[str, int] = {}

    def update(self, name: str, done: int, total: int) -> None:
        self._sizes[name] = total

    def finish(self, name: str) -> None:
        self._output.note(f"  {name} is there, {size(self._sizes.get(name, 0))} downloaded")


class _Bars:
    """Progress on a terminal."""

    def __init__(self, bars: RichProgress, title: str, names: Sequence[str]) -> None:
        self._bars = bars
        self._tasks = {name: bars.add_task(name, total=None) for name in names}
        self._all = bars.add_task(f"[bold]{title}[/bold]", total=None)

    def update(self, name: str, done: int, total: int) -> None:
        self._bars.update(self._tasks[name], completed=done, total=total or None)
        tasks = [task for task in self._bars.tasks if task.id != self._all]
        known = sum(task.total or 0 for task in tasks)
        self._bars.update(self._all, completed=sum(task.completed for task in tasks), total=known or None)

    def finish(self, name: str) -> None:
        total = next(task.total for task in self._bars.tasks if task.id == self._tasks[name])
        self.update(name, int(total or 1), int(total or 1))  # 1: all its layers were there


class _Redacting:
    """A text stream that masks secrets in whatever rich writes to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(redact(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _json(value: Any) -> str:
    return json_visible(json.dumps(value, ensure_ascii=False, indent=2))


def to_json(value: Any) -> Any:
    """A result as JSON knows it: dataclasses become objects without the fields kept out of their repr.

    Secrets are masked here: once escaped, they could not be found.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr}
    if isinstance(value, dict):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [to_json(item) for item in value]
    if isinstance(value, (str, Path)):
        return redact(str(value))
    return value
