"""Which files `promthctl types` wrote for this project: types.json in .promthctl."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from promthctl.errors import PromthctlError
from promthctl.settings import Settings
from promthctl.state import StateDir

_FILE = "types.json"


@dataclass(frozen=True)
class TypesFile:
    """file: relative to the project. schemas: empty for those of the API."""

    file: str
    language: str
    schemas: tuple[str, ...] = ()


def remember(settings: Settings, file: Path, language: str, schemas: Sequence[str]) -> None:
    """Note that a file has the types of the local schema. Not outside of the project, or where nothing can be kept."""
    folder = settings.project_dir.resolve()
    with contextlib.suppress(ValueError, PromthctlError, OSError):
        name = str(file.resolve().relative_to(folder))
        kept = [one for one in remembered(settings) if one.file != name]
        state = StateDir(settings.state_dir)
        state.make()
        state.write(_FILE, {"files": [asdict(one) for one in (*kept, TypesFile(name, language, tuple(schemas)))]})


def remembered(settings: Settings) -> tuple[TypesFile, ...]:
    """Those that are still there; none where the note was not made here."""
    try:
        noted = StateDir(settings.state_dir).read(_FILE)["files"]
        files = [TypesFile(str(one["file"]), str(one["language"]), tuple(map(str, one["schemas"]))) for one in noted]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(one for one in files if (settings.project_dir / one.file).is_file())
