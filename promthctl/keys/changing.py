"""Replacing a stored key, and removing keys: finding an agent's rows, and the change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from promthctl.errors import PromthctlError, UsageError
from promthctl.keys.api_keys_table import ApiKeysTable, StoredKey
from promthctl.keys.encryption import decrypt_or_none, encrypt, encryption_secret, key_hash, masked_key
from promthctl.keys.key import Key, check_key, looks_unusual, named_places, refuse_key
from promthctl.keys.listing import ShownKey, shown_key
from promthctl.keys.providers import PROVIDERS, Provider
from promthctl.keys.sources import ConfiguredEndpoints, configured_endpoints
from promthctl.redact import remember
from promthctl.settings import Settings

_NUMBERED = re.compile(r"(.*\W)?agent 0*(\d+)", re.IGNORECASE)  # the name that seeding gives an unnamed agent
_NAMED = 10  # rows in a message


@dataclass(frozen=True)
class AgentRows:
    """One agent's rows, normally a single one; `shown` as people see them."""

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


def find_agent_rows(settings: Settings, table: ApiKeysTable, agent: str, user: str | None) -> AgentRows:
    """The rows of an agent, by its number, endpoint id or name, or by the row's id.

    user: an e-mail address or a UUID, to search only that user's rows. Raises UsageError when a key was given instead
    of a name, or more than one agent matches; PromthctlError when none does.
    """
    listing = f"promthctl keys list{table.target.access.options}"
    listed = f"{listing} shows them; the key itself is typed at a prompt or piped in"
    refuse_key(agent, "AGENT", "an agent's number, endpoint id or name, or a row's id,", listed)
    configured: dict[str, ConfiguredEndpoints] = {}

    def matches(row: StoredKey) -> bool:
        name, wanted = row.agent_name or "", agent.strip()
        if wanted in (row.id, row.endpoint_id) or wanted.casefold() == name.casefold():
            return True
        if not wanted.isdecimal():
            return False
        if row.provider not in configured:
            configured[row.provider] = configured_endpoints(settings, row.provider)
        by_name = _NUMBERED.fullmatch(name)
        number = (configured[row.provider].numbers or {}).get(row.endpoint_id or "")
        return int(wanted) == (number if number is not None else int(by_name[2]) if by_name else None)

    rows = [row for page in table.pages(table.user_id(user)) for row in page if matches(row)]
    found = [shown_key(row) for row in rows]
    if not rows:
        raise PromthctlError(
            f"There is no key of agent {agent}",
            "no stored row has that number, endpoint id, name or id" + (" for this user" if user else ""),
            f"{listing} shows the endpoint ids, which always work",
        )
    if len({(row.user_id, row.provider, row.endpoint_id or row.id) for row in rows}) > 1:
        lines = [f"{key.agent} {key.masked_key}, {key.provider}, user {key.user_id}, row {key.id}" for key in found]
        more = [f"and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
        raise UsageError(
            f"{agent} matches more than one agent",
            "\n".join(["these are stored:", *lines[:_NAMED], *more]),
            "name the user with --user, or give the row's id",
        )
    return AgentRows(tuple(rows), tuple(found))


def secret_warnings(settings: Settings, agent: AgentRows) -> tuple[str, ...]:
    """A sentence when ENCRYPTION_SECRET may not be the app's. Raises PrerequisiteError when it is not set."""
    secret = encryption_secret(settings)
    if any(decrypt_or_none(row.encrypted_key, secret) is not None for row in agent.rows):
        return ()
    return ("The present key cannot be decrypted with this ENCRYPTION_SECRET: make sure that it is the app's.",)


def replace_key(settings: Settings, table: ApiKeysTable, agent: AgentRows, key: str) -> ReplaceResult:
    """Store another key in the rows, with its hash and mask; metadata stays.

    Raises UsageError for what cannot be a key, PromthctlError when the rows were changed meanwhile.
    """
    remember(key)
    secret, first = encryption_secret(settings), agent.rows[0]
    provider = PROVIDERS.get(first.provider, _unknown_provider(first.provider))
    new = Key(named_places({"api_key": "The new key"}), "", first.endpoint_id or "none", key, provider.base_url)
    check_key(new, provider)
    warnings = ("The new key does not look like one of that provider.",) if looks_unusual(new, provider) else ()
    columns = {"key_hash": key_hash(key), "masked_key": masked_key(key)}
    stale = [
        row
        for row in agent.rows
        if decrypt_or_none(row.encrypted_key, secret) != key
        or {"key_hash": row.key_hash, "masked_key": row.masked_key} != columns
    ]
    changed = table.change([(row, {**columns, "encrypted_key": encrypt(key, secret)}) for row in stale])
    if changed < len(stale):
        raise PromthctlError(
            f"The key of {agent.label} was not replaced",
            "its row was changed or removed while you typed",
            f"promthctl keys list{table.target.access.options}, then run it again",
        )
    return ReplaceResult(table.target.label, agent.label, columns["masked_key"], bool(stale), warnings)


def remove_agent(table: ApiKeysTable, agent: AgentRows) -> RemoveResult:
    """Delete the agent's rows."""
    return RemoveResult(table.target.label, table.remove(agent.rows))


def count_keys(table: ApiKeysTable, user: str | None) -> int:
    """The number of all rows, or of a user's (an e-mail address or a UUID)."""
    return sum(map(len, table.pages(table.user_id(user))))


def remove_all_keys(table: ApiKeysTable, user: str | None) -> RemoveResult:
    """Delete every row, or every row of a user."""
    return RemoveResult(table.target.label, sum(map(table.remove, table.pages(table.user_id(user)))))


def _unknown_provider(name: str) -> Provider:
    """A provider that promthctl does not know, without rules of its own."""
    return Provider(name, name, "https://localhost", "")
