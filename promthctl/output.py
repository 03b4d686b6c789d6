"""The only renderer: results on standard output, for people or as JSON; progress and errors on standard error.

Everything passes through redact on its way out, except what is meant to be seen (`secret`, `reveal`).
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from promthctl.envelope import Envelope, dumps, to_json
from promthctl.errors import PromthctlError
from promthctl.quantities import size
from promthctl.redact import redact
from promthctl.steps import Advance, Progress, RowUpdate, Update
from promthctl.terminal import visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as RichProgress
    from rich.status import Status

Result = TypeVar("Result")

_KEPT_NOTES = 500  # of --quiet, for a question
_PIPE_WIDTH = 200  # no terminal to fit into: tables keep their words whole


class Output:
    """as_json: one JSON envelope, which `finish` prints. verbose: with the details of each step.

    quiet: no progress and no notes; those that came are shown when a question is asked.
    """

    def __init__(self, *, as_json: bool = False, verbose: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.verbose = verbose
        self.quiet = quiet
        self.envelope = Envelope()
        self._unsaid: deque[str] = deque(maxlen=_KEPT_NOTES)
        self._status: Status | None = None
        self._told = 0  # steps that a line without a terminal told of, and that go on
        self._bar = False  # one is shown: a terminal has room for one thing that moves

    def show(self, result: Result, view: Callable[[Result], Iterable[RenderableType]]) -> None:
        """Print a result: `view` turns it into what people read; --json prints its fields."""
        if self.as_json:
            self.envelope.result(to_json(result))
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

        Nothing is printed before the first page is there.
        """
        rest = iter(pages)
        first: Sequence[Result] = next(rest, ())
        every = chain((first,), rest)
        if self.as_json:
            self.envelope.stream(to_json(result) for page in every for result in page)
            return
        for page in every:
            self.show(page, view)

    def secret(self, variables: Mapping[str, str]) -> None:
        """Print what the user asked for although it is secret: dotenv lines, or an object."""
        if self.as_json:
            self.envelope.result(dict(variables))
            return
        for name, value in variables.items():
            sys.stdout.write(f"{name}={value}\n")

    def verbatim(self, text: str) -> None:
        """Print what another program will read: UTF-8, byte for byte; with --json as the data's `text`."""
        if self.as_json:
            self.envelope.result({"text": text})
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()

    def reveal(self, text: str) -> None:
        """Show a secret the user needs to see once, on standard error."""
        sys.stderr.write(visible(text) + "\n")

    def log_lines(self, lines: Iterable[tuple[str, str]], *, endless: bool) -> None:
        """Lines of services' logs, (service, line), as they come.

        endless: with --json an object on each line, and the envelope on the last; otherwise they are its data.
        """
        objects = ({"service": service, "line": redact(line)} for service, line in lines)
        if self.as_json and not endless:
            self.envelope.stream(objects)
            return
        if self.as_json:
            self.envelope.line_by_line = True
            self.envelope.result(None)
        for one in objects:
            text = dumps(one, None) if self.as_json else f"{one['service']:<8} | {visible(one['line'])}"
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    @contextmanager
    def step(self, title: str) -> Iterator[Update]:
        """See steps.Steps: a spinner on a terminal, a line of text elsewhere."""
        from rich.markup import escape

        if self.quiet:
            yield lambda _: None
            return
        console = self._console(sys.stderr)
        if not _moves(console):
            console.print(f"{title} …", highlight=False, soft_wrap=True, markup=False)
            self._told += 1
            try:
                yield self._detail
            finally:
                self._told -= 1
            return
        title = escape(title)
        if self._bar:
            yield lambda _: None
        elif self._status is not None:  # a step of a step: one spinner, with the inner title for as long as it takes
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
        if self.quiet:
            yield lambda row, text: None
            return
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
        if self.quiet or not _moves(console):
            self.note(f"{title} …")
            yield _Lines(self)
            return
        from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
        from rich.progress import Progress as RichProgress

        columns = (TextColumn("{task.description}"), BarColumn(30), DownloadColumn(), TransferSpeedColumn())
        with RichProgress(*columns, console=console) as bars:
            yield _Bars(bars, title, names)

    @contextmanager
    def progress(self, title: str, total: int, *, tenths: bool = True) -> Iterator[Advance]:
        """See steps.Steps: a bar on a terminal, in place of a step's spinner; lines of text elsewhere."""
        console = self._console(sys.stderr)
        if self._bar:
            yield lambda number, detail="": None
            return
        if self.quiet or not _moves(console):
            if not (tenths or self._told):
                self.note(f"{title} …")
            yield self._tenths(title, total) if tenths else lambda number, detail="": self._detail(detail)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        if self._status is not None:
            self._status.stop()
        self._bar = True
        try:
            with RichProgress(*columns, console=console, transient=True) as shown:
                task = shown.add_task(title, total=total)
                yield lambda number, detail="": shown.advance(task, number)
        finally:
            self._bar = False
            if self._status is not None:
                self._status.start()

    def _tenths(self, title: str, total: int) -> Advance:
        done = 0

        def advance(number: int, detail: str = "", /) -> None:
            nonlocal done
            before, done = done, done + number
            self._detail(detail)
            if done * 10 // total > before * 10 // total:
                self.note(f"{title}: {done:,} of {total:,}")

        return advance

    def note(self, text: str) -> None:
        """A line on standard error; under --quiet it is kept back."""
        if self.quiet:
            self._unsaid.append(text)
        else:
            self.say(text)

    def before_question(self) -> None:
        """Nobody answers what they do not see: say what --quiet has kept back."""
        while self._unsaid:
            self.say(self._unsaid.popleft())

    def finish(self) -> None:
        """With --json, print the envelope; at the end of the run, whatever came of it."""
        if self.as_json:
            self.envelope.print()

    def say(self, text: str) -> None:
        """A line on standard error that --quiet does not keep back, as a warning."""
        self._console(sys.stderr).print(text, highlight=False, soft_wrap=True, markup=False)

    def error(self, error: PromthctlError) -> None:
        """The three lines of an error: what failed, why, what to run next."""
        self.envelope.failed(error)
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
        if self.verbose and detail:
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
