"""A used copy of a data directory is made what it was copied from again, and nothing outside of it is touched."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from promthctl.shadow.renewing import photograph, renew


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Paths below the folder → mode, and the bytes of a file."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """About a hundred files in folders, of sizes that are no round numbers."""
    made, dice = tmp_path / "original", random.Random(7)
    for number in range(100):
        file = made / str(number % 5) / ("deep" if number % 3 else "") / f"file{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(dice.randbytes(dice.randrange(20_000)))
        file.chmod(0o600 if number % 2 else 0o640)
    return made


@pytest.fixture
def used(original: Path) -> Path:
    return Path(shutil.copytree(original, original.parent / "used"))


def grow(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"more")


def shrink(file: Path) -> None:
    os.truncate(file, 0)


def rewrite(file: Path) -> None:
    """As many bytes as before, and the time that it had."""
    seen = file.stat()
    file.write_bytes(bytes(seen.st_size))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace(file: Path) -> None:
    new = file.with_name("new")
    new.write_bytes(b"other")
    new.rename(file)


def add_beside(file: Path) -> None:
    (file.parent / "added" / "below").mkdir(parents=True)
    (file.parent / "added" / "below" / "file").write_bytes(b"x")
    (file.parent / "link").symlink_to("/etc/passwd")


def open_up(file: Path) -> None:
    file.chmod(0o666)


CHANGES = (grow, shrink, rewrite, replace, add_beside, open_up, Path.unlink)


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_is_taken_back(original: Path, used: Path, change: Callable[[Path], None]) -> None:
    before = photograph(used)
    change(used / "1" / "file6")
    assert contents(used) != contents(original)
    renew(used, before, original)
    assert contents(used) == contents(original)


@pytest.mark.parametrize("seed", range(10))
def test_many_changes_are_taken_back(original: Path, used: Path, seed: int) -> None:
    before, dice = photograph(used), random.Random(seed)
    for file in dice.sample(sorted(path for path in used.rglob("file*") if path.is_file()), 30):
        change = dice.choice([one for one in CHANGES if one is not add_beside])
        change(file)
    renew(used, before, original)
    assert contents(used) == contents(original)


def test_what_was_not_changed_is_not_written(original: Path, used: Path) -> None:
    before = photograph(used)
    grow(used / "1" / "file6")
    renew(used, before, original)
    changed = {path for path, seen in photograph(used).items() if seen != before[path]}
    assert changed == {"1/file6"}


def test_another_file_under_the_name_is_not_written_to(original: Path, used: Path) -> None:
    outside = original.parent / "outside"
    plants: tuple[Callable[[Path, Path], None], ...] = (os.symlink, os.link)
    for number, plant in enumerate(plants):
        outside.write_text("of somebody else")
        before, file = photograph(used), used / "1" / f"file{6 + 15 * number}"
        file.unlink()
        plant(outside, file)
        with pytest.raises(OSError):
            renew(used, before, original)
        assert outside.read_text() == "of somebody else"
        file.unlink()
        shutil.copy2(original / "1" / file.name, file)


def test_a_folder_that_became_a_link_is_not_followed(original: Path, used: Path) -> None:
    outside, before = original.parent / "outside", photograph(used)
    (used / "1").rename(outside)
    (used / "1").symlink_to(outside)
    (outside / "file6").write_text("stays")
    with pytest.raises(OSError):
        renew(used, before, original)
    assert (outside / "file6").read_text() == "stays"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_a_file_of_another_user_is_not_written_to(original: Path, used: Path) -> None:
    before, file = photograph(used), used / "1" / "file6"
    os.chown(file, 12345, 12345)
    file.write_text("stays")
    with pytest.raises(OSError):
        renew(used, before, original)
    assert file.read_text() == "stays"
