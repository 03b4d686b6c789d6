"""Help texts shown as they are written."""

from __future__ import annotations

import inspect
import re
from typing import Any

_LIKE_MARKUP = re.compile(r"\[(?=[a-z#/@][^\[]*?\])")  # what Rich takes for the beginning of a tag


def keep_help_as_written(command: Any) -> None:
    """Prepare the texts of a Typer command, and of the commands below it, for Typer's Rich help.

    Left alone, Typer drops `[default: 1]` as a Rich tag, and breaks a paragraph wherever its docstring has a line
    break. As in Click, a paragraph that begins with a line of \\b alone keeps its line breaks.
    """
    if command.help:
        command.help = _escaped("\n\n".join(map(_one_line, inspect.cleandoc(command.help).split("\n\n"))))
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = _escaped(parameter.help)
    for subcommand in getattr(command, "commands", {}).values():
        keep_help_as_written(subcommand)


def _one_line(paragraph: str) -> str:
    return paragraph.removeprefix("\b\n") if paragraph.startswith("\b\n") else " ".join(paragraph.split())


def _escaped(text: str) -> str:
    return _LIKE_MARKUP.sub(r"\\[", text)
