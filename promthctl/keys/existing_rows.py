"""The rows of api_keys that a chunk of keys is compared with, read without holding all that there are.

A user's rows are read whole, and found by endpoint or by key too. A user of more than a thousand is not somebody whose
rows an app made one by one; of such a user just the rows of the chunk are read, by their ids.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from promthctl.api.client import ApiAccess, unexpected
from promthctl.keys.store import PAGE, explained

if TYPE_CHECKING:
    from supabase import Client

Row = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What a row is looked for by: the id it has if promthctl made it, and what an app's row would say."""

    user_id: str
    own_id: str
    endpoint_id: str
    key_hash: str


_COLUMNS = ("id", "user_id", "encrypted_key", "key_hash", "masked_key", "metadata")
_TEXTS = ("id", "user_id", "encrypted_key", "key_hash", "masked_key")
_NAMES = 100  # UUIDs in a request: 3,900 letters, as a line of 8 KB is what gateways take
_KEPT = 5000  # rows and users that are remembered between chunks


class Existing:
    """The rows of one provider's keys. `client` must hold the service key. settle: called before each request."""

    def __init__(self, access: ApiAccess, client: Client, provider: str, settle: Callable[[], None]) -> None:
        self._access = access
        self._client = client
        self._provider = provider
        self._settle = settle
        self._users: OrderedDict[str, _Rows] = OrderedDict()
        self._held = 0
        self._many: set[str] = set()

    def take(self, keys: Sequence[Wanted]) -> list[Row | None]:
        """The row of each key, None where there is none; no row is given twice.

        It is the row of its own id; else the user's oldest with that endpoint id in its metadata; else the oldest
        without an endpoint id that holds the same key (the app's form stores none).
        """
        users = dict.fromkeys(key.user_id for key in keys)
        self._read([user for user in users if user not in self._users and user not in self._many])
        own = self._by_id([key.own_id for key in keys if key.user_id in self._many])
        for key in keys:  # before any is found by its endpoint: that one might be the own row of a later key
            if key.user_id not in self._many and (row := self._users[key.user_id].by_id(key.own_id)):
                own[key.own_id] = row
        found = [
            own.get(key.own_id) or (None if key.user_id in self._many else self._users[key.user_id].like(key))
            for key in keys
        ]
        self._forget(users)
        return found

    def _read(self, users: Sequence[str]) -> None:
        for start in range(0, len(users), _NAMES):
            self._read_together(users[start : start + _NAMES])

    def _read_together(self, users: Sequence[str]) -> None:
        """All rows of these users with one request; where they are too many for it, of one half and of the other."""
        query = self._client.table("api_keys").select(*_COLUMNS, count="exact")  # type: ignore[arg-type]
        query = query.in_("user_id", users).eq("provider", self._provider)
        rows, number = self._answer(query.order("created_at").order("id").limit(PAGE))
        if number <= len(rows):
            theirs: dict[str, list[Row]] = {user: [] for user in users}
            for row in rows:
                theirs[row["user_id"]].append(row)
            self._users |= {user: _Rows(rows) for user, rows in theirs.items()}
            self._held += len(users) + len(rows)
        elif len(users) == 1:
            self._many.update(users)
        else:
            self._read_together(users[: len(users) // 2])
            self._read_together(users[len(users) // 2 :])

    def _by_id(self, ids: Sequence[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for start in range(0, len(ids), _NAMES):
            query = self._client.table("api_keys").select(*_COLUMNS).in_("id", ids[start : start + _NAMES])
            rows, _ = self._answer(query)
            found |= {row["id"]: row for row in rows}
        return found

    def _answer(self, query: Any) -> tuple[list[Row], int]:
        """The rows, and how many there are in all."""
        from postgrest.exceptions import APIError

        self._settle()
        try:
            answer = query.execute()
        except APIError as error:
            raise explained(self._access, error) or error from None
        rows = answer.data
        if not isinstance(rows, list) or not all(map(_is_row, rows)):
            raise unexpected(self._access, "it is not a list of rows")
        return rows, answer.count if answer.count is not None else len(rows)

    def _forget(self, recent: Collection[str]) -> None:
        """Keep what was used last; what is forgotten is read again when it is needed again."""
        for user in recent:
            if user in self._users:
                self._users.move_to_end(user)
        while self._held > _KEPT:
            _, rows = self._users.popitem(last=False)
            self._held -= 1 + rows.size


class _Rows:
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

    def like(self, key: Wanted) -> Row | None:
        for likeness in (("endpoint", key.endpoint_id), ("key", key.key_hash)):
            for row_id in self._like.get(likeness, ()):
                if row := self._rows.pop(row_id, None):
                    return row
        return None


def json_object(value: Any) -> Row:
    """The object that the column metadata holds; it can hold any other JSON value too, which counts as empty."""
    return value if isinstance(value, dict) else {}


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and "metadata" in row and all(isinstance(row.get(name), str) for name in _TEXTS)
