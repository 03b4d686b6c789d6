"""The rows of api_keys that a chunk of keys is compared with, read without holding the whole table in memory.

All rows of a user are read, and found by id, endpoint or key. The rows of a user who has more than a thousand were not
made one by one in an app; of those only the rows of the chunk are read, by their ids.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from promthctl.api.client import ApiConnection, unexpected_answer
from promthctl.keys.api_keys_table import IDS, NAME, PAGE

Row = dict[str, Any]


@dataclass(frozen=True)
class WantedRow:
    """What a row is found by: own_id, its id if promthctl made it, and the values that an app's row would have."""

    user_id: str
    own_id: str
    endpoint_id: str
    key_hash: str


_COLUMNS = ("id", "user_id", "encrypted_key", "key_hash", "masked_key", "metadata")
_TEXTS = ("id", "user_id", "encrypted_key", "key_hash", "masked_key")
_KEPT = 5000  # rows and users that are remembered between chunks


class ExistingRows:
    """The rows of one provider's keys. before_request: called before each request."""

    def __init__(self, api: ApiConnection, provider: str, before_request: Callable[[], None]) -> None:
        self._api = api
        self._provider = provider
        self._before_request = before_request
        self._users: OrderedDict[str, _UserRows] = OrderedDict()
        self._held = 0
        self._many: set[str] = set()

    def take_rows(self, keys: Sequence[WantedRow]) -> list[Row | None]:
        """The row of each key, None where there is none; no row is given twice.

        It is the row of its own id; otherwise the user's oldest with that endpoint id in its metadata; otherwise the
        oldest without an endpoint id that holds the same key (the app's form stores none).
        """
        users = dict.fromkeys(key.user_id for key in keys)
        self._read_users([user for user in users if user not in self._users and user not in self._many])
        own = self._by_id([key.own_id for key in keys if key.user_id in self._many])
        for key in keys:  # before any is found by its endpoint: that row might be the own row of a later key
            if key.user_id not in self._many and (row := self._users[key.user_id].by_id(key.own_id)):
                own[key.own_id] = row
        found = [
            own.get(key.own_id) or (None if key.user_id in self._many else self._users[key.user_id].like(key))
            for key in keys
        ]
        self._forget(users)
        return found

    def _read_users(self, users: Sequence[str]) -> None:
        for start in range(0, len(users), IDS):
            self._read_together(users[start : start + IDS])

    def _read_together(self, users: Sequence[str]) -> None:
        """All rows of these users with one request; if there are too many for it, of each half of the users."""
        query = self._api.client.table(NAME).select(*_COLUMNS, count="exact")  # type: ignore[arg-type]
        query = query.in_("user_id", users).eq("provider", self._provider)
        rows, number = self._answer(query.order("created_at").order("id").limit(PAGE))
        if number <= len(rows):
            theirs: dict[str, list[Row]] = {user: [] for user in users}
            for row in rows:
                theirs[row["user_id"]].append(row)
            self._users |= {user: _UserRows(rows) for user, rows in theirs.items()}
            self._held += len(users) + len(rows)
        elif len(users) == 1:
            self._many.update(users)
        else:
            self._read_together(users[: len(users) // 2])
            self._read_together(users[len(users) // 2 :])

    def _by_id(self, ids: Sequence[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for start in range(0, len(ids), IDS):
            query = self._api.client.table(NAME).select(*_COLUMNS).in_("id", ids[start : start + IDS])
            rows, _ = self._answer(query)
            found |= {row["id"]: row for row in rows}
        return found

    def _answer(self, query: Any) -> tuple[list[Row], int]:
        """The rows, and how many there are in all."""
        self._before_request()
        answer = query.execute()
        rows = answer.data
        if not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise unexpected_answer(self._api.access, "it is not a list of rows")
        return rows, answer.count if answer.count is not None else len(rows)

    def _forget(self, recent: Collection[str]) -> None:
        """Keep what was used last; the rest is read again when it is needed again."""
        for user in recent:
            if user in self._users:
                self._users.move_to_end(user)
        while self._held > _KEPT:
            _, rows = self._users.popitem(last=False)
            self._held -= 1 + rows.size


class _UserRows:
    """A user's rows, oldest first; each is given once."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.size = len(rows)
        self._rows = {row["id"]: row for row in rows}
        self._like: dict[tuple[str, Any], list[str]] = {}
        for row in rows:
            endpoint = json_object(row["metadata"]).get("endpoint_id")
            likeness = ("endpoint", str(endpoint)) if endpoint else ("key", row["key_hash"])
            self._like.setdefault(likeness, []).append(row["id"])

    def by_id(self, own_id: str) -> Row | None:
        return self._rows.pop(own_id, None)

    def like(self, key: WantedRow) -> Row | None:
        for likeness in (("endpoint", key.endpoint_id), ("key", key.key_hash)):
            for row_id in self._like.get(likeness, ()):
                if row := self._rows.pop(row_id, None):
                    return row
        return None


def json_object(value: Any) -> Row:
    """The object in the column metadata; any other JSON value that it can hold counts as an empty object."""
    return value if isinstance(value, dict) else {}


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and "metadata" in row and all(isinstance(row.get(name), str) for name in _TEXTS)
