"""`self uninstall` leaves nothing on the machine, and takes nothing that runs, or that is not promthctl's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promthctl.toolchain import Toolchain
from tests.hints import Place, Row, Run, follow
from tests.promthctl_runner import Project


@pytest.fixture
def machine(tools: Toolchain) -> Iterator[Path]:
    """A user's folders, with the tools of this machine behind a link; Postgres's user can reach them."""
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o755)
        for name in ("cache", "data", "home"):
            (place / name).mkdir()
        (place / "cache" / "toolchain").symlink_to(tools.root.parent)
        yield place
    finally:
        shutil.rmtree(place)


def test_what_promthctl_keeps_goes_and_all_else_stays(
    make_project: Callable[..., Project], machine: Path, tools: Toolchain
) -> None:
    extra = {
        "PROMTHCTL_CACHE_DIR": str(machine / "cache"),
        "PROMTHCTL_DATA_DIR": str(machine / "data"),
        "HOME": str(machine / "home"),
        "XDG_CONFIG_HOME": str(machine / "home" / ".config"),
    }
    purged, stopped = make_project("purged", **extra), make_project("stopped", **extra)
    (machine / "data" / "photos").mkdir()
    (machine / "cache" / "other.txt").write_text("not promthctl's")
    for project in (purged, stopped):  # the record of an example's copies is no state of the stack, and would stay
        (project.path / "supabase" / "migrations").mkdir(parents=True)
        (project.path / "supabase" / "migrations" / "001_a.sql").write_text("create schema a;\n")
        project.up()
    purged.run("local", "down", "--purge", "--yes")
    assert not (purged.path / ".promthctl").exists()

    row = Row(
        "local_stack/uninstalling.py · kept", "promthctl self uninstall --yes", Run("promthctl local down(?=, in)")
    )
    assert (machine / "home" / ".config" / "promthctl" / "state.key").exists()
    (home,) = (one for one in (machine / "data").iterdir() if one.name != "photos")
    refused = stopped.run("self", "uninstall", "--yes", code=5)
    assert "Nothing was removed" in refused.stderr and str(machine) in refused.stderr
    asked = stopped.path
    follow(row, Place(stopped))
    assert asked.exists() and not home.exists()
    assert sorted(
        str(path.relative_to(machine)) for path in machine.rglob("*") if "home/.supabase" not in str(path)
    ) == [
        "cache",
        "cache/other.txt",
        "data",
        "data/photos",
        "home",
        "home/.config",
    ]
    assert tools.root.exists()  # behind the link
    again = stopped.json("self", "uninstall")  # nothing is there, so nothing is asked
    assert (again["removed"], again["left"], again["bytes"]) == ([], [], 0)


def test_it_asks_first(make_project: Callable[..., Project], machine: Path) -> None:
    project = make_project(
        PROMTHCTL_CACHE_DIR=str(machine / "cache"),
        PROMTHCTL_DATA_DIR=str(machine / "data"),
        HOME=str(machine / "home"),
        XDG_CONFIG_HOME=str(machine / "home" / ".config"),
    )
    project.up()
    project.run("local", "down")
    refused = project.run("self", "uninstall", code=5)
    assert "promthctl keeps" in refused.stderr and "again with --yes" in refused.stderr
    assert list((machine / "data").iterdir())
    done = project.run("self", "uninstall", "--yes").stdout
    assert "Removed" in done and "uninstall" in done.splitlines()[-1]
    assert not (machine / "data").exists() and not (machine / "cache").exists()
