"""The project's folder, and its files as they are written: .env, pyproject.toml and supabase/config.toml."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from promthctl.errors import RefusedError, UsageError

ENV = re.compile(r"env\(([^)]+)\)")  # in supabase/config.toml


def read_dotenv(path: Path) -> tuple[dict[str, str], tuple[int, ...]]:
    """The variables of an env file, if it is there, and the numbers of the lines that cannot be read.

    Raises UsageError for a file that cannot be read at all.
    """
    if not path.is_file():
        return {}, ()
    from dotenv.parser import parse_stream  # dotenv_values would print about such lines itself

    try:
        with path.open(encoding="utf-8") as file:
            found = list(parse_stream(file))
        values = {one.key: one.value or "" for one in found if one.key is not None}
        return values, tuple(one.original.line for one in found if one.error)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read", _reason(error), f"write {path} as lines NAME=value in UTF-8"
        ) from None


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # the Supabase CLI ignores a byte order mark, too
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(
            f"{path} cannot be read", _reason(error), f"correct {path} and run the same command again"
        ) from None


def read_supabase_config(root: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """supabase/config.toml with each "env(NAME)" replaced, as the Supabase CLI does: by itself where it is not set."""
    config: dict[str, Any] = _substituted(read_toml(root / "supabase" / "config.toml"), variables)
    return config


def _substituted(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _typed(name, item, _substituted(item, variables)) for name, item in value.items()}
    if isinstance(value, list):
        return [_substituted(item, variables) for item in value]
    if isinstance(value, str) and (named := ENV.fullmatch(value.strip())):
        return variables.get(named[1]) or value
    return value


def _typed(name: str, written: Any, value: Any) -> Any:
    """What a variable holds, as the kind of value that the key takes."""
    if value is written or not isinstance(value, str):
        return value
    if name in ("port", "major_version") and value.isascii() and value.isdigit():
        return int(value)
    return value.lower() == "true" if name == "enabled" and value.lower() in ("true", "false") else value


def table_of(document: Mapping[str, Any], *names: str, where: str) -> dict[str, Any]:
    """The nested table, empty if it is not there. Raises UsageError if it is not a table."""
    value: Any = document
    for name in names:
        value = value.get(name, {})
        if not isinstance(value, dict):
            raise UsageError(
                f"{where} has a wrong [{'.'.join(names)}]",
                f"{name} must be a table",
                f"correct {where} and run the same command again",
            )
    return dict(value)


def repository(folder: Path) -> Path:
    """The repository that a folder is in; without one the project's folder, or the folder itself."""
    above = (folder, *folder.parents)
    marks = (".git", "pyproject.toml", "supabase")
    found = (place for mark in marks for place in above if (place / mark).exists())
    return next(found, folder)


def check_link(path: Path, folder: Path) -> None:
    """Raise RefusedError for a file that leads out of the repository of `folder`: what it holds would be sent on."""
    real = path.resolve()
    if not real.is_relative_to(repository(folder).resolve()):
        link = next((place for place in reversed((path, *path.parents)) if _leaves(place, folder)), path)
        here, there = shlex.quote(str(link)), shlex.quote(str(link.resolve()))
        raise RefusedError(
            f"{path} was not read: it leads out of the repository",
            f"it is {real}, by a link, and what is in there would be run and copied as SQL of this project",
            f"rm {here}; or if you want a copy of it here: rm {here} && cp -R {there} {here}",
        )


def _leaves(place: Path, folder: Path) -> bool:
    """Whether this is the link that leads out."""
    root = repository(folder)
    return place.is_symlink() and place.is_relative_to(root) and not place.resolve().is_relative_to(root.resolve())


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def missing_folder(folder: Path) -> tuple[str, str]:
    """Why a folder is not there, and the command that makes it."""
    quoted = shlex.quote(str(folder))
    for part in (folder, *folder.parents):
        if part.exists() and not part.is_dir():
            name = shlex.quote(str(part))
            return f"{part} is a file", f"name another folder, or: mv {name} {name}.old && mkdir -p {quoted}"
    return f"there is no folder {folder}", f"mkdir -p {quoted}"


def project_here(start: Path) -> Path:
    """The project's folder for a command that names none, see find_project."""
    return find_project(start, os.environ.get("SUPABASE_WORKDIR", "").strip() or None)


def find_project(start: Path, workdir: str | None = None) -> Path:
    """The project's folder for a command that names none.

    workdir: SUPABASE_WORKDIR. Otherwise the first folder from `start` upward that has supabase/config.toml or a
    pyproject.toml with [tool.promthctl], in the repository that `start` is in; `start` itself if there is none.
    """
    if workdir:
        return start / Path(workdir).expanduser()
    for folder in (start, *start.parents):
        if (folder / "supabase" / "config.toml").is_file() or _is_configured(folder / "pyproject.toml"):
            return folder
        if (folder / ".git").exists():
            break
    return start


def _is_configured(path: Path) -> bool:
    """True for a file with our table. One that cannot be read is reported if it is the project's."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return "promthctl" in text and "promthctl" in tomllib.loads(text).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError):
        return False
