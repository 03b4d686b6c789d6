"""One run of promthctl: its settings and output, its questions, and the target it works on."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from promthctl.errors import ConfirmationError, UsageError
from promthctl.output import Output
from promthctl.terminal import visible

if TYPE_CHECKING:
    from promthctl.resolve.api import ApiTarget
    from promthctl.resolve.choice import TargetChoice
    from promthctl.settings import Settings
    from promthctl.targets import Target


@dataclass
class Invocation:
    """One run of promthctl, as its global options say."""

    output: Output
    project_dir: Path | None
    yes: bool
    supabase_cli: str | None = None
    example: str | None = None

    @cached_property
    def settings(self) -> Settings:
        from promthctl import settings
        from promthctl.project_files import project_here

        folder = self.project_dir
        if folder is None:
            here = Path.cwd()
            folder = project_here(here)
            if folder != here:
                self.output.note(f"Project: {folder}")
        loaded = settings.load(folder, self.supabase_cli, self.example)
        if loaded.exposed:
            path, quoted = loaded.exposed, shlex.quote(str(loaded.exposed))
            self.warn([f"{path} can be read by other users of this machine: chmod 600 {quoted}"])
        if loaded.unreadable:
            lines = ", ".join(map(str, loaded.unreadable))
            self.warn([f"{loaded.project_dir / '.env'}, line {lines}: not NAME=value, and left out"])
        return loaded

    def target(self, choice: TargetChoice, migrations: bool = True) -> Target:
        """The database that the options name; it is announced before anything happens to it.

        migrations: the command is about them, too; see say_example.
        """
        from promthctl.resolve.database import resolve_database

        found = resolve_database(choice, self.settings, self.output.note, self.ask_password)
        if migrations:
            self.say_example()
        return found

    def remote_target(self, choice: TargetChoice) -> Target | None:
        """The database that the options name, announced; None for the local stack, which is not looked at."""
        from promthctl.resolve.database import resolve_remote

        return resolve_remote(choice, self.settings, self.output.note, self.ask_password)

    def say_example(self) -> None:
        """Say in one line that the migrations are the example's, where nothing asks for these."""
        from promthctl.migration_set.source import find_source

        if self.settings.example is None and find_source(self.settings).example:
            self.output.note("Migrations: Mr.Promth's example, as this folder has none of its own")

    def api_target(self, choice: TargetChoice) -> ApiTarget:
        """The API of what the options name, announced; no database password is asked for.

        On the local stack the settings have its ENCRYPTION_SECRET from then on, where the environment has none.
        """
        from promthctl.engines.app_secret import with_app_secret
        from promthctl.resolve.api import resolve_api

        target = resolve_api(choice, self.settings, self.output, self.output.note)
        if target.local:
            self.settings = with_app_secret(self.settings)
        return target

    def typed_path(self, path: Path) -> Path:
        """A path from the command line: relative to the folder that -C names, otherwise to the current one."""
        path = path.expanduser()
        return path if self.project_dir is not None or str(path) == "-" else Path.cwd() / path

    def warn(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self.output.say(f"warning: {warning}")

    def confirm(self, question: str, refused: str) -> None:
        """Ask, with No as the default. refused: what the error says, e.g. "Nothing was pushed".

        Raises ConfirmationError when the answer is not yes, or nobody is there to give it.
        """
        if self.yes:
            return
        if not sys.stdin.isatty():
            why = "confirmation is needed and there is no terminal"
            raise ConfirmationError(refused, why, "run the same command again with --yes")
        if self.ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
            raise ConfirmationError(refused, "you did not answer yes", "run the same command again and answer y")

    def ask_password(self, question: str) -> str | None:
        """A password, typed without being shown; None where nobody can type it."""
        if not sys.stdin.isatty():
            return None
        import getpass

        self.output.before_question()
        try:
            return getpass.getpass(visible(question), stream=sys.stderr)
        except EOFError:  # Ctrl-D
            return ""

    def ask_secret(self, question: str) -> str:
        """A secret, typed without being shown, or piped in: all of standard input without its last line break."""
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
        """A line that the user types; the question goes to standard error, to keep it out of the output."""
        self.output.before_question()
        sys.stderr.write(visible(question))
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not (answer.endswith("\n") and sys.stdin.isatty()):  # the terminal has shown no line break
            sys.stderr.write("\n")
        return answer
