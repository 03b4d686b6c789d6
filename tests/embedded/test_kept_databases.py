"""A kept database runs as a copy, and the copy that ran becomes the next one: byte for byte what is kept."""

from __future__ import annotations

import filecmp
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from promthctl import settings
from promthctl.shadow import FOLDER, applied_database
from promthctl.steps import Silent
from promthctl.toolchain import Toolchain

CHANGES = """create table made as select i, repeat('x', 500) t from generate_series(1, 5000) i;
create role made_here; create schema made_too; create extension if not exists citext;
insert into made select i, 'y' from generate_series(1, 5000) i; drop schema if exists auth cascade;"""


@pytest.fixture
def cache(tools: Toolchain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache directory with the tools and the template, but no kept database."""
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o755)
        (place / "toolchain").symlink_to(tools.root.parent)
        (place / "templates").symlink_to(tools.root.parent.parent / "templates")
        monkeypatch.setenv("PROMTHCTL_CACHE_DIR", str(place))
        yield place
    finally:
        shutil.rmtree(place)


def differing(one: filecmp.dircmp[str]) -> list[str]:
    below = [name for each in one.subdirs.values() for name in differing(each)]
    _, mismatch, errors = filecmp.cmpfiles(one.left, one.right, one.common_files, shallow=False)
    return [*one.left_only, *one.right_only, *mismatch, *errors, *below]


def given_back() -> None:
    """Wait for what promthctl does beside its commands."""
    for thread in threading.enumerate():
        if thread.name.startswith("promthctl-"):
            thread.join(60)


def test_a_copy_that_ran_is_the_next_one(cache: Path, tmp_path: Path) -> None:
    here, inodes = settings.load(tmp_path), set()
    for _ in range(3):
        with (
            applied_database(here, (), 17, (), Silent()) as made,
            psycopg.connect(made.superuser.url, password=made.superuser.password, autocommit=True) as connection,
        ):
            assert connection.execute("select to_regclass('public.made')").fetchone() == (None,)
            connection.execute(CHANGES)
        given_back()
        (kept,) = (cache / FOLDER).glob("*.database")
        assert differing(filecmp.dircmp(kept / "postgres", kept / "next", ignore=[])) == []
        inodes.add((kept / "next").stat().st_ino)
    assert len(inodes) == 1  # it was never copied again
