"""The backups of a project: the list of them, and one checked against its checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from promthctl.backups.manifest import NAME, DamagedError, Manifest, SavedTable
from promthctl.errors import PromthctlError, UsageError
from promthctl.process import open_regular, read_regular
from promthctl.settings import Settings
from promthctl.state import StateDir

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """A backup on disk. path: its folder."""

    path: Path
    manifest: Manifest

    def file(self, table: SavedTable) -> Path:
        return self.path / table.file


@dataclass(frozen=True)
class BackupRow:
    """A backup in a list. damaged: why it cannot be used; the other fields are empty then. bytes: on disk."""

    name: str
    created: str = ""
    target: str = ""
    undone: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    damaged: str | None = None


def backups_folder(settings: Settings) -> Path:
    """Where a project keeps its backups."""
    return settings.state_dir / "backups"


def list_backups(settings: Settings) -> tuple[BackupRow, ...]:
    """Every backup of the project, oldest first; only the manifests are read."""
    return tuple(_row(path) for path in _folders(settings))


def find_backup(settings: Settings, wanted: str) -> Backup:
    """A backup by its name or its path, all of its files checked.

    Raises UsageError when it does not exist, PromthctlError when it is damaged or has another format.
    """
    StateDir(settings.state_dir).check()
    inside = backups_folder(settings) / wanted
    path = inside if inside.is_dir() else Path(wanted).expanduser()
    if not path.is_dir() or not wanted:
        there = ", ".join(folder.name for folder in _folders(settings))
        raise UsageError(
            f"The backup {wanted} does not exist",
            f"in {backups_folder(settings)}: {there or 'there is none yet'}",
            "promthctl rollback --list" if there else "give the path of a backup, if it was moved or made elsewhere",
        )
    try:
        backup = Backup(path, _manifest(path))
        for table in backup.manifest.tables:
            _check(backup, table)
    except DamagedError as error:
        raise PromthctlError(
            f"The backup {path.name} cannot be restored",
            str(error),
            "nothing was written; take an undamaged copy of the backup, or another one: promthctl rollback --list",
        ) from None
    return backup


def _folders(settings: Settings) -> Iterator[Path]:
    StateDir(settings.state_dir).check()
    if backups_folder(settings).is_dir():
        yield from sorted(p for p in backups_folder(settings).iterdir() if p.is_dir() and not p.name.startswith("."))


def _row(path: Path) -> BackupRow:
    try:
        manifest = _manifest(path)
    except DamagedError as error:
        return BackupRow(path.name, damaged=str(error))
    return BackupRow(
        path.name,
        manifest.created,
        manifest.target,
        tuple(one.version for one in manifest.undone),
        tuple(table.label for table in manifest.tables),
        manifest.rows,
        manifest.bytes,
    )


def _manifest(path: Path) -> Manifest:
    try:
        return Manifest.from_text(read_regular(path / NAME).decode())
    except UnicodeDecodeError:
        raise DamagedError("its manifest is damaged") from None
    except OSError as error:
        raise DamagedError(f"{NAME}: {error.strerror}") from None


def _check(backup: Backup, table: SavedTable) -> None:
    if Path(table.file).name != table.file:
        raise DamagedError(f"its manifest names a file elsewhere: {table.file}")
    digest = hashlib.sha256()
    try:
        with open_regular(backup.file(table)) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise DamagedError(f"{table.file}: {error.strerror}") from None
    if digest.hexdigest() != table.sha256:
        raise DamagedError(f"{table.file} is damaged: its SHA-256 is not the manifest's")
