"""A part of the fault matrix: see tests/fault_matrix.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from promthctl.toolchain import Toolchain
from tests.accidents import NotHere, SmallDisk
from tests.fault_keys import KeyRuns
from tests.fault_matrix import Matrix, local_runs
from tests.servers import Server


@pytest.fixture(scope="module")
def matrix(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    with SmallDisk.mounted(server) as disk:
        yield Matrix(server, tmp_path_factory.mktemp("matrix"), disk)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("push", "cut at 4"),
        ("push", "read-only"),
        ("push", "disk full"),
        ("rollback", "terminated"),
        ("adopt", "cut at 9"),
        ("restore", "cut at 8"),
        ("seed sql", "cut at 9"),
        ("seed sql", "disk full"),
        ("seed sql", "two at once"),
        ("reset", "cut at 9"),
    ],
)
def test_what_is_said_is_what_the_database_has(matrix: Matrix, command: str, fault: str) -> None:
    try:
        assert matrix.run_one(command, fault).contradictions == []
    except NotHere as why:
        pytest.skip(str(why))


def test_what_is_said_of_a_local_stack_is_what_its_database_has(tmp_path: Path, tools: Toolchain) -> None:
    with local_runs(tmp_path / "local", tools) as local:
        for command, fault in (("local up", "terminated"), ("local reset", "terminated"), ("local reset", "cut at 9")):
            assert local.run_one(command, fault).contradictions == []


def test_what_is_said_of_keys_is_what_is_stored(tmp_path: Path, tools: Toolchain) -> None:
    with KeyRuns.on_a_stack(tmp_path / "keys") as keys:
        for fault in ("cut at 4", "cut at 8"):
            assert keys.run_one(fault).contradictions == []
