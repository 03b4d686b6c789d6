"""A part of tests/copy_kills.py: save, restore and clone killed at the steps after which the most is half done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.copy_kills import Copies
from tests.local_faults import two_projects

pytestmark = pytest.mark.usefixtures("tools")
EMBEDDED = "promthctl.engines.embedded"
POINTS = {
    "save": (
        f"{EMBEDDED}.cluster:_copy:call:",
        f"{EMBEDDED}.snapshots:Snapshots._describe:return:",
        f"{EMBEDDED}.engine:EmbeddedEngine._restart_database:call:",
        f"{EMBEDDED}.syncing:sync_all:return:",
    ),
    "restore": (
        f"{EMBEDDED}.cluster:_copy:return:",
        f"{EMBEDDED}.snapshots:Snapshots.take_kept:return:",
        "pathlib:Path.rename:return:postgres-17-before-reset",
        f"{EMBEDDED}.engine:EmbeddedEngine._restart_database:call:",
    ),
    "clone": (
        "promthctl.copies.row_copy:RowCopy._emptied:call:",
        "promthctl.copies.row_copy:RowCopy.copy:return:",
        f"{EMBEDDED}.syncing:sync_all:call:",
        f"{EMBEDDED}.kept_copy:replace:return:",
    ),
}


@pytest.mark.parametrize("name", POINTS)
def test_a_killed_copy_leaves_the_stack_as_before_or_as_asked(name: str, tmp_path: Path) -> None:
    with two_projects(tmp_path, 1, {}, Copies) as local:
        for point in POINTS[name]:
            assert local.kill_at(name, point) == "killed", point
