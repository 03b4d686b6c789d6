"""A cache that others can write to holds programs of others: it is refused, and promthctl makes none of that kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.errors import PrerequisiteError
from promthctl.toolchain import cache_root
from tests.promthctl_runner import Project


@pytest.mark.parametrize("name", [".", "toolchain", "templates", "shadow"])
@pytest.mark.parametrize("mode", [0o777, 0o702, 0o1777])
def test_a_cache_that_others_can_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: int
) -> None:
    monkeypatch.setenv("PROMTHCTL_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / name).mkdir(parents=True, exist_ok=True)
    cache_root(settings.load(tmp_path))
    (tmp_path / "cache" / name).chmod(mode)
    with pytest.raises(PrerequisiteError, match="other users can write to it"):
        cache_root(settings.load(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMTHCTL_CACHE_DIR", str(tmp_path))
    os.chown(tmp_path, 12345, 12345)
    with pytest.raises(PrerequisiteError, match="another user's"):
        cache_root(settings.load(tmp_path))


@pytest.mark.parametrize("umask", ["000", "002"])
def test_nothing_is_open_to_others_writing_whatever_the_umask(make_project: Callable[..., Project], umask: str) -> None:
    project = make_project()
    project.prefix = ("/bin/sh", "-c", f'umask {umask}; exec "$@"', "sh")
    project.run("init", "--example", "mr-promth")
    project.run("migrations", "new", "more", code=None)
    project.up()
    found = [path for path in project.path.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert found == []
