"""Which data directories are this project's: each bears the project's identity, signed (see promthctl.signatures).

For root the data lies in /var/lib/promthctl, where a name would lead to any project's. For others it lies in
`.promthctl`, where a clone or an archive may have put it, with a postgresql.conf that runs programs.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
from dataclasses import replace
from pathlib import Path

from promthctl import signatures, trust
from promthctl.engines.embedded import system_user
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
    """Take in what the user agreed to, and what versions before 0.2 made for root.

    Raises RefusedError for a data directory that is not this project's.
    """
    wanted = stack.data_id if stack else identity(settings, home)
    for data in foreign(settings, home, stack):
        if os.geteuid() == 0 and not _may_claim(data):
            raise _not_ours(data, "was not used")
        if os.geteuid() != 0 and signatures.owner(data, settings.project_dir) is None:
            trust.check_data(settings, data)
        signatures.claim(data, settings.project_dir, wanted)


def check_purge(settings: Settings, home: Path, stack: EmbeddedStack | None) -> None:
    """Raise RefusedError where a purge would remove another project's data; what lies in the project is its own."""
    for data in foreign(settings, home, stack):
        if home != settings.state_dir and not _may_claim(data):
            raise _not_ours(data, "was not removed")


def _may_claim(data: Path) -> bool:
    """Root's data directories are root's alone to make: one that bears nothing is of a version before 0.2."""
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
