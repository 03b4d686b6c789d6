"""Which files changed since the last look, by their times, sizes and inodes.

Looking three times a second also sees what no notification tells of: network file systems, folders shared with a
virtual machine. The folders of a project are small.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_SECONDS = 0.3

Seen = dict[Path, tuple[int, int, int]]


def look(files: Iterable[Path]) -> Seen:
    """What identifies the content of those that are there now."""
    seen: Seen = {}
    for file in files:
        with contextlib.suppress(OSError):
            found = file.stat()
            seen[file] = (found.st_mtime_ns, found.st_size, found.st_ino)
    return seen


def wait_for_change(before: Seen, files: Callable[[], Iterable[Path]]) -> tuple[Seen, set[Path]]:
    """Return when a file changed, came or went, and nothing changed since. files: which there are now.

    Of a file that is as it was when everything is quiet again nothing is returned, and the wait goes on: an editor
    may put it aside, write it twice or put it back.
    """
    while True:
        now = look(files())
        while now == before:
            time.sleep(_SECONDS)
            now = look(files())
        last: Seen = {}
        while last != now:
            last = now
            time.sleep(_SECONDS)
            now = look(files())
        if changed := {file for file in now.keys() | before.keys() if now.get(file) != before.get(file)}:
            return now, changed


def sql_files(folder: Path) -> Iterator[Path]:
    """The .sql files of a folder, without the hidden ones, which are an editor's; none where it cannot be read."""
    with contextlib.suppress(OSError):
        yield from sorted(file for file in folder.glob("*.sql") if not file.name.startswith("."))
