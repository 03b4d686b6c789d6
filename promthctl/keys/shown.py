"""A stored key as people may see it: its mask, its names and its row, never the key."""

from __future__ import annotations

import re
from dataclasses import dataclass

from promthctl.keys.pasted import looks_like_key
from promthctl.keys.store import StoredKey

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


def shown(row: StoredKey, key: str | None = None) -> ShownKey:
    """The row for people. A text that holds `key`, or looks like one that was stored in a wrong place, is left out."""

    def safe(text: str | None) -> str:
        hidden = text is not None and (looks_like_key(text) or (key is not None and key in text))
        return "(looks like a key)" if hidden else text or ""

    texts = (safe(row.agent_name), safe(row.endpoint_id), safe(row.masked_key))
    return ShownKey(row.id, row.user_id, safe(row.provider), *texts)


def order(key: ShownKey) -> tuple[object, ...]:
    """By user, provider and agent, agent 2 before agent 10."""
    words = tuple((int(word), "") if word.isdecimal() else (0, word) for word in _DIGITS.split(key.agent))
    return key.user_id, key.provider, words, key.endpoint_id, key.id
