"""docs/promthctl.1, the man page that the wheel installs: written from the commands' help.

.venv/bin/python -m tests.man_page
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from promthctl import __version__
from promthctl.cli import app

PAGE = Path(__file__).parent.parent / "docs" / "promthctl.1"
_CODES = (
    (0, "done"),
    (1, "it failed"),
    (2, "usage"),
    (3, "something is missing on this machine"),
    (4, "the target does not answer, refuses the credentials or cannot be changed now"),
    (5, "refused by a guard"),
    (130, "interrupted"),
)


def page() -> str:
    """The whole page, in the macros of man(7)."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    root = typer.main.get_command(app)
    yield f'.TH PROMTHCTL 1 "" "promthctl {_text(__version__)}" "promthctl"'
    yield from (".SH NAME", f"promthctl {chr(92)}- {_text(_first(root.help))}")
    yield from (".SH SYNOPSIS", ".B promthctl", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]")
    yield from (".SH OPTIONS", _text(root.epilog or ""), *_options(root))
    yield ".SH COMMANDS"
    for words, command in commands(root):
        arguments = " ".join(_metavar(one) for one in command.params if one.param_type_name == "argument")
        yield f".SS promthctl {_text(' '.join(words))} {_text(arguments)}".rstrip()
        for number, paragraph in enumerate(re.split(r"\n\s*\n", command.help or "")):
            yield from ([".PP"] if number else [])
            yield _text(" ".join(paragraph.split()))
        yield from _options(command)
    yield ".SH EXIT STATUS"
    for code, meaning in _CODES:
        yield from (".TP", f".B {code}", _text(meaning))
    yield from (".SH SEE ALSO", ".BR psql (1)")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words; those of modules that are imported late, too."""
    context = typer.Context(group)
    for name in group.commands:
        _, command, _ = group.resolve_command(context, [name])
        if not hasattr(command, "commands") or command.invoke_without_command:
            yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


def _options(command: Any) -> Iterator[str]:
    for one in command.params:
        if one.param_type_name == "option" and not one.hidden and getattr(one, "help", None):
            names = ", ".join((*one.opts, *one.secondary_opts))
            value = "" if one.is_flag else f" {_metavar(one)}"
            yield from (".TP", f".B {_text(names + value)}", _text(" ".join(one.help.split())))


def _metavar(one: Any) -> str:
    return str(one.metavar or (one.name or "").upper())


def _first(text: str | None) -> str:
    return (text or "").partition("\n")[0].rstrip(".")


def _text(text: str) -> str:
    """Plain text as roff takes it; the help's markup is left out."""
    plain = re.sub(r"\\\[", "[", re.sub(r"(?<!\\)\[/?(?:bold|dim|red|green|yellow|cyan)\]", "", text))
    escaped = plain.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
