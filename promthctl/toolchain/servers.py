"""Which PostgreSQL the embedded engine uses: one that promthctl brings along, or one of this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from promthctl import trust
from promthctl.settings import POSTGRES_MAJORS, SYSTEM_POSTGRES, Settings
from promthctl.toolchain.installed import InstalledPostgres, installed_postgres, is_packaged, postgres_in

# Libraries that an extension needs in the server before it can be created, in the order they have to be loaded.
# pg_net is not among them: see installation.STAND_INS_ONLY.
_PRELOADED = ("timescaledb", "pgaudit", "pg_cron", "pg_tle", "pg_stat_monitor")


@dataclass(frozen=True)
class ServerChoice:
    """major: PostgreSQL's version. installed: the one of this machine; None for one that promthctl brings along.

    why: a sentence for people, where the project's files decided it.
    """

    major: int
    installed: InstalledPostgres | None = None
    why: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """What data directories are called after: those of different builds cannot be exchanged."""
        return server_name(self.major, self.installed is not None)

    @property
    def identity(self) -> str:
        """Another text for another server, or for one that has other extensions."""
        return self.installed.identity if self.installed else str(self.major)


@dataclass(frozen=True)
class PostgresPrograms:
    """A PostgreSQL that can be started.

    choice: which it is. folder: with its programs. preload: the libraries that its extensions need at the start.
    needs: folders elsewhere that the user who runs it must be able to read.
    """

    choice: ServerChoice
    folder: Path
    preload: tuple[str, ...] = ()
    needs: tuple[Path, ...] = ()


def server_name(major: int, installed: bool) -> str:
    return f"{major}-installed" if installed else str(major)


def choose_server(settings: Settings, made_with: int | None = None) -> ServerChoice:
    """What the project's settings ask for.

    made_with: the major version of the installed PostgreSQL that its database was made with: "system" stays with it
    when a newer one is installed. Raises PrerequisiteError where it is not there, RefusedError for a folder that is
    none of the system's places, until the user has agreed to it.
    """
    if settings.postgres is None:
        return ServerChoice(POSTGRES_MAJORS[0])
    if isinstance(settings.postgres, int):
        return ServerChoice(settings.postgres)
    if settings.postgres == SYSTEM_POSTGRES:
        found = installed_postgres(settings, made_with)
    else:
        folder = Path(settings.postgres)
        if not is_packaged(settings, folder):
            trust.check_setting(settings, "postgres")
        found = postgres_in(folder)
    return ServerChoice(found.major, found)


def preloaded(server: InstalledPostgres) -> tuple[str, ...]:
    return tuple(name for name in _PRELOADED if name in server.extensions and server.has_library(name))
