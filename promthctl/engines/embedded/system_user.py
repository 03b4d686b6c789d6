"""Postgres refuses to run as root: then an unprivileged system user runs it and owns its data directory."""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path

from promthctl import process, trust
from promthctl.errors import PrerequisiteError
from promthctl.process import RunAs
from promthctl.settings import Settings

NAME = "promthctl"


def postgres_user(settings: Settings) -> RunAs | None:
    """The user Postgres runs as: None for the present one; for root the system user `promthctl`, made when missing."""
    if os.geteuid() != 0:
        return None
    if (entry := _entry()) is None:
        with contextlib.suppress(OSError):  # no useradd here: reported below
            process.run(
                ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],
                env=settings.child_env(),
            )
        entry = _entry()
    if entry is None:
        raise PrerequisiteError(
            "Postgres cannot run as root",
            f"the system user {NAME} is missing and could not be made",
            f"useradd --system {NAME}, or run promthctl as a user who is not root",
        )
    return RunAs(entry.pw_uid, entry.pw_gid)


def data_home(settings: Settings, project: str) -> Path:
    """Where the project's data directory goes.

    In .promthctl/ of the project; for root, whose folders another user cannot enter, in /var/lib/promthctl
    (PROMTHCTL_DATA_DIR to choose another).
    """
    if os.geteuid() != 0:
        return settings.state_dir
    trust.check_variable(settings, "PROMTHCTL_DATA_DIR")
    return Path(settings.get("PROMTHCTL_DATA_DIR") or "/var/lib/promthctl") / project


def check_readable(path: Path, user: RunAs | None) -> None:
    """Raise PrerequisiteError when the unprivileged user cannot reach `path`."""
    if user is None:
        return
    for folder in (path, *path.parents):
        mode = folder.stat()
        if not (mode.st_mode & 0o001 or (mode.st_uid == user.uid and mode.st_mode & 0o100)):
            raise PrerequisiteError(
                f"The user {NAME}, who runs Postgres for root, cannot enter {folder}",
                f"it holds {path}",
                f"chmod o+x {folder}, or export PROMTHCTL_CACHE_DIR and PROMTHCTL_DATA_DIR to folders open to all",
            )


def _entry() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        return None
