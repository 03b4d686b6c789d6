"""The services' log files, one after another or, followed, as they grow."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from promthctl.engines.embedded.records import SERVICES
from promthctl.engines.engine import LogPart
from promthctl.errors import UsageError
from promthctl.process import open_regular

# PostgreSQL's log_line_prefix, and the API's own.
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d{3})(?: UTC|Z) ")
_POLL_SECONDS = 0.2


def read_logs(folder: Path, service: str | None, part: LogPart) -> Iterator[tuple[str, str]]:
    """(service, line) pairs. Raises UsageError for a service the engine does not have."""
    if service is not None and service not in SERVICES:
        raise UsageError(
            f"There is no service {service!r}",
            f"the embedded engine has {' and '.join(SERVICES)}",
            "promthctl local logs",
        )
    offsets = {name: 0 for name in SERVICES if service in (None, name)}
    for name in offsets:
        lines, offsets[name] = _lines_from(folder / f"{name}.log", 0)
        yield from ((name, line) for line in _chosen(lines, part))
    while part.follow:
        time.sleep(_POLL_SECONDS)
        for name in offsets:
            lines, offsets[name] = _lines_from(folder / f"{name}.log", offsets[name])
            yield from ((name, line) for line in lines)


def _chosen(lines: list[str], part: LogPart) -> list[str]:
    if part.since is not None:
        stamped = ((number, _STAMP.match(line)) for number, line in enumerate(lines))
        times = [(number, _unix_time(stamp[1])) for number, stamp in stamped if stamp]
        since = math.floor(part.since * 1000) / 1000  # the log has milliseconds
        first = next((number for number, at in times if at >= since), len(lines) if times else 0)
        lines = lines[first:]
    return lines if part.tail is None else lines[max(0, len(lines) - part.tail) :]


def _unix_time(stamp: str) -> float:
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()


def _lines_from(path: Path, offset: int) -> tuple[list[str], int]:
    """The complete lines after `offset` and where the next begin; a file that shrank is read from its start."""
    try:
        with open_regular(path) as file:
            size = file.seek(0, 2)
            file.seek(offset if offset <= size else 0)
            start = file.tell()
            data = file.read()
    except FileNotFoundError:
        return [], 0
    whole = data[: data.rfind(b"\n") + 1]
    return whole.decode("utf-8", "replace").splitlines(), start + len(whole)
