"""docs/commands.md and docs/configuration.md: written from the commands and from where the settings are defined.

.venv/bin/python -m tests.reference
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from promthctl import trust
from promthctl.cli import Commands, app
from promthctl.keys.providers import PROVIDERS
from promthctl.setting_names import TOOL, VARIABLES
from tests.man_page import EXIT_CODES, commands
from tests.promthctl_runner import REPOSITORY

DOCS = REPOSITORY / "docs"
_WRITTEN = "<!-- Written by `python -m tests.reference`. Change the help or the settings, not this page. -->"


def pages() -> dict[str, str]:
    """The pages by their name in docs/."""
    return {
        name: "\n".join(lines) + "\n" for name, lines in (("commands.md", _commands()), ("configuration.md", _all()))
    }


def _commands() -> Iterator[str]:
    root = typer.main.get_command(app)
    yield from ("# Commands", "", _WRITTEN, "", _text(root.help), "", _text(root.epilog), "")
    yield from ("## Options of every command", "", *_options(root))
    short = ", ".join(f"`{word}`" for word, words in Commands.stands_for.items() if words == ("local", word))
    yield from (f"{short} also work without `local`.", "")
    begun: set[tuple[str, ...]] = set()
    for words, command in commands(root):
        for length in range(1, len(words)):
            if words[:length] not in begun:
                begun.add(words[:length])
                yield from (_heading(words[:length]), "", _text(_group(root, words[:length]).help), "")
        begun.add(words)
        yield from (_heading(words), "")
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        usage = ["promthctl", *words, *(["[OPTIONS]"] if _shown(command) else []), *map(_typed, arguments)]
        yield from ("```text", " ".join(usage), "```", "", _text(command.help), "", *_options(command))
    yield from ("## Exit codes", "", "| Code | Meaning |", "|---|---|")
    yield from (f"| {code} | {meaning} |" for code, meaning in EXIT_CODES)


def _heading(words: tuple[str, ...]) -> str:
    return f"{'##' if len(words) == 1 else '###'} promthctl {' '.join(words)}"


def _group(root: Any, words: tuple[str, ...]) -> Any:
    group = root
    for word in words:
        _, group, _ = group.resolve_command(typer.Context(group), [word])
    return group


def _options(command: Any) -> Iterator[str]:
    told = [one for one in command.params if one.param_type_name == "argument" and getattr(one, "help", None)]
    rows = [(_metavar(one), one) for one in told] + [(_names(one), one) for one in _shown(command)]
    if rows:
        yield from _table(("Argument or option", "Meaning"), ((f"`{name}`", _text(one.help)) for name, one in rows))


def _shown(command: Any) -> list[Any]:
    named = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    return [one for one in named if getattr(one, "help", None) and one.name != "help"]


def _names(option: Any) -> str:
    names = ", ".join((*option.opts, *option.secondary_opts))
    choices = "|".join(map(str, getattr(option.type, "choices", ())))
    return names if option.is_flag else f"{names} {option.metavar or choices or option.name.upper()}"


def _metavar(argument: Any) -> str:
    return str(argument.metavar or (argument.name or "").upper())


def _typed(argument: Any) -> str:
    name = _metavar(argument)
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _all() -> Iterator[str]:
    yield from ("# Configuration", "", _WRITTEN, "")
    yield "The first of these that sets a value wins: options, the environment, `.env` in the project,"
    yield "`[tool.promthctl]` in pyproject.toml, supabase/config.toml, the default. An empty value of a variable counts"
    yield "as not set."
    yield from ("", "## pyproject.toml", "", "Under `[tool.promthctl]`:", "")
    yield from _table(("Setting", "Meaning", "Example"), ((f"`{s.name}`", s.meaning, f"`{s.example}`") for s in TOOL))
    yield from ("## Environment and .env", "")
    yield "What would send credentials elsewhere or run another program needs your agreement where only the project's"
    yield "`.env` says it: `promthctl trust` shows it, and what for. So do the `…_BASE_URL` of providers."
    yield ""
    rows = (
        (f"`{one.name}`", one.meaning, "not read" if one.shell_only else _in_dotenv(one.name), f"`{one.example}`")
        for one in VARIABLES
    )
    yield from _table(("Variable", "Meaning", "In the project's .env", "Example"), rows)
    yield from ("## Keys of providers", "", "For `seed keys --provider NAME`, and `seed vanchin`: [Keys](keys.md).", "")
    yield from _table(("Provider", "Variables"), ((f"`{name}`", _of_provider(one)) for name, one in PROVIDERS.items()))
    yield from ("## supabase/config.toml", "")
    yield "Read as the Supabase CLI reads it: `[api] port` and `[db] port` are the default ports, `[db.seed]` names the"
    yield "seeds. [What the embedded engine has](embedded.md) lists what `[api]`, `[auth]` and `[storage]` do there."


def _in_dotenv(name: str) -> str:
    return "read; may need `promthctl trust`" if name in trust._VARIABLES else "read"


def _of_provider(provider: Any) -> str:
    prefix = provider.variables
    numbered = ("API_KEY_n", "ENDPOINT_n", "AGENT_NAME_n", "AGENT_DESCRIPTION_n")
    parts = (*(numbered if provider.agents else ("API_KEY", "MODEL")), "KEYS_FILE", "BASE_URL")
    told = ", ".join(f"`{prefix}_{part}`" for part in parts)
    return told + (f"; n = 1 to {provider.agents}" if provider.agents else "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"
    yield ""


def _cell(text: str) -> str:
    """A bar would end the cell; in code GitHub wants it escaped and Python's Markdown shows the backslash."""
    if text == "``":
        return ""
    coded = re.sub(r"`([^`]*\|[^`]*)`", lambda found: f"<code>{html.escape(found[1], quote=False)}</code>", text)
    return coded.replace("|", "&#124;")


def _text(help_text: str | None) -> str:
    """A help's paragraphs as Markdown; its markup for the terminal is left out, names of variables stay as they are."""
    plain = re.sub(r"\\\[", "[", re.sub(r"(?<!\\)\[/?(?:bold|dim|red|green|yellow|cyan)\]", "", help_text or ""))
    told = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", plain)]
    return "\n\n".join(_literal(one) for one in told)


def _literal(paragraph: str) -> str:
    """What Markdown would take as its own outside of code."""
    pieces = re.split(r"(`[^`]*`)", paragraph)
    return "".join(one if one.startswith("`") else re.sub(r"([\[\]<>*_])", r"\\\1", one) for one in pieces)


if __name__ == "__main__":
    for name, text in pages().items():
        (DOCS / name).write_text(text, encoding="utf-8")
