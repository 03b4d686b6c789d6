"""Keys as one JSON document, read whole.

    {provider, base_url, agents: [{id, name, api_key, endpoint_id, description?, base_url?, user?}]}

provider and base_url may be left out. Of a provider with numbered agents every user that is named must have all of
them, so that a file that was cut off is noticed; promthctl.keys.lines has no such rule.
"""

from __future__ import annotations

import json

from promthctl.errors import UsageError
from promthctl.keys.key import Listed, check_numbers, check_url, shared_keys
from promthctl.keys.provider import Provider
from promthctl.keys.record import Frame, as_object, key_from, parse_json, shape
from promthctl.redact import remember


def parse(text: str, origin: str, provider: Provider, base_url: str | None, warnings: tuple[str, ...] = ()) -> Listed:
    """The keys that JSON text describes, by number. origin: its file, for messages. base_url: overrides the text's own.

    Raises UsageError with line and column when it is not JSON, with the path (agents[3].api_key) when it has another
    shape, and what promthctl.keys.key.check_numbers raises.
    """
    document = as_object(_json(text, origin), "the document", origin)
    for member in ("provider", "base_url"):
        if member in document and not isinstance(document[member], str):
            raise shape(origin, member, "text", document[member])
    if document.get("provider", provider.name) != provider.name:
        why = f'its provider is not "{provider.name}"'
        hint = f'write "provider": "{provider.name}", or: promthctl seed keys --provider NAME'
        raise UsageError(f"{origin} is for another provider", why, hint)
    agents = document.get("agents")
    if not isinstance(agents, list):
        raise shape(origin, "agents", "a list", agents, missing="agents" not in document)
    if not agents:
        hint = f"add the keys, or try: {provider.command} --demo"
        raise UsageError(f"{origin} has no keys", "agents is an empty list", hint)
    for entry in agents:  # before anything can fail, so that no message can show one
        if isinstance(entry, dict) and isinstance(entry.get("api_key"), str):
            remember(entry["api_key"])
    own_url = document.get("base_url", provider.base_url)
    check_url(own_url, "base_url", provider)
    frame = Frame(provider, origin, base_url or own_url, base_url is not None, provider.agents is not None)
    paths = [f"agents[{index}]" for index in range(len(agents))]
    keys = [key_from(entry, path, f"{path}.".__add__, frame) for entry, path in zip(agents, paths, strict=True)]
    if provider.agents is None:
        return Listed(origin, keys, warnings)
    check_numbers(keys, provider.agents, origin, provider.command)
    keys.sort(key=lambda key: key.number or 0)  # stable: the users' keys stay in their order
    return Listed(origin, keys, (*warnings, *shared_keys(keys)))


def _json(text: str, origin: str) -> object:
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg}" if text.strip() else "it is empty"
    except RecursionError:
        why = "it is nested too deeply"
    raise UsageError(f"{origin} is not valid JSON", why, "correct that place and run again") from None
