"""Files under .promthctl/ in the project: for its owner alone, ignored by git, believed only if they were made here."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promthctl.errors import PrerequisiteError, RefusedError
from promthctl.process import open_private, write_private
from promthctl.signatures import read_signed, write_signed


class StateDir:
    """path: the .promthctl folder. Nothing is created before make()."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def check(self) -> None:
        """Raise RefusedError for a folder or a link in it that leads elsewhere: a clone may bring them."""
        for folder in (self.path, self.logs, self.path / "backups"):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                details = folder.lstat()
                if not stat.S_ISDIR(details.st_mode):
                    link = stat.S_ISLNK(details.st_mode)
                    raise _refused(folder, "a symbolic link" if link else "a file where a folder belongs")
                if details.st_uid != os.geteuid():
                    raise _others(folder, details.st_uid)
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise _refused(Path(entry.path), "a symbolic link")

    def make(self) -> None:
        """Create the directory for its owner alone, ignored by git; others can no longer read what is in it.

        Raises RefusedError as check does, PrerequisiteError where it cannot be written.
        """
        try:
            self.check()
            self.path.mkdir(mode=0o700, exist_ok=True)
            self.path.chmod(0o700)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                write_private(ignore, "*\n")
            for path in self.path.rglob("*"):
                with contextlib.suppress(FileNotFoundError):  # another promthctl's temporary file
                    mode = path.lstat().st_mode
                    if mode & 0o077 and not stat.S_ISLNK(mode):
                        path.chmod(stat.S_IMODE(mode) & ~0o077)
        except OSError as error:
            raise PrerequisiteError(
                f"{self.path} cannot be written",
                error.strerror or str(error),
                "run promthctl where you may write, or choose another folder with -C DIR",
            ) from None

    @contextmanager
    def working(self) -> Iterator[bool]:
        """Mark that a command works here; yields whether the one before was killed at its work."""
        mark = self.path / "working"
        interrupted = mark.exists()
        open_private(mark, "ab").close()
        try:
            yield interrupted
        finally:
            mark.unlink(missing_ok=True)

    def clear_leftovers(self) -> None:
        """Remove the files that a killed promthctl had only half written."""
        for leftover in self.path.glob(".*.json.*"):
            leftover.unlink(missing_ok=True)

    def has(self, name: str) -> bool:
        """Whether there is a record of that name that was made here."""
        try:
            self.read(name)
        except ValueError:
            return False
        return True

    def read(self, name: str) -> dict[str, Any]:
        """Raises ValueError when the file is missing, is no JSON object, or was not signed here for this project."""
        return read_signed(self.path / name, self.path.parent)

    def write(self, name: str, value: dict[str, Any]) -> None:
        write_signed(self.path / name, self.path.parent, value)


def _refused(path: Path, what: str) -> RefusedError:
    why = "promthctl follows no links in its own folder, which may have come with a clone"
    return RefusedError(
        f"{path} is {what}",
        why if "link" in what else "promthctl keeps the state of the project there",
        f"rm {shlex.quote(str(path))}, then run the same command again",
    )


def _others(path: Path, uid: int) -> RefusedError:
    return RefusedError(
        f"{path} belongs to another user, number {uid}",
        "what is in it may decide which database and which keys are used",
        f"sudo chown -R {os.geteuid()} {shlex.quote(str(path))} if it is yours, or run promthctl as that user",
    )
