"""Files that an option names, to be written when the work is done."""

from __future__ import annotations

import shlex
from pathlib import Path

from promthctl.errors import UsageError


def writable(path: Path, option: str, name: str) -> Path:
    """The file that an option names, before the work. name: of such a file.

    Raises UsageError if it cannot be written.
    """
    from promthctl.project_files import missing_folder

    what = f"{path} cannot be written"
    if path.is_dir():
        raise UsageError(what, "it is a folder", f"{option} {shlex.quote(str(path / name))}")
    if not path.parent.is_dir():
        raise UsageError(what, *missing_folder(path.parent))
    return path
