"""PostgreSQL as it is installed on this machine: where it is, its version, and which extensions it has.

Places: Debian and Ubuntu, PGDG's RPMs, SUSE, Homebrew, MacPorts, Postgres.app, EDB's installer, a plain `make install`.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from promthctl import process
from promthctl.errors import PrerequisiteError
from promthctl.settings import SERVER_MAJORS, SYSTEM_POSTGRES, Settings
from promthctl.toolchain.packages import install_command

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql[0-9]*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/usr/local/pgsql/bin",
)
_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)\S*.*)")
_SETTING = re.compile(r"^\s*default_version\s*=\s*'([^']*)'", re.MULTILINE)
_CONFIGURE = (
    'write in pyproject.toml the folder of a PostgreSQL 14 to 18:\n[tool.promthctl]\npostgres = "/path/to/postgresql"'
)
_RANGE = f"{SERVER_MAJORS[0]} to {SERVER_MAJORS[-1]}"
_SECONDS = 30.0


@dataclass(frozen=True)
class InstalledPostgres:
    """programs: the real folder of postgres and initdb. version: as `postgres --version` has it, "15.8 (Debian …)"."""

    programs: Path
    version: str
    major: int

    @cached_property
    def share(self) -> Path:
        """The folder with postgres.bki, and the extensions in extension/."""
        return self._folder("--sharedir", "share", "postgres.bki")

    @cached_property
    def libraries(self) -> Path:
        """The folder that $libdir stands for."""
        return self._folder("--pkglibdir", "lib", "plpgsql.*")

    @cached_property
    def extensions(self) -> dict[str, str]:
        """Default version by name."""
        found = {}
        for control in sorted((self.share / "extension").glob("*.control")):
            if version := _SETTING.search(control.read_text(encoding="utf-8", errors="replace")):
                found[control.stem] = version[1]
        return found

    @property
    def identity(self) -> str:
        """Another text whenever the version or an extension is another one."""
        return hashlib.sha256(repr((self.version, self.extensions)).encode()).hexdigest()

    def has_library(self, name: str) -> bool:
        return any(self.libraries.glob(f"{name}.*"))

    def _folder(self, option: str, name: str, content: str) -> Path:
        """pg_config's answer; without that program, the usual places beside the programs."""
        told = self._ask_pg_config(option)
        usual = [self.programs.parent / name, *(self.programs.parent.glob(f"{name}*/p*g*sql*"))]
        for folder in (*told, *usual):
            if any(folder.glob(content)):
                return folder.resolve()
        raise PrerequisiteError(
            f"The PostgreSQL in {self.programs} is not complete",
            f"its folder with {content} was not found, and {self.programs / 'pg_config'} does not tell where it is",
            f"install pg_config beside it, or {_CONFIGURE}",
        )

    def _ask_pg_config(self, option: str) -> list[Path]:
        answer = program_output(self.programs / "pg_config", option)
        return [Path(answer.strip())] if answer else []


def postgres_in(folder: Path) -> InstalledPostgres:
    """The PostgreSQL of a folder that pyproject.toml names: the one of its programs, or the one above it.

    Raises PrerequisiteError where there is none, it is not complete, or it is of another version.
    """
    setting = f"[tool.promthctl] postgres in pyproject.toml names {folder}"
    for programs in (folder / "bin", folder):
        if (programs / "postgres").exists():
            found = _look_at(programs)
            if found is None:
                raise PrerequisiteError(
                    f"The PostgreSQL in {programs} cannot be used",
                    f"{setting}; its programs postgres and initdb are not both there, or do not run",
                    _CONFIGURE,
                )
            if found.major not in SERVER_MAJORS:
                raise PrerequisiteError(
                    f"PostgreSQL {found.major} cannot be the engine",
                    f"{setting}, which is {found.version}; {_RANGE} can be",
                    _CONFIGURE,
                )
            return found
    raise PrerequisiteError(
        f"There is no PostgreSQL in {folder}",
        f"{setting}, which has neither bin/postgres nor postgres",
        f'{_CONFIGURE}\nor postgres = "{SYSTEM_POSTGRES}" for the newest one that is installed',
    )


def installed_postgres(settings: Settings, wanted: int | None = None) -> InstalledPostgres:
    """The PostgreSQL of this machine: of the major version `wanted`, otherwise the newest, the first on PATH.

    Raises PrerequisiteError where there is none that can be the engine.
    """
    found = list(all_installed(settings))
    usable = [one for one in found if one.major == (wanted or one.major) and one.major in SERVER_MAJORS]
    if usable:
        return max(usable, key=lambda one: one.major)
    others = ", ".join(f"{one.version} in {one.programs}" for one in found)
    raise PrerequisiteError(
        f"No PostgreSQL {wanted or _RANGE} is installed on this machine",
        f'[tool.promthctl] postgres = "{SYSTEM_POSTGRES}" looks on PATH and where packages put it; '
        f"found: {others or 'none'}",
        install_command(settings, wanted=wanted) or _CONFIGURE,
    )


def all_installed(settings: Settings) -> Iterator[InstalledPostgres]:
    """Every PostgreSQL server found on this machine, those on PATH first; of any version."""
    seen = set()
    for folder in _folders(settings):
        if (found := _look_at(folder)) and found.programs not in seen:
            seen.add(found.programs)
            yield found


def is_packaged(settings: Settings, folder: Path) -> bool:
    """True for a folder, or the one above it, where "system" looks, too: nothing in it is run to find out."""
    places = {place.resolve() for place in _folders(settings)}
    return bool(places & {folder.resolve(), (folder / "bin").resolve()})


def _folders(settings: Settings) -> Iterator[Path]:
    path = settings.env.get("PATH", os.defpath)
    for folder in path.split(os.pathsep):
        if folder and (Path(folder) / "postgres").exists():
            yield Path(folder)
    if (config := shutil.which("pg_config", path=path)) and (answer := program_output(Path(config), "--bindir")):
        yield Path(answer.strip())
    for place in PLACES:
        yield from (Path(name) for name in sorted(glob.glob(place)))  # noqa: PTH207 - the patterns are absolute


def _look_at(folder: Path) -> InstalledPostgres | None:
    """What is in a folder of programs; None when that is no server that runs here."""
    program = (folder / "postgres").resolve()  # PostgreSQL follows links, too, to find the rest of itself
    if not (program.parent / "initdb").exists():
        return None
    version = _VERSION.search(program_output(program, "--version") or "")
    return InstalledPostgres(program.parent, version[1].strip(), int(version[2])) if version else None


def program_output(program: Path, option: str) -> str | None:
    """What a program prints; None where it does not run."""
    try:
        answer = process.run([program, option], env={"PATH": os.defpath, "LC_ALL": "C"}, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.code == 0 else None
