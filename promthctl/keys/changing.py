"""One stored key replaced by another, or rows removed: which rows are meant, and the change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from promthctl.errors import PromthctlError, UsageError
from promthctl.keys import configured, providers
from promthctl.keys.checking import opens
from promthctl.keys.encryption import encrypt, key_hash, masked_key
from promthctl.keys.key import Key, check, looks_strange, named
from promthctl.keys.pasted import refuse_key
from promthctl.keys.provider import Provider
from promthctl.keys.shown import ShownKey, shown
from promthctl.keys.sources import encryption_secret
from promthctl.keys.store import StoredKey, opened, owner
from promthctl.redact import remember
from promthctl.resolve.api import ApiTarget
from promthctl.settings import Settings

_NUMBERED = re.compile(r"(.*\W)?agent 0*(\d+)", re.IGNORECASE)  # as seeding names an agent without a name
_NAMED = 10  # rows in a message


@dataclass(frozen=True)
class Chosen:
    """One agent's rows, of which there is one unless something went wrong before; `shown` as people see them."""

    rows: tuple[StoredKey, ...] = field(repr=False)
    shown: tuple[ShownKey, ...]

    @property
    def label(self) -> str:
        return self.shown[0].label


@dataclass(frozen=True)
class ReplaceResult:
    """masked_key: the new key's. changed: False when it was stored already. warnings: sentences worth showing."""

    target: str
    agent: str
    masked_key: str
    changed: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class RemoveResult:
    target: str
    removed: int


def choose(settings: Settings, target: ApiTarget, agent: str, user: str | None) -> Chosen:
    """The rows of an agent, by its number, endpoint id or name, or by the row's id.

    user: an e-mail address or a UUID, whose rows alone are looked at. Raises UsageError when a key was given instead
    of a name, or more than one agent is meant; PromthctlError when there is none.
    """
    refuse_key(agent, "AGENT", "an agent's number, endpoint id or name, or a row's id,")
    numbers: dict[str, configured.Endpoints] = {}

    def is_meant(row: StoredKey) -> bool:
        name, wanted = row.agent_name or "", agent.strip()
        if wanted in (row.id, row.endpoint_id) or wanted.casefold() == name.casefold():
            return True
        if not wanted.isdecimal():
            return False
        if row.provider not in numbers:
            numbers[row.provider] = configured.endpoints(settings, row.provider)
        called = _NUMBERED.fullmatch(name)
        own = (numbers[row.provider].numbers or {}).get(row.endpoint_id or "")
        return int(wanted) == (own if own is not None else int(called[2]) if called else None)

    with opened(target.access) as store:
        rows = [row for page in store.pages(owner(store, user)) for row in page if is_meant(row)]
    found = [shown(row) for row in rows]
    if not rows:
        raise PromthctlError(
            f"There is no key of agent {agent}",
            "no stored row has that number, endpoint id, name or id" + (" for this user" if user else ""),
            "promthctl keys list shows the endpoint ids, which always do",
        )
    if len({(row.user_id, row.provider, row.endpoint_id or row.id) for row in rows}) > 1:
        lines = [f"{key.agent} {key.masked_key}, {key.provider}, user {key.user_id}, row {key.id}" for key in found]
        more = [f"and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
        raise UsageError(
            f"{agent} means more than one agent",
            "\n".join(["these are stored:", *lines[:_NAMED], *more]),
            "name the user with --user, or give the row's id",
        )
    return Chosen(tuple(rows), tuple(found))


def doubts(settings: Settings, chosen: Chosen) -> tuple[str, ...]:
    """What speaks against encrypting a new key, in sentences. Raises PrerequisiteError without ENCRYPTION_SECRET."""
    secret = encryption_secret(settings)
    if any(opens(row, secret) is not None for row in chosen.rows):
        return ()
    return ("The present key cannot be opened with this ENCRYPTION_SECRET: make sure that it is the app's.",)


def replace(settings: Settings, target: ApiTarget, chosen: Chosen, key: str) -> ReplaceResult:
    """Store another key in the rows, with its hash and mask; metadata stays.

    Raises UsageError for what cannot be a key, PromthctlError when the rows were changed meanwhile.
    """
    remember(key)
    secret, row = encryption_secret(settings), chosen.rows[0]
    provider = _provider(row.provider)
    new = Key(named({"api_key": "The new key"}), "", row.endpoint_id or "none", key, provider.base_url)
    check(new, provider)
    warnings = ("The new key does not look like one of that provider.",) if looks_strange(new, provider) else ()
    hashed, mask = key_hash(key), masked_key(key)
    stale = [row for row in chosen.rows if (opens(row, secret), row.key_hash, row.masked_key) != (key, hashed, mask)]
    if stale:
        columns = {"key_hash": hashed, "masked_key": mask}
        with opened(target.access) as store:
            changed = store.change([(row, {**columns, "encrypted_key": encrypt(key, secret)}) for row in stale])
        if changed < len(stale):
            raise PromthctlError(
                f"The key of {chosen.label} was not replaced",
                "its row was changed or removed while you typed",
                "promthctl keys list, then run it again",
            )
    return ReplaceResult(target.label, chosen.label, mask, bool(stale), warnings)


def remove(target: ApiTarget, chosen: Chosen) -> RemoveResult:
    """Delete the rows."""
    with opened(target.access) as store:
        return RemoveResult(target.label, store.remove(chosen.rows))


def count(target: ApiTarget, user: str | None) -> int:
    """How many rows there are, or how many of a user (an e-mail address or a UUID)."""
    with opened(target.access) as store:
        return sum(map(len, store.pages(owner(store, user))))


def remove_all(target: ApiTarget, user: str | None) -> RemoveResult:
    """Delete every row, or every one of a user."""
    with opened(target.access) as store:
        return RemoveResult(target.label, sum(map(store.remove, store.pages(owner(store, user)))))


def _provider(name: str) -> Provider:
    """The provider of that name; for one that promthctl does not know, one without rules of its own."""
    return providers.find(name) if name in providers.names() else Provider(name, name, "https://localhost", "")
