"""Is every stored key what it should be? Decrypted, compared with its hash and mask, its metadata by its schema.

    metadata = {endpoint_id, agent_name, description, base_url}, all text; base_url is the root of an API

Nothing is written, and no key is kept longer than its page of rows takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from promthctl.keys import configured, live, providers
from promthctl.keys.encryption import DecryptionError, decrypt, key_hash, masked_key
from promthctl.keys.live import Answer, Question
from promthctl.keys.shown import ShownKey, order, shown
from promthctl.keys.sources import encryption_secret
from promthctl.keys.store import StoredKey, opened, owner
from promthctl.resolve.api import ApiTarget
from promthctl.settings import Settings
from promthctl.steps import Steps

_SHOWN = 1000  # rows of a result; what is wrong with a million is told by as many
_MEMBERS = ("endpoint_id", "agent_name", "description", "base_url")


@dataclass(frozen=True)
class CheckedKey(ShownKey):
    """A row and what is wrong with it. answer: of the API the key is for, None when it was not asked."""

    problems: tuple[str, ...] = ()
    answer: Answer | None = None

    @property
    def ok(self) -> bool:
        return not self.problems and (self.answer is None or self.answer.fault is None)


@dataclass(frozen=True)
class CheckResult:
    """checked: all rows. failed: those with a problem. rows: the failed ones, with `live` all, a thousand at most.

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


@dataclass(frozen=True)
class Live:
    """jobs: requests at a time. seconds: that each may take."""

    jobs: int
    seconds: float


def check(settings: Settings, target: ApiTarget, user: str | None, asked: Live | None, steps: Steps) -> CheckResult:
    """Check all rows, or one user's. user: an e-mail address or a UUID. asked: how to try each key, None to try none.

    Raises PrerequisiteError without ENCRYPTION_SECRET, and what promthctl.keys.store raises.
    """
    secret = encryption_secret(settings)
    sources = _Sources(settings)
    twins = _Twins()
    checked = failed = 0
    rows: list[CheckedKey] = []
    unknown: list[CheckedKey] = []
    with opened(target.access) as store, steps.step("Checking the keys") as update:
        for page in store.pages(owner(store, user)):
            for row, found in zip(page, _page(page, secret, twins, asked), strict=True):
                checked += 1
                failed += not found.ok
                if (asked or not found.ok) and len(rows) < _SHOWN:
                    rows.append(found)
                if sources.miss(row) and len(unknown) < _SHOWN:
                    unknown.append(found)
            update(f"{checked:,} so far")
    return CheckResult(
        target.label,
        checked,
        failed,
        asked is not None,
        not failed,
        tuple(sorted(rows, key=order)),
        tuple(sorted(unknown, key=order)),
        tuple(sources.warnings),
    )


def opens(row: StoredKey, secret: str) -> str | None:
    """The key, None when the row cannot be read with that secret."""
    try:
        return decrypt(row.encrypted_key, secret)
    except DecryptionError:
        return None


def _page(page: Sequence[StoredKey], secret: str, twins: _Twins, asked: Live | None) -> Iterator[CheckedKey]:
    keys = [opens(row, secret) for row in page]
    found = [
        CheckedKey(**vars(shown(row, key)), problems=(*_problems(row, key), *twins.problems(row)))
        for row, key in zip(page, keys, strict=True)
    ]
    if asked is None:
        return iter(found)
    readable = [place for place, key in enumerate(keys) if key is not None]
    questions = [_question(page[place], keys[place] or "") for place in readable]
    for place, answer in zip(readable, live.ask(questions, asked.jobs, asked.seconds), strict=True):
        found[place] = replace(found[place], answer=answer)
    return iter(found)


def _question(row: StoredKey, key: str) -> Question:
    """Where and how to try a key; a row that says neither is tried as its provider's file says."""
    provider = providers.find(row.provider) if row.provider in providers.names() else None
    base_url = _member(row, "base_url") or (provider.base_url if provider else "")
    named = provider is None or row.endpoint_id != provider.endpoint
    return Question(str(base_url), row.endpoint_id if named else None, key)


def _problems(row: StoredKey, key: str | None) -> Iterator[str]:
    if key is None:
        yield "it cannot be decrypted: it was stored with another ENCRYPTION_SECRET, or changed since"
    elif key_hash(key) != row.key_hash:
        yield "its key_hash is that of another key"
    elif masked_key(key) != row.masked_key:
        yield "its masked_key is that of another key"
    if key is not None and any(key in str(value) for value in _object(row).values()):
        yield "the key stands in its metadata in the clear"
    yield from _schema(row)


def _schema(row: StoredKey) -> Iterator[str]:
    """What is wrong with the metadata. An app may store a key of another provider without any."""
    if not isinstance(row.metadata, dict):
        yield "its metadata is not an object"
        return
    numbered = row.provider in providers.names() and providers.find(row.provider).agents is not None
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
    if isinstance(base_url, str) and base_url and (fault := _fault(base_url)):
        yield f"metadata.base_url {fault}"


def _fault(url: str) -> str | None:
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


class _Twins:
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


class _Sources:
    """The endpoints of the project's key sources, read once for each provider."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._read: dict[str, configured.Endpoints] = {}
        self.warnings: list[str] = []

    def miss(self, row: StoredKey) -> bool:
        """True for an endpoint that a configured source of the row's provider does not have."""
        if row.provider not in self._read:
            source = self._read[row.provider] = configured.endpoints(self._settings, row.provider)
            if source.fault:
                self.warnings.append(f"Endpoints were not compared with your keys. {source.fault}")
        numbers = self._read[row.provider].numbers
        return numbers is not None and row.endpoint_id not in numbers
