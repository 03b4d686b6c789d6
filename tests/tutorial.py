"""Runs the commands of a page as somebody does who follows it, and compares what the page shows with what came out.

A block of `sh` is one step; a block of `text` behind it is its standard output. In it `…` stands for anything within a
line, and alone on a line for any number of lines. `<!-- exit 1 -->` above a step says that it ends so.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.promthctl_runner import REPOSITORY

_BLOCK = re.compile(
    r"(?:<!-- exit (?P<code>\d+) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_TIMEOUT = 120  # seconds for one step
ANY = "…"


@dataclass(frozen=True)
class Step:
    """line: where its block begins in the page, from 1. shown: what the page says it prints, None if nothing."""

    line: int
    commands: str
    shown: str | None = None
    code: int = 0


def steps(page: str) -> list[Step]:
    """Raises ValueError for a block that is neither commands nor what the block before it prints."""
    found: list[Step] = []
    follows = False
    for block in _BLOCK.finditer(page):
        line = page.count("\n", 0, block.start("text"))
        if block["kind"] == "sh":
            found.append(Step(line, block["text"], None, int(block["code"] or 0)))
        elif block["kind"] == "text" and follows:
            found[-1] = Step(found[-1].line, found[-1].commands, block["text"], found[-1].code)
        else:
            raise ValueError(f"line {line}: a block of {block['kind']!r} that nothing runs")
        follows = block["kind"] == "sh"
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether the page shows what was printed; blanks at the end of a line do not count."""
    parts = [r"(?:.*\n)*" if line.strip() == ANY else _line(line) for line in shown.splitlines()]
    return re.fullmatch("".join(parts), "".join(f"{line.rstrip()}\n" for line in printed.splitlines())) is not None


def _line(line: str) -> str:
    return ".*".join(map(re.escape, line.rstrip().split(ANY))) + r"[ ]*\n"


class Shell:
    """A shell whose folder and variables stay from step to step. folder: where the first one begins."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        programs = folder / ".bin"
        programs.mkdir()
        promthctl = programs / "promthctl"
        promthctl.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m promthctl "$@"\n')
        promthctl.chmod(0o755)
        self._state = folder / ".shell"
        self._folder = folder
        path = f"{programs}:{environment['PATH']}"
        self._environment = {**environment, "PATH": path, "PYTHONPATH": str(REPOSITORY)}

    def run(self, step: Step) -> subprocess.CompletedProcess[str]:
        """Each command of a step must succeed, or the step ends there."""
        state = shlex.quote(str(self._state))
        keep = f'trap \'export -p >{state}; printf "cd %q\\n" "$PWD" >>{state}\' EXIT'
        script = f"[ -f {state} ] && . {state}\n{keep}\nset -euo pipefail\n{step.commands}"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
