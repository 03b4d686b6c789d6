"""One promthctl at a time, where two would get in each other's way."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps


@contextmanager
def locked(path: Path, steps: Steps, what: str) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it when its holder dies, however it dies.

    what: what the other promthctl is busy with, shown while we wait for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with steps.step(f"Waiting for another promthctl to finish {what}"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(settings: Settings, steps: Steps) -> Iterator[None]:
    """One promthctl at a time; what an earlier one left behind when it was killed is cleared away first."""
    state = StateDir(settings.state_dir)
    state.make()
    with locked(state.path / "lock", steps, "with this project"), state.working() as interrupted:
        if interrupted:
            state.clear_leftovers()
        yield
