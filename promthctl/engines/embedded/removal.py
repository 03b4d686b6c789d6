"""The removal of a stack's data, and a look at what is there afterwards: removing passes over what it cannot remove."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterable
from pathlib import Path

from promthctl.engines.embedded import bucket_objects, kept_copy, ownership
from promthctl.engines.embedded import cluster as postgres
from promthctl.engines.embedded.mail import MAIL_FILE
from promthctl.engines.embedded.records import EmbeddedRecords
from promthctl.engines.embedded.snapshots import Snapshots
from promthctl.engines.embedded.storage_settings import STORAGE_FOLDER
from promthctl.errors import PromthctlError
from promthctl.process import ProcessId
from promthctl.settings import Settings


def purge(settings: Settings, records: EmbeddedRecords, home: Path) -> None:
    """Remove the databases, what is kept of them, the files and the records. Raises PromthctlError for what stays."""
    Snapshots(home, settings.project_dir, "").remove_all()
    kept_copy.remove_all(home)
    for data in (*home.glob("postgres-[0-9]*"), *ownership.in_project(settings)):
        postgres.remove(data)
    (home / MAIL_FILE).unlink(missing_ok=True)
    if (home / STORAGE_FOLDER).exists():
        postgres.remove(home / STORAGE_FOLDER)
    with contextlib.suppress(OSError):  # it holds other files, or it is a mount point
        home.rmdir()
    for name in ("stack.json", "processes.json", "dev-user.json", "absent.json", bucket_objects.RECORD):
        (records.path / name).unlink(missing_ok=True)
    databases = (*home.glob("postgres-[0-9]*"), *ownership.in_project(settings))
    check_gone(*databases, *home.glob(f"{postgres.LEFTOVER}*"))


def check_gone(*places: Path) -> None:
    """Raise PromthctlError when one of these is there."""
    for left in places:
        if os.path.lexists(left):
            raise PromthctlError(
                "Not everything could be removed",
                f"{left} is still there",
                f"rm -r {shlex.quote(str(left))} says what keeps it; then run that again",
            )


def check_ended(processes: Iterable[ProcessId | None]) -> None:
    """Raise PromthctlError for a process that goes on, though it was killed."""
    for one in processes:
        if one is not None and one.alive():
            raise PromthctlError(
                "The local stack was not stopped",
                f"process {one.pid} goes on, though it was killed",
                f"kill -9 {one.pid}, then promthctl local down",
            )
