"""The Supabase CLI: applies migrations and owns the history. We run it, read what it prints, and explain its errors.

The password goes to it in PGPASSWORD, never in argv. A hosted project is named by its pooler's URL, as any database:
that works alike in v2, in v3 and in psycopg.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from promthctl import database, process
from promthctl.database.connection_errors import unreachable
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.steps import Steps, Update
from promthctl.supabase_cli import choosing, failures
from promthctl.supabase_cli.dialects import QUIET, V3, Answer, Dialect, applying, read
from promthctl.targets import Target

_UNREACHABLE = "failed to connect to postgres: "
_DEFAULT_HINT = "promthctl migrations list shows what is applied; nothing else was changed"


def find(settings: Settings, steps: Steps) -> SupabaseCli:
    """The CLI that the settings choose; see choosing.choose."""
    binary, dialect = choosing.choose(settings, steps)
    return SupabaseCli(binary, settings, dialect)


@dataclass(frozen=True)
class SupabaseCli:
    """binary: the CLI's executable. settings: of the project whose supabase/ folder it works in."""

    binary: Path
    settings: Settings
    dialect: Dialect = V3

    def push(
        self, target: Target, migrations: Sequence[Migration], steps: Steps, include_all: bool = False
    ) -> tuple[str, ...]:
        """`supabase db push`: apply what is pending; the names of the files applied.

        migrations: the files of supabase/migrations with the paths to name in errors (their source). include_all: also
        what is older than the newest applied one.
        Raises PromthctlError naming file, line and statement when a migration fails; nothing of it stays.
        """
        with steps.step("Applying migrations") as update:
            answer = self._run(target, ["db", "push", *(["--include-all"] if include_all else [])], update)
        if not answer.ok:
            raise self._failure(target, answer, f"The push to {target.label} failed", migrations)
        return answer.applying

    def reset(self, target: Target, migrations: Sequence[Migration], steps: Steps) -> None:
        """`supabase db reset`: drop what the migrations made, replay them all. Raises as push does."""
        with steps.step("Resetting the database") as update:
            answer = self._run(target, ["db", "reset", "--no-seed"], update)
        if not answer.ok:
            raise self._failure(target, answer, f"The reset of {target.label} failed", migrations)

    def repair(self, target: Target, versions: Sequence[str], status: Literal["applied", "reverted"]) -> None:
        """`supabase migration repair`: put versions into the history, or take them out of it. Runs no migration.

        Versions to be put in have their file in supabase/migrations. Raises PromthctlError.
        """
        answer = self._run(target, ["migration", "repair", *versions, "--status", status])
        if not answer.ok:
            raise self._failure(target, answer, f"The history of {target.label} could not be changed")

    def advisors(self, target: Target) -> tuple[str, ...]:
        """`supabase db advisors`: what it warns of, one line each. Raises PromthctlError where it cannot run."""
        answer = self._run(target, ["db", "advisors", "--level", "warn"])
        found = answer.value.get("results") if isinstance(answer.value, dict) else None
        if not isinstance(found, list):
            raise self._failure(target, answer, f"The advisors' reading of {target.label} failed")
        return tuple(redact(f"{one.get('title', one.get('name'))}: {one.get('detail', '')}") for one in found)

    def _run(self, target: Target, words: Sequence[str], update: Update | None = None) -> Answer:
        def relay(line: str) -> None:
            if update is not None and (name := applying(line)):
                update(name)

        options = [f"{self.dialect.option}={target.url}", "--yes", "--output-format", "json", "--agent", "no"]
        options += ["--workdir", str(self.settings.project_dir)]
        profile = self.settings.get("SUPABASE_PROFILE")  # also where .env has it
        named = {"SUPABASE_PROFILE": profile} if profile else {}
        env = self.settings.child_env(**{**QUIET, **named, **target.environment(), **self._tls(target)})
        done = process.run(
            [self.binary, *words, *options], env=env, cwd=self.settings.project_dir, on_line=relay, leash=True
        )
        return read(done)

    def _tls(self, target: Target) -> dict[str, str]:
        """What makes the CLI do without TLS where psycopg would, and where the local stack speaks none."""
        if target.local or (not self.dialect.plain and not database.encrypted(target)):
            return {"PGSSLMODE": "disable"}
        return {}

    def _failure(
        self, target: Target, answer: Answer, what: str, migrations: Sequence[Migration] = ()
    ) -> PromthctlError:
        if answer.applying:
            error = failures.migration_error(target, answer.applying[-1], migrations, answer.message)
            if error is not None:
                return error
        if answer.message.startswith(_UNREACHABLE):
            return unreachable(target, answer.message.removeprefix(_UNREACHABLE))
        return PromthctlError(what, answer.message, failures.hint(target, answer.message, _DEFAULT_HINT))
