"""Damaged or missing files, a reboot, a full disk: one `local up` heals what can be healed, and says what cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from promthctl.signatures import write_signed
from tests.embedded.working import assert_stops, assert_works, commit_row, data_directory, database_url
from tests.promthctl_runner import Project, alive, stack_name

pytestmark = pytest.mark.usefixtures("tools")

DAMAGES: dict[str, Callable[[str], str]] = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "garbage": lambda text: "\x00\x01not JSON\x7f" * 20,
    "another shape": lambda text: json.dumps([json.loads(text)]),
    "other types": lambda text: json.dumps(dict.fromkeys(json.loads(text), 1e999)),
    "impossible values": lambda text: text.replace('"pid": ', '"pid": -').replace('_port": ', '_port": 7'),
    "a path for a name": lambda text: text.replace(project_name(text), "../../.."),
}


def project_name(text: str) -> str:
    return str(json.loads(text).get("project", "no name in it"))


def damage(project: Project, name: str, how: str) -> None:
    file = project.path / ".promthctl" / name
    file.write_text(DAMAGES[how](file.read_text()))


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["stack.json", "processes.json"])
def test_up_heals_a_damaged_state_file_while_the_stack_runs(running: Project, name: str, how: str) -> None:
    user = commit_row(running)
    before = running.pids()
    damage(running, name, how)
    running.up()
    assert_works(running, user)
    if name == "processes.json":  # the keys are known: nothing needs to be started again
        assert running.pids() == before


def test_up_heals_damaged_state_files_while_the_stack_is_down(running: Project) -> None:
    for how in DAMAGES:
        running.up()
        user = commit_row(running)
        assert_stops(running)
        for name in ("stack.json", "processes.json"):
            damage(running, name, how)
        running.up()
        assert_works(running, user)


def test_down_finds_everything_when_all_state_is_damaged(running: Project) -> None:
    user = commit_row(running)
    for name in ("stack.json", "processes.json"):
        damage(running, name, "garbage")
    assert_stops(running)
    running.up()
    assert_works(running, user)


@pytest.mark.parametrize("lost", [("stack.json",), ("processes.json",), ("stack.json", "processes.json")])
def test_up_heals_lost_state_files_while_the_stack_runs(running: Project, lost: tuple[str, ...]) -> None:
    user = commit_row(running)
    for name in lost:
        (running.path / ".promthctl" / name).unlink()
    running.up()
    assert_works(running, user)
    assert_stops(running)


def test_purge_with_a_damaged_record_removes_only_this_projects_data(project: Project) -> None:
    project.up()
    data = data_directory(project)
    witness = data.parent.parent / f"{data.parent.name}-not-ours"
    witness.mkdir()
    try:
        damage(project, "stack.json", "a path for a name")
        project.run("local", "down", "--purge", "--yes")
        assert not data.exists() and witness.exists()
    finally:
        witness.rmdir()


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that has nothing to do with us, and must survive."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        yield process.pid
        assert alive(process.pid)
    finally:
        process.kill()
        process.wait()


POSTMASTER_PID: dict[str, Callable[[list[str], int], str]] = {
    "empty": lambda lines, pid: "",
    "garbage": lambda lines, pid: "\ufffd not a number\n",
    "naming another program": lambda lines, pid: "\n".join([str(pid), *lines[1:]]),
    "naming another program, as a single process does": lambda lines, pid: "\n".join([str(-pid), *lines[1:]]),
}


@pytest.mark.parametrize("how", POSTMASTER_PID)
def test_up_heals_a_misleading_postmaster_pid(running: Project, stranger: int, how: str) -> None:
    user = commit_row(running)
    file = data_directory(running) / "postmaster.pid"
    lines = file.read_text().splitlines()
    assert_stops(running)
    file.write_text(POSTMASTER_PID[how](lines, stranger))
    running.up()
    assert_works(running, user)


@pytest.mark.parametrize("command", ["up", "down"])
def test_after_a_reboot_the_recorded_numbers_of_other_programs_are_left_alone(
    running: Project, stranger: int, command: str
) -> None:
    user = commit_row(running)
    lines = (data_directory(running) / "postmaster.pid").read_text().splitlines()
    for pid in running.pids().values():
        os.kill(pid, signal.SIGKILL)
    assert_stops(running)
    file = running.path / ".promthctl" / "processes.json"
    record = json.loads(file.read_text())
    before = {name: {"pid": stranger, "created": record[name]["created"] - 3600} for name in ("postgres", "api")}
    write_signed(file, running.path, before)
    (data_directory(running) / "postmaster.pid").write_text("\n".join([str(stranger), *lines[1:]]))
    if command == "up":
        running.up()
        assert_works(running, user)
    assert_stops(running)
    assert alive(stranger)


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of its own; its size is set with `resize`."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = Path(tempfile.mkdtemp())
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=10m,mode=755", "tmpfs", place], capture_output=True, text=True
        )
        if mounted.returncode != 0:
            pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", place], check=True)
    finally:
        place.rmdir()


def resize(disk: Path, megabytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", disk], check=True)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            pass


@pytest.fixture
def on_disk(disk: Path, make_project: Callable[..., Project]) -> Iterator[Project]:
    """A project whose database lives on the small file system."""
    project = make_project(PROMTHCTL_DATA_DIR=str(disk))
    yield project
    project.dispose()  # before the file system goes


def assert_refused_for_space(project: Project) -> None:
    done = project.up(code=None)
    refused = done.stderr
    assert done.returncode in (1, 4)  # 4: the server that runs, or begins to, finds no room
    lines = [line for line in refused.splitlines() if line.startswith(("error:", "  why:", " next:"))]
    assert len(lines) == 3 and "No space left on device" in lines[1] and "free some space" in lines[2], refused
    assert refused.rstrip().endswith(lines[2])
    assert project.leftovers() == []


def test_a_full_disk_is_told_and_a_larger_one_works(on_disk: Project, disk: Path) -> None:
    assert_refused_for_space(on_disk)
    assert [file for file in disk.rglob("*") if file.is_file()] == []
    resize(disk, 200)
    on_disk.up()
    user = commit_row(on_disk)
    assert_stops(on_disk)
    fill(disk)
    assert_refused_for_space(on_disk)
    (disk / "filler").unlink()
    on_disk.up()
    assert_works(on_disk, user)
    assert_stops(on_disk)


def test_a_disk_that_fills_up_under_a_running_stack_is_healed_when_there_is_space_again(
    on_disk: Project, disk: Path
) -> None:
    resize(disk, 80)
    on_disk.up()
    user = commit_row(on_disk)
    fill(disk)
    with pytest.raises(psycopg.Error), psycopg.connect(database_url(on_disk), autocommit=True) as connection:
        for _ in range(100):  # until the log of changes finds no place
            connection.execute("select pg_logical_emit_message(false, 'test', repeat('x', 1000000))")
    assert_refused_for_space(on_disk)
    (disk / "filler").unlink()
    on_disk.up()
    assert_works(on_disk, user)
    assert_stops(on_disk)


def test_a_snapshot_that_finds_no_space_changes_nothing(on_disk: Project, disk: Path) -> None:
    resize(disk, 80)
    on_disk.up()
    user = commit_row(on_disk)
    refused = on_disk.run("local", "snapshot", "save", "one", code=1).stderr
    assert "No space left on device" in refused and "free some space" in refused
    assert_works(on_disk, user)
    assert on_disk.json("local", "snapshot", "list")["snapshots"] == []
    resize(disk, 200)
    on_disk.run("local", "snapshot", "save", "one")
    fill(disk)
    assert "free some space" in on_disk.run("local", "snapshot", "restore", "one", code=1).stderr
    (disk / "filler").unlink()
    assert_works(on_disk, user)
    assert_stops(on_disk)


def test_purge_works_on_a_full_disk(on_disk: Project, disk: Path) -> None:
    resize(disk, 80)
    on_disk.up()
    fill(disk)
    on_disk.run("local", "down", "--purge", "--yes")
    assert on_disk.leftovers() == []
    assert not (disk / stack_name(on_disk.path) / "postgres-17").exists()
