"""Merging variables into an env file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from promthctl import dotenv_file
from promthctl.errors import PromthctlError

MERGED = {
    "no file": (None, b"A=1\nB=2\n", ("A", "B")),
    "an empty file": (b"", b"A=1\nB=2\n", ("A", "B")),
    "other lines": (b"# A=x\n\n  \nC='a # b'\n", b"# A=x\n\n  \nC='a # b'\nA=1\nB=2\n", ("A", "B")),
    "an old value": (b"A=0\nC=3\nB=2\n", b"A=1\nC=3\nB=2\n", ("A",)),
    "export and spaces": (b"export A = 0\n  B=\n", b"export A=1\n  B=2\n", ("A", "B")),
    "a comment behind": (b"A=0 # old\nB=2\n", b"A=1\nB=2\n", ("A",)),
    "set twice": (b"A=0\nB=2\nA=5\n", b"A=1\nB=2\nA=1\n", ("A",)),
    "longer names": (b"AA=0\nA_B=1\nXA=2\n", b"AA=0\nA_B=1\nXA=2\nA=1\nB=2\n", ("A", "B")),
    "no newline at the end": (b"C=3", b"C=3\nA=1\nB=2\n", ("A", "B")),
    "CRLF": (b"A=0\r\nC=3\r\n", b"A=1\r\nC=3\r\nB=2\r\n", ("A", "B")),
    "CRLF without the last": (b"A=0\r\nC=3", b"A=1\r\nC=3\r\nB=2\r\n", ("A", "B")),
    "both line ends": (b"C=3\r\nA=0\nB=0\r\n", b"C=3\r\nA=1\nB=2\r\n", ("A", "B")),
    "odd separators": ("C=a\u2028b\x0bc\n".encode(), "C=a\u2028b\x0bc\nA=1\nB=2\n".encode(), ("A", "B")),
    "all as it should be": (b"B=2\nA=1\n", b"B=2\nA=1\n", ()),
}


@pytest.mark.parametrize("kind", MERGED)
def test_merging_keeps_every_other_line(tmp_path: Path, kind: str) -> None:
    before, after, changed = MERGED[kind]
    file = tmp_path / ".env"
    if before is not None:
        file.write_bytes(before)
    assert dotenv_file.merge(file, {"A": "1", "B": "2"}) == changed
    assert file.read_bytes() == after
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert dotenv_file.merge(file, {"A": "1", "B": "2"}) == () and file.read_bytes() == after
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_link_stays_and_its_file_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("A=0\n")
    (tmp_path / "link").symlink_to("real")
    dotenv_file.merge(tmp_path / "link", {"A": "1"})
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "A=1\n"


def test_a_link_to_a_file_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    dotenv_file.merge(tmp_path / "link", {"A": "1"})
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "A=1\n"


def test_a_link_out_of_its_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "clone").mkdir()
    (tmp_path / "profile").write_text("mine\n")
    (tmp_path / "clone" / ".env").symlink_to("../profile")
    with pytest.raises(PromthctlError, match="outside of its folder"):
        dotenv_file.merge(tmp_path / "clone" / ".env", {"A": "1"})
    assert (tmp_path / "profile").read_text() == "mine\n"


@pytest.mark.parametrize("what", ["a folder", "not UTF-8", "no folder for it", "a loop of links"])
def test_what_cannot_be_merged_is_left_as_it_was(tmp_path: Path, what: str) -> None:
    file = tmp_path / ".env"
    if what == "a folder":
        file.mkdir()
    elif what == "not UTF-8":
        file.write_bytes(b"A=\xff\n")
    elif what == "a loop of links":
        file.symlink_to(".env")
    else:
        file = tmp_path / "no" / ".env"
    with pytest.raises(PromthctlError) as caught:
        dotenv_file.merge(file, {"A": "1"})
    assert str(file) in caught.value.what and "--write FILE" in caught.value.hint
    assert not file.is_file() or file.read_bytes() == b"A=\xff\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_one_may_not_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PromthctlError):
        dotenv_file.merge(tmp_path / ".env", {"A": "1"})
    tmp_path.chmod(0o700)
