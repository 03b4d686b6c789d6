"""A database with migrations of a test's own and their down scripts, applied as the Supabase CLI records them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from promthctl import rollback, settings, targets
from promthctl.backups import Conflicts, folder, restoring
from promthctl.rollback import RollbackResult
from promthctl.steps import Silent
from promthctl.targets import Target
from tests.promthctl_runner import Project

HISTORY = (
    "create schema if not exists supabase_migrations;"
    "create table if not exists supabase_migrations.schema_migrations"
    " (version text primary key, statements text[], name text)"
)


@dataclass
class World:
    """url: of a fresh database. project: its folder, with the migrations in db/."""

    url: str
    project: Project

    @classmethod
    def make(cls, url: str, path: Path) -> World:
        (path / "db").mkdir(parents=True)
        (path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
        with psycopg.connect(url) as connection:
            connection.execute(HISTORY)
        return cls(url, Project(path))

    @property
    def target(self) -> Target:
        return targets.from_url(self.url)

    @property
    def backups(self) -> Path:
        return self.project.path / ".promthctl" / "backups"

    def write(self, version: str, up: str, down: str | None) -> None:
        (self.project.path / "db" / f"{version}_m.sql").write_text(up)
        if down is not None:
            (self.project.path / "db" / f"{version}_m.down.sql").write_text(down)

    def migrate(self, up: str, down: str | None, version: str = "002") -> None:
        """Write a migration and apply it; version 001 is there always, and empty."""
        if not list((self.project.path / "db").glob("001_*")):
            self.write("001", "select 1;", "select 1;")
            self.apply("001")
        self.write(version, up, down)
        self.apply(version)

    def apply(self, version: str) -> None:
        """What a push does, without the time that the CLI takes."""
        up = (self.project.path / "db" / f"{version}_m.sql").read_text()
        with psycopg.connect(self.url) as connection:
            connection.execute(up.encode())
            connection.execute(
                "insert into supabase_migrations.schema_migrations values (%s, %s, 'm')", (version, [up])
            )

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.url) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def read(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query.encode()).fetchall()

    def history(self) -> list[str]:
        query = "select version from supabase_migrations.schema_migrations order by 1"
        return [version for (version,) in self.read(query)]

    def plan(self, to: str = "001") -> rollback.RollbackPlan:
        return rollback.plan_rollback(settings.load(self.project.path), self.target, to, Silent())

    def roll_back(self, to: str = "001", backup: bool = True) -> RollbackResult:
        plan = self.plan(to)
        return rollback.roll_back(settings.load(self.project.path), self.target, plan, backup, Silent())

    def restore(
        self, name: str | None = None, conflicts: Conflicts = "stop", dry_run: bool = False
    ) -> restoring.RestoreResult:
        """The newest backup, or the one of that name."""
        here = settings.load(self.project.path)
        backup = folder.find_backup(here, name or self.names()[-1])
        return restoring.restore(here, self.target, backup, conflicts, dry_run, Silent())

    def names(self) -> list[str]:
        """The backups, oldest first; hidden folders too, for there should be none."""
        return sorted(path.name for path in self.backups.iterdir()) if self.backups.exists() else []

    def digest(self, *tables: str) -> list[tuple[Any, ...]]:
        """One checksum for all rows of each table, whatever their order."""
        query = "select count(*), sum(hashtextextended(whole_row::text, 0)::numeric) from {} whole_row"
        return [self.read(query.format(table))[0] for table in tables]

    @contextlib.contextmanager
    def session(self) -> Iterator[psycopg.Connection]:
        """Somebody else at work, in a transaction of their own."""
        with psycopg.connect(self.url) as connection:
            yield connection
            connection.rollback()


def until(connection: psycopg.Connection, query: str, seconds: float = 60) -> None:
    """Wait for a query to answer true."""
    deadline = time.monotonic() + seconds
    while connection.execute(query.encode()).fetchone() != (True,):
        assert time.monotonic() < deadline, query
        time.sleep(0.02)
