"""What is wrong with a folder of migrations, all of it in one error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from promthctl.errors import PromthctlError


class FolderProblem(NamedTuple):
    """Something wrong with the folder. fix: a command to run in that folder, or what to edit."""

    why: str
    fix: str


def unusable_folder(folder: Path, problems: Sequence[FolderProblem]) -> PromthctlError:
    """The error that lists them; a fix that several need is named once."""
    fixes = list(dict.fromkeys(problem.fix for problem in problems))
    return PromthctlError(
        f"The migrations in {folder} cannot be used",
        "\n".join(problem.why for problem in problems),
        "\n".join([f"in {folder}:", *fixes]) if len(fixes) > 1 else f"in {folder}: {fixes[0]}",
    )


def os_reason(error: OSError) -> str:
    """The operating system's message, without its number."""
    return error.strerror or str(error)


def set_aside(path: Path | str) -> str:
    """The command that takes a file out of a folder of migrations: no tool reads it under that name."""
    return f"mv {shell_quote(str(path))} {shell_quote(f'{path}.old')}"


def shell_quote(*names: str) -> str:
    """Arguments quoted for a shell."""
    import shlex

    return shlex.join(names)
