"""Lists and hashes two folders of SQL files and compares them: what a sync that changes nothing comes to."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.sql"))}


source, there = map(Path, sys.argv[1:])
if hashes(source) != hashes(there):
    sys.exit("the folders differ")
