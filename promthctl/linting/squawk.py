"""squawk, a linter of PostgreSQL migrations, run for the rules that none of ours covers: https://squawkhq.com.

It is the Python package squawk-cli (the extra `lint`), a program of 25 MB that reads files only.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from promthctl import process
from promthctl.errors import PromthctlError
from promthctl.linting.rules import LINT_RULES
from promthctl.migration_set import Migration
from promthctl.settings import Settings
from promthctl.toolchain.python_packages import install_command

REQUIREMENT = "squawk-cli>=2.70"  # the extra `lint` of pyproject.toml
_SECONDS = 120.0


@dataclass(frozen=True)
class SquawkFinding:
    """rule: an id of ours and of squawk's. line: from 1."""

    file: str
    line: int
    rule: str
    text: str


def program() -> Path | None:
    """The program, where the package is installed beside promthctl."""
    try:
        files = distribution("squawk-cli").files or ()
    except PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files if file.name in ("squawk", "squawk.exe"))
    return next((path for path in found if path.exists()), None)


def version() -> str:
    return distribution("squawk-cli").version


def install_hint() -> str:
    return install_command(REQUIREMENT)


def run(settings: Settings, squawk: Path, files: Sequence[Migration]) -> tuple[SquawkFinding, ...]:
    """What it finds in these files, of the rules that we have from it.

    The files are read from a folder of their own: a .squawk.toml of somebody else decides nothing. Raises
    PromthctlError where it does not answer as version 2.70 does.
    """
    if not files:
        return ()
    with tempfile.TemporaryDirectory(prefix="promthctl-lint-") as folder:
        names = {}
        for number, file in enumerate(files):
            path = Path(folder) / f"{number}.sql"
            path.write_text(file.sql, encoding="utf-8")
            names[path.name] = file.filename
        command: list[str | Path] = [squawk, "--reporter", "json", "--assume-in-transaction", *names]
        answer = process.run(command, env=_environment(settings), cwd=Path(folder), timeout=_SECONDS)
    try:
        found = json.loads(answer.stdout or "[]")
        return tuple(
            SquawkFinding(names[Path(one["file"]).name], int(one["line"]) + 1, str(one["rule_name"]), _text(one))
            for one in found
            if _ours(str(one["rule_name"]))
        )
    except (ValueError, KeyError, TypeError):
        said = (answer.stderr or answer.stdout).strip().splitlines()
        why = said[-1] if said else f"it ended with {answer.code} and said nothing"
        raise PromthctlError("squawk could not be asked", why, f"{install_hint()} installs one that fits") from None


def _environment(settings: Settings) -> dict[str, str]:
    return {name: settings.env[name] for name in ("PATH", "TMPDIR") if name in settings.env}


def _ours(rule: str) -> bool:
    return rule in LINT_RULES and LINT_RULES[rule].source == "squawk"


def _text(one: dict[str, str | None]) -> str:
    said, advice = str(one["message"]).strip().rstrip("."), str(one.get("help") or "").strip().rstrip(".")
    return f"{said}: {advice[:1].lower()}{advice[1:]}" if advice else said
