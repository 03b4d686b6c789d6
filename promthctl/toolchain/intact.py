"""For root: what lies in the cache is run only as it was when promthctl put it there.

Root runs it with every right, and whoever could write there once, through a mode or a folder on the way, would run as
root. So each entry, and each folder on the way, must be root's alone to write, and the content must have the hashes
that were recorded at the installation, outside of the cache. A file whose inode, size, mode and time of change are
those of the last look is not read again: the kernel sets that time, a user cannot.

    /var/lib/promthctl/.tools/<hash of the folder's path>.json    0600

A folder without a record (of an earlier version, or of a machine whose /var/lib was lost) is recorded as it is found.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promthctl.errors import PrerequisiteError
from promthctl.process import read_regular, write_private

RECORDS = Path("/var/lib/promthctl/.tools")
_OTHERS = 0o022  # may write: the group, everybody


def check(folder: Path) -> None:
    """Raise PrerequisiteError where others can change what is in a folder, or it was changed; for root alone."""
    if os.geteuid() != 0:
        return
    check_way(folder)
    found = _entries(folder)
    if bad := next((name for name, entry in found.items() if _others_can_write(entry)), None):
        raise _not_used(folder, f"other users can change {folder / bad}: {_describe(found[bad])}")
    seen = _digest({name: _seen(entry) for name, entry in found.items()})
    known = _read(folder)
    if known.get("seen") == seen:
        return
    content = _content(folder, found)
    before: Mapping[str, str] = known.get("content", content)
    if changed := sorted(name for name in before.keys() | content.keys() if before.get(name) != content.get(name)):
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        raise _not_used(folder, f"{folder / changed[0]} is not as it was installed{more}")
    _write(folder, content, seen)


def record(made: Path, folder: Path) -> None:
    """Take down what was made, before it gets the name `folder`; for root alone."""
    if os.geteuid() == 0:
        _write(folder, _content(made, _entries(made)), "")


def check_way(path: Path) -> None:
    """Raise PrerequisiteError where another user can put something else in the place of a file or folder; for root."""
    if os.geteuid() != 0:
        return
    real = path.resolve()
    for place in dict.fromkeys((*path.absolute().parents, *real.parents, real)):
        entry = place.lstat()
        sticky = entry.st_mode & stat.S_ISVTX and entry.st_uid == 0  # as /tmp: others' entries cannot be renamed
        if _others_can_write(entry) and not sticky:
            quoted = shlex.quote(str(place))
            raise PrerequisiteError(
                f"{path} is not used by root: other users can put something else in its place",
                f"{place} is open to them: {_describe(entry)}",
                f"chown root: {quoted} && chmod go-w {quoted}, or export PROMTHCTL_CACHE_DIR (and a PATH to Node.js) "
                "to folders that root alone can write to",
            )


def _entries(folder: Path) -> dict[str, os.stat_result]:
    """Everything in a folder, itself too, by its path from there."""
    found = {".": folder.stat()}
    waiting = [""]
    while waiting:
        below = waiting.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                found[f"{below}{entry.name}"] = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{below}{entry.name}/")
    return dict(sorted(found.items()))


def _others_can_write(entry: os.stat_result) -> bool:
    if entry.st_uid != 0:
        return True
    mode = entry.st_mode
    return not stat.S_ISLNK(mode) and bool(mode & (_OTHERS if entry.st_gid != 0 else 0o002))


def _seen(entry: os.stat_result) -> tuple[int, ...]:
    return (entry.st_mode, entry.st_dev, entry.st_ino, entry.st_size, entry.st_ctime_ns)


def _content(folder: Path, found: Mapping[str, os.stat_result]) -> dict[str, str]:
    """What each entry is: the hash of a file, the target of a link."""
    content = {}
    for name, entry in found.items():
        path, mode = folder / name, entry.st_mode
        if stat.S_ISREG(mode):
            with path.open("rb") as file:
                content[name] = f"{stat.S_IMODE(mode):o} {hashlib.file_digest(file, 'sha256').hexdigest()}"
        elif stat.S_ISLNK(mode):
            content[name] = f"link {path.readlink()}"
        else:
            content[name] = f"{stat.S_IFMT(mode):o}"
    return content


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "surrogateescape")).hexdigest()


def _place(folder: Path) -> Path:
    return RECORDS / f"{_digest(str(folder.resolve()))[:32]}.json"


def _read(folder: Path) -> dict[str, Any]:
    """What was recorded; nothing where there is no record. Raises PrerequisiteError where others could have made it."""
    path = _place(folder)
    try:
        check_way(path)
        known = json.loads(read_regular(path))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(folder: Path, content: Mapping[str, str], seen: str) -> None:
    try:
        RECORDS.mkdir(mode=0o755, parents=True, exist_ok=True)
        RECORDS.chmod(0o700)
        for other in RECORDS.glob("*.json"):  # of caches that are gone, as those of tests are
            if not Path(json.loads(other.read_bytes())["folder"]).exists():
                other.unlink(missing_ok=True)
        write_private(_place(folder), json.dumps({"folder": str(folder.resolve()), "seen": seen, "content": content}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PrerequisiteError(
            f"What is installed in {folder} could not be recorded",
            f"{getattr(error, 'strerror', None) or type(error).__name__}: {RECORDS}",
            f"rm -r {RECORDS} if it is damaged; or run promthctl as a user who is not root",
        ) from None


def _describe(entry: os.stat_result) -> str:
    try:
        owner = pwd.getpwuid(entry.st_uid).pw_name
    except KeyError:
        owner = f"number {entry.st_uid}"
    return f"owner {owner}, mode {stat.S_IMODE(entry.st_mode):04o}"


def _not_used(folder: Path, why: str) -> PrerequisiteError:
    return PrerequisiteError(
        f"The programs in {folder} are not used by root",
        why,
        f"rm -r {shlex.quote(str(folder))}, then run the same command again: it is made again",
    )
