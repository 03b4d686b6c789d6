"""Postgres refuses to run as root: then an unprivileged system user runs it and owns its data directory."""

from __future__ import annotations

import contextlib
import os
import pwd
from pathlib import Path

from promthctl import process, trust
from promthctl.errors import PrerequisiteError
from promthctl.process import RunAs
from promthctl.settings import Settings, own_cache_dir
from promthctl.spreading import spread

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
    """Where the project's data directories go: never in the project, whose files a clone or a `git pull` may replace.

    PROMTHCTL_DATA_DIR to choose; otherwise the user's data directory, or their cache directory where only that can be
    written; for root, whose folders another user cannot enter, /var/lib/promthctl.
    """
    homes = [place / project for place in data_places(settings)]
    return next((home for home in homes if home.exists()), next((home for home in homes if _can_make(home)), homes[0]))


def data_places(settings: Settings) -> list[Path]:
    """The folders in which data_home looks for a project's, the one that is preferred first."""
    trust.check_variable(settings, "PROMTHCTL_DATA_DIR")
    if chosen := settings.get("PROMTHCTL_DATA_DIR"):
        return [Path(chosen)]
    if os.geteuid() == 0:
        return [Path("/var/lib/promthctl")]
    import platformdirs

    own = own_cache_dir()
    return [platformdirs.user_data_path("promthctl"), *([own / "data"] if own else [])]


def _can_make(folder: Path) -> bool:
    there = next(place for place in folder.parents if place.exists())
    return os.access(there, os.W_OK | os.X_OK)


def make_home(home: Path, user: RunAs | None) -> None:
    """Make the folder of data directories. Raises PrerequisiteError where it cannot be made."""
    try:
        home.mkdir(mode=0o755, parents=True, exist_ok=True)
        spread(home)
        if user is not None:
            os.chown(home, user.uid, user.gid)
    except OSError as error:
        raise PrerequisiteError(
            "There is no place for the database",
            f"{error.strerror or error}: {error.filename or home}",
            "export PROMTHCTL_DATA_DIR=/path/you/can/write, outside of the project",
        ) from None
    check_readable(home, user)


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
