"""How the command line is put together: groups imported when they are used, global options in any place."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from promthctl.cli.help import keep_help_as_written

FLAGS = {"--json", "-v", "--verbose", "-y", "--yes"}
VALUED = {"-C", "--project-dir", "--supabase-cli"}


class LazyGroup(TyperGroup):
    """A group that lists its commands from a table and imports a command's module when the command is used."""

    lazy: ClassVar[dict[str, tuple[str, str]]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, summary) in self.lazy.items():
            self.commands[name] = TyperCommand(name, help=summary, short_help=summary, rich_markup_mode="rich")
        keep_help_as_written(self)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in self.lazy:
            module, _ = self.lazy[args[0]]
            command = typer.main.get_command(importlib.import_module(f"promthctl.cli.{module}").app)
            keep_help_as_written(command)
            self.commands[args[0]] = command
        return super().resolve_command(ctx, args)


def hoist_global_options(arguments: Sequence[str]) -> list[str]:
    """The global options moved to the front, so that they may be given after a command too.

    Nothing after "--" is touched.
    """
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in FLAGS or word.partition("=")[0] in VALUED - {word} or (word.startswith("-C") and len(word) > 2):
            front.append(word)
        elif word in VALUED:
            value = next(words, None)
            if value is None:
                return [word]  # for Typer to say what is missing, before it takes the command for it
            front += [word, value]
        else:
            rest.append(word)
    return front + rest
