"""The files of `[storage.buckets.NAME] objects_path` of supabase/config.toml, put into a new database's buckets.

Source: UpsertObjects in pkg/storage/batch.go of github.com/supabase/cli, which does so when a volume is new and after
a reset. Unlike there, a folder outside of the project is not read: what came with a clone must not choose it.
"""

from __future__ import annotations

import json
import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from promthctl import process
from promthctl.engines.embedded.records import EmbeddedStack
from promthctl.engines.embedded.storage_settings import storage_settings
from promthctl.quantities import count
from promthctl.settings import Settings
from promthctl.state import StateDir
from promthctl.steps import Steps

RECORD = "objects.json"
_SECONDS = 60.0
_TOLD = 5  # files that were refused


def note_due(state: StateDir) -> None:
    """The database is new: the files are to be uploaded as soon as it has its migrations, also by a later `up`."""
    state.write(RECORD, {"due": True})


def upload_due(settings: Settings, state: StateDir, stack: EmbeddedStack, steps: Steps) -> None:
    """Upload them if that is due, replacing what is there. What is refused is told in notes."""
    try:
        due = state.read(RECORD).get("due") is True
    except (ValueError, AttributeError):
        due = False
    if not due:
        return
    refused = _upload_all(settings, stack, steps)
    for why in refused[:_TOLD]:
        steps.note(f"Not uploaded (objects_path of supabase/config.toml): {why}")
    if len(refused) > _TOLD:
        steps.note(f"Not uploaded: {count(len(refused) - _TOLD, 'more file')}")
    state.write(RECORD, {"due": False})


def _upload_all(settings: Settings, stack: EmbeddedStack, steps: Steps) -> list[str]:
    """What was refused, with the reason."""
    configured = storage_settings(settings.supabase)
    folders = [(one["id"], one["objects_path"]) for one in configured["buckets"] if one.get("objects_path")]
    if not configured["enabled"] or not folders:
        return []
    refused: list[str] = []
    files: list[tuple[str, str, Path]] = []
    for bucket, text in folders:
        root = (settings.supabase_dir / text).resolve()
        if not root.is_relative_to(settings.project_dir.resolve()):
            refused.append(f"{text} lies outside of the project: upload its files with the API")
        elif not root.exists():
            refused.append(f"{text} is not there")
        else:
            files += [(bucket, key, path) for key, path in _files(root)]
    if files:
        with steps.step(f"Uploading {count(len(files), 'file')} into buckets"):
            for bucket, key, path in files:
                if (why := _upload(stack, bucket, key, path)) is not None:
                    refused.append(f"{bucket}/{key}: {why}")
    return refused


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """(key, path) of the regular files; a link is not followed."""
    if root.is_file():
        yield root.name, root
        return
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(root).as_posix(), path


def _upload(stack: EmbeddedStack, bucket: str, key: str, path: Path) -> str | None:
    """Why it was refused, None if it was not."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", stack.api_port, timeout=_SECONDS)
    try:
        with process.open_regular(path) as file:
            headers = {
                "apikey": stack.service_role_key,
                "x-upsert": "true",
                "content-type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                "content-length": str(os.fstat(file.fileno()).st_size),
            }
            connection.request("POST", f"/storage/v1/object/{quote(f'{bucket}/{key}')}", file, headers)
            answer = connection.getresponse()
            said = answer.read()
        return None if answer.status == 200 else str(json.loads(said).get("message"))
    except (OSError, HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
