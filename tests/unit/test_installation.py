"""The npm package of PostgreSQL becomes an installation: libraries linked, programs executable, extensions added."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from promthctl.toolchain.installation import complete, copy_with_stand_ins

EXTENSIONS = "share/postgresql/extension"


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """An unpacked package, as small as it can be."""
    folder = tmp_path / "any-name"
    for part in ("bin", "lib", EXTENSIONS):
        (folder / part).mkdir(parents=True)
    (folder / "bin/postgres").write_text("")
    (folder / "lib/libpq.so.5.17").write_text("library")
    (folder / EXTENSIONS / "moddatetime.control").write_text("default_version = '1.0'\ntrusted = false\n")
    (folder / EXTENSIONS / "file_fdw.control").write_text("default_version = '1.0'\n")
    (folder / EXTENSIONS / "pg_cron.control").write_text("comment = 'the real one'\n")
    links(folder, "native/lib/libpq.so.5.17", "native/lib/libpq.so.5")
    return folder


def links(native: Path, source: str, target: str) -> None:
    (native / "pg-symlinks.json").write_text(json.dumps([{"source": source, "target": target}]))


def test_a_package_becomes_an_installation_and_again_changes_nothing(native: Path) -> None:
    complete(native)
    assert str((native / "lib/libpq.so.5").readlink()) == "libpq.so.5.17"
    assert os.access(native / "bin/postgres", os.X_OK)
    before = {path: path.lstat().st_mtime_ns for path in native.rglob("*")}
    complete(native)
    assert {path: path.lstat().st_mtime_ns for path in native.rglob("*")} == before


def test_the_copy_with_stand_ins_leaves_the_original_as_it_is(native: Path, tmp_path: Path) -> None:
    complete(native)
    before = {path: path.lstat().st_mtime_ns for path in native.rglob("*")}
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_with_stand_ins(native, copy)
    assert {path: path.lstat().st_mtime_ns for path in native.rglob("*")} == before
    folder = copy / EXTENSIONS
    assert (folder / "moddatetime.control").read_text() == "default_version = '1.0'\ntrusted = true\n"
    assert "trusted" not in (folder / "file_fdw.control").read_text()
    assert (folder / "supabase_vault--1.0.sql").exists()
    assert (folder / "pg_cron.control").read_text() == "comment = 'the real one'\ntrusted = true\n"
    assert not (folder / "pg_cron--1.0.sql").exists()
    assert (copy / "lib/libpq.so.5").read_text() == "library" and os.access(copy / "bin/postgres", os.X_OK)


@pytest.mark.parametrize("path", ["native/../../x", "../x", "/etc/x", "native/..", "native/", "other/lib/x"])
def test_links_stay_inside_the_package(native: Path, path: str) -> None:
    for source, target in ((path, "native/lib/x"), ("native/lib/libpq.so.5.17", path)):
        links(native, source, target)
        with pytest.raises(ValueError, match="outside the package"):
            complete(native)
