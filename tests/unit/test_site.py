"""The documentation site builds strictly and loads nothing from elsewhere; its links and README's lead somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promthctl_runner import REPOSITORY

pytest.importorskip("zensical", reason="the site builder is not installed: ./scripts/test installs it")

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\bsrc=["']?([^"'\s>]+)|<link\b[^>]*?\bhref=["']?([^"'\s>]+)"""
)


def built(folder: Path, more: str = "") -> subprocess.CompletedProcess[str]:
    """A strict build of a copy of the docs. more: text added to the tutorial."""
    shutil.copytree(REPOSITORY / "docs", folder / "docs")
    shutil.copy(REPOSITORY / "zensical.toml", folder)
    with (folder / "docs/tutorial.md").open("a") as page:
        page.write(more)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = built(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "build/site").rglob("*.html"))
    assert len(pages) > 20
    loaded = {one or other for page in pages for one, other in LOADED.findall(page.read_text())}
    assert len(loaded) > 5
    assert not {url for url in loaded if url.startswith(("http:", "https:", "//"))}


@pytest.mark.parametrize("link", ["nowhere.md", "risks.md#nowhere"])
def test_a_broken_link_fails_the_build(tmp_path: Path, link: str) -> None:
    assert built(tmp_path, f"\n[broken]({link})\n").returncode != 0


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r'"([\w/-]+\.md)"', (REPOSITORY / "zensical.toml").read_text()))
    docs = REPOSITORY / "docs"
    assert listed == {str(page.relative_to(docs)) for page in docs.rglob("*.md")}


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        *sorted(str(page.relative_to(REPOSITORY)) for page in (REPOSITORY / "docs").rglob("*.md")),
    ],
)
def test_what_a_page_links_to_is_there(name: str) -> None:
    page = REPOSITORY / name
    for link in LINK.findall(CODE.sub("", page.read_text())):
        if not link.startswith(("http:", "https:", "#")):
            assert (page.parent / link.partition("#")[0]).exists(), link
