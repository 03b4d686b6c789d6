"""docs/tutorial.md, followed from its first line to its last on the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promthctl_runner import REPOSITORY, Project, dispose_all
from tests.tutorial import Shell, matches, steps

PAGE = REPOSITORY / "docs" / "tutorial.md"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the tutorial begins; what it starts is stopped, wherever it ended."""
    try:
        yield tmp_path
    finally:
        dispose_all(tmp_path)


def environment(folder: Path) -> dict[str, str]:
    """What somebody has who begins: nothing of the tests' own settings."""
    ours = ("PROMTHCTL_ENGINE", "PROMTHCTL_REPLAY", "PROMTHCTL_REHEARSAL")
    return {name: value for name, value in Project(folder).environment().items() if name not in ours}


@pytest.mark.timeout(900)  # some forty commands
@pytest.mark.usefixtures("tools")
def test_every_step_does_what_the_page_says(folder: Path) -> None:
    shell = Shell(folder, environment(folder))
    todo = steps(PAGE.read_text())
    assert len(todo) > 15 and sum(step.shown is not None for step in todo) > 15
    for step in todo:
        done = shell.run(step)
        told = f"{PAGE.name}, line {step.line}\n{step.commands}exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == step.code, told
        assert step.shown is None or matches(step.shown, done.stdout), f"{told}\nThe page shows:\n{step.shown}"
    assert [Project(folder / name).leftovers() for name in ("todo", "staging", "shop")] == [[], [], []]
    assert [Project(folder / name).json("local", "status", code=1)["running"] for name in ("todo", "shop")] == [
        False
    ] * 2
