"""Copies of the database that are kept under a name, outside of the project and beside the database in use.

    snapshots/NAME/data        the data directory of a stopped server
    snapshots/NAME/storage     links to the files of Storage's objects, which never change once they are there
    snapshots/NAME/made.json   signed (see promthctl.signatures): when, why, its size, of which server and with which
                               migrations

A snapshot appears complete or not at all, and goes at once. Of the automatic ones the newest are left; the database
before the last reset or restore is kept apart from them (see kept_copy).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from promthctl import signatures
from promthctl.engines.embedded import cluster as postgres
from promthctl.engines.embedded import kept_copy
from promthctl.engines.embedded.cluster import Cluster
from promthctl.engines.embedded.spare_log import spare_log
from promthctl.engines.embedded.storage_settings import STORAGE_FOLDER
from promthctl.engines.engine import Snapshot
from promthctl.errors import PromthctlError, RefusedError, TargetError, UsageError

_FOLDER, _MADE, _DATA = "snapshots", "made.json", "data"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_REMOVED = ".removed-"
AUTOMATIC = "auto-"
_AT_ONCE = 200_000_000  # bytes that are removed in no time
KEPT = 4  # automatic ones, and the database before the last reset or restore


@dataclass(frozen=True)
class Snapshots:
    """Those of one project. home: the folder with its databases. identity: what they bear. server: see toolchain."""

    home: Path
    project: Path
    identity: str

    def found(self) -> tuple[Snapshot, ...]:
        """The newest first; what was not made for this project is none."""
        folders = (self.home / _FOLDER).glob(f"*/{_MADE}")
        return tuple(sorted(filter(None, map(self._read, folders)), key=lambda one: one.made_at, reverse=True))

    def named(self, name: str) -> Snapshot:
        """Raises UsageError when there is none."""
        for one in self.found():
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.found())
        raise UsageError(
            f"There is no snapshot {name!r}",
            f"there are: {known}" if known else "none has been made, or `local down --purge` removed them",
            "promthctl local snapshot list" if known else "promthctl local snapshot save NAME makes one",
        )

    def check_new(self, name: str) -> None:
        """Raises UsageError for what is no name, RefusedError when a snapshot has it."""
        if not _NAME.fullmatch(name) or name.lower().startswith(AUTOMATIC):
            why = f"a name has letters, digits, . _ - (60 at most), and does not begin with {AUTOMATIC}"
            raise UsageError(
                f"{name!r} cannot be a snapshot's name", why, "promthctl local snapshot save before-import"
            )
        if os.path.lexists(self._folder(name)):
            raise RefusedError(
                f"There is a snapshot {name!r} already",
                "another one under its name would replace it",
                f"promthctl local snapshot remove {name}, or choose another name",
            )

    def save(
        self,
        cluster: Cluster,
        stopped: AbstractContextManager[None],
        name: str,
        reason: str,
        applied: tuple[str, ...] | None,
    ) -> Snapshot:
        """Copy a cluster, whose server does not run within `stopped`. applied: see Snapshot.

        It appears once its files are on the disk; the server runs meanwhile. Raises TargetError without a cluster.
        """
        if not cluster.exists():
            raise TargetError(
                "There is no local database to save", f"{cluster.data} is not there", "promthctl local up"
            )
        with self._partial() as partial:
            with stopped:
                try:
                    self._copy_data(cluster, partial)
                    self._describe(partial, cluster.data.name, name, reason, applied, partial / _DATA)
                except BaseException:  # on a full disk the server needs the room to start again
                    shutil.rmtree(partial, ignore_errors=True)
                    raise
            replace(cluster, data=partial).sync()
            partial.rename(self._folder(name))
        return self.named(name)

    def _copy_data(self, cluster: Cluster, partial: Path) -> None:
        postgres.copy_data(cluster.data, partial / _DATA, cluster.settings)
        if _sizes(partial / _DATA) != _sizes(cluster.data, spare_log(cluster.data)):
            why = "the copy has not the files that the database has, or not with their sizes"
            raise PromthctlError("The snapshot was not made", why, "run the same command again")

    def take_kept(self, data: Path) -> None:
        """Make the copy that is kept of a data directory an automatic snapshot: another is about to take its place.

        Where no snapshot can be made of it, the copy stays as it is.
        """
        kept = kept_copy.kept_path(data)
        if not kept.exists():
            return
        since = kept_copy.kept_since(kept)
        name = self.automatic_name(since)
        with contextlib.suppress(OSError, PromthctlError), self._partial() as partial:
            self._describe(partial, data.name, name, "before a reset or a restore", None, kept, since)
            kept.rename(partial / _DATA)
            partial.rename(self._folder(name))

    @contextlib.contextmanager
    def copied(self, snapshot: Snapshot, cluster: Cluster) -> Iterator[Cluster]:
        """A copy of it, whose data directory the caller renames; Storage has the files of its objects again.

        Raises RefusedError when the data does not bear this project's mark.
        """
        folder = self._folder(snapshot.name)
        if signatures.owner(folder / _DATA, self.project) != self.identity:
            raise RefusedError(
                f"The snapshot {snapshot.name!r} was not restored",
                "it does not bear this project's mark: it is another database's, or was changed",
                f"promthctl local snapshot remove {snapshot.name}",
            )
        with cluster.made_aside(folder / _DATA) as aside:
            if (folder / STORAGE_FOLDER).is_dir():
                (self.home / STORAGE_FOLDER).mkdir(mode=0o700, exist_ok=True)
                _link_all(folder / STORAGE_FOLDER, self.home / STORAGE_FOLDER)
            yield aside

    def remove(self, snapshot: Snapshot) -> Path:
        """It is gone at once; what a kill leaves of its files, `clear_removed` removes. Returns where they were."""
        aside = self._set_aside(snapshot)
        self.clear_removed()
        return aside

    def clear_removed(self) -> None:
        """Remove the files of snapshots that are gone; no reason to fail."""
        with contextlib.suppress(OSError):
            for leftover in (self.home / _FOLDER).glob(f"{_REMOVED}*"):
                shutil.rmtree(leftover, ignore_errors=True)

    def _set_aside(self, snapshot: Snapshot) -> Path:
        return self._folder(snapshot.name).rename(self._folder(f"{_REMOVED}{secrets.token_hex(4)}"))

    def remove_all(self) -> None:
        if (self.home / _FOLDER).exists():
            postgres.remove(self.home / _FOLDER)

    def automatic_name(self, made_at: datetime | None = None) -> str:
        """One that no snapshot has: auto-YYYYMMDD-HHMMSS (UTC), with a number where two are of one second."""
        plain = f"{AUTOMATIC}{made_at or datetime.now(UTC):%Y%m%d-%H%M%S}"
        names = (plain, *(f"{plain}-{number}" for number in range(2, 1000)))
        return next(name for name in names if not os.path.lexists(self._folder(name)))

    def forget_oldest(self) -> None:
        """Of the automatic ones. Files of large ones, whose removal takes seconds, go while the next copy is made."""
        old = [one for one in self.found() if one.automatic][KEPT:]
        with contextlib.suppress(OSError):  # no reason to fail
            for one in old:
                self._set_aside(one)
        if sum(one.bytes for one in old) < _AT_ONCE:
            self.clear_removed()

    @contextlib.contextmanager
    def _partial(self) -> Iterator[Path]:
        """A folder for a snapshot in the making, removed at the end if it is still there."""
        partial = Path(tempfile.mkdtemp(prefix=postgres.LEFTOVER, dir=self.home))
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _describe(
        self,
        partial: Path,
        server: str,
        name: str,
        reason: str,
        applied: tuple[str, ...] | None,
        data: Path,
        made_at: datetime | None = None,
    ) -> None:
        """Give a snapshot in the making what it has besides the data, and make the folder that it goes to."""
        if (self.home / STORAGE_FOLDER).is_dir():  # links: they take no room while Storage has the files, too
            (partial / STORAGE_FOLDER).mkdir(mode=0o700)
            _link_all(self.home / STORAGE_FOLDER, partial / STORAGE_FOLDER)
        made = (made_at or datetime.now(UTC)).isoformat(timespec="seconds")
        record = {"made_at": made, "reason": reason, "server": server.removeprefix("postgres-")}
        more = {"name": name, "applied": applied, "bytes": kept_copy.bytes_on_disk(data)}
        signatures.write_signed(partial / _MADE, self.project, record | more)
        (self.home / _FOLDER).mkdir(mode=0o700, exist_ok=True)

    def _folder(self, name: str) -> Path:
        return self.home / _FOLDER / name

    def _read(self, made: Path) -> Snapshot | None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            record = signatures.read_signed(made, self.project)
            if record["name"] == made.parent.name:
                applied = record["applied"]
                return Snapshot(
                    record["name"],
                    record["made_at"],
                    int(record["bytes"]) if "bytes" in record else kept_copy.bytes_on_disk(made.parent),
                    record["reason"],
                    record["server"],
                    None if applied is None else tuple(applied),
                    record["name"].startswith(AUTOMATIC),
                )
        return None


def _sizes(data: Path, without: Collection[str] = ()) -> dict[str, int]:
    """Its files by their paths in it, with their bytes. without: names of files."""
    files = (Path(place) / name for place, _, names in os.walk(data) for name in names if name not in without)
    return {str(file.relative_to(data)): file.lstat().st_size for file in files}


def _link_all(source: Path, target: Path) -> None:
    """Link the files of Storage that are not there; uploads that are not complete are none."""
    for file in source.iterdir():
        if not file.name.endswith(".part"):
            try:
                with contextlib.suppress(FileExistsError):
                    os.link(file, target / file.name, follow_symlinks=False)
            except OSError as error:  # a file system without links
                _copy(file, target / file.name, error)


def _copy(source: Path, target: Path, reason: OSError) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        shutil.copy2(source, part, follow_symlinks=False)
        part.rename(target)
    except FileNotFoundError:  # removed by a client meanwhile
        return
    except OSError as error:
        raise PromthctlError(
            "The files of Storage could not be copied",
            f"{error.strerror or error} (and they could not be linked: {reason.strerror})",
            f"free some space for {target.parent} and run the same command again",
        ) from None
