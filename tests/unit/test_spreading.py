"""Folders of ours are marked as tops of hierarchies where the file system has such a mark."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

import pytest

from promthctl import spreading
from promthctl.spreading import TOP, spread


def flags(folder: Path) -> int | None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        (found,) = struct.unpack("=Q", fcntl.ioctl(descriptor, 0x80086601, bytes(8)))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return int(found)


def test_a_folder_is_marked_where_the_file_system_knows_it(tmp_path: Path) -> None:
    before = flags(tmp_path)
    for _ in range(2):
        spread(tmp_path)
    if before is not None:
        assert flags(tmp_path) in (before, before | TOP)  # tmpfs has flags, and not this one


def test_nothing_fails_where_it_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> bytes:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(spreading.fcntl, "ioctl", refuses)
    spread(tmp_path)
    spread(tmp_path / "missing")
