"""Which command installs PostgreSQL, or one of its extensions, on this machine."""

from __future__ import annotations

import os
import re
import shutil

from promthctl import process
from promthctl.settings import SERVER_MAJORS, Settings

# What the packages of an extension are called after "postgresql-NN-", where that is not its own name.
_DEBIAN = {
    "postgis": "postgis-3",
    "postgis_raster": "postgis-3",
    "postgis_sfcgal": "postgis-3",
    "postgis_tiger_geocoder": "postgis-3",
    "postgis_topology": "postgis-3",
    "address_standardizer": "postgis-3",
    "address_standardizer_data_us": "postgis-3",
    "vector": "pgvector",
    "pgroonga": "(?:pgdg-)?pgroonga",
    "pgroonga_database": "(?:pgdg-)?pgroonga",
    "pg_cron": "cron",
    "pg_partman": "partman",
    "pg_repack": "repack",
    "pg_hint_plan": "hint-plan",
}
_HOMEBREW = {"postgis": "postgis", "vector": "pgvector", "pgroonga": "pgroonga", "pgrouting": "pgrouting"}
_PACKAGE = re.compile(r"^postgresql-(\d+)\S*(?= )", re.MULTILINE)


def install_command(
    settings: Settings, extension: str | None = None, wanted: int | None = None, oldest: int = 0
) -> str | None:
    """The command that installs PostgreSQL, with an extension; None where it is not known, or there is no package.

    wanted: the major version it has to be; otherwise the newest one with that package, not older than `oldest`.
    """
    path = settings.env.get("PATH")
    if program := shutil.which("apt-cache", path=path):
        return _apt_command(program, settings, extension, wanted, oldest)
    if shutil.which("brew", path=path) and (extension is None or extension in _HOMEBREW):
        server = f"postgresql@{wanted or max(17, oldest)}"
        return " ".join(["brew install", server, *([_HOMEBREW[extension]] if extension else [])])
    return None


def _apt_command(
    program: str, settings: Settings, extension: str | None, wanted: int | None, oldest: int
) -> str | None:
    name = "" if extension is None else "-" + _DEBIAN.get(extension, re.escape(extension.replace("_", "-")))
    pattern = f"^postgresql-{wanted or '[0-9]+'}{name}$"
    listed = process.run([program, "search", "--names-only", pattern], env=settings.child_env())
    packages = {int(found[1]): found[0] for found in _PACKAGE.finditer(listed.stdout)}
    usable = [major for major in packages if major in SERVER_MAJORS and major >= oldest]
    if not usable:
        return None
    return f"{'' if os.geteuid() == 0 else 'sudo '}apt-get install {packages[max(usable)]}"
