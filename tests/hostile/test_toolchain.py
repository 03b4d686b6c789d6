"""Root runs the tools in the cache only as they were installed: whoever changed one of them would run as root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promthctl import settings, toolchain
from promthctl.errors import PrerequisiteError
from promthctl.steps import Silent
from promthctl.toolchain import ServerChoice, Toolchain, installation, intact
from tests.hints import told
from tests.promthctl_runner import Project

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="others have their tools to themselves")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Something installed, and recorded as promthctl does."""
    monkeypatch.setattr(intact, "RECORDS", tmp_path / "records")
    place = tmp_path / "tools"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "supabase").write_text("a program")
    (place / "bin" / "supabase").chmod(0o755)
    (place / "link").symlink_to("bin")
    intact.record(place, place)
    intact.check(place)
    yield place


def same_size_and_time(folder: Path) -> None:
    program = folder / "bin" / "supabase"
    before = program.stat()
    program.write_text("A PROGRAM")
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: (folder / "bin" / "supabase").write_text("another"),
    "content of the same size and time": same_size_and_time,
    "a new file": lambda folder: (folder / "bin" / "libpq.so").write_text(""),
    "a new folder": lambda folder: (folder / "node_modules").mkdir(),
    "a file less": lambda folder: (folder / "bin" / "supabase").unlink(),
    "a mode": lambda folder: (folder / "bin" / "supabase").chmod(0o4755),
    "another target": lambda folder: [(folder / "link").unlink(), (folder / "link").symlink_to("/tmp")],
    "a link for a file": lambda folder: [
        (folder / "bin" / "supabase").rename(folder.parent / "x"),
        (folder / "bin" / "supabase").symlink_to(folder.parent / "x"),
    ],
    "writable for all": lambda folder: (folder / "bin" / "supabase").chmod(0o757),
    "a folder writable for all": lambda folder: (folder / "bin").chmod(0o1777),
    "another's file": lambda folder: os.chown(folder / "bin" / "supabase", 12345, -1),
    "another's link": lambda folder: os.chown(folder / "link", 12345, -1, follow_symlinks=False),
    "another group's": lambda folder: [
        os.chown(folder / "bin" / "supabase", -1, 12345),
        (folder / "bin" / "supabase").chmod(0o775),
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_is_refused(folder: Path, change: str) -> None:
    CHANGES[change](folder)
    for _ in range(2):  # the refusal is not taken for a look
        with pytest.raises(PrerequisiteError, match="not used by root") as caught:
            intact.check(folder)
    assert caught.value.hint.startswith(f"rm -r {folder}, then")


def test_what_only_looks_changed_is_used(folder: Path) -> None:
    program = folder / "bin" / "supabase"
    shutil.copy2(program, folder / "copy")
    (folder / "copy").replace(program)
    folder.rename(folder.with_name("away"))
    folder.with_name("away").rename(folder)
    intact.check(folder)


@pytest.mark.parametrize("mode", [0o777, 0o775])
def test_a_folder_on_the_way_that_others_can_write_to_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int
) -> None:
    monkeypatch.setattr(intact, "RECORDS", tmp_path / "records")
    place = tmp_path / "open" / "cache" / "tools"
    place.mkdir(parents=True)
    intact.check(place)
    os.chown(tmp_path / "open", 0, 12345)
    (tmp_path / "open").chmod(mode)
    (tmp_path / "link").symlink_to(place)
    for way in (place, tmp_path / "link"):
        with pytest.raises(PrerequisiteError, match="is not used by root") as caught:
            intact.check(way)
    command = told("toolchain/intact.py · check_way", caught.value).hint.partition(", or ")[0]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    intact.check(place)


def test_a_record_that_others_could_write_does_not_count(folder: Path) -> None:
    (record,) = intact.RECORDS.iterdir()
    (folder / "bin" / "supabase").write_text("another")
    record.chmod(0o666)
    with pytest.raises(PrerequisiteError, match="is open to them") as caught:
        intact.check(folder)
    subprocess.run(["/bin/sh", "-c", caught.value.hint.partition(", or ")[0]], check=True)
    with pytest.raises(PrerequisiteError, match="is not as it was installed"):
        intact.check(folder)


def test_the_command_heals_a_changed_tool(tools: Toolchain, make_project: Callable[..., Project]) -> None:
    """With a copy of PostgreSQL that has our stand-ins: it is made without a network."""
    with tempfile.TemporaryDirectory() as cache:
        Path(cache).chmod(0o755)
        (Path(cache) / "toolchain").symlink_to(tools.root.parent)
        project = make_project(PROMTHCTL_CACHE_DIR=cache)
        (project.path / "sql").mkdir()
        (project.path / "sql" / "001_a.sql").write_text("create table a (id int);\n")
        (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
        here = settings.load(project.path)
        object.__setattr__(here, "cache_dir", Path(cache))
        programs = toolchain.postgres(tools, ServerChoice(17), here, None, 0, Silent())
        control = next(programs.folder.parent.glob("share/**/extension/pg_net.control"))
        control.write_text(f"{control.read_text()}superuser = false\n")
        refused = project.run("local", "up", "--api-port", "0", "--db-port", "0", code=None).stderr
        assert "not used by root" in refused and f"{control} is not as it was installed" in " ".join(refused.split()), (
            refused
        )
        assert project.leftovers() == []
        command = re.search(r"rm -r (\S+),", told("toolchain/intact.py · _not_used", refused).hint)
        assert command, refused
        subprocess.run(["rm", "-r", command[1]], check=True)
        project.up()
        assert "superuser" not in control.read_text()


def test_two_versions_that_share_a_cache_keep_their_stand_ins(
    tools: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as cache:
        monkeypatch.setenv("PROMTHCTL_CACHE_DIR", cache)
        here = settings.load(tmp_path)
        mine = toolchain.postgres(tools, ServerChoice(17), here, None, 0, Silent())
        before = {path: path.lstat().st_ctime_ns for path in mine.folder.parent.rglob("*")}
        monkeypatch.setattr(installation, "STAND_IN_VERSIONS", {"pg_cron": ("9.9",)})
        other = toolchain.postgres(tools, ServerChoice(17), here, None, 0, Silent())
        assert other.folder != mine.folder and list(other.folder.parent.glob("share/**/pg_cron--1.0--9.9.sql"))
        assert {path: path.lstat().st_ctime_ns for path in mine.folder.parent.rglob("*")} == before
    assert not list(tools.postgres.glob("share/**/supabase_vault--1.0.sql"))  # what was installed stays as it came
