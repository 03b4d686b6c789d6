"""A private folder for one run of the Supabase CLI on a database: the migrations, and the configuration it needs.

The CLI refuses a whole supabase/config.toml for a section that it no longer knows, e.g. [inbucket] since 2.107,
although `db push` needs next to nothing of it. So the user's file is not given to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from promthctl.errors import PrerequisiteError
from promthctl.locks import is_held, locked
from promthctl.migration_set import Migration
from promthctl.process import write_private
from promthctl.settings import Settings
from promthctl.steps import Silent

_NAME = "promthctl-"
_IN_USE = "in-use.lock"
# The CLI takes a loopback URL with the configured port (54322 without one) for its own stack and resets that on Docker.
_NO_DATABASE = 1


@contextlib.contextmanager
def work_folder(settings: Settings, migrations: Sequence[Migration]) -> Iterator[Path]:
    """A folder with supabase/config.toml and these migrations, mode 0700, removed at the end.

    Those of a promthctl that was killed are removed before. Raises PrerequisiteError where the system's folder for
    temporary files cannot be written.
    """
    with contextlib.ExitStack() as held:
        try:
            _remove_leftovers()
            folder = _make(settings, held)
            _fill(folder / "supabase", settings, migrations)
        except OSError as error:
            raise PrerequisiteError(
                f"{error.filename or tempfile.gettempdir()} cannot be written",
                f"the Supabase CLI works in a temporary folder: {error.strerror or error}",
                "free some space, or set TMPDIR to a folder that can be written, and run the same command again",
            ) from None
        yield folder


def _make(settings: Settings, held: contextlib.ExitStack) -> Path:
    """An empty folder, whose lock tells others that it is in use; `held` removes it."""
    hidden = Path(tempfile.mkdtemp(prefix=f".{_NAME}", suffix=f"-{settings.project_id}"))
    held.callback(shutil.rmtree, hidden, ignore_errors=True)
    folder = hidden.with_name(hidden.name.removeprefix("."))
    held.callback(shutil.rmtree, folder, ignore_errors=True)
    held.enter_context(locked(hidden / _IN_USE, Silent(), "this work"))
    return hidden.rename(folder)  # from now on it can be found, and is locked


def _remove_leftovers() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_NAME}*"):
        with contextlib.suppress(OSError):
            ours = folder.lstat().st_uid == os.geteuid() and not folder.is_symlink()
            if ours and (folder / _IN_USE).exists() and not is_held(folder / _IN_USE):
                shutil.rmtree(folder, ignore_errors=True)


def _fill(supabase: Path, settings: Settings, migrations: Sequence[Migration]) -> None:
    (supabase / "migrations").mkdir(mode=0o700, parents=True)
    write_private(supabase / "config.toml", _config(settings.supabase))
    for migration in migrations:
        (supabase / "migrations" / migration.filename).write_bytes(migration.content)


def _config(user: Mapping[str, Any]) -> str:
    """What `db push`, `db reset`, `migration repair` and `db advisors` read of the user's file."""
    db = user.get("db")
    db = db if isinstance(db, dict) else {}
    lines = ['project_id = "promthctl"', "[db]", f"port = {_NO_DATABASE}"]
    if isinstance(major := db.get("major_version"), int):
        lines.append(f"major_version = {major}")
    if isinstance(vault := db.get("vault"), dict) and vault:
        lines += ["[db.vault]", *(f"{_text(name)} = {_text(str(value))}" for name, value in vault.items())]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML basic string; its escapes are JSON's, with U+007F besides."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
