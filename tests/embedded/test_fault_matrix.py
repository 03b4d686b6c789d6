"""A part of the fault matrix: see tests/fault_matrix.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fault_matrix import run_one
from tests.servers import Server


@pytest.mark.parametrize(
    ("command", "fault"),
    [("push", "cut at 4"), ("push", "read-only"), ("rollback", "terminated"), ("adopt", "cut at 2")],
)
def test_what_is_said_is_what_the_database_has(server: Server, tmp_path: Path, command: str, fault: str) -> None:
    assert run_one(server, tmp_path / "project", command, fault) == []
