"""Merges variables into an env file, keeping every other line as it is."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from promthctl.errors import PromthctlError
from promthctl.process import write_private


def merge(path: Path, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Set the variables in the file, made if missing (0600); the names whose lines changed.

    Lines end as they did, in LF or CRLF. A variable set more than once is set in each place; `export NAME=` stays
    so. Values are written bare: URLs and keys need no quotes.
    """
    try:
        _check_link(path)
        before = path.read_bytes().decode()
    except FileNotFoundError:
        before = ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, error) from None
    end = "\r" if "\r\n" in before else ""  # belongs to the line, as each may have its own
    lines = before.removesuffix("\n").split("\n") if before else []
    if before and not before.endswith("\n"):
        lines[-1] += end
    changed: list[str] = []
    for name, value in variables.items():
        pattern = re.compile(rf"^(\s*(?:export\s+)?){re.escape(name)}\s*=")
        places = [number for number, line in enumerate(lines) if pattern.match(line)]
        if not places:
            lines.append(f"{name}={value}{end}")
            changed.append(name)
            continue
        for number in places:  # dotenv reads the last, shells the last: all must agree
            match = pattern.match(lines[number])
            kept = "\r" if lines[number].endswith("\r") else ""
            line = f"{match[1] if match else ''}{name}={value}{kept}"
            if lines[number] != line:
                lines[number] = line
                changed.append(name)
    text = "\n".join(lines) + "\n"
    try:
        if text != before:
            write_private(path.resolve(), text)  # through a link, to the file it names
        else:
            path.chmod(0o600)
    except OSError as error:
        raise _unusable(path, error) from None
    return tuple(dict.fromkeys(changed))


def _check_link(path: Path) -> None:
    """Raise PromthctlError for a link that leads out of its folder: in a clone it may name any file of the user's."""
    if path.is_symlink() and not (real := Path(os.path.realpath(path))).is_relative_to(path.parent.resolve()):
        raise PromthctlError(
            f"{path} cannot be updated",
            f"it is a link to {real}, which is outside of its folder",
            f"promthctl local env --write {shlex.quote(str(real))}, if that is the file you mean",
        )


def _unusable(path: Path, error: Exception) -> PromthctlError:
    why = getattr(error, "strerror", None) or str(error)
    return PromthctlError(f"{path} cannot be updated", why, "choose another file: promthctl local env --write FILE")
