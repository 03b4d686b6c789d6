"""How work reports what it is doing without knowing who listens: output.py shows it, tests ignore it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Update = Callable[[str], None]
RowUpdate = Callable[[int, str], None]


class Advance(Protocol):
    """Adds to what is done of a piece of work. detail: what is done now, where details are shown."""

    def __call__(self, number: int, detail: str = "", /) -> None: ...


class Progress(Protocol):
    """Takes how far several downloads are, from any thread."""

    def update(self, name: str, done: int, total: int) -> None:
        """done, total: bytes; both grow, for what is to come is known bit by bit."""

    def finish(self, name: str) -> None:
        """That download is complete."""


class Steps(Protocol):
    """Takes the course of a longer operation."""

    def step(self, title: str) -> AbstractContextManager[Update]:
        """A piece of work that takes a moment; the yielded function replaces the detail shown beside it."""

    def downloads(self, title: str, names: Sequence[str]) -> AbstractContextManager[Progress]:
        """Downloads that run side by side, each under its name."""

    def board(self, rows: Sequence[str]) -> AbstractContextManager[RowUpdate]:
        """Several pieces of work at once, a row for each; the yielded function sets a row's text, from any thread."""

    def progress(self, title: str, total: int, *, tenths: bool = True) -> AbstractContextManager[Advance]:
        """A piece of work whose size is known; the yielded function adds to what is done of it.

        tenths: without a terminal each tenth is told; otherwise it is told as a step, and not within one.
        """

    def note(self, text: str) -> None:
        """One line the user should see."""


def reaching(names: Sequence[str], advance: Advance) -> Update:
    """What to call with each of the names as its turn comes: those before it are done. Others are details."""
    place = {name: number for number, name in enumerate(names)}
    done = 0

    def update(name: str) -> None:
        nonlocal done
        before, done = done, max(done, place.get(name, 0))
        advance(done - before, name)

    return update


class Silent:
    """Steps that nobody watches."""

    @contextmanager
    def step(self, title: str) -> Iterator[Update]:
        yield lambda detail: None

    @contextmanager
    def downloads(self, title: str, names: Sequence[str]) -> Iterator[Progress]:
        yield self

    def update(self, name: str, done: int, total: int) -> None:
        pass

    def finish(self, name: str) -> None:
        pass

    @contextmanager
    def board(self, rows: Sequence[str]) -> Iterator[RowUpdate]:
        yield lambda row, text: None

    @contextmanager
    def progress(self, title: str, total: int, *, tenths: bool = True) -> Iterator[Advance]:
        yield lambda number, detail="": None

    def note(self, text: str) -> None:
        pass


class Within(Silent):
    """Steps of a part of something that is shown already: how far the part is counts for that, and no more is told."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    @contextmanager
    def progress(self, title: str, total: int, *, tenths: bool = True) -> Iterator[Advance]:
        yield self._advance
