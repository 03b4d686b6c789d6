"""What is stored, without a key: the rows of api_keys as people may see them, with masks, names and times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from promthctl.keys.api_keys_table import ApiKeysTable, StoredKey
from promthctl.keys.key import looks_like_key

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class ShownKey:
    """id: the row's. agent, endpoint_id: "" where the metadata has none."""

    id: str
    user_id: str
    provider: str
    agent: str
    endpoint_id: str
    masked_key: str

    @property
    def label(self) -> str:
        return self.agent or self.endpoint_id or f"row {self.id}"


@dataclass(frozen=True)
class ListedKey(ShownKey):
    """Times are ISO 8601; last_used None when the app never used it."""

    created_at: str
    updated_at: str
    last_used: str | None


def listed_pages(table: ApiKeysTable, user: str | None) -> Iterator[list[ListedKey]]:
    """All rows, or those of one user (an e-mail address or a UUID), at most a thousand at a time.

    A page is sorted by user, provider and agent, agent 2 before agent 10. Raises what ApiKeysTable.user_id raises.
    """
    for page in table.pages(table.user_id(user)):
        yield sorted(map(_listed_key, page), key=listing_order)


def shown_key(row: StoredKey, key: str | None = None) -> ShownKey:
    """The row for people. A text that contains `key`, or looks like a key in the wrong place, is left out."""

    def safe(text: str | None) -> str:
        hidden = text is not None and (looks_like_key(text) or (key is not None and key in text))
        return "(looks like a key)" if hidden else text or ""

    texts = (safe(row.agent_name), safe(row.endpoint_id), safe(row.masked_key))
    return ShownKey(row.id, row.user_id, safe(row.provider), *texts)


def listing_order(key: ShownKey) -> tuple[object, ...]:
    """By user, provider and agent, agent 2 before agent 10."""
    words = tuple((int(word), "") if word.isdecimal() else (0, word) for word in _DIGITS.split(key.agent))
    return key.user_id, key.provider, words, key.endpoint_id, key.id


def _listed_key(row: StoredKey) -> ListedKey:
    shown = vars(shown_key(row))
    return ListedKey(**shown, created_at=row.created_at, updated_at=row.updated_at, last_used=row.last_used)
