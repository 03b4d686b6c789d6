"""The rows of api_keys through PostgREST: read page by page, and changed only while they are as they were read.

An app may change a row at any moment. So a change is one request for one row, which names what the row held when it
was read; a bulk upsert would write a key back that was replaced meanwhile, or a row that was removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from promthctl.api.client import ApiAccess, connect, unexpected
from promthctl.errors import PromthctlError, TargetError
from promthctl.keys.users import find_user
from promthctl.steps import Advance

if TYPE_CHECKING:
    from postgrest.exceptions import APIError
    from supabase import Client

PAGE = 1000  # rows a request; more than that hosted projects do not send (max_rows of their API settings)
_IDS = 100  # a request: their 3,700 letters still fit into any server's line
_AT_ONCE = 8  # requests under way; more were not quicker on the local stack
_LONG, _RANDOM = 1000, 36  # letters of base64; iv and tag take 37
_COLUMNS = (
    "id", "user_id", "provider", "encrypted_key", "key_hash", "masked_key", "metadata",
    "last_used", "created_at", "updated_at",
)  # fmt: skip
# PostgREST's own codes (https://docs.postgrest.org/en/stable/references/errors.html) and PostgreSQL's SQLSTATEs.
_NO_TABLE = {"PGRST205", "42P01"}
_NO_COLUMN = {"PGRST204", "42703"}
_NOT_ALLOWED = "42501"


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
class Store:
    """The table behind an API; made by `opened`."""

    access: ApiAccess
    client: Client

    def pages(self, user_id: str | None = None) -> Iterator[list[StoredKey]]:
        """All rows, or one user's, by user and id, at most PAGE at a time; rows that come and go disturb nothing."""
        last: StoredKey | None = None
        while page := self._page(user_id, last):
            yield page
            last = page[-1]

    def change(
        self, changes: Sequence[tuple[StoredKey, Mapping[str, str]]], advance: Advance = lambda number: None
    ) -> int:
        """Set columns of rows, by column name; how many of the rows still held the key they were read with.

        All others are left alone. Killed meanwhile, each row is changed or not. advance: called as they are.
        """
        changed = 0
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for number in pool.map(lambda change: self._change(*change), changes):
                changed += number
                advance(number)
        return changed

    def remove(self, rows: Iterable[StoredKey]) -> int:
        """Delete the rows; how many of them were still there."""
        ids = [row.id for row in rows]
        removed = 0
        for start in range(0, len(ids), _IDS):
            query = self.client.table("api_keys").delete().in_("id", ids[start : start + _IDS])
            removed += len(self._answer(query))
        return removed

    def _page(self, user_id: str | None, last: StoredKey | None) -> list[StoredKey]:
        query = self.client.table("api_keys").select(*_COLUMNS).order("user_id").order("id").limit(PAGE)
        query = query.retry(last is not None)  # who did not answer at all is not waited for; the rest of many rows is
        if user_id is not None:
            query = query.eq("user_id", user_id)
        if last is not None:
            # The first condition says nothing new: it is what the index on user_id can be searched by.
            query = query.gte("user_id", last.user_id).or_(
                f"user_id.gt.{last.user_id},and(user_id.eq.{last.user_id},id.gt.{last.id})"
            )
        try:
            return [StoredKey(**{name: row[name] for name in _COLUMNS}) for row in self._answer(query)]
        except (KeyError, TypeError):
            raise unexpected(self.access, "it is not a list of rows") from None

    def _change(self, row: StoredKey, columns: Mapping[str, str]) -> int:
        query = self.client.table("api_keys").update(dict(columns)).eq("id", row.id)
        token = row.encrypted_key
        if len(token) > _LONG:  # a URL cannot hold it, and its random beginning tells it from any other
            query = query.like("encrypted_key", f"{token[:_RANDOM]}*")
        else:
            query = query.eq("encrypted_key", token)
        return len(self._answer(query))

    def _answer(self, query: Any) -> list[Any]:
        from postgrest.exceptions import APIError

        try:
            rows = query.execute().data
        except APIError as error:
            raise explained(self.access, error) or error from None
        if not isinstance(rows, list):
            raise unexpected(self.access, "it is not a list of rows")
        return rows


@contextmanager
def opened(access: ApiAccess) -> Iterator[Store]:
    """The table behind that API. Inside the block, raises what promthctl.api_access.connect raises."""
    with connect(access, access.service_key) as client:
        yield Store(access, client)


def owner(store: Store, wanted: str | None) -> str | None:
    """The id of the user with that e-mail address or UUID; None for all users.

    Raises UsageError for what is neither, or looks like a key, PromthctlError when there is no such user.
    """
    if wanted is None:
        return None
    return find_user(store.client, wanted).id


def explained(access: ApiAccess, error: APIError) -> PromthctlError | None:
    """The error in promthctl's words; only its code is used, since its details can quote the row."""
    code = error.code or ""
    if code in _NO_TABLE | _NO_COLUMN:
        missing = "the table api_keys" if code in _NO_TABLE else "a column of api_keys (metadata comes with 003)"
        return PromthctlError(
            "The database is not ready for the keys",
            f"it does not have {missing}: its migrations are not all applied",
            "promthctl local up" if access.is_local else "promthctl push --project-ref REF, then run again",
        )
    if code == _NOT_ALLOWED:
        return TargetError(
            f"The API at {access.url} does not let this key change api_keys",
            "it is not the service key, or the table's grants are missing",
            "set SUPABASE_SERVICE_ROLE_KEY to the service_role (or secret) key; promthctl verify checks the grants",
        )
    return None
