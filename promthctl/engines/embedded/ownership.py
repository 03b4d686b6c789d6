"""Which data directories are this project's: each bears the project's identity, signed (see promthctl.signatures).

They lie outside of the project, where a name would lead to any project's. Earlier versions kept those of who is not
root in `.promthctl`: what is there may have come with a clone, an archive or a `git pull`, which replaces ignored files
in silence, with a postgresql.conf that runs programs. It is moved out once the user has agreed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

from promthctl import signatures, trust
from promthctl.engines.embedded import cluster, system_user
from promthctl.engines.embedded.records import EmbeddedStack
from promthctl.errors import RefusedError
from promthctl.settings import Settings


def project_name(settings: Settings) -> str:
    """The name of a stack whose record is lost, or is to be made: of the folder itself, not of its path alone.

    Another folder may be at that path by now. Versions before 0.2 went by the path: their data is still found.
    """
    real = settings.project_dir.resolve()
    plain, _, _ = replace(settings, project_dir=real).project_id.rpartition("-")
    mark = f"{real}\0{real.stat().st_ino}"
    name = f"{plain}-{hashlib.sha256(mark.encode('utf-8', 'surrogateescape')).hexdigest()[:12]}"
    earlier = system_user.data_home(settings, settings.project_id)
    if os.geteuid() == 0 and not _directories(system_user.data_home(settings, name)):
        found = _directories(earlier)
        if found and all(_may_claim(data) or signatures.owner(data, settings.project_dir) for data in found):
            return settings.project_id
    return name


def identity(settings: Settings, home: Path) -> str:
    """The random id for a stack without a record: that of its data, or a new one."""
    found = (signatures.owner(data, settings.project_dir) for data in _directories(home))
    return next(filter(None, found), None) or secrets.token_hex(16)


def foreign(settings: Settings, home: Path, stack: EmbeddedStack | None) -> list[Path]:
    """The data directories there that do not bear this project's identity, or another one than the record has."""
    wanted = stack.data_id if stack else identity(settings, home)
    return [data for data in _directories(home) if signatures.owner(data, settings.project_dir) != wanted]


def check_data(settings: Settings, home: Path, stack: EmbeddedStack | None) -> None:
    """Take in what versions before made, if the user agreed to that.

    Raises RefusedError for a data directory that is not this project's.
    """
    wanted = stack.data_id if stack else identity(settings, home)
    for data in foreign(settings, home, stack):
        if not _may_claim(data):
            raise _not_ours(data, "was not used")
        signatures.claim(data, settings.project_dir, wanted)
    for data in in_project(settings):
        if (home / data.name).exists():  # that one is used, whatever came into the project since
            continue
        trust.check_data(settings, data, home)
        _move_out(data, home)
        signatures.claim(home / data.name, settings.project_dir, wanted)


def in_project(settings: Settings) -> list[Path]:
    """The data directories in `.promthctl`, of an earlier version or of somebody else. Root never had any there."""
    return _directories(settings.state_dir) if os.geteuid() != 0 else []


def check_purge(settings: Settings, home: Path, stack: EmbeddedStack | None) -> None:
    """Raise RefusedError where a purge would remove another project's data."""
    for data in foreign(settings, home, stack):
        if not _may_claim(data):
            raise _not_ours(data, "was not removed")


def _move_out(data: Path, home: Path) -> None:
    """Move a data directory to its place, whole or not at all; a server on it is ended."""
    if running := cluster.find_server(data.parent):
        cluster.stop(running, data.parent)
    cluster.end_strays(data.parent)
    system_user.make_home(home, None)
    place = home / data.name
    try:
        data.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        partial = home / f"{cluster.LEFTOVER}{secrets.token_hex(4)}"
        shutil.copytree(data, partial, symlinks=True)
        partial.rename(place)
        shutil.rmtree(data)


def _may_claim(data: Path) -> bool:
    """Outside of the project they are the user's alone to make: one that bears nothing is of a version before 0.2."""
    return not os.path.lexists(data / signatures.OWNER)


def _directories(home: Path) -> list[Path]:
    return sorted(home.glob("postgres-[0-9]*"))


def _not_ours(data: Path, what: str) -> RefusedError:
    return RefusedError(
        f"The database in {data} {what}",
        "it bears the mark of another project folder, or of another user's promthctl",
        f"rm {shlex.quote(str(data / signatures.OWNER))} if it is this project's, then run the same command again; "
        f"otherwise mv {shlex.quote(str(data.parent))} elsewhere",
    )
