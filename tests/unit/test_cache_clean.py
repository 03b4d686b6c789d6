"""`cache clean` removes what nobody uses, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from promthctl import settings, toolchain
from promthctl.local_stack.cache import clean_cache
from promthctl.locks import locked
from promthctl.steps import Silent


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "cache"
    monkeypatch.setenv("PROMTHCTL_CACHE_DIR", str(root))
    for name in ("toolchain/old", "toolchain/runs", "postgres/17-old", "templates/old", "templates/new", "states/one",
                 "shadow/a.database", "shadow/b.database"):  # fmt: skip
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text("x" * 5000)
    for name in ("toolchain/install.lock", "shadow/a.database-lock", "shadow/c.json", "states/lock"):
        (root / name).write_text("x")
    yesterday = time.time() - 86_400
    os.utime(root / "templates" / "old", (yesterday, yesterday))
    return root


def test_what_is_used_stays_and_all_else_goes(cache: Path, tmp_path: Path) -> None:
    here = settings.load(tmp_path)
    (current, *_) = toolchain.installed_here(here)
    current.mkdir(parents=True)
    words, folder = [sys.executable, "-c", "input()"], cache / "toolchain" / "runs"
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        with locked(cache / "shadow" / "b.database-lock", Silent(), "a test"):
            cleaned = clean_cache(here)
        child.stdin.write(b"\n")
    gone = {"toolchain/old", "postgres/17-old", "templates/old", "states/one", "shadow/a.database", "shadow/c.json"}
    assert {name for name, _ in cleaned.removed} == gone and cleaned.left == ()
    assert all(size > 0 for _, size in cleaned.removed) and cleaned.bytes == sum(size for _, size in cleaned.removed)
    assert not [name for name in gone if (cache / name).exists()]
    for name in ("toolchain/runs/file", "templates/new/file", "shadow/b.database/file", "toolchain/install.lock"):
        assert (cache / name).exists(), name
    assert current.exists()
    assert {name for name, _ in clean_cache(here).removed} == {"toolchain/runs", "shadow/b.database"}


def test_with_all_the_tools_go_too_but_not_what_runs_or_is_held(cache: Path, tmp_path: Path) -> None:
    here = settings.load(tmp_path)
    (current, *_) = toolchain.installed_here(here)
    current.mkdir(parents=True)
    words, folder = [sys.executable, "-c", "input()"], cache / "toolchain" / "runs"
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        with locked(cache / "shadow" / "b.database-lock", Silent(), "a test"):
            cleaned = clean_cache(here, everything=True)
        child.stdin.write(b"\n")
    gone = {name for name, _ in cleaned.removed}
    assert gone >= {str(current.relative_to(cache)), "templates/new", "templates/old"} and not current.exists()
    assert (cache / "toolchain/runs/file").exists() and (cache / "shadow/b.database/file").exists()
    clean_cache(here, everything=True)
    assert not [file for file in cache.rglob("file") if file.is_file()]


def test_what_a_killed_clean_left_goes_with_the_next(cache: Path, tmp_path: Path) -> None:
    (cache / "templates" / ".removed-1234").mkdir()
    clean_cache(settings.load(tmp_path))
    assert not (cache / "templates" / ".removed-1234").exists()
