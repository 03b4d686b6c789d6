"""npm installs from a lock, shows the bytes that arrive, and ends when none do.

Each download is checked against the integrity in the lock. Install scripts are not run. A package that has arrived
stays in npm's cache, so that an install that was interrupted goes on from there.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from promthctl import process
from promthctl.errors import PromthctlError
from promthctl.settings import Settings
from promthctl.toolchain.node import Node

# --no-save leaves the lock as it is. Not `npm ci`: it refuses a lock without another platform's packages.
_FLAGS = ("--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline")
_RETRIES = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000")
_STALLED_SECONDS = 22.0  # with npm's own start, an error is there within 30
_LOOK_SECONDS = 0.5
_NOT_THERE = re.compile(r"npm error code (E404|ETARGET)")
_CODE = re.compile(r"npm error code (E[A-Z_]+)")
_REQUEST = re.compile(r"npm error (?:\S+: )?(request to \S+ failed, reason: .+)")
_UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")
_WHAT = "The tools could not be installed"
_HINT = "check the network (or npm's registry and proxy settings) and run the same command again"
_KEPT = f"{_HINT}: the packages that arrived are kept"


class NotInRegistryError(PromthctlError):
    """npm's registry does not have that package in that version."""


@dataclass(frozen=True)
class Npm:
    """npm for one platform, with a cache of our own. platform: npm's os and cpu, "linux-arm64" for example.

    It is named to npm because Node.js may be a build for another one, as on a Mac under Rosetta.
    """

    node: Node
    cache: Path
    platform: str
    settings: Settings

    def install(self, folder: Path, on_bytes: Callable[[int], None], *packages: str) -> None:
        """Install what the folder's lock has, or the packages that are named ("name@version").

        on_bytes: takes the size of the cache, which is what has been downloaded. Raises NotInRegistryError, or
        PromthctlError when npm fails or nothing arrives any more.
        """
        shutil.rmtree(self._cacache / "tmp", ignore_errors=True)  # parts of packages: npm begins those again
        system, _, cpu = self.platform.partition("-")
        flags = (*_FLAGS, *_RETRIES, f"--os={system}", f"--cpu={cpu}", "--libc=glibc", "--cache", str(self.cache))
        path = f"{self.node.node.parent}{os.pathsep}{self.settings.env.get('PATH', os.defpath)}"
        result = process.run(
            [*self.node.npm, "install", *flags, *packages],
            cwd=folder,
            env=self.settings.child_env(PATH=path),
            umask=0o022,
            kill_with_parent=True,
            watch=_Arrivals(self.cache, folder, on_bytes).look,
        )
        if result.code != 0:
            raise _failure(result)

    def kept(self) -> int:
        """The bytes of the packages that have arrived whole, from which the next install goes on."""
        return size_of(self._cacache / "content-v2")

    @property
    def _cacache(self) -> Path:
        return self.cache / "_cacache"  # https://github.com/npm/cacache: tmp/ becomes content-v2/


class _Arrivals:
    """Looks at what npm has written: its cache while it downloads, then the packages it unpacks."""

    def __init__(self, cache: Path, folder: Path, on_bytes: Callable[[int], None]) -> None:
        self._cache, self._folder, self._on_bytes = cache, folder, on_bytes
        self._seen = (-1, -1)
        self._looked = self._changed = time.monotonic()

    def look(self) -> None:
        """Raises PromthctlError when nothing has arrived for a while."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        seen = (size_of(self._cache), size_of(self._folder))
        self._looked = time.monotonic()
        if seen != self._seen:
            self._seen, self._changed = seen, self._looked
            self._on_bytes(seen[0])
        elif now - self._changed > _STALLED_SECONDS:
            raise PromthctlError(_WHAT, f"npm has received nothing for {_STALLED_SECONDS:.0f} seconds", _KEPT)


def size_of(folder: Path) -> int:
    """The bytes of the files below a folder; npm's logs are left out, since it writes them without a network."""
    total = 0
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "_logs"]
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - thousands of files
            except OSError:  # renamed meanwhile
                continue
    return total


def _failure(result: process.Completed) -> PromthctlError:
    said = (result.stderr or result.stdout).strip()
    if _NOT_THERE.search(said):
        return NotInRegistryError(_WHAT, _tail(said), _HINT)
    code = _CODE.search(said)
    if code and code[1] in _UNREACHABLE:
        request = _REQUEST.search(said)
        why = f"npm's registry cannot be reached: {request[1] if request else code[1]}"
        return PromthctlError(_WHAT, why, _KEPT)
    return PromthctlError(_WHAT, f"npm ended with code {result.code}:\n{_tail(said)}", _KEPT)


def _tail(text: str, lines: int = 8) -> str:
    return "\n".join(text.splitlines()[-lines:])
