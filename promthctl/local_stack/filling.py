"""What a new database of the local stack gets before its seeds, as far as a copy of an earlier one can bring it."""

from __future__ import annotations

from collections.abc import Sequence

from promthctl import database, seeds, supabase_cli
from promthctl.engines import Content, Filling
from promthctl.migration_set import Migration, supabase_folder
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target


class Filler:
    """Fills one new database with the project's migrations."""

    def __init__(self, settings: Settings, steps: Steps) -> None:
        self._settings = settings
        self._steps = steps
        self._told: Content | None = None

    def content(self, files: Sequence[Migration] | None = None) -> Content | None:
        """For the engine: what the database will have. None where no copy may be used or kept.

        files: all of the migrations, where they have been read.
        """
        settings = self._settings
        if settings.replay:
            return None
        if files is None:
            plan = supabase_folder.plan_project_sync(settings, (), history=())
            files = supabase_folder.expected_migrations(settings, plan) if plan.refusal is None else None
        if files is not None:
            self._told = self._content_of(files)
        return self._told

    def copied(self, filling: Filling) -> tuple[str, ...]:
        """The names of the files that came with a copy."""
        return tuple(name for name, _ in self._told.migrations[: filling.copied]) if self._told else ()

    def apply(self, target: Target, filling: Filling, files: Sequence[Migration]) -> None:
        """Have the Supabase CLI apply what is missing, in as many runs as there are points to keep the database at.

        Where nothing is missing, the history is read instead. Raises as DatabaseCli.push does.
        """
        if not files:
            return
        there = {file.version for file in files[: filling.copied]}
        if filling.copied == len(files) and set(database.fetch_history(target)) == there:
            return
        for count in sorted({*filling.keep_after, len(files)}):
            supabase_cli.find_database_cli(self._settings, self._steps).push(target, files[:count], self._steps)
            if count in filling.keep_after and self._content_of(files) == self._told:
                filling.keep(count)

    def _content_of(self, files: Sequence[Migration]) -> Content:
        roles = seeds.find_roles(self._settings)
        cli = supabase_cli.find_database_cli(self._settings, self._steps).identity
        named = tuple((file.filename, file.sha256) for file in files)
        return Content(roles.sha256() if roles else None, cli, named)
