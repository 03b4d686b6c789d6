"""The man page: what the help says, in a form that man takes, and in the wheel."""

from __future__ import annotations

import shutil
import subprocess
import tomllib

import pytest

from tests.man_page import PAGE, page
from tests.promthctl_runner import REPOSITORY
from tests.unit.test_help import COMMANDS


def test_the_page_is_what_the_help_says_now() -> None:
    assert PAGE.read_text() == page(), "run .venv/bin/python -m tests.man_page"


def test_every_command_is_in_it() -> None:
    text = page().replace("\\-", "-")
    for words in COMMANDS:
        assert f"promthctl {' '.join(words)}".rstrip() in text


def test_the_wheel_installs_it_where_man_looks() -> None:
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {"docs/promthctl.1": "share/man/man1/promthctl.1"}


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_takes_it_without_a_warning() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", str(PAGE)], capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and "SYNOPSIS" in done.stdout
