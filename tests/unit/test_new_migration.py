"""`migrations new`: the next version, an up and a down file, nothing overwritten."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from promthctl.errors import PromthctlError
from promthctl.migration_set import create_migration, discover
from tests.promthctl_runner import Project

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("taken", "name", "made"),
    [
        (set(), "First tables!", "001_first_tables"),
        ({"001", "002"}, "add_tags", "003_add_tags"),
        ({"20260101000000"}, "ป้าย กำกับ", "20261122103000_ป้าย_กำกับ"),
        ({"20270101000000"}, "after the future", "20270101000001_after_the_future"),
    ],
)
def test_it_gets_the_next_version(tmp_path: Path, taken: set[str], name: str, made: str) -> None:
    new = create_migration(tmp_path / "sql", name, taken, NOW, with_down=True)
    assert new.down is not None
    assert (new.up.name, new.down.name) == (f"{made}.sql", f"{made}.down.sql")
    assert [file.version for file in discover(tmp_path / "sql")] == [new.version]


@pytest.mark.parametrize(("taken", "name"), [({"999"}, "more"), (set(), " !"), ({"001"}, "x" * 300)])
def test_what_cannot_be_made_is_told(tmp_path: Path, taken: set[str], name: str) -> None:
    with pytest.raises(PromthctlError):
        create_migration(tmp_path / "sql", name, taken, NOW, with_down=True)


def test_the_command_line_makes_files_that_can_be_used_at_once(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert "migrations = " in project.run("migrations", "new", "add tags", code=2).stderr
    (tmp_path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    assert project.json("migrations", "new", "add tags")["version"] == "001"
    assert "002_add_tags.down.sql" in project.run("migrations", "new", "add tags").stdout
    assert [row["version"] for row in project.json("migrations", "list")] == ["001", "002"]
    (tmp_path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "supabase/migrations"\n')
    assert project.json("migrations", "new", "here")["down"] is None
