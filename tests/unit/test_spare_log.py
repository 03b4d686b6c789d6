"""Which files of the write-ahead log a copy of a stopped server leaves out, and the sync of all that is left."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from promthctl.engines.embedded import syncing
from promthctl.engines.embedded.spare_log import spare_log

SEGMENT = 16 << 20


def cluster(folder: Path, *, checkpoint: int, redo: int | None = None, state: int = 1, version: int = 1700) -> Path:
    """A data directory with a control file and eight files of the log, none of which takes any room."""
    (folder / "global").mkdir()
    (folder / "pg_wal" / "archive_status").mkdir(parents=True)
    redo = checkpoint if redo is None else redo
    control = struct.pack("=QIII4xqQQI", 7, version, 202406281, state, 1, checkpoint, redo, 1)
    (folder / "global" / "pg_control").write_bytes(control.ljust(8192, b"\0"))
    for number in range(1, 9):
        with (folder / "pg_wal" / f"{1:08X}{0:08X}{number:08X}").open("wb") as file:
            file.truncate(SEGMENT)
    (folder / "pg_wal" / "00000001.history").touch()
    return folder


def test_only_the_file_with_the_checkpoint_is_needed(tmp_path: Path) -> None:
    spare = spare_log(cluster(tmp_path, checkpoint=3 * SEGMENT + 40))
    assert spare == {f"{1:08X}{0:08X}{number:08X}" for number in (1, 2, 4, 5, 6, 7, 8)}


@pytest.mark.parametrize(
    "told",
    [
        {"checkpoint": 3 * SEGMENT + 40, "state": 6},  # in production: it was killed
        {"checkpoint": 3 * SEGMENT + 40, "redo": 2 * SEGMENT},  # not of a shutdown
        {"checkpoint": 4 * SEGMENT - 40},  # the record may go on in the next file
        {"checkpoint": 300 * SEGMENT},  # the file is not there
        {"checkpoint": 3 * SEGMENT + 40, "version": 1900},  # a PostgreSQL that nobody has looked at
    ],
)
def test_where_that_is_not_sure_all_are(tmp_path: Path, told: dict[str, int]) -> None:
    assert spare_log(cluster(tmp_path, **told)) == frozenset()


def test_without_a_control_file_all_are(tmp_path: Path) -> None:
    assert spare_log(tmp_path) == frozenset()
    (cluster(tmp_path, checkpoint=SEGMENT) / "global" / "pg_control").write_bytes(b"short")
    assert spare_log(tmp_path) == frozenset()


def test_every_file_and_folder_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = set[int]()
    for name in ("a/b/one", "a/two", "three"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.add(os.fstat(descriptor).st_ino))
    syncing.sync_all(tmp_path)
    assert synced == {(tmp_path / name).stat().st_ino for name in ("", "a", "a/b", "a/b/one", "a/two", "three")}


def test_a_file_that_cannot_be_synced_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").touch()

    def fails(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="Input/output"):
        syncing.sync_all(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        syncing.sync_all(tmp_path / "missing")
