"""How the command line is put together: groups imported when they are used, global options in any place."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from promthctl.cli.help import keep_help_as_written
from promthctl.errors import UsageError

FLAGS = {"--json", "-q", "--quiet", "-v", "--verbose", "-y", "--yes"}
VALUED = {"-C", "--project-dir", "--supabase-cli"}


class ForgivingGroup(TyperGroup):
    """A group that knows the word help, and what was probably meant by a command that it does not have.

    stands_for: words that are no commands of it → those that they stand for.
    """

    stands_for: ClassVar[dict[str, tuple[str, ...]]] = {}

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        if not args and self.no_args_is_help and ctx.obj is not None and ctx.obj.output.as_json:
            why, hint = f"{ctx.command_path} is a group of commands", f"{ctx.command_path} --help"
            raise UsageError("No command was given", why, hint, code="usage.command_line")  # the help is not JSON
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        word, *rest = args
        if word in self.commands or ctx.resilient_parsing or word.startswith("-"):
            found = super().resolve_command(ctx, args)
            if ctx.obj is not None and found[0]:  # an Invocation
                ctx.obj.output.envelope.command.append(found[0])
            return found
        if word in self.stands_for:
            return self.resolve_command(ctx, [*self.stands_for[word], *rest])
        if word != "help":
            from promthctl.cli.mistakes import unknown_command

            raise unknown_command(ctx, word, rest)
        if rest:
            return self.resolve_command(ctx, [*rest, "--help"])
        typer.echo(ctx.get_help())
        raise typer.Exit


class LazyGroup(ForgivingGroup):
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
    """The arguments with the global options moved to the front, so that these can also be given after a command.

    Nothing after "--" is moved.
    """
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            rest += [argument, *remaining]
        elif (
            argument in FLAGS
            or argument.partition("=")[0] in VALUED - {argument}
            or (argument.startswith("-C") and len(argument) > 2)
        ):
            front.append(argument)
        elif argument in VALUED:
            value = next(remaining, None)
            if value is None:
                return [argument]  # for Typer to report the missing value, and not to take the command for it
            front += [argument, value]
        else:
            rest.append(argument)
    return front + rest
