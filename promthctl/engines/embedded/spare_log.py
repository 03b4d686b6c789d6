"""Which files of the write-ahead log a stopped server does not need: up to 1 GB that it keeps to write over.

A server that was shut down starts from the checkpoint it made then. Where that is stands in global/pg_control: the
beginning of ControlFileData, src/include/catalog/pg_control.h, is the same from PostgreSQL 14 to 18.
"""

from __future__ import annotations

import contextlib
import re
import struct
from pathlib import Path

FOLDER = "pg_wal"
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_KNOWN = (1300, 1700, 1800)  # pg_control_version of 14 to 16, 17, 18
_SHUT_DOWN = 1  # DB_SHUTDOWNED
_CONTROL = struct.Struct("=QIII4xqQQI")  # … state, time, checkPoint, and of its copy redo and ThisTimeLineID
_MARGIN = 1 << 16  # bytes: a record may go on in the next file
_FILES = 1 << 32  # bytes that the second part of a name counts


def spare_log(data: Path) -> frozenset[str]:
    """The names of files in pg_wal that a copy can do without; none where that is not sure."""
    with contextlib.suppress(OSError, struct.error, ZeroDivisionError):
        names = {file.name for file in (data / FOLDER).iterdir() if _SEGMENT.fullmatch(file.name)}
        _, version, _, state, _, checkpoint, redo, timeline = _CONTROL.unpack_from(
            (data / "global" / "pg_control").read_bytes()
        )
        size = max((data / FOLDER / name).stat().st_size for name in names) if names else 0
        number, offset = divmod(checkpoint, size)
        needed = f"{timeline:08X}{number // (_FILES // size):08X}{number % (_FILES // size):08X}"
        if version in _KNOWN and state == _SHUT_DOWN and redo == checkpoint and offset < size - _MARGIN:
            return frozenset(names - {needed}) if needed in names else frozenset()
    return frozenset()
