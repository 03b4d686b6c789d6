"""What the command modules share: the invocation's settings and output, questions, and loading groups late."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from promthctl.errors import RefusedError, UsageError
from promthctl.output import Output

if TYPE_CHECKING:
    from promthctl.resolve.api import ApiTarget
    from promthctl.settings import NamedTarget, Settings
    from promthctl.targets import Target

FLAGS = {"--json", "-v", "--verbose", "-y", "--yes"}
VALUED = {"-C", "--project-dir", "--supabase-cli"}

EngineName = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="embedded, docker or auto: as before, at first Docker where it answers. [default: auto]",
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--db-url",
        metavar="URL",
        help="Any PostgreSQL database: postgresql://USER@HOST:PORT/DATABASE, its password in PGPASSWORD.",
    ),
]
ProjectRef = Annotated[
    str | None,
    typer.Option(
        "--project-ref",
        metavar="REF",
        help="A hosted Supabase project, by the twenty letters in its dashboard's URL; needs SUPABASE_ACCESS_TOKEN.",
    ),
]
TargetName = Annotated[
    str | None,
    typer.Option("--target", metavar="NAME", help=r"A target named in pyproject.toml: \[tool.promthctl.targets.NAME]."),
]
Local = Annotated[bool, typer.Option("--local", help="The local stack; this is the default.")]


@dataclass
class Invocation:
    """One run of promthctl, as its global options say."""

    output: Output
    project_dir: Path
    yes: bool
    supabase_cli: str | None = None

    @cached_property
    def settings(self) -> Settings:
        from promthctl import settings

        loaded = settings.load(self.project_dir, self.supabase_cli)
        if loaded.exposed:
            path, quoted = loaded.exposed, shlex.quote(str(loaded.exposed))
            self.output.note(f"warning: {path} can be read by other users of this machine: chmod 600 {quoted}")
        return loaded

    def confirm(self, question: str, refused: str) -> None:
        """Ask, default No. Raises RefusedError when the answer is not yes, or nobody is there to give it."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise RefusedError(refused, "it needs a yes, and there is no terminal to ask on", "run it again with --yes")
        if self.ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise RefusedError(refused, "you did not say yes", "nothing was changed")

    def ask_password(self, question: str) -> str | None:
        """A password typed unseen; None where nobody can type it."""
        if not sys.stdin.isatty():
            return None
        import getpass

        try:
            return getpass.getpass(question, stream=sys.stderr)
        except EOFError:  # Ctrl-D
            return ""

    def ask_secret(self, question: str) -> str:
        """A secret typed unseen, or piped in: then all of standard input without the line break at its end."""
        typed = self.ask_password(question)
        if typed is not None:
            return typed
        try:
            return sys.stdin.read().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise UsageError(
                "Standard input cannot be read", "it is not UTF-8 text", "pipe the key alone into the command"
            ) from None

    def ask(self, question: str) -> str:
        """A line typed by the user; the question goes to standard error, so that output stays clean."""
        sys.stderr.write(question)
        sys.stderr.flush()
        return sys.stdin.readline()


def target(run: Invocation, local: bool, project_ref: str | None, db_url: str | None, name: str | None) -> Target:
    """The target the options name; it is printed before anything happens to it."""
    from promthctl import engines
    from promthctl.engines.access import local_target, running_access

    chosen = remote(run, local, project_ref, db_url, name)
    if chosen is None:
        chosen = local_target(running_access(engines.current(run.settings)))
        run.output.note(f"Target: {chosen.label}")
    return chosen


def remote(
    run: Invocation, local: bool, project_ref: str | None, db_url: str | None, name: str | None
) -> Target | None:
    """The target the options name if it is not the local stack; it is printed."""
    from promthctl.hosted import project
    from promthctl.settings import NamedTarget

    named = _named(run, local, project_ref, db_url, name)
    if named == NamedTarget():
        return None
    chosen = project.locate(run.settings, named)
    _announce(run, chosen.production)(chosen.label)
    return project.unlock(run.settings, chosen, run.ask_password)


def api_target(
    run: Invocation, local: bool, project_ref: str | None, db_url: str | None, name: str | None
) -> ApiTarget:
    """The target the options name, by its API alone: no database password is asked for. It is printed."""
    from promthctl import engines
    from promthctl.resolve import api

    named = _named(run, local, project_ref, db_url, name)
    production = named.production or any(
        one.production and one.project_ref == named.project_ref is not None for one in run.settings.targets.values()
    )
    announce = _announce(run, production)
    if named.project_ref is not None:
        chosen = api.of_project(named.project_ref, run.settings, run.output, announce)
    elif named.db_url is not None:
        chosen = api.of_database(named.db_url, run.settings)
        announce(chosen.label)
    else:
        chosen = api.of_local_stack(engines.current(run.settings))
        announce(chosen.label)
    return replace(chosen, production=production)


def _named(run: Invocation, local: bool, project_ref: str | None, db_url: str | None, name: str | None) -> NamedTarget:
    """What the options name; neither of its two for the local stack. Raises UsageError for more than one target."""
    from promthctl.settings import NamedTarget

    if local + sum(given is not None for given in (project_ref, db_url, name)) > 1:
        why = "--local, --project-ref, --db-url and --target exclude each other"
        raise UsageError("There is more than one target", why, "give one of them")
    return run.settings.target(name) if name is not None else NamedTarget(project_ref, db_url)


def _announce(run: Invocation, production: bool) -> Callable[[str], None]:
    return lambda label: run.output.note(f"Target: {label}{' · PRODUCTION' if production else ''}")


class LazyGroup(TyperGroup):
    """A group that shows its commands from a table and imports a command's module when it is used."""

    lazy: ClassVar[dict[str, tuple[str, str]]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (_, summary) in self.lazy.items():
            self.commands[name] = TyperCommand(name, help=summary, short_help=summary, rich_markup_mode="rich")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in self.lazy:
            module, _ = self.lazy[args[0]]
            self.commands[args[0]] = typer.main.get_command(importlib.import_module(f"promthctl.cli.{module}").app)
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
