"""What is wrong with a command line, in plain words, and what was probably meant. Nothing is ever run on a guess."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import typer

from promthctl.errors import UsageError

_WHAT = "The command line cannot be understood"
# Commands of other tools, and ours for the same.
_MEANT = {
    "start": "local up",
    "stop": "local down",
    "ps": "local status",
    "apply": "push",
    "deploy": "push",
    "migrate": "push",
    "new": "migrations new",
    "dump": "pull",
    "check": "verify",
    "psql": "sql",
    "query": "sql",
}
# What loses something is not offered ready to be run, but for reading.
_LOSES = frozenset({"remove", "replace", "reset", "restore", "rollback", "rotate"})
_NOT_OFFERED = frozenset(
    {"", "yes", "purge", "force", "allow-destructive", "no-backup", "no-rehearsal", "all", "accept"}
)
# By the placeholder of the value.
_KINDS = {"PORT": "a port", "SECONDS": "a number of seconds", "N": "a number"}
_REFUSED = re.compile(r"'?(?P<value>.*?)'? is not ")
_MOST = 3


def unknown_command(context: Any, word: str, rest: Sequence[str]) -> UsageError:
    """A command that there is not, or not in this group. rest: the words after it."""
    here = context.command_path
    found = _candidates(context, word, rest)
    hint = ", or ".join(found[:_MOST]) or f"{here} --help"
    return UsageError(_WHAT, f"there is no command {here} {word}", hint, code="usage.command_line")


def explained(error: Any, arguments: Sequence[str]) -> UsageError:
    """Typer's error about the command line. arguments: all of it, the global options in front."""
    context = error.ctx or _context_of(arguments)
    path = context.command_path
    if getattr(error, "possibilities", ...) is not ...:
        return UsageError(_WHAT, f"{path} has no option {error.option_name}", _other_option(context, error.option_name))
    parameter = getattr(error, "param", None)
    if parameter is not None:
        return _wrong_value(error, parameter, path)
    message = error.format_message()
    if needs := re.fullmatch(r"Option '(.+)' requires an argument\.?", message):
        option = next((each for each in context.command.params if needs[1] in each.opts), None)
        value = getattr(option, "metavar", None) or "a value"
        return UsageError(_WHAT, f"{needs[1]} needs {value} after it", f"{path} --help")
    if extra := re.fullmatch(r"Got unexpected extra argument\S* \((.*)\)", message):
        return UsageError(_WHAT, f"{path} takes no further word, and there is: {extra[1]}", f"{path} --help")
    return UsageError(_WHAT, message, f"{path} --help")


def _wrong_value(error: Any, parameter: Any, path: str) -> UsageError:
    name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.make_metavar(error.ctx).strip("[]")
    if not error.message:
        return UsageError(_WHAT, f"{name} is missing: {_first_sentence(parameter)}", f"{path} --help")
    kind = parameter.type
    value = match["value"] if (match := _REFUSED.match(error.message)) else ""
    least, most = getattr(kind, "min", None), getattr(kind, "max", None)
    if choices := getattr(kind, "choices", None):
        why = f"{name} {value} is none of {', '.join(map(str, choices))}"
    elif kind.name in ("int", "float", "integer range", "float range", "int range"):
        whole = "a whole number" if kind.name.startswith("int") else "a number"
        why = f"{name} {value} is not {_KINDS.get(parameter.metavar or '', whole)}{_bounds(least, most)}"
    else:
        why = f"{name}: {error.message}"
    return UsageError(_WHAT, why, f"{path} --help")


def _bounds(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return ""
    if least is None or most is None:
        return f" ({least} or more)" if most is None else f" ({most} or less)"
    return f" ({least} to {most})"


def _first_sentence(parameter: Any) -> str:
    text = getattr(parameter, "help", "") or "it has to be given"
    return re.split(r"\. (?=[A-Z])", text)[0].rstrip(".")


def _other_option(context: Any, name: str) -> str:
    """The option that is spelled like it, of this command or of all; or another command of this name that has it."""
    root = context.find_root()
    own = {spelled[2:]: each for one in (root, context) for each in one.command.params for spelled in each.opts}
    if near := get_close_matches(name.lstrip("-"), sorted(own.keys() - _NOT_OFFERED), 1, 0.7):
        option = own[near[0]]
        value = "" if getattr(option, "is_flag", False) else f" {getattr(option, 'metavar', None) or 'VALUE'}"
        return f"{context.command_path} --{near[0]}{value}"
    for words, command in _commands(root):
        if words[-1:] == (context.info_name,) and any(name in each.opts for each in command.params):
            return f"promthctl {' '.join(words)} {name}"
    return f"{context.command_path} --help"


def _candidates(context: Any, word: str, rest: Sequence[str]) -> list[str]:
    """Whole commands, the likeliest first: the same word elsewhere, another tool's word, one spelled like it."""
    known = dict(_commands(context.find_root()))
    here = tuple(context.command_path.split()[1:])
    same = [words for words in known if words[-1] == word and words != (*here, word)]
    meant = [tuple(_MEANT[word].split())] if word in _MEANT else []
    near = [words for group in dict.fromkeys((here, ())) for words in _spelled_like(word, known, group)]
    found = meant or same or near or _spelled_like(word, known, None)
    return [_shown(words) for words in dict.fromkeys(_with_rest(words, rest, known) for words in found)]


def _spelled_like(word: str, known: dict[tuple[str, ...], Any], group: tuple[str, ...] | None) -> list[tuple[str, ...]]:
    """Commands by the name that is closest to a word. group: only those in it; None for all."""
    there = [words for words in known if group is None or words[:-1] == group]
    match = get_close_matches(word, sorted({words[-1] for words in there}), 1, 0.7)
    return [words for words in there if words[-1] in match]


def _with_rest(words: tuple[str, ...], rest: Sequence[str], known: dict[tuple[str, ...], Any]) -> tuple[str, ...]:
    """With the next words, as long as they are commands: what comes then may be anything, a secret too."""
    for word in rest:
        if (*words, word) not in known:
            break
        words = (*words, word)
    return words


def _shown(words: tuple[str, ...]) -> str:
    return f"promthctl {' '.join(words)}{' --help' if _LOSES.intersection(words) else ''}"


def _commands(root: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group below the root, imported for this: their words, and what Typer made of them."""
    yield from _below(root.command, ())


def _below(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = typer.Context(group, resilient_parsing=True)
    for name in list(getattr(group, "commands", {})):
        _, command, _ = group.resolve_command(context, [name])
        yield (*path, name), command
        yield from _below(command, (*path, name))


def _context_of(arguments: Sequence[str]) -> Any:
    """The context of the command that a line begins with, for errors that do not tell it."""
    from promthctl.cli import app

    context = typer.Context(typer.main.get_command(app), info_name="promthctl", resilient_parsing=True)
    for word in arguments:
        if word in getattr(context.command, "commands", {}):
            _, command, _ = context.command.resolve_command(context, [word])  # type: ignore[attr-defined]
            context = typer.Context(command, info_name=word, parent=context, resilient_parsing=True)
    return context
