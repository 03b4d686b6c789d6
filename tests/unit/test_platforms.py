"""Windows and musl are refused in three lines, before anything is imported that they do not have."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from tests.promthctl_runner import REPOSITORY

# Python as it is there: without the modules that only Unix has, and on musl without the wheels built for glibc.
ELSEWHERE = """
import os, sys
{patch}
for name in {absent}:
    sys.modules[name] = None
sys.argv = ["promthctl", *{arguments}]
from promthctl.__main__ import main
main()
"""
WINDOWS = 'import rich.console; sys.platform = "win32"'  # Rich itself must go on taking this for Linux
UNKNOWN_NAME = "os.confstr = lambda name: (_ for _ in ()).throw(ValueError(name))"
EINVAL = "os.confstr = lambda name: (_ for _ in ()).throw(OSError(22, 'Invalid argument'))"
UNIX_ONLY = ["fcntl", "pwd", "grp", "termios", "resource"]
WHEELS = ["psycopg", "psycopg_binary", "pglast", "psutil", "cryptography"]


def run_elsewhere(patch: str, absent: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    script = ELSEWHERE.format(patch=patch, absent=absent, arguments=arguments)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, env=os.environ, timeout=60
    )


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["local", "up"]])
@pytest.mark.parametrize(
    ("patch", "absent", "what", "way_out"),
    [
        (WINDOWS, UNIX_ONLY, "does not run on Windows", "wsl --install"),
        (UNKNOWN_NAME, WHEELS, "does not run on Linux with musl", "python:3.13-slim"),
        (EINVAL, WHEELS, "does not run on Linux with musl", "python:3.13-slim"),
    ],
)
def test_a_system_without_builds_is_refused_in_three_lines(
    patch: str, absent: list[str], what: str, way_out: str, arguments: list[str]
) -> None:
    answer = run_elsewhere(patch, absent, *arguments)
    lines = answer.stderr.splitlines()
    assert answer.returncode == 3 and answer.stdout == "" and len(lines) == 3, answer.stderr
    assert what in lines[0] and way_out in lines[2]


def test_this_system_is_not_refused() -> None:
    assert run_elsewhere("", [], "--version").stdout.startswith("promthctl ")


def test_the_console_script_asks_first_too() -> None:
    scripts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"promthctl": "promthctl.__main__:main"}
