"""The fourteen agents' keys between their source and the database, and the checks every source's keys go through.

Every fault is a UsageError that names the place, never the value: what was pasted into a wrong place may be a key.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from promthctl.errors import UsageError

AGENTS = 14
PROVIDER = "vanchin"
# VanchinAI's OpenAI-compatible gateway; the endpoint id is sent as the model.
BASE_URL = "https://vanchin.streamlake.ai/api/gateway/v1/endpoints"

_MIN_KEY = 8  # characters; a mask shows seven. VanchinAI's keys have 43
_ENDPOINT_ID = re.compile(r"ep-[a-z0-9]+-\d+")  # as VanchinAI makes them
_NAMED = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break", "\u00a0": "a no-break space"}


@dataclass(frozen=True)
class AgentKey:
    """One agent: number 1 to 14, the endpoint it calls and the key for it; description None when none was given."""

    number: int
    name: str
    endpoint_id: str
    api_key: str = field(repr=False)
    description: str | None = None


@dataclass(frozen=True)
class KeyRing:
    """The fourteen agents by number. origin: where they come from, for people. warnings: sentences worth showing."""

    provider: str
    base_url: str
    agents: tuple[AgentKey, ...]
    origin: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """An agent as read, not yet checked, with the names of the places its key and endpoint were read from."""

    agent: AgentKey
    key_place: str
    endpoint_place: str


def checked(
    drafts: Iterable[Draft], base_url: str, base_url_place: str, origin: str, warnings: tuple[str, ...] = ()
) -> KeyRing:
    """The ring those drafts make, each with a number of its own. Raises UsageError for the first thing wrong."""
    drafts = sorted(drafts, key=lambda draft: draft.agent.number)
    _check_numbers({draft.agent.number for draft in drafts}, origin)
    for draft in drafts:
        _check_token(draft.agent.api_key, draft.key_place)
        _check_token(draft.agent.endpoint_id, draft.endpoint_place)
        if len(draft.agent.api_key) < _MIN_KEY:
            raise _wrong(
                draft.key_place, f"it has fewer than {_MIN_KEY} characters, so it was cut off", "copy it again"
            )
        if _ENDPOINT_ID.fullmatch(draft.agent.api_key):
            raise _wrong(draft.key_place, "it is an endpoint id, not a key", "exchange the key and the endpoint")
        _check_label(draft.agent.name, f"The name of agent {draft.agent.number}")
        _check_label(draft.agent.description or "", f"The description of agent {draft.agent.number}")
    endpoints: dict[str, Draft] = {}
    for draft in drafts:
        first = endpoints.setdefault(draft.agent.endpoint_id, draft)
        if first is not draft:
            raise UsageError(
                f"{first.endpoint_place} and {draft.endpoint_place} are the same endpoint",
                "each agent has an endpoint of its own, by which its row is found again",
                "correct one of the two",
            )
    _check_base_url(base_url, base_url_place)
    agents = tuple(draft.agent for draft in drafts)
    return KeyRing(PROVIDER, base_url, agents, origin, (*warnings, *_shared_keys(agents)))


def _shared_keys(agents: Iterable[AgentKey]) -> Iterable[str]:
    """One key for several endpoints is unusual but works, so it is a warning."""
    by_key: dict[str, list[str]] = {}
    for agent in agents:
        by_key.setdefault(agent.api_key, []).append(str(agent.number))
    return [f"Agents {_listed(numbers)} have the same key." for numbers in by_key.values() if len(numbers) > 1]


def _check_numbers(numbers: set[int], origin: str) -> None:
    wanted = set(range(1, AGENTS + 1))
    if extra := sorted(numbers - wanted):
        raise UsageError(
            f"There are more agents than {AGENTS}" if wanted <= numbers else f"Agent {extra[0]} does not exist",
            f"{origin}: number {_listed(extra)} is not one of 1 to {AGENTS}",
            "remove what is too much, or name a file with just the fourteen: promthctl seed vanchin --keys FILE",
        )
    if missing := sorted(wanted - numbers):
        raise UsageError(
            f"There are keys for {len(numbers)} of {AGENTS} agents",
            f"{origin}: number {_listed(missing)} is missing",
            "add the missing keys with their endpoints, and run again",
        )


def _check_token(value: str, place: str) -> None:
    """A key or an endpoint id travels in HTTP headers and URLs: visible ASCII only, as copying mishaps are not."""
    if not value:
        raise _wrong(place, "it is empty", "fill it in")
    for position, character in enumerate(value, start=1):
        if not "!" <= character <= "~":
            # Letters and digits of other scripts could still be key material; only what is no letter is described.
            letter = unicodedata.category(character)[0] in "LNM"
            what = _NAMED.get(character, "a letter that is not ASCII" if letter else f"U+{ord(character):04X}")
            raise _wrong(place, f"character {position} is {what}, which came with the copying", "copy it again")


def _check_label(value: str, place: str) -> None:
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise _wrong(place, "it has a character no database can store (U+0000, or bytes not UTF-8)", "write it again")


def _check_base_url(url: str, place: str) -> None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and re.fullmatch(r"[!-~]+", url)
        secret = parts.username is not None or parts.password is not None
    except ValueError:
        valid = secret = None
    if not valid:
        raise _wrong(place, "it is not a URL that begins with http:// or https://", f"for VanchinAI it is {BASE_URL}")
    if secret:
        raise _wrong(place, "it has a user name or password in it, and is stored in the clear", "remove them from it")


def _wrong(place: str, why: str, hint: str) -> UsageError:
    return UsageError(f"{place} cannot be used", why, hint)


def _listed(items: Iterable[object]) -> str:
    *head, last = map(str, items)
    return f"{', '.join(head)} and {last}" if head else last
