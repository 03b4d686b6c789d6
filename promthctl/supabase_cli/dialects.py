"""The two lines of the Supabase CLI: how each is told its database, and how what it prints is read.

v3, and v2 of today, print one JSON object on standard output. An early v2 (2.100, say) prints text on standard error:
the message stands after the program's own stack trace, before a piece of advice.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from promthctl.process import Completed
from promthctl.redact import redact

QUIET = {"DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "SUPABASE_UPDATE_NOTIFIER": "0"}  # environment
_APPLYING = re.compile(r"^Applying migration (\S+)\.\.\.$")
_TRACE = re.compile(r"\S+:\d+ \(0x[0-9a-f]+\)\s*$")
_ADVICE = "Try rerunning the command with --debug"


@dataclass(frozen=True)
class Dialect:
    """A line of the CLI.

    option: names the database by its URL. plain: without TLS where the server speaks none, as libpq does by default;
    the other line gives up there unless it is told.
    """

    option: str
    plain: bool


V2 = Dialect("--db-url", plain=False)
V3 = Dialect("--remote", plain=True)
_FIRST = (2, 100)  # the first that npm installs with no download of its own


def speaking(version: tuple[int, int]) -> Dialect | None:
    """The dialect of a version, None for one that promthctl does not know how to drive."""
    return V3 if version[0] == 3 else V2 if version[0] == 2 and version >= _FIRST else None


@dataclass(frozen=True)
class Answer:
    """What the CLI said, without secrets.

    ok: it succeeded. value: the JSON it printed, None if none. applying: the files it began to apply, in order.
    message: why it failed.
    """

    ok: bool
    value: Any
    applying: tuple[str, ...]
    message: str


def applying(line: str) -> str | None:
    """The file that a line of standard error says is being applied."""
    match = _APPLYING.match(line)
    return match[1] if match else None


def read(done: Completed) -> Answer:
    """An answer of either line."""
    value = _json(done.stdout)
    error = value.get("error") if isinstance(value, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    names = tuple(name for line in done.stderr.splitlines() if (name := applying(line)))
    message = redact(str(said or _text(done.stderr) or done.stdout)).strip()
    return Answer(done.code == 0, value, names, message or f"it ended with code {done.code} and said nothing")


def _text(stderr: str) -> str:
    lines = [line.rstrip() for line in stderr.splitlines() if not line.startswith(_ADVICE)]
    begin = max((row + 1 for row, line in enumerate(lines) if _TRACE.match(line)), default=0)
    return "\n".join(lines[begin:])


def _json(stdout: str) -> Any:
    """The document on standard output: all of it, or its last line that is one."""
    for text in (stdout, *reversed(stdout.splitlines())):
        try:
            return json.loads(text)
        except ValueError:
            continue
    return None
