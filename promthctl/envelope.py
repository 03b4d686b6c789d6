"""The one JSON object that --json prints: the result, and what went wrong. docs/json.md is its contract."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from promthctl.errors import PromthctlError
from promthctl.redact import redact
from promthctl.terminal import json_visible

VERSION = 1  # counted up when a field goes, or means something else
_NOTHING = object()


class Envelope:
    """Collects what a command gives, and prints it once. command: its words, as in ["local", "status"].

    line_by_line: other lines went before it, so that it is one line.
    """

    def __init__(self) -> None:
        self.command: list[str] = []
        self._data: Any = _NOTHING
        self._errors: list[dict[str, Any]] = []
        self._useless = False
        self.line_by_line = False
        self._streaming = False
        self._printed = False

    def result(self, value: Any) -> None:
        """value: as to_json gives it. The last one counts."""
        self._data = value

    def stream(self, items: Iterable[Any]) -> None:
        """Print an array as the result, item by item as they come; nothing before the first or the end is there."""
        for item in items:
            sys.stdout.write(f",\n{dumps(item)}" if self._streaming else f"{self._head()}[\n{dumps(item)}")
            self._streaming = True
        if not self._streaming:
            self._data = []

    def failed(self, error: PromthctlError) -> None:
        """An error beside the result, or instead of one."""
        self.problem(error.code, error.what, error.why, error.hint, error.exit_code)

    def problem(
        self, code: str, what: str, why: str, hint: str, exit_code: int = 1, *, target: str | None = None
    ) -> None:
        """What kept a part of the work from being done, where the result tells it to people.

        code: one of errors.CODES. exit_code: of this alone. target: the one of several that it is about.
        """
        about = {} if target is None else {"target": target}
        fields = {"code": code, "what": what, "why": why, "next": hint, "exit_code": exit_code}
        self._errors.append(to_json(about | fields))

    def nothing_succeeded(self) -> None:
        """The result only says what failed."""
        self._useless = True

    def print(self) -> None:
        """Print it, or the end of it; at most once. Nothing, where a command gave nothing: --help, --version."""
        if self._printed or (self._data is _NOTHING and not self._streaming and not self._errors):
            return
        self._printed = True
        end = {"status": self._status(), "errors": self._errors}
        if self._streaming:
            sys.stdout.write("\n]," + dumps(end)[1:] + "\n")
            return
        data = None if self._data is _NOTHING else self._data
        whole = {"version": VERSION, "command": " ".join(self.command), "data": data}
        sys.stdout.write(dumps(whole | end, None if self.line_by_line else 2) + "\n")

    def _status(self) -> str:
        if not self._errors:
            return "success"
        there = self._streaming or self._data is not _NOTHING
        return "partial" if there and not self._useless else "error"

    def _head(self) -> str:
        start = dumps({"version": VERSION, "command": " ".join(self.command)})
        return start.removesuffix("\n}") + ',\n  "data": '


def dumps(value: Any, indent: int | None = 2) -> str:
    """JSON text that may reach a terminal."""
    import json  # what is printed is no JSON most of the time

    return json_visible(json.dumps(value, ensure_ascii=False, indent=indent))


def to_json(value: Any) -> Any:
    """A result as JSON knows it: dataclasses become objects without the fields kept out of their repr.

    Secrets are masked here: once escaped, they could not be found.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr}
    if isinstance(value, dict):
        return {str(name): to_json(item) for name, item in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        return [to_json(item) for item in value]
    if isinstance(value, (str, Path)):
        return redact(str(value))
    return value
