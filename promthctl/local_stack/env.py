"""How an app reaches the stack, as variables of an env file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from promthctl import dotenv_file
from promthctl.engines import Engine
from promthctl.engines.access import stack_access
from promthctl.errors import UsageError
from promthctl.settings import Settings


@dataclass(frozen=True)
class EnvResult:
    """file: where the variables were written. changed: the names whose values are new."""

    file: Path
    changed: tuple[str, ...]


def write_env(settings: Settings, engine: Engine, file: Path) -> EnvResult:
    """Merge the stack's variables into an env file. file: relative to the project.

    Raises UsageError for what is not a file, TargetError when the stack was never started.
    """
    path = settings.project_dir / file.expanduser()
    if str(file) == "-" or path.is_fifo():
        why = "the variables are secret, and are merged into a file that holds others"
        raise UsageError(f"{file} is not a file to write to", why, "leave --write out to print them")
    return EnvResult(path, dotenv_file.merge(path, stack_access(engine).variables()))
