"""Hints about what promthctl keeps outside of a database: its key, its state, its cache; see tests/hints.py."""

from __future__ import annotations

import os

import pytest

from promthctl.migration_set.supabase_folder import UNFINISHED
from promthctl.state import StateDir
from tests.hints import ByHand, Place, Row, Run, Set, Step, follow
from tests.promthctl_runner import Project

SQL = "create table public.a (id int primary key);\n"
OWN = (("db/001_a.sql", SQL), ("pyproject.toml", '[tool.promthctl]\nmigrations = "db"\n'))
SYNC, LIST = "promthctl migrations sync", "promthctl migrations list --local"
STATE = "state.py · _refused"
CACHE = "toolchain/__init__.py · _check_own"
TWO = (*OWN, ("db/001_b.sql", SQL.replace(".a", ".b")))
RENUMBER = "promthctl migrations renumber --dry-run"
DEFAULT_CACHE = Set("PROMTHCTL_CACHE_DIR", "", "PROMTHCTL_CACHE_DIR")


def config(key: str, words: str, steps: Step | tuple[Step, ...], before: str = "", place: str = "{tmp}/config") -> Row:
    """Where the user's configuration is in a folder of the test's own."""
    return Row(key, words, steps, files=OWN, before=before, env=(("XDG_CONFIG_HOME", place),))


ROWS = (
    config(
        "signatures.py · _read_key", SYNC, Run(r"(rm \S+);"), f"{SYNC} && chmod 644 {{tmp}}/config/promthctl/state.key"
    ),
    Row(
        "signatures.py · _make_key",
        SYNC,
        Set("XDG_CONFIG_HOME", "{tmp}/config", "XDG_CONFIG_HOME"),
        files=OWN,
        env=(("XDG_CONFIG_HOME", "/proc/nowhere"), ("PROMTHCTL_CACHE_DIR", "/proc/nowhere")),
    ),
    Row(STATE, SYNC, Run(r"(rm \S+),"), files=(*OWN, (".promthctl", ""))),
    Row(STATE, SYNC, Run(r"(rm \S+),"), files=OWN, before="ln -s {tmp} .promthctl", name="a link"),
    Row(
        "shadow/cache.py · unwritable",
        RENUMBER,
        DEFAULT_CACHE,
        files=TWO,
        env=(("PROMTHCTL_CACHE_DIR", "/proc/nowhere"),),
    ),
    Row(
        "toolchain/__init__.py · _writable",
        RENUMBER,
        DEFAULT_CACHE,
        files=TWO,
        before="mkdir {tmp}/cache && touch {tmp}/cache/toolchain",
        env=(("PROMTHCTL_CACHE_DIR", "{tmp}/cache"),),
    ),
)
BY_ROOT = (
    Row(
        CACHE,
        RENUMBER,
        DEFAULT_CACHE,
        files=TWO,
        before="mkdir {tmp}/cache && chown 12345 {tmp}/cache",
        env=(("PROMTHCTL_CACHE_DIR", "{tmp}/cache"),),
    ),
    Row(
        "state.py · _others",
        SYNC,
        Run(r"sudo (chown -R \d+ \S+)"),
        files=OWN,
        before="mkdir .promthctl && chown 12345 .promthctl",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, project: Project) -> None:
    follow(row, Place(project, {"tmp": str(project.path.parent)}))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("row", BY_ROOT, ids=str)
def test_what_comes_next_helps_root(row: Row, project: Project) -> None:
    follow(row, Place(project, {"tmp": str(project.path.parent)}))


def test_what_was_interrupted_is_finished(project: Project) -> None:
    place = Place(project)
    for path, text in OWN:
        place.write(path, text)
    state = StateDir(project.path / ".promthctl")
    state.make()
    state.write(UNFINISHED, {"write": {}, "remove": [], "moved": []})
    follow(
        Row("migration_set/supabase_folder.py · source_migrations", LIST, Run("promthctl migrations renumber")), place
    )


def test_what_the_disk_refused_is_done_by_the_same_command(project: Project) -> None:
    place = Place(project)
    for path, text in (*OWN, ("plain", "")):
        place.write(path, text)
    state = StateDir(project.path / ".promthctl")
    state.make()
    state.write(UNFINISHED, {"write": {"plain/002_b.sql": ""}, "remove": [], "moved": []})
    row = Row(
        "migration_files/changes.py · _finish", "promthctl migrations renumber", ByHand("rm plain", "correct that")
    )
    follow(row, place)
    assert (project.path / "plain" / "002_b.sql").exists()
