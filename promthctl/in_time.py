"""An answer within some seconds, or none: for questions to what may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")


def in_time(ask: Callable[[], _Answer], seconds: float) -> _Answer | None:
    """What `ask` returns or raises; None when that takes too long. Nobody waits for it then, and nothing ends it."""
    return started(ask)(seconds)


def started(ask: Callable[[], _Answer]) -> Callable[[float], _Answer | None]:
    """Begin to ask in a thread; the result waits for the answer, as in_time does."""
    outcome: list[_Answer | Exception] = []

    def run() -> None:
        try:
            outcome.append(ask())
        except Exception as error:
            outcome.append(error)

    asking = threading.Thread(target=run, daemon=True)
    asking.start()

    def wait(seconds: float) -> _Answer | None:
        asking.join(seconds)
        if outcome and isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0] if outcome else None  # type: ignore[return-value]  # an error was raised above

    return wait
