"""The table api_keys, through PostgREST: rows are read page by page, and changed only while they are as they were read.

An app may change a row at any moment. So a change is one request for one row, which names what the row held when it
was read; a bulk upsert would undo the app's change of a key in the meantime, or bring a removed row back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from promthctl.api.client import ApiConnection, connect, unexpected_answer
from promthctl.keys.users import find_user
from promthctl.resolve.api import ApiTarget
from promthctl.steps import Advance

NAME = "api_keys"
PAGE = 1000  # rows per request; hosted projects send no more (max_rows in their API settings)
IDS = 100  # UUIDs per request: 3,900 characters, as gateways accept URLs of 8 KB
_CONCURRENT = 8  # requests; more were not quicker on the local stack
_LONG, _RANDOM = 1000, 36  # characters of base64; iv and tag take 37
_COLUMNS = (
    "id", "user_id", "provider", "encrypted_key", "key_hash", "masked_key", "metadata",
    "last_used", "created_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True)
class StoredKey:
    """A row. Times are ISO 8601 as PostgREST writes them, last_used None for never; metadata any JSON value."""

    id: str
    user_id: str
    provider: str
    encrypted_key: str = field(repr=False)
    key_hash: str = field(repr=False)
    masked_key: str
    metadata: Any
    last_used: str | None
    created_at: str
    updated_at: str

    @property
    def endpoint_id(self) -> str | None:
        return self._text("endpoint_id")

    @property
    def agent_name(self) -> str | None:
        return self._text("agent_name")

    def _text(self, name: str) -> str | None:
        value = self.metadata.get(name) if isinstance(self.metadata, dict) else None
        return value if isinstance(value, str) and value else None


@dataclass(frozen=True)
class ApiKeysTable:
    """The table of a target, over one connection to its API; made by `open_table`."""

    target: ApiTarget
    api: ApiConnection

    def pages(self, user_id: str | None = None) -> Iterator[list[StoredKey]]:
        """All rows, or one user's, by user and id, at most PAGE at a time; rows may come and go meanwhile."""
        last: StoredKey | None = None
        while page := self._page(user_id, last):
            yield page
            last = page[-1]

    def change(
        self, changes: Sequence[tuple[StoredKey, Mapping[str, str]]], advance: Advance = lambda number, detail="": None
    ) -> int:
        """Set columns of rows, by column name; how many of the rows still held the key they were read with.

        All others are left alone. If it is killed, each row is either changed or not. advance: called after each row.
        """
        changed = 0
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            for number in pool.map(lambda change: self._change(*change), changes):
                changed += number
                advance(number)
        return changed

    def remove(self, rows: Iterable[StoredKey]) -> int:
        """Delete the rows; how many of them were still there."""
        ids = [row.id for row in rows]
        removed = 0
        for start in range(0, len(ids), IDS):
            query = self.api.client.table(NAME).delete().in_("id", ids[start : start + IDS])
            removed += len(self._rows(query))
        return removed

    def user_id(self, user: str | None) -> str | None:
        """The id of the user with that e-mail address or UUID; None, for all users, where None is given.

        Raises UsageError for what is neither, or looks like a key, PromthctlError when there is no such user.
        """
        return None if user is None else find_user(self.api.client, user).id

    def _page(self, user_id: str | None, last: StoredKey | None) -> list[StoredKey]:
        query = self.api.client.table(NAME).select(*_COLUMNS).order("user_id").order("id").limit(PAGE)
        query = query.retry(last is not None)  # an API that never answered is not waited for
        if user_id is not None:
            query = query.eq("user_id", user_id)
        if last is not None:
            # The first condition is redundant: it lets the index on user_id be used.
            query = query.gte("user_id", last.user_id).or_(
                f"user_id.gt.{last.user_id},and(user_id.eq.{last.user_id},id.gt.{last.id})"
            )
        try:
            return [StoredKey(**{name: row[name] for name in _COLUMNS}) for row in self._rows(query)]
        except (KeyError, TypeError):
            raise unexpected_answer(self.target.access, "it is not a list of rows") from None

    def _change(self, row: StoredKey, columns: Mapping[str, str]) -> int:
        query = self.api.client.table(NAME).update(dict(columns)).eq("id", row.id)
        token = row.encrypted_key
        if len(token) > _LONG:  # too long for a URL, and its random beginning is unique
            query = query.like("encrypted_key", f"{token[:_RANDOM]}*")
        else:
            query = query.eq("encrypted_key", token)
        return len(self._rows(query))

    def _rows(self, query: Any) -> list[Any]:
        rows = query.execute().data
        if not isinstance(rows, list):
            raise unexpected_answer(self.target.access, "it is not a list of rows")
        return rows


@contextmanager
def open_table(target: ApiTarget) -> Iterator[ApiKeysTable]:
    """The table of that target, closed on leaving. Inside the block, raises what api.client.connect raises."""
    with connect(target.access) as api:
        yield ApiKeysTable(target, api)
