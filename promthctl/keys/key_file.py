"""Keys as JSON text: reading the file with an eye on who else can, and checking its shape.

    {provider, base_url, agents: [{id, name, api_key, endpoint_id, description?}]}

provider and base_url may be left out, and so may a name; other members are ignored.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promthctl.errors import UsageError
from promthctl.keys.key import BASE_URL, PROVIDER, AgentKey, Draft, KeyRing, checked
from promthctl.redact import remember

_LIMIT = 1024 * 1024  # bytes; fourteen agents need two thousand
_KINDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    float: "a fraction",
    type(None): "null",
}


def read(path: Path) -> tuple[str, tuple[str, ...]]:
    """The file's text, and a warning if others on this machine may read it. Raises UsageError when it is no text."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(_LIMIT + 1)
    except IsADirectoryError:
        raise _unreadable(str(path), "it is a directory", "name a file: promthctl seed vanchin --keys FILE") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "that is not a file name"
        raise _unreadable(str(path), why.lower(), "correct the name, or the file's permissions") from None
    if len(raw) > _LIMIT:
        raise _unreadable(str(path), "it is larger than one megabyte, so it is no list of keys", "name another file")
    open_to_others = os.name == "posix" and stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) & 0o077
    warning = (f"{path} can be read by other users of this machine: chmod 600 {path}",) if open_to_others else ()
    return _decoded(raw, str(path)), warning


def read_stdin(stdin: Callable[[], str]) -> str:
    """What `stdin` returns. Raises UsageError when it is no text."""
    try:
        return stdin().removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError):
        raise _unreadable("standard input", "it is not UTF-8 text", "pipe the JSON text into the command") from None


def parse(text: str, origin: str, base_url: str | None, warnings: tuple[str, ...] = ()) -> KeyRing:
    """The ring that JSON text describes. origin: its file, for messages. base_url: overrides the text's own.

    Raises UsageError with line and column when it is not JSON, with the path (agents[3].api_key) when it has
    another shape, and what promthctl.keys.key.checked raises.
    """
    document = _json(text, origin)
    if not isinstance(document, dict):
        raise _shape(origin, "the document", "an object", document)
    if document.get("provider", PROVIDER) != PROVIDER:
        _text(document, "provider", "", origin)
        raise UsageError(
            f"{origin} is for another provider", f'provider must be "{PROVIDER}"', f'write "provider": "{PROVIDER}"'
        )
    own_url = _text(document, "base_url", "", origin) if "base_url" in document else BASE_URL
    agents = document.get("agents")
    if not isinstance(agents, list):
        raise _shape(origin, "agents", "a list", agents, missing="agents" not in document)
    if not agents:
        raise UsageError(
            f"{origin} has no keys",
            "agents is an empty list",
            "add the fourteen agents, or try: promthctl seed vanchin --demo",
        )
    # Known before anything can fail, so that no message can show one.
    for entry in agents:
        if isinstance(entry, dict) and isinstance(entry.get("api_key"), str):
            remember(entry["api_key"])
    drafts = [_draft(entry, f"agents[{index}]", origin) for index, entry in enumerate(agents)]
    places: dict[int, int] = {}
    for index, draft in enumerate(drafts):
        if (first := places.setdefault(draft.agent.number, index)) != index:
            raise UsageError(
                f"{origin} has two agents {draft.agent.number}",
                f"agents[{first}].id and agents[{index}].id are the same",
                "give each agent its own number, 1 to 14",
            )
    place = "VANCHIN_BASE_URL" if base_url else "base_url"
    return checked(drafts, base_url or own_url, place, origin, warnings)


def _draft(entry: Any, path: str, origin: str) -> Draft:
    if not isinstance(entry, dict):
        raise _shape(origin, path, "an object", entry)
    number = entry.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise _shape(origin, f"{path}.id", "a whole number", number, missing="id" not in entry)
    name = _text(entry, "name", f"{path}.", origin) if "name" in entry else f"Agent {number}"
    if not name.strip():
        raise UsageError(f"{path}.name cannot be used", f"{origin}: it is empty", "fill it in, or leave it out")
    described = entry.get("description") is not None
    agent = AgentKey(
        number,
        name,
        _text(entry, "endpoint_id", f"{path}.", origin),
        _text(entry, "api_key", f"{path}.", origin),
        _text(entry, "description", f"{path}.", origin) if described else None,
    )
    return Draft(agent, f"{path}.api_key", f"{path}.endpoint_id")


def _text(table: dict[str, Any], name: str, prefix: str, origin: str) -> str:
    value = table.get(name)
    if not isinstance(value, str):
        raise _shape(origin, prefix + name, "text", value, missing=name not in table)
    return value


def _json(text: str, origin: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{origin} is not valid JSON",
            f"line {error.lineno}, column {error.colno}: {error.msg}" if text.strip() else "it is empty",
            "correct that place and run again",
        ) from None
    except (RecursionError, ValueError):
        raise UsageError(
            f"{origin} is not valid JSON", "it is nested too deeply, or has an endless number", "correct the file"
        ) from None


def _decoded(raw: bytes, origin: str) -> str:
    if b"\0" in raw:
        raise _unreadable(origin, "it is binary, or UTF-16 text", "save it as UTF-8 text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _unreadable(origin, f"line {line} is not UTF-8 text", "save it as UTF-8 text") from None


def _unreadable(origin: str, why: str, hint: str) -> UsageError:
    return UsageError(f"The keys in {origin} cannot be read", why, hint)


def _shape(origin: str, path: str, wanted: str, value: Any, *, missing: bool = False) -> UsageError:
    found = "it is missing" if missing else f"it is {_KINDS.get(type(value), 'a number')}"
    return UsageError(f"{path} must be {wanted}", f"{origin}: {found}", "correct that place and run again")
