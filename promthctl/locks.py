"""One promthctl at a time, where two would get in each other's way."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps

_LOCK, _WITH_PROJECT = "lock", "with this project"


@contextmanager
def locked(path: Path, steps: Steps, what: str) -> Iterator[None]:
    """Hold a lock file; the kernel lets go of it when its holder dies, however it dies.

    what: what the other promthctl is busy with, shown while we wait for it. The file may be removed while it is held.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                with steps.step(f"Waiting for another promthctl to finish {what}"):
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_there(path, descriptor):  # otherwise its holder removed it while we waited
                yield
                return
        finally:
            os.close(descriptor)


@contextmanager
def locked_briefly(path: Path, steps: Steps, what: str) -> Iterator[None]:
    """As `locked`, for a file of one piece of work: it is removed at the end, so that such files do not gather."""
    with locked(path, steps, what):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


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
    with locked(state.path / _LOCK, steps, _WITH_PROJECT):
        state.make()  # whoever held the lock may have removed the folder
        with state.working() as interrupted:
            if interrupted:
                state.clear_leftovers()
            yield


def clear_away(settings: Settings, steps: Steps, *useless: str) -> None:
    """Remove the project's folder of state where it keeps nothing but logs, and files of these names."""
    folder = settings.state_dir
    with locked(folder / _LOCK, steps, _WITH_PROJECT):
        if {entry.name for entry in folder.iterdir()} <= {_LOCK, "logs", ".gitignore", *useless}:
            shutil.rmtree(folder)
