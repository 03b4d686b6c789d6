"""What a sync that changes nothing comes to: the SQL files of two folders are listed, hashed and compared."""

from __future__ import annotations

import hashlib
from pathlib import Path


def compare_folders(source: Path, there: Path) -> None:
    if _hashes(source) != _hashes(there):
        raise RuntimeError(f"{source} and {there} differ")


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.sql"))}
