"""Every block of docs/tutorial.md, run in its order in an empty folder; what it prints is what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.promthctl_runner import REPOSITORY, Project

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)
UP = "promthctl local up"


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what it prints."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def as_pattern(shown: str) -> str:
    """What is shown as a pattern: … is anything, on a line of its own any lines."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r" *\n" for line in shown.splitlines()
    ]
    return "".join(lines)


def test_every_block_of_the_tutorial_does_what_it_shows(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    program = Project(folder).command()[0]
    (programs / "promthctl").write_text(f'#!/bin/sh\nexec {program} -m promthctl "$@"\n')
    (programs / "promthctl").chmod(0o755)
    project = Project(folder, rehearses=True)
    environment = project.environment(
        PATH=f"{programs}:{os.environ['PATH']}", PYTHONPATH=str(REPOSITORY), COLUMNS="120"
    )
    commands = 0
    try:
        for kind, title, text in BLOCK.findall((REPOSITORY / "docs/tutorial.md").read_text()):
            if kind == "sql":
                (folder / title).parent.mkdir(parents=True, exist_ok=True)
                (folder / title).write_text(text)
                continue
            assert kind == "console", f"no test runs a block of {kind}"
            for command, shown in steps(text):
                typed = command.replace(UP, f"{UP} --api-port 0 --db-port 0")  # others may use this machine's ports
                done = subprocess.run(
                    ["bash", "-c", typed], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
                )
                told = f"$ {command}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
                assert done.returncode == 0, told
                assert re.fullmatch(as_pattern(shown), done.stdout), f"{told}\nthe page shows\n{shown}"
                commands += 1
    finally:
        project.run("local", "down", "--purge", "--yes", code=None)
    assert commands > 8
