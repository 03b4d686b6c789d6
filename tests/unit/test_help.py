"""The help of every command, as it is shown: nothing eaten as markup, no sentence broken, every default there."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from promthctl.cli import app
from promthctl.configuration import API_PORT, DB_PORT
from promthctl.engines.docker.services import DEFAULT

WIDTHS = (80, 120)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command and group, those of modules that are imported late too."""
    yield path
    context = typer.Context(group)
    for name in getattr(group, "commands", {}):
        _, command, _ = group.resolve_command(context, [name])
        yield from commands(command, (*path, name))


COMMANDS = list(commands(typer.main.get_command(app)))


def as_written(words: tuple[str, ...]) -> tuple[Any, str, dict[str, str]]:
    """A command, its docstring and its options' help as the source has them, before anything prepares them."""
    if not words:
        command = typer.main.get_command(app)
    else:
        module = __import__(f"promthctl.cli.{words[0]}", fromlist=["app"])
        command = typer.main.get_command(module.app)
    for word in words[1:]:
        command = command.commands[word]
    return command, command.help or "", {one.opts[0]: one.help for one in command.params if getattr(one, "help", "")}


def rendered(words: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = CliRunner().invoke(app, [*words, "--help"], prog_name="promthctl")
    assert shown.exit_code == 0, shown.output
    return shown.output


def paragraphs(text: str) -> list[str]:
    return inspect.cleandoc(text).split("\n\n")


def cells(shown: str) -> str:
    """The text of the options' column, its lines joined."""
    lines = [line.strip("│ ").strip() for line in shown.splitlines() if line.startswith("│")]
    return " ".join(re.split(r"\s{2,}", line)[-1] for line in lines)


every_command = pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "promthctl")
every_width = pytest.mark.parametrize("width", WIDTHS)


def test_every_command_is_known() -> None:
    assert {("push",), ("local", "up"), ("keys", "rotate"), ("seed", "keys"), ("migrations", "bundle")} < set(COMMANDS)
    assert len(COMMANDS) > 25


@every_width
@every_command
def test_no_sentence_of_a_docstring_is_broken(
    words: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, docstring, _ = as_written(words)
    text = rendered(words, width, monkeypatch).partition("╭")[0]
    blocks = [[line.strip() for line in block.splitlines()] for block in re.split(r"\n\s*\n", text.strip())]
    for paragraph in paragraphs(docstring):
        if paragraph.startswith("\b"):
            assert all(line.strip() in text for line in paragraph.splitlines()[1:]) and "\b" not in text
            continue
        lines = next(block for block in blocks if " ".join(block) == " ".join(paragraph.split()))
        for line, following in itertools.pairwise(lines):
            assert len(line) + 1 + len(following.split()[0]) > width - 2, f"broken early after: {line}"


@every_width
@every_command
def test_no_option_loses_a_word(words: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich takes [default: 1] for markup, and cuts what is wider than its column."""
    _, _, options = as_written(words)
    shown = cells(rendered(words, width, monkeypatch))
    for name, text in options.items():
        assert " ".join(text.replace(r"\[", "[").split()) in shown, name  # the root's are prepared when it is made
    assert "…" not in re.sub(r"[\w.-]+=…|https?://…", "", shown)


@every_command
def test_an_option_with_a_default_shows_it(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    command, _, _ = as_written(words)
    shown = cells(rendered(words, 120, monkeypatch))
    for option in command.params:
        if getattr(option, "show_default", False) and option.default not in (None, False, ..., ()):
            assert f"[default: {option.default}]" in shown, option.opts


CONFIGURED = {  # options whose default is decided later, so that Typer does not know it
    ("local", "up"): ["auto", str(API_PORT), str(DB_PORT), ",".join(DEFAULT), "127.0.0.1"],
    ("seed", "keys"): ["a development user, on the local stack", "the provider's variables"],
    ("seed", "vanchin"): ["a development user, on the local stack", "the provider's variables"],
    ("keys", "list"): ["all users"],
    ("local", "logs"): ["all of them"],
    ("migrations", "bundle"): ["-"],
    (): ["pinned"],
}


@every_width
@pytest.mark.parametrize("words", CONFIGURED, ids=" ".join)
def test_defaults_that_are_decided_later_are_shown(
    words: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = cells(rendered(words, width, monkeypatch))
    for default in CONFIGURED[words]:
        assert f"[default: {default}]" in shown
