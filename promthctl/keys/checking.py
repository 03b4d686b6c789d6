"""Whether the stored keys are sound: each is decrypted and compared with its hash, mask and metadata.

    metadata = {endpoint_id, agent_name, description, base_url}, all text; base_url is the root of an API

Nothing is written, and no key is kept longer than its page of rows takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from promthctl import trust
from promthctl.keys.api_keys_table import ApiKeysTable, StoredKey
from promthctl.keys.encryption import decrypt_or_none, encryption_secret, key_hash, masked_key
from promthctl.keys.listing import ShownKey, listing_order, shown_key
from promthctl.keys.live_check import LiveAnswer, LiveOptions, LiveRequest, host_and_port, try_keys
from promthctl.keys.providers import PROVIDERS, Provider
from promthctl.keys.sources import ConfiguredEndpoints, configured_endpoints
from promthctl.settings import Settings
from promthctl.steps import Steps

_SHOWN = 1000  # rows of a result; they are enough to show what is wrong with a million
_MEMBERS = ("endpoint_id", "agent_name", "description", "base_url")


@dataclass(frozen=True)
class CheckedKey(ShownKey):
    """A row and what is wrong with it. answer: that of the key's API, None when the key was not tried."""

    problems: tuple[str, ...] = ()
    answer: LiveAnswer | None = None

    @property
    def ok(self) -> bool:
        return not self.problems and (self.answer is None or self.answer.fault is None)


@dataclass(frozen=True)
class KeyCheckResult:
    """checked: all rows. failed: those with a problem. rows: the failed ones, with `live` all, at most a thousand.

    unknown: rows of endpoints that the configured key source does not have, which may be right. warnings: sentences.
    """

    target: str
    checked: int
    failed: int
    live: bool
    ok: bool
    rows: tuple[CheckedKey, ...]
    unknown: tuple[CheckedKey, ...]
    warnings: tuple[str, ...]


def check_keys(
    settings: Settings, table: ApiKeysTable, user: str | None, live: LiveOptions | None, steps: Steps
) -> KeyCheckResult:
    """Check all rows, or one user's. user: an e-mail address or a UUID. live: how to try each key, None to try none.

    Raises PrerequisiteError without ENCRYPTION_SECRET, and what ApiKeysTable.user_id raises.
    """
    secret = encryption_secret(settings)
    sources = _ConfiguredSources(settings)
    duplicates = _Duplicates()
    checked = failed = 0
    rows: list[CheckedKey] = []
    unknown: list[CheckedKey] = []
    with steps.step("Checking the keys") as update:
        for page in table.pages(table.user_id(user)):
            for row, found in zip(page, _checked_page(page, secret, duplicates, live, settings), strict=True):
                checked += 1
                failed += not found.ok
                if (live or not found.ok) and len(rows) < _SHOWN:
                    rows.append(found)
                if sources.is_unknown(row) and len(unknown) < _SHOWN:
                    unknown.append(found)
            update(f"{checked:,} so far")
    return KeyCheckResult(
        table.target.label,
        checked,
        failed,
        live is not None,
        not failed,
        tuple(sorted(rows, key=listing_order)),
        tuple(sorted(unknown, key=listing_order)),
        tuple(sources.warnings),
    )


def _checked_page(
    page: Sequence[StoredKey], secret: str, duplicates: _Duplicates, live: LiveOptions | None, settings: Settings
) -> list[CheckedKey]:
    keys = [decrypt_or_none(row.encrypted_key, secret) for row in page]
    found = [
        CheckedKey(**vars(shown_key(row, key)), problems=(*_problems(row, key), *duplicates.problems(row)))
        for row, key in zip(page, keys, strict=True)
    ]
    if live is None:
        return found
    readable = [place for place, key in enumerate(keys) if key is not None]
    requests = [_live_request(page[place], keys[place] or "", settings) for place in readable]
    for place, answer in zip(readable, try_keys(requests, live), strict=True):
        found[place] = replace(found[place], answer=answer)
    return found


