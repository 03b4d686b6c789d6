"""One promthctl at a time, where two would get in each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promthctl.steps import Steps


@contextmanager
def locked(path: Path, steps: Steps, what: str) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it when its holder dies, however it dies."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with steps.step(f"Waiting for another promthctl to finish {what}"):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()
