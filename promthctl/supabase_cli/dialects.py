"""The two lines of the Supabase CLI: how to name what it works on, and how to read what it prints.

v3, and v2 of today, print one JSON object on standard output. An early v2 (2.100, for example) prints text on standard
error: the message comes after the program's own stack trace, before a piece of advice.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from promthctl.process import Completed
from promthctl.redact import redact

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "SUPABASE_TELEMETRY_DISABLED": "1",
    "SUPABASE_UPDATE_NOTIFIER": "0",
    "BUN_JSC_useDFGJIT": "0",  # a compiler that pays after seconds: a third of the time of a CLI that ends sooner
}
_APPLYING = re.compile(r"^Applying migration (\S+)\.\.\.$")
_TRACE = re.compile(r"\S+:\d+ \(0x[0-9a-f]+\)\s*$")
_ADVICE = "Try rerunning the command with --debug"
_ASIDE = (_ADVICE, "Warning: ", "Target: ")  # beginnings of lines that are not the message
_KEY = re.compile(r"(sb_secret_|eyJ)[^\s\"',]+")  # an API key that the CLI quotes from an answer


@dataclass(frozen=True)
class Dialect:
    """A line of the CLI.

    database_option: names a database by its URL. project_option: names a hosted project by its reference.
    falls_back_to_plain: without TLS where the server speaks none, as libpq does by default; the other line gives up
    there unless it is told.
    """

    database_option: str
    project_option: str
    falls_back_to_plain: bool


V2 = Dialect("--db-url", "--project-ref", falls_back_to_plain=False)
V3 = Dialect("--remote", "--remote", falls_back_to_plain=True)
_FIRST = (2, 100)  # the first that npm installs with no download of its own


def dialect_of(version: tuple[int, int]) -> Dialect | None:
    """The dialect of a version, None for one that promthctl does not know how to drive."""
    return V3 if version[0] == 3 else V2 if version[0] == 2 and version >= _FIRST else None


@dataclass(frozen=True)
class Answer:
    """What the CLI said.

    ok: it succeeded. value: the JSON it printed, secrets included, None if none. applying: the files it began to apply,
    in order. message: why it failed, without secrets. stderr: all of its standard error, without secrets. printed: all
    of its standard output.
    """

    ok: bool
    value: Any
    applying: tuple[str, ...]
    message: str
    stderr: str = ""
    printed: str = field(default="", repr=False)


def file_being_applied(line: str) -> str | None:
    """The file that a line of standard error says is being applied."""
    match = _APPLYING.match(line)
    return match[1] if match else None


def read_answer(done: Completed) -> Answer:
    """An answer of either line."""
    value = _json(done.stdout)
    said = _error_message(value) or _error_message(_json(done.stderr)) or _text(done.stderr) or done.stdout
    names = tuple(name for line in done.stderr.splitlines() if (name := file_being_applied(line)))
    message = _without_secrets(said).strip() or f"it ended with code {done.code} and said nothing"
    return Answer(done.code == 0, value, names, message, redact(done.stderr), done.stdout)


def _error_message(document: Any) -> str | None:
    """Of {"error": {"message": …}}, or of {"errors": [{"message": …}]}, an early v2's word on its options."""
    if not isinstance(document, dict):
        return None
    errors = document.get("errors")
    error = errors[0] if isinstance(errors, list) and errors else document.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    return str(message) if message else None


def _without_secrets(text: str) -> str:
    return _KEY.sub("********", redact(text))


def _text(stderr: str) -> str:
    lines = [line.rstrip() for line in stderr.splitlines() if not line.startswith(_ASIDE)]
    begin = max((row + 1 for row, line in enumerate(lines) if _TRACE.match(line)), default=0)
    return "\n".join(lines[begin:])


def _json(printed: str) -> Any:
    """The document that was printed: all of it, or its last line that is one."""
    for text in (printed, *reversed(printed.splitlines())):
        try:
            return json.loads(text)
        except ValueError:
            continue
    return None
