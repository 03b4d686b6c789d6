"""What is stored, without a key: the rows of api_keys as people want to see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from promthctl.api.client import ApiAccess
from promthctl.keys.shown import ShownKey, order, shown
from promthctl.keys.store import StoredKey, opened, owner


@dataclass(frozen=True)
class ListedKey(ShownKey):
    """Times are ISO 8601; last_used None when the app never used it."""

    created_at: str
    updated_at: str
    last_used: str | None


def pages(access: ApiAccess, user: str | None) -> Iterator[list[ListedKey]]:
    """All rows, or those of one user (an e-mail address or a UUID), a thousand at most at a time.

    A page is by user, provider and agent, agent 2 before agent 10. Raises what promthctl.keys.store raises.
    """
    with opened(access) as store:
        for page in store.pages(owner(store, user)):
            listed = [ListedKey(**vars(shown(row)), **_times(row)) for row in page]
            yield sorted(listed, key=order)


def _times(row: StoredKey) -> dict[str, Any]:
    return {"created_at": row.created_at, "updated_at": row.updated_at, "last_used": row.last_used}
