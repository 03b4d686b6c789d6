"""The files of a data directory, written to the disk: of a server that did not sync while it was filled.

A sync of one file waits for the disk to empty its own memory. Many at once wait for the same emptying: the 1,200 files
of a new database took 0.15 s instead of 2 (ext4, the disk's write cache on).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

_AT_ONCE = 32
_SECONDS = 0.2
_LARGE = 1_000_000  # bytes


def sync_all(data: Path) -> None:
    """Return when all of its files and folders are on the disk. Raises OSError."""
    from concurrent.futures import ThreadPoolExecutor

    def failed(error: OSError) -> None:
        raise error

    found = os.walk(data, onerror=failed)
    places = [f"{place}/{name}" for place, _, names in found for name in ("", *names)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(_sync, [places[number::_AT_ONCE] for number in range(_AT_ONCE)]):
            pass


@contextlib.contextmanager
def written_early(data: Path) -> Iterator[None]:
    """While the block fills this data directory, its large files are synced as they grow, so that `sync_all` has little
    left to do; what goes wrong here is no error.
    """
    ended = threading.Event()
    thread = threading.Thread(target=_write, args=(data, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _write(data: Path, ended: threading.Event) -> None:
    seen: dict[Path, tuple[int, int]] = {}
    while not ended.wait(_SECONDS):
        for file in data.glob("base/*/*"):
            with contextlib.suppress(OSError):  # a table that was dropped
                about = file.stat()
                state = about.st_size, about.st_mtime_ns
                if about.st_size > _LARGE and seen.get(file) != state:
                    seen[file] = state
                    _sync([file])


def _sync(places: Iterable[str | Path]) -> None:
    for place in places:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
