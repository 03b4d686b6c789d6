"""The systems promthctl runs on. Imports nothing that Windows or musl does not have."""

from __future__ import annotations

import os
import sys

from promthctl.errors import PrerequisiteError


def check_platform() -> None:
    """Raises PrerequisiteError on Windows, and on Linux with musl instead of glibc (Alpine)."""
    if sys.platform == "win32":
        raise PrerequisiteError(
            "promthctl does not run on Windows itself",
            "its locks and processes are those of Linux and macOS",
            "use WSL2: wsl --install, then in its terminal: pip install promthctl",
        )
    if sys.platform == "linux" and not _has_glibc():
        raise PrerequisiteError(
            "promthctl does not run on Linux with musl (Alpine)",
            "PostgreSQL and the pinned Supabase CLI are built for glibc",
            'use an image with glibc: docker run -it -v "$PWD:/app" -w /app python:3.13-slim sh, '
            "then pip install promthctl",
        )


def _has_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError):  # a name that musl does not know
        return False