def _live_request(row: StoredKey, key: str, settings: Settings) -> LiveRequest:
    """Where and how to try a key; what the row does not say, its provider does."""
    provider = PROVIDERS.get(row.provider)
    own = _base_urls(provider, settings) if provider else ()
    base_url = _member(row, "base_url") or (own[0] if own else "")
    named = provider is None or row.endpoint_id != provider.endpoint
    hosts = frozenset(host for url in own if (host := host_and_port(url)))
    return LiveRequest(str(base_url), row.endpoint_id if named else None, key, hosts)


def _base_urls(provider: Provider, settings: Settings) -> tuple[str, ...]:
    """The provider's own, and the one that is configured for it."""
    trust.check_variable(settings, f"{provider.variables}_BASE_URL")
    configured = settings.get(f"{provider.variables}_BASE_URL")
    return (provider.base_url, configured) if configured else (provider.base_url,)


def _problems(row: StoredKey, key: str | None) -> Iterator[str]:
    if key is None:
        yield "it cannot be decrypted: it was stored with another ENCRYPTION_SECRET, or changed since"
    elif key_hash(key) != row.key_hash:
        yield "its key_hash is that of another key"
    elif masked_key(key) != row.masked_key:
        yield "its masked_key is that of another key"
    if key is not None and any(key in str(value) for value in _object(row).values()):
        yield "its metadata contains the key in the clear"
    yield from _metadata_problems(row)


def _metadata_problems(row: StoredKey) -> Iterator[str]:
    """What is wrong with the metadata. An app may store a key without any, unless its agents are numbered."""
    if not isinstance(row.metadata, dict):
        yield "its metadata is not an object"
        return
    provider = PROVIDERS.get(row.provider)
    numbered = provider is not None and provider.agents is not None
    for name in _MEMBERS:
        value = _member(row, name)
        if value is None:
            if numbered and name != "description":
                yield f"metadata.{name} is missing"
        elif not isinstance(value, str):
            yield f"metadata.{name} is not text"
        elif not value and name in ("endpoint_id", "base_url"):
            yield f"metadata.{name} is empty"
    base_url = _member(row, "base_url")
    if isinstance(base_url, str) and base_url and (fault := _url_fault(base_url)):
        yield f"metadata.base_url {fault}"


def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return "is not a URL"
    if valid and (parts.username is not None or parts.password is not None):
        return "has a user name or password in it"
    return None if valid else "is not a URL that begins with https:// or http://"


def _object(row: StoredKey) -> dict[str, Any]:
    return row.metadata if isinstance(row.metadata, dict) else {}


def _member(row: StoredKey, name: str) -> Any:
    return _object(row).get(name)


class _Duplicates:
    """Finds rows for the same endpoint of the same user; rows come user by user, so one user's are remembered."""

    def __init__(self) -> None:
        self._user = ""
        self._seen: dict[tuple[str, str], str] = {}

    def problems(self, row: StoredKey) -> Iterator[str]:
        if row.user_id != self._user:
            self._user, self._seen = row.user_id, {}
        first = self._seen.setdefault((row.provider, row.endpoint_id or f"hash {row.key_hash}"), row.id)
        if first != row.id:
            yield f"it is a duplicate: row {first} is for the same endpoint of the same user"


class _ConfiguredSources:
    """The endpoints of the project's key sources, read once for each provider."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read: dict[str, ConfiguredEndpoints] = {}
        self.warnings: list[str] = []

    def is_unknown(self, row: StoredKey) -> bool:
        """True for an endpoint that a configured source of the row's provider does not have."""
        if row.provider not in self._read:
            source = self._read[row.provider] = configured_endpoints(self._settings, row.provider)
            if source.fault:
                self.warnings.append(f"Endpoints were not compared with your keys. {source.fault}")
        numbers = self._read[row.provider].numbers
        return numbers is not None and row.endpoint_id not in numbers
