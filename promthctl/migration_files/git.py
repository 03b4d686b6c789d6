"""What git knows of the migrations. Where there is no git, or no repository, it knows nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from promthctl import process

_SECONDS = 30


def first_commits(folder: Path) -> dict[str, int]:
    """The files of a folder by name, each with the number of the commit that brought it, from 0, the oldest.

    A file that git saw being renamed keeps its age. Files that were never committed are not in it.
    """
    log = _git(folder, "log", "--reverse", "--name-status", "-M", "--diff-filter=AR", "--format=%x01", "-z", "--", ".")
    ages: dict[str, int] = {}
    number = -1
    fields = iter((log or "").replace("\n", "").split("\0"))
    for one in fields:
        number += one.count("\1")
        status = one.strip("\1")
        if status.startswith("R"):
            old, new = (PurePosixPath(next(fields, "")).name for _ in range(2))
            ages[new] = ages.get(old, number)
        elif status == "A":
            ages.setdefault(PurePosixPath(next(fields, "")).name, number)
    return ages


def changed_since(folder: Path, commit: str) -> frozenset[str] | None:
    """The names of a folder's files that are not as they were in a commit, or that git does not have; None where it
    knows no such commit.
    """
    if commit.startswith("-") or _git(folder, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}") is None:
        return None
    changed = _git(folder, "diff", "--name-only", "--relative", "--no-renames", "-z", commit, "--", ".")
    added = _git(folder, "ls-files", "--others", "-z", "--", ".")
    if changed is None or added is None:
        return None
    return frozenset(filter(None, (*changed.split("\0"), *added.split("\0"))))


def top(folder: Path) -> Path | None:
    """The folder of the repository that a folder is in; None where it is in none."""
    found = _git(folder, "rev-parse", "--show-toplevel")
    return Path(found.rstrip("\n")) if found else None


def move_in_index(folder: Path, moves: Mapping[Path, Path]) -> None:
    """What `git mv` does to the index, for files that are moved already; those that git does not track are left out."""
    if not moves:
        return
    old_names = [os.path.relpath(path, folder) for path in moves]
    listed = _git(folder, "ls-files", "--stage", "--full-name", "-z", "--", *old_names)
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not listed or not top:
        return
    root = Path(top.rstrip("\n"))
    new_names = {_in(root, old): _in(root, new) for old, new in moves.items()}
    removed, added = [], []
    for entry in filter(None, listed.split("\0")):
        head, _, name = entry.partition("\t")
        mode, digest, stage = head.split(" ")
        if stage == "0" and name in new_names:
            removed.append(f"0 {'0' * len(digest)}\t{name}\0")
            added.append(f"{mode} {digest}\t{new_names[name]}\0")
    _git(folder, "update-index", "-z", "--index-info", stdin="".join(removed + added))


def _in(root: Path, path: Path) -> str:
    return os.path.relpath(path.parent.resolve() / path.name, root.resolve())


def _git(folder: Path, *arguments: str, stdin: str | None = None) -> str | None:
    """Standard output; None where git is missing, or fails."""
    program = shutil.which("git")
    if program is None:
        return None
    try:
        done = process.run(
            [program, "-C", folder, "-c", "core.quotePath=false", *arguments], stdin=stdin, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.code == 0 else None
