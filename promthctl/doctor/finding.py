"""One line of a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from promthctl.errors import PromthctlError

Level = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class Finding:
    """check: what was looked at. fix: a command or an edit, empty where there is nothing to do. by_itself: --fix does
    it. A failure stops the main job, a local stack with the migrations on it.
    """

    check: str
    level: Level
    detail: str
    fix: str = ""
    by_itself: bool = False


def of_error(check: str, error: PromthctlError, level: Level = "failure") -> Finding:
    return Finding(check, level, f"{error.what}: {error.why.splitlines()[0]}", error.hint)
