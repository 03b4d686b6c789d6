"""docs/reference/*.md: commands as the Typer app has them, settings as promthctl/configuration.py has them.

`python -m tests.reference` writes the pages; tests/unit/test_reference.py fails where they are stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from promthctl.cli import app
from promthctl.configuration import PYPROJECT, VARIABLES

EXIT_CODES = """The options of `promthctl` itself may stand before or after a command; `up`, `down`, `status`, `logs`,
`env`, `studio` and `mail` work without `local`. Each command is safe to run twice: what is done already is left alone.

Exit codes: 0 done, 1 it failed, 2 usage, 3 something is missing on this machine, 4 the target does not answer, refuses
the credentials or cannot be changed now, 5 refused by a guard, 130 interrupted.
"""
FOLDER = Path(__file__).parent.parent / "docs" / "reference"
MADE = "Written by `python -m tests.reference`: change the source, not this page.\n"
HTML = re.compile(r"([<>])")  # what Markdown would take for tags
EVERYWHERE = {"--help", "--install-completion", "--show-completion"}


def plain(text: str) -> str:
    """A help text as Markdown: Typer's escapes undone, HTML made harmless."""
    return HTML.sub(r"\\\1", text.replace("\\[", "[").replace("\b\n", "")).strip()


def cell(text: str) -> str:
    return " ".join(plain(text).split()).replace("|", "\\|")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The words of each command, and the command, in the order of the help."""
    yield path, group
    context = typer.Context(group)
    for name in getattr(group, "commands", {}):
        _, command, _ = group.resolve_command(context, [name])
        yield from commands(command, (*path, name))


def parameters(command: Any) -> Iterator[str]:
    context = typer.Context(command)
    shown = [one for one in command.get_params(context) if not getattr(one, "hidden", False)]
    shown = [one for one in shown if not EVERYWHERE.intersection(one.opts)]
    records = [
        (record, isinstance(one, typer.core.TyperArgument)) for one in shown if (record := one.get_help_record(context))
    ]
    if records:
        yield from ("", "| Argument or option | Meaning |", "|---|---|")
    for (names, text), _ in records:
        yield f"| `{names.strip()}` | {cell(text)} |".replace("`|", "`\\|")


def commands_page() -> str:
    lines = [
        "# Commands",
        "",
        MADE,
        "Each command has `--help`; `promthctl --install-completion` completes words in bash, zsh and fish.",
        EXIT_CODES,
    ]
    for path, command in commands(typer.main.get_command(app)):
        if getattr(command, "hidden", False):
            continue
        lines += [f"{'#' * min(2 + max(len(path) - 1, 0), 3)} {' '.join(('promthctl', *path))}", ""]
        lines += [
            plain("\n".join(line.strip() for line in (command.help or "").splitlines())),
            *parameters(command),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def table(name: str, meanings: Any) -> Iterator[str]:
    yield from (f"| {name} | Meaning |", "|---|---|")
    for key, meaning in meanings.items():
        yield f"| `{key}` | {meaning} |"


def configuration_page() -> str:
    return "\n".join(
        (
            "# Configuration\n",
            MADE,
            "Flags win over the environment, that over `.env` of the project, that over the files. A `.env` or",
            "`pyproject.toml` that would send your credentials elsewhere, or run another program, needs your agreement",
            "once: `promthctl trust`. `.env.example` in the repository explains every variable.\n",
            "## pyproject.toml, `[tool.promthctl]`\n",
            *table("Setting", PYPROJECT),
            "\n## Environment and `.env`\n",
            "A star: from the environment alone, a project's `.env` cannot set it.\n",
            *table("Variable", VARIABLES),
            "\n## supabase/config.toml\n",
            "`[api] port` and `[db] port` are the default ports of `local up`; 0 for `--api-port` and `--db-port`",
            "picks free ones, kept for this project from then on. `[db.seed]` and the rest of `[api]` are read as the",
            "Supabase CLI reads them.\n",
            "## State\n",
            "State is in `.promthctl/` of the project (0700, ignored by git), signed with a key of your own",
            "(`~/.config/promthctl/state.key`) for this folder: a folder that is moved keeps its stack, a copy or a",
            "clone does not get it. Databases lie outside of the project (`PROMTHCTL_DATA_DIR`); one that an earlier",
            "version kept in `.promthctl`, or that came with a copy, is moved there after `promthctl trust`. Secrets",
            "are never in arguments, logs or output; what is shown of a key is its mask.\n",
        )
    )


PAGES = {"commands.md": commands_page, "configuration.md": configuration_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())
