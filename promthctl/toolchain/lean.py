"""Removes from the installed packages what is never loaded: source maps, types, and PGlite but for its pgTAP."""

from __future__ import annotations

import os
from pathlib import Path

_NEVER_LOADED = (".map", ".d.ts", ".d.cts", ".d.mts", ".md", ".tsbuildinfo")
_PGLITE = Path("@electric-sql", "pglite")
_KEPT = {"package.json", "LICENSE", "pgtap.tar.gz"}  # the real pgTAP, for the embedded PostgreSQL


def make_lean(modules: Path) -> None:
    """modules: the node_modules folder. Licenses stay."""
    for folder, _, names in os.walk(modules):
        path = Path(folder)
        pglite = path.relative_to(modules).parts[:2] == _PGLITE.parts
        for name in names:
            if name.endswith(_NEVER_LOADED) or (pglite and name not in _KEPT):
                (path / name).unlink()
