"""One run of the Supabase CLI: every command of ours goes through here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promthctl import process
from promthctl.hosted.profile import profile_argument
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.supabase_cli.choosing import choose
from promthctl.supabase_cli.dialects import ENVIRONMENT, V3, Answer, Dialect, read_answer


@dataclass(frozen=True)
class Runner:
    """binary: the CLI's executable. settings: of the project whose supabase/ folder it works in."""

    binary: Path
    settings: Settings
    dialect: Dialect = V3

    def run(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> Answer:
        """Run one command to its end; a command that fails is an Answer too.

        arguments: the command and its own options. environment: what it needs besides ours, passwords among it, which
        never go into the arguments. folder: where it works, by default the project. on_line, watch: see process.run.
        The CLI is killed when promthctl is.
        """
        folder = folder or self.settings.project_dir
        options = ["--yes", "--output-format", "json", "--agent", "no", "--workdir", str(folder)]
        done = process.run(
            [self.binary, *arguments, *options],
            env=self._environment(environment),
            cwd=folder,
            on_line=on_line,
            watch=watch,
            kill_with_parent=True,
        )
        return read_answer(done)

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        profile = profile_argument(self.settings)  # also when .env has it
        named = {"SUPABASE_PROFILE": profile} if profile else {}
        return self.settings.child_env(**{**ENVIRONMENT, **named, **extra})


def find_runner(settings: Settings, steps: Steps) -> Runner:
    """The CLI that the settings choose. Raises what choosing.choose raises."""
    binary, dialect = choose(settings, steps)
    return Runner(binary, settings, dialect)
