"""A disk that is full in the middle of save, restore and clone: it is said, and nothing is changed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.copy_kills import fill_tables, look_for_leftovers, state_of
from tests.embedded.working import database_url
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

pytestmark = pytest.mark.usefixtures("tools")
_MEGABYTE = 1_000_000
# How much room is left, in megabytes: a copy needs about 45, and as much again for what it is filled with.
CASES = {
    "save": (20, ("local", "snapshot", "save", "two")),
    "restore": (20, ("local", "snapshot", "restore", "one")),
    "clone": (20, ("local", "clone", "--db-url", "{source}", "--data", "--yes")),
    "clone while its rows come": (60, ("local", "clone", "--db-url", "{source}", "--data", "--yes")),
}


@pytest.fixture
def disk() -> Iterator[Path]:
    """A folder on a file system of its own; only root can make one."""
    with tempfile.TemporaryDirectory(prefix="small-disk-") as name:
        Path(name).chmod(0o755)
        mount = ["mount", "-t", "tmpfs", "-o", "size=400m,mode=0755", "tmpfs", name]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("no file system can be mounted here")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


@contextmanager
def filled(disk: Path, left: int) -> Iterator[None]:
    """Full but for so many megabytes."""
    about = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(about.f_bavail * about.f_frsize - left * _MEGABYTE))
    try:
        yield
    finally:
        filler.unlink()


def test_a_full_disk_is_said_and_nothing_is_changed(
    make_project: Callable[..., Project], server: Server, disk: Path
) -> None:
    project = make_project(PROMTHCTL_DATA_DIR=str(disk))
    project.up()
    fill_tables(database_url(project), 1)
    project.run("local", "snapshot", "save", "one")
    before = fill_tables(database_url(project), 2)
    with fresh_database(server) as source:
        with psycopg.connect(source) as connection:
            connection.execute(
                "create table large as select i, repeat(md5(i::text), 4) t from generate_series(1, 90000) i"
            )
            connection.execute("create index on large (t)")
        for left, words in CASES.values():
            with filled(disk, left):
                command = [source if word == "{source}" else word for word in words]
                said = project.run(*command, code=None)
                assert said.returncode in (1, 3), said.stderr
                assert "No space left on device" in said.stderr or "no room" in said.stderr, said.stderr
                assert "free some space" in said.stderr or "--sample" in said.stderr, said.stderr
                assert project.json("local", "status")["running"] is True
                assert state_of(database_url(project)) == before, words
                look_for_leftovers(project, disk / project.record()["project"])
    assert [one["name"] for one in project.json("local", "snapshot", "list")["snapshots"]] == ["one"]
    project.run("local", "snapshot", "restore", "one")
