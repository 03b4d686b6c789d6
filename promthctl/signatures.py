"""Records that decide something: signed, and believed only in the project folder that they were made for.

What lies in `.promthctl` may have come with a clone, a copy or an archive. So a record carries the folder's device,
inode and path, and an HMAC-SHA256 over all of it, with a key that is kept outside of all projects. A folder that is
moved keeps its inode, and so its records; a copy has another. A device may get another number with the next boot: then
the path must be the same.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import shlex
import stat
from pathlib import Path
from typing import Any

from promthctl.errors import PrerequisiteError
from promthctl.process import read_regular, write_private
from promthctl.settings import own_cache_dir

OWNER = "promthctl-owner.json"  # in a data directory: whose it is
_KEY = "state.key"
_KEY_BYTES = 32
_PLACE, _SIGNATURE = "made_in", "signature"


def read_signed(path: Path, project: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError unless it was signed here, for this project folder."""
    try:
        record = json.loads(read_regular(path))
        place, signature = record.pop(_PLACE), record.pop(_SIGNATURE)
        device, inode, where = place
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(path.name) from error
    key = _read_key()
    if key is None or not isinstance(signature, str) or not signature.isascii():
        raise ValueError(path.name)
    if not hmac.compare_digest(signature, _sign(key, path.name, record, place)):
        raise ValueError(path.name)
    here = _place(project)
    if inode != here[1] or (device != here[0] and where != here[2]):
        raise ValueError(path.name)
    return dict(record)


def write_signed(path: Path, project: Path, record: dict[str, Any]) -> None:
    """Replace a file by a signed record. Raises PrerequisiteError when there is no place for the key."""
    place = _place(project)
    signed = record | {_PLACE: place, _SIGNATURE: _sign(_read_key() or _make_key(), path.name, record, place)}
    write_private(path, json.dumps(signed, indent=2) + "\n")


def owner(data: Path, project: Path) -> str | None:
    """The random id that a data directory of this project bears; None for any other data directory."""
    try:
        return str(read_signed(data / OWNER, project)["id"])
    except (ValueError, KeyError):
        return None


def claim(data: Path, project: Path, identity: str) -> None:
    """Make a data directory this project's."""
    write_signed(data / OWNER, project, {"id": identity})
    above = data.stat()  # PostgreSQL opens every file there after a crash
    os.chown(data / OWNER, above.st_uid, above.st_gid, follow_symlinks=False)


def derived_secret(purpose: str) -> str:
    """A secret of this user for one purpose, always the same, that is kept nowhere; raises as write_signed."""
    return hmac.digest(_read_key() or _make_key(), json.dumps(["secret", purpose]).encode(), "sha256").hex()


def _place(project: Path) -> list[Any]:
    """Of the folder itself, whichever link leads to it."""
    real = project.resolve()
    details = real.stat()
    return [details.st_dev, details.st_ino, str(real)]


def _sign(key: bytes, name: str, record: dict[str, Any], place: Any) -> str:
    return hmac.digest(key, json.dumps([name, record, place], sort_keys=True).encode(), "sha256").hex()


def key_folders() -> list[Path]:
    """Where the key may be: with the user's configuration; where that cannot be written, in their cache directory."""
    import platformdirs

    own = own_cache_dir()
    return [platformdirs.user_config_path("promthctl"), *([own] if own else [])]


def _read_key() -> bytes | None:
    """None where there is none yet. Raises PrerequisiteError for one that others may read or have written."""
    for path in (folder / _KEY for folder in key_folders()):
        try:
            key = read_regular(path)
            details = path.lstat()
        except OSError:
            continue
        if details.st_uid != os.geteuid() or stat.S_IMODE(details.st_mode) & 0o077:
            raise PrerequisiteError(
                f"{path} cannot be used",
                "others may have read or written the key that signs what promthctl keeps of your projects",
                f"rm {shlex.quote(str(path))}; the next command makes a new one, and what the old one signed ends",
            )
        if len(key) == _KEY_BYTES:
            return key
    return None


def _make_key() -> bytes:
    """A new key; another promthctl's, if that was quicker."""
    problems = []
    for folder in key_folders():
        temporary = folder / f".{_KEY}.{secrets.token_hex(8)}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, folder / _KEY)
            except FileExistsError:
                if len(read_regular(folder / _KEY)) != _KEY_BYTES:
                    temporary.replace(folder / _KEY)
            except OSError:  # a file system without hard links
                temporary.replace(folder / _KEY)
        except OSError as error:
            problems.append(f"{error.filename or folder}: {error.strerror or error}")
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if key := _read_key():
            return key
    raise PrerequisiteError(
        "The key that signs what promthctl keeps of this project could not be made",
        "; ".join(problems),
        "export PROMTHCTL_CACHE_DIR=/path/you/can/write (or XDG_CONFIG_HOME), outside of the project",
    )
