"""A key between its source and the database, the checks it goes through, and what looks like a key in a wrong place.

Every error names the place, never the value: what was pasted into a wrong place may be a key.
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
from promthctl.keys.providers import PROVIDERS, Provider
from promthctl.redact import remember

_SHORTEST_KEY = 8  # characters; a mask shows seven
# Characters. Servers accept 8 KB of HTTP headers, which hold the key; the others bound the size of a chunk of rows.
_LONGEST = {"api_key": 8192, "endpoint_id": 256, "name": 1000, "description": 10_000, "base_url": 2048}
_VISIBLE = re.compile(r"[!-~]+")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_MASK = re.compile(r".{4}\.\.\..{3}")
_CHARACTERS = {" ": "a space", "\t": "a tab", "\n": "a line break", "\r": "a line break", "\u00a0": "a no-break space"}

# What keys and tokens of providers and of Supabase begin with.
_KEY_PREFIX = re.compile(r"((sk|pk|rk|gsk|xai|sbp|sb_secret|ghp|hf)[-_]|AIza|AKIA|eyJ)[A-Za-z0-9._+/=-]{8,}")
_LONG_WORD = re.compile(r"[A-Za-z0-9_+=-]{30,}")
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ENDPOINTS = [provider.endpoint_pattern for provider in PROVIDERS.values() if provider.endpoint_pattern]
_KNOWN_FORMS = re.compile("|".join([_UUID, *_ENDPOINTS]), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Key:
    """One key to store.

    at: the place a field was read from, given the field's name. number: the agent's, None where agents have none.
    description: None when none was given. user: an e-mail address in lower case or a UUID, None when the source does
    not name one.
    """

    at: Callable[[str], str] = field(repr=False, compare=False)
    name: str
    endpoint_id: str
    api_key: str = field(repr=False)
    base_url: str
    number: int | None = None
    description: str | None = None
    user: str | None = None


class KeySource(Protocol):
    """Keys from one place, which can be read more than once.

    origin: its name, for people. warnings: sentences worth showing.
    """

    @property
    def origin(self) -> str: ...

    @property
    def warnings(self) -> Sequence[str]: ...

    def __iter__(self) -> Iterator[Key]:
        """The keys; only their form has been checked. Raises UsageError for the first that does not have it."""


@dataclass(frozen=True)
class KeyList:
    """A source that has been read whole: a JSON document, variables, or demo keys."""

    origin: str
    keys: Sequence[Key]
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)


def check_key(key: Key, provider: Provider) -> None:
    """Raise UsageError for the first thing that cannot be right about a key."""
    _check_token(key.api_key, key, "api_key")
    _check_token(key.endpoint_id, key, "endpoint_id")
    if len(key.api_key) < _SHORTEST_KEY:
        why = f"it has fewer than {_SHORTEST_KEY} characters, so it was cut off"
        raise unusable(key.at("api_key"), why, "copy it again")
    if _MASK.fullmatch(key.api_key):
        raise unusable(key.at("api_key"), "it is the mask of a key", "copy the key itself")
    if provider.endpoint_pattern and re.fullmatch(provider.endpoint_pattern, key.api_key):
        raise unusable(key.at("api_key"), "it is an endpoint id, not a key", "swap the key and the endpoint")
    for name in ("endpoint_id", "name", "description"):
        value = getattr(key, name)
        if value and (value == key.api_key or looks_like_key(value)):
            raise unusable(key.at(name), "it looks like a key, and is stored in the clear", "put keys in api_key only")
    if key.api_key in key.base_url:
        why = "the key is part of it, and it is stored in the clear"
        raise unusable(key.at("base_url"), why, "put keys in api_key only")
    for name in ("name", "description"):
        if _UNSTORABLE.search(getattr(key, name) or ""):
            why = "it has a character that no database can store (U+0000, or bytes that are not UTF-8)"
            raise unusable(key.at(name), why, "write it again")
    check_url(key.base_url, key.at("base_url"), provider)
    for name, longest in _LONGEST.items():
        if len(getattr(key, name) or "") > longest:
            raise unusable(key.at(name), f"it is longer than {longest:,} characters", "shorten it")


def check_url(url: str, place: str, provider: Provider) -> None:
    """Raise UsageError, naming the place, when that is not a base URL."""
    if why := _url_fault(url):
        raise unusable(place, why, f"for {provider.title} it is {provider.base_url}")


def looks_unusual(key: Key, provider: Provider) -> bool:
    """True for a key that does not look like the provider's keys. It may still be one."""
    return provider.key_pattern is not None and not re.fullmatch(provider.key_pattern, key.api_key)


