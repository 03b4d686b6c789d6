"""Files under .promthctl/ in the project: for its owner alone, ignored by git."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from promthctl.errors import PrerequisiteError
from promthctl.process import write_private


class StateDir:
    """path: the .promthctl folder. Nothing is created before make()."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def make(self) -> None:
        """Create the directory for its owner alone, ignored by git; others can no longer read what is in it."""
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            self.path.chmod(0o700)
            self.logs.mkdir(mode=0o700, exist_ok=True)
            ignore = self.path / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
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
        mark.touch(mode=0o600)
        try:
            yield interrupted
        finally:
            mark.unlink(missing_ok=True)

    def clear_leftovers(self) -> None:
        """Remove the files that a killed promthctl had only half written."""
        for leftover in self.path.glob(".*.json.*"):
            leftover.unlink(missing_ok=True)

    def read(self, name: str) -> dict[str, Any]:
        """Raises ValueError when the file is missing or is not a JSON object."""
        try:
            value = json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(name) from error
        if not isinstance(value, dict):
            raise ValueError(name)
        return value

    def write(self, name: str, value: dict[str, Any]) -> None:
        write_private(self.path / name, json.dumps(value, indent=2) + "\n")
