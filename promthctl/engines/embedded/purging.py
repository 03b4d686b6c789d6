"""What `local down --purge` removes of a stack that is stopped."""

from __future__ import annotations

import contextlib
from pathlib import Path

from promthctl.engines.embedded import bucket_objects, kept_copy, ownership
from promthctl.engines.embedded import cluster as postgres
from promthctl.engines.embedded.mail import MAIL_FILE
from promthctl.engines.embedded.records import EmbeddedRecords
from promthctl.engines.embedded.snapshots import Snapshots
from promthctl.engines.embedded.storage_settings import STORAGE_FOLDER
from promthctl.settings import Settings


def purge_data(settings: Settings, records: EmbeddedRecords, home: Path) -> None:
    """Its databases with what is kept of them, messages, files and records. home: the folder of the databases."""
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