def check_numbers(keys: Iterable[Key], agents: int, origin: str, command: str) -> None:
    """Raise UsageError unless every user has the agents 1 to `agents`, each once, and no others."""
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
                f"{where}: number {joined(extra)} is not one of 1 to {agents}",
                f"remove the extra ones, or name a file with just the {agents}: {command} --keys FILE",
            )
        if missing := sorted(wanted - numbers):
            raise UsageError(
                f"There are keys for {len(numbers)} of {agents} agents",
                f"{where}: number {joined(missing)} is missing",
                "add the missing keys with their endpoints, and run again",
            )


def shared_key_warnings(keys: Iterable[Key]) -> tuple[str, ...]:
    """A sentence for each key that several of a user's endpoints have, which is unusual but works."""
    agents: dict[tuple[str | None, str], list[str]] = {}
    for key in keys:
        agents.setdefault((key.user, key.api_key), []).append(str(key.number))
    return tuple(f"Agents {joined(numbers)} have the same key." for numbers in agents.values() if len(numbers) > 1)


def named_places(places: Mapping[str, str]) -> Callable[[str], str]:
    """The `at` of a key whose fields have places with names, such as variables; places: by the field's name."""
    return lambda name: places.get(name, f"The {name}")


def looks_like_key(text: str) -> bool:
    """True for what is a key rather than a name, an endpoint, a UUID or an e-mail address, as far as one can see."""
    word = text.strip()
    if _KEY_PREFIX.fullmatch(word):
        return True
    if not _LONG_WORD.fullmatch(word) or _KNOWN_FORMS.fullmatch(word) or _is_words(word):
        return False
    return any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def refuse_key(text: str, place: str, wanted: str, instead: str) -> None:
    """Raise UsageError when `text`, given as `place` where `wanted` belongs, looks like a key. instead: what to do."""
    if looks_like_key(text):
        raise key_in_place(text, place, wanted, instead)


def key_in_place(text: str, place: str, wanted: str, instead: str) -> UsageError:
    """The error for a key given as `place`, where `wanted` belongs; the key is masked from now on."""
    remember(text.strip())
    return UsageError(
        f"{place} looks like a key",
        f"{wanted} belongs there; what was typed is not repeated here, but the shell's history may have it",
        f"remove it from the history; {instead}",
    )


def unusable(place: str, why: str, hint: str) -> UsageError:
    """The error for what stands at a place and cannot be used."""
    return UsageError(f"{place} cannot be used", why, hint)


def joined(items: Iterable[object]) -> str:
    """a, b and c."""
    *head, last = map(str, items)
    return f"{', '.join(head)} and {last}" if head else last


def _check_token(value: str, key: Key, name: str) -> None:
    """Only visible ASCII: HTTP headers and URLs carry keys and endpoint ids, and copying adds other characters."""
    if _VISIBLE.fullmatch(value):
        return
    place = key.at(name)
    if not value:
        raise unusable(place, "it is empty", "fill it in")
    position, character = next((n, c) for n, c in enumerate(value, start=1) if not "!" <= c <= "~")
    # Letters and digits of other scripts could still be key material; only other characters are described.
    letter = unicodedata.category(character)[0] in "LNM"
    what = _CHARACTERS.get(character, "a letter that is not ASCII" if letter else f"U+{ord(character):04X}")
    raise unusable(place, f"character {position} is {what}, which was added in copying", "copy it again")


@lru_cache(maxsize=64)
def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and _VISIBLE.fullmatch(url)
        secret = parts.username is not None or parts.password is not None
    except ValueError:
        valid = secret = None
    if not valid:
        return "it is not a URL that begins with http:// or https://"
    return "it has a user name or password in it, and is stored in the clear" if secret else None


def _is_words(word: str) -> bool:
    """True for words of one case with separators, such as a variable's name."""
    return word in (word.lower(), word.upper()) and len(re.split("[_-]", word)) > 3
