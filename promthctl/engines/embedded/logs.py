"""The services' log files, one after another or, followed, as they grow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from promthctl.engines.embedded.records import SERVICES
from promthctl.errors import UsageError

_POLL_SECONDS = 0.2


def read_logs(folder: Path, service: str | None, follow: bool) -> Iterator[tuple[str, str]]:
    """(service, line) pairs. Raises UsageError for a service the engine does not have."""
    if service is not None and service not in SERVICES:
        raise UsageError(
            f"There is no service {service!r}",
            f"the embedded engine has {' and '.join(SERVICES)}",
            "promthctl local logs",
        )
    offsets = {name: 0 for name in SERVICES if service in (None, name)}
    while True:
        for name in offsets:
            lines, offsets[name] = _lines_from(folder / f"{name}.log", offsets[name])
            yield from ((name, line) for line in lines)
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def _lines_from(path: Path, offset: int) -> tuple[list[str], int]:
    """The complete lines after `offset` and where the next begin; a file that shrank is read from its start."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(offset if offset <= size else 0)
            start = file.tell()
            data = file.read()
    except FileNotFoundError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace").splitlines(), start + len(whole)
