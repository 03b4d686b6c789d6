"""Which files changed since the last look, by their times and sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

_SECONDS = 0.3

Seen = dict[Path, tuple[int, int]]


def look(files: Iterable[Path]) -> Seen:
    seen: Seen = {}
    for file in files:
        try:
            found = file.stat()
        except OSError:
            continue
        seen[file] = (found.st_mtime_ns, found.st_size)
    return seen


def wait_for_change(before: Seen, files: Callable[[], Iterable[Path]]) -> tuple[Seen, set[Path]]:
    """Return when a file changed, came or went, and nothing changed since. files: which there are now."""
    now = look(files())
    while now == before:
        time.sleep(_SECONDS)
        now = look(files())
    last: Seen = {}
    while last != now:  # an editor may write several
        last = now
        time.sleep(_SECONDS)
        now = look(files())
    return now, {file for file in now.keys() | before.keys() if now.get(file) != before.get(file)}
