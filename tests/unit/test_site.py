"""The documentation as a site: it builds without a warning, links lead somewhere, nothing is loaded from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer

from promthctl import settings
from promthctl.cli import app
from tests.promthctl_runner import REPOSITORY

DOCS = REPOSITORY / "docs"
CONFIG = REPOSITORY / "zensical.toml"
REQUIRED = "PROMTHCTL_REQUIRE_SITE"
HOW_TO = sorted((DOCS / "howto").glob("*.md"))
FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("source", "src"), ("iframe", "src")}


@dataclass
class Page(HTMLParser):
    """ids: what an anchor can name. links: where the page leads. fetched: what a browser loads to show it."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.add(value or "")
            elif (tag, name) in FETCHED and value:
                self.fetched.append(value)
            elif name == "href" and value:
                self.links.append(value)


def read(file: Path) -> Page:
    page = Page()
    page.feed(file.read_text())
    return page


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Into build/site of a folder that has zensical.toml and docs/. Skips, or fails as in .ci/run, without zensical."""
    if importlib.util.find_spec("zensical") is None:
        why = "zensical is not installed: pip install --require-hashes -r requirements/site.txt"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{why} ({REQUIRED}=1)", pytrace=False)
        pytest.skip(why)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that nothing is written into the checkout."""
    folder = tmp_path_factory.mktemp("sources")
    shutil.copy(CONFIG, folder)
    shutil.copytree(DOCS, folder / "docs")
    return folder


@pytest.fixture(scope="module")
def site(sources: Path) -> dict[str, Page]:
    """The pages by their path in the site."""
    done = build(sources)
    assert done.returncode == 0 and "No issues found" in done.stdout + done.stderr, done.stdout + done.stderr
    root = sources / "build" / "site"
    return {str(file.relative_to(root)): read(file) for file in root.rglob("*.html") if file.name != "404.html"}


def test_a_link_to_no_page_stops_the_build(tmp_path: Path, sources: Path) -> None:
    shutil.copytree(sources / "docs", tmp_path / "docs")
    shutil.copy(CONFIG, tmp_path)
    with (tmp_path / "docs" / "index.md").open("a") as page:
        page.write("\n[nowhere](nowhere.md)\n")
    assert build(tmp_path).returncode != 0


def test_every_page_of_docs_is_built(site: dict[str, Page]) -> None:
    assert set(site) == {str(file.relative_to(DOCS).with_suffix(".html")) for file in DOCS.rglob("*.md")}


def test_every_link_and_anchor_leads_somewhere(site: dict[str, Page], sources: Path) -> None:
    root = sources / "build" / "site"
    wrong, followed = [], 0
    for name, page in site.items():
        for link in (*page.links, *page.fetched):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (root / name).parent / unquote(parts.path) if parts.path else root / name
            target = Path(os.path.normpath(target / "index.html" if target.is_dir() else target))
            followed += 1
            if not target.is_file():
                wrong.append(f"{name}: {link}")
            elif parts.fragment and target.suffix == ".html":
                ids = site[str(target.relative_to(root))].ids
                wrong += [] if unquote(parts.fragment) in ids else [f"{name}: {link}"]
    assert wrong == [] and followed > 500


def test_nothing_is_loaded_from_elsewhere(site: dict[str, Page], sources: Path) -> None:
    fetched = {link for page in site.values() for link in page.fetched}
    assert fetched and [link for link in fetched if urlsplit(link).netloc] == []
    styles = [file.read_text() for file in (sources / "build" / "site").rglob("*.css")]
    assert styles and [found for text in styles for found in re.findall(r"url\(['\"]?(?:https?:)?//[^)]*", text)] == []


def paths(nav: list[Any]) -> Iterator[str]:
    for entry in nav:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else paths(value)


def test_the_navigation_has_every_page_once() -> None:
    listed = list(paths(tomllib.loads(CONFIG.read_text())["project"]["nav"]))
    assert sorted(listed) == sorted(str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")), (
        "see nav in zensical.toml"
    )


def test_every_task_is_in_the_list_of_tasks() -> None:
    listed = re.findall(r"^- \[.*?\]\((\S+)\)", (DOCS / "howto" / "index.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [file.name for file in HOW_TO if file.name != "index.md"]


def blocks(kind: str) -> Iterator[tuple[str, str]]:
    """(page, text) of each block of that kind in the pages of tasks."""
    for file in HOW_TO:
        for text in re.findall(rf"^```{kind}\n(.*?)^```$", file.read_text(), re.MULTILINE | re.DOTALL):
            yield file.name, text


def test_the_commands_of_tasks_are_there() -> None:
    lines = [(page, line) for page, text in blocks("sh") for line in text.splitlines() if line.startswith("promthctl ")]
    assert (
        len(lines) > 30 and [f"{page}: {line}" for page, line in lines if not understood(shlex.split(line)[1:])] == []
    )
    assert not understood(["push", "--no-such"]) and not understood(["pusch"]) and not understood(["pull"])


def understood(words: list[str]) -> bool:
    """Whether the command line is one: the command, its options and its arguments."""
    command: Any = typer.main.get_command(app)
    try:
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            _, command, words = command.resolve_command(typer.Context(command), words)
        with typer.Context(command) as context:
            command.parse_args(context, list(words))
    except Exception:  # what the command line says to somebody who types it
        return False
    return True


def test_the_settings_of_tasks_are_read(tmp_path: Path) -> None:
    read_ones = 0
    for _page, text in blocks("toml"):
        (tmp_path / "pyproject.toml").write_text(text)
        read_ones += settings.load(tmp_path).configured
    assert read_ones > 3
