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
def locked(path: Path, steps: Steps, what: str) -> Iterator[int]:
    """Hold a lock file; the kernel lets go of it when its holder dies, however it dies.

    what: what the other promthctl is busy with, shown while we wait for it. Gives the file's descriptor.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with steps.step(f"Waiting for another promthctl to finish {what}"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def locked_briefly(path: Path, steps: Steps, what: str) -> Iterator[None]:
    """As `locked`, for a file of one piece of work: it is removed at the end, so that such files do not gather."""
    while True:
        with locked(path, steps, what) as descriptor:
            if not _is_there(path, descriptor):  # its holder removed it while we waited
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def is_held(path: Path) -> bool:
    """Whether a promthctl that lives holds the lock file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def alone(settings: Settings, steps: Steps) -> Iterator[None]:
    """One promthctl at a time; what an earlier one left behind when it was killed is cleared away first."""
    state = StateDir(settings.state_dir)
    state.make()
    with locked(state.path / "lock", steps, "with this project"), state.working() as interrupted:
        if interrupted:
            state.clear_leftovers()
        yield
