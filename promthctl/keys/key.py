"""A key between its source and the database, and the checks that every source's keys go through.

Every fault is a UsageError that names the place, never the value: what was pasted into a wrong place may be a key.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from promthctl.errors import UsageError
from promthctl.keys.pasted import looks_like_key
from promthctl.keys.provider import Provider

_MIN_KEY = 8  # characters; a mask shows seven. VanchinAI's keys have 43
# Characters. A key travels in an HTTP header, of which servers take 8 KB; the others bound what a chunk of rows weighs.
_LONGEST = {"api_key": 8192, "endpoint_id": 256, "name": 1000, "description": 10_000, "base_url": 2048}
_VISIBLE = re.compile(r"[!-~]+")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MASK = re.compile(r".{4}\.\.\..{3}")
_NAMED = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break", "\u00a0": "a no-break space"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key to store.

    at: names the place a field was read from, given the field's name. number: the agent's, None where agents have
    none. description: None when none was given. user: an e-mail address in lower case or a UUID, None when the source
    assigns the key to nobody.
    """

    at: Callable[[str], str] = field(repr=False, compare=False)
    name: str
    endpoint_id: str
    api_key: str = field(repr=False)
    base_url: str
    number: int | None = None
    description: str | None = None
    user: str | None = None


class Source(Protocol):
    """Where keys come from; it can be read more than once.

    origin: its name, for people. warnings: sentences worth showing.
    """

    @property
    def origin(self) -> str: ...

    @property
    def warnings(self) -> Sequence[str]: ...

    def __iter__(self) -> Iterator[Key]:
        """The keys, unchecked except for their form. Raises UsageError for the first that has none."""


@dataclass(frozen=True)
class Listed:
    """A source that has been read whole: a JSON document, variables, or made up."""

    origin: str
    keys: Sequence[Key]
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)


def check(key: Key, provider: Provider) -> None:
    """Raise UsageError for the first thing about a key that cannot be right."""
    _check_token(key.api_key, key, "api_key")
    _check_token(key.endpoint_id, key, "endpoint_id")
    if len(key.api_key) < _MIN_KEY:
        raise wrong(key.at("api_key"), f"it has fewer than {_MIN_KEY} characters, so it was cut off", "copy it again")
    if _MASK.fullmatch(key.api_key):
        raise wrong(key.at("api_key"), "it is the mask of a key, as it is shown, not the key", "copy the key itself")
    if provider.endpoint_pattern and re.fullmatch(provider.endpoint_pattern, key.api_key):
        raise wrong(key.at("api_key"), "it is an endpoint id, not a key", "exchange the key and the endpoint")
    for name in ("endpoint_id", "name", "description"):
        value = getattr(key, name)
        if value and (value == key.api_key or looks_like_key(value)):
            raise wrong(key.at(name), "it looks like a key, and is stored in the clear", "put keys in api_key only")
    if key.api_key in key.base_url:
        why = "the key stands in it, and it is stored in the clear"
        raise wrong(key.at("base_url"), why, "put keys in api_key only")
    for name in ("name", "description"):
        if _UNSTORABLE.search(getattr(key, name) or ""):
            why = "it has a character no database can store (U+0000, or bytes not UTF-8)"
            raise wrong(key.at(name), why, "write it again")
    check_url(key.base_url, key.at("base_url"), provider)
    for name, longest in _LONGEST.items():
        if len(getattr(key, name) or "") > longest:
            raise wrong(key.at(name), f"it is longer than {longest:,} characters", "shorten it")


def check_url(url: str, place: str, provider: Provider) -> None:
    """Raise UsageError, naming the place, when that is no base URL."""
    if why := _fault_of_url(url):
        raise wrong(place, why, f"for {provider.title} it is {provider.base_url}")


def looks_strange(key: Key, provider: Provider) -> bool:
    """True for a key that does not look like the provider's. It may still be one."""
    return provider.key_pattern is not None and not re.fullmatch(provider.key_pattern, key.api_key)


def check_numbers(keys: Iterable[Key], agents: int, origin: str, command: str) -> None:
    """Raise UsageError when some user has not just the agents 1 to `agents`, each once."""
    places: dict[str | None, dict[int | None, Key]] = {}
    for key in keys:
        numbered = places.setdefault(key.user, {})
        if (first := numbered.setdefault(key.number, key)) is not key:
            raise UsageError(
                f"{origin} has two agents {key.number}",
                f"{first.at('id')} and {key.at('id')} are the same",
                f"give each agent its own number, 1 to {agents}",
            )
    wanted = set(range(1, agents + 1))
    for user, numbered in places.items():
        where = f"{origin}, user {user}" if user else origin
        numbers = {number for number in numbered if number is not None}
        if extra := sorted(numbers - wanted):
            raise UsageError(
                f"There are more agents than {agents}" if wanted <= numbers else f"Agent {extra[0]} does not exist",
                f"{where}: number {listed(extra)} is not one of 1 to {agents}",
                f"remove what is too much, or name a file with just the {agents}: {command} --keys FILE",
            )
        if missing := sorted(wanted - numbers):
            raise UsageError(
                f"There are keys for {len(numbers)} of {agents} agents",
                f"{where}: number {listed(missing)} is missing",
                "add the missing keys with their endpoints, and run again",
            )


def shared_keys(keys: Iterable[Key]) -> tuple[str, ...]:
    """One key for several of a user's endpoints is unusual but works, so it is a warning."""
    agents: dict[tuple[str | None, str], list[str]] = {}
    for key in keys:
        agents.setdefault((key.user, key.api_key), []).append(str(key.number))
    return tuple(f"Agents {listed(numbers)} have the same key." for numbers in agents.values() if len(numbers) > 1)


def named(places: Mapping[str, str]) -> Callable[[str], str]:
    """The `at` of a key whose fields have names of their own, such as variables."""
    return lambda name: places.get(name, f"The {name}")


def wrong(place: str, why: str, hint: str) -> UsageError:
    return UsageError(f"{place} cannot be used", why, hint)


def listed(items: Iterable[object]) -> str:
    """a, b and c."""
    *head, last = map(str, items)
    return f"{', '.join(head)} and {last}" if head else last


def _check_token(value: str, key: Key, name: str) -> None:
    """A key or an endpoint id travels in HTTP headers and URLs: visible ASCII only, as copying mishaps are not."""
    if _VISIBLE.fullmatch(value):
        return
    place = key.at(name)
    if not value:
        raise wrong(place, "it is empty", "fill it in")
    position, character = next((n, c) for n, c in enumerate(value, start=1) if not "!" <= c <= "~")
    # Letters and digits of other scripts could still be key material; only what is no letter is described.
    letter = unicodedata.category(character)[0] in "LNM"
    what = _NAMED.get(character, "a letter that is not ASCII" if letter else f"U+{ord(character):04X}")
    raise wrong(place, f"character {position} is {what}, which came with the copying", "copy it again")


@lru_cache(maxsize=64)
def _fault_of_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and _VISIBLE.fullmatch(url)
        secret = parts.username is not None or parts.password is not None
    except ValueError:
        valid = secret = None
    if not valid:
        return "it is not a URL that begins with http:// or https://"
    return "it has a user name or password in it, and is stored in the clear" if secret else None
