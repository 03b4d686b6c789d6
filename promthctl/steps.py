"""How work tells what it is doing without knowing who listens: output.py shows it, tests ignore it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Update = Callable[[str], None]


class Steps(Protocol):
    """Takes the course of a longer operation."""

    def step(self, title: str) -> AbstractContextManager[Update]:
        """A piece of work that takes a moment; the yielded function replaces the detail shown beside it."""

    def note(self, text: str) -> None:
        """One line the user should see."""


class Silent:
    """Steps that nobody watches."""

    @contextmanager
    def step(self, title: str) -> Iterator[Update]:
        yield lambda detail: None

    def note(self, text: str) -> None:
        pass
