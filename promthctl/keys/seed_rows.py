"""Keys become rows of api_keys: compared with the rows that exist, encrypted and written.

A row's id is UUIDv5(NAMESPACE, "<user id>/<provider>/<endpoint id>"), the user id in lower case with hyphens, where
NAMESPACE is UUIDv5(DNS namespace, "api-keys.promthctl"); so seeding again finds its own rows. A row that the app or
an SQL script made before, under an id of its own, is adopted, not duplicated (promthctl.keys.existing_rows).
Rows of endpoints that are not among the keys are left alone.

Keys are stored in chunks: the existing rows are read, and one upsert writes those that are new or different, all of
them or none; without a difference nothing is written. While a chunk is being written the next one is encrypted. After
an interruption the next run continues where this one ended, since it finds the rows that exist.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal
from uuid import NAMESPACE_DNS, uuid5

from promthctl.api.client import FOREIGN_KEY_VIOLATION, ApiConnection, data_refused, from_database
from promthctl.errors import PromthctlError, TargetError
from promthctl.keys.api_keys_table import NAME
from promthctl.keys.encryption import decrypt_or_none, encrypt, key_hash, masked_key
from promthctl.keys.existing_rows import ExistingRows, Row, WantedRow, json_object
from promthctl.keys.key import Key
from promthctl.keys.key_batch import KeyBatch
from promthctl.keys.users import DEV_EMAIL, User
from promthctl.steps import Steps

if TYPE_CHECKING:
    pass

NAMESPACE = uuid5(NAMESPACE_DNS, "api-keys.promthctl")
LISTED = 100  # keys; of more than these only the numbers are reported
CHUNK = 500  # keys; about 250 KB

State = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True)
class SeededKey:
    """One key's row, and what became of it (or would, in a dry run). number: the agent's, None where it has none."""

    number: int | None
    name: str
    endpoint_id: str
    user: str
    masked_key: str
    state: State


@dataclass(frozen=True)
class SeedResult:
    """What seeding did; in a dry run what it would do.

    user_id, user_email: of the one user who owns the keys, both None when there are several; user_id None also in a
    dry run before the development user exists. created, updated, unchanged: numbers of rows. agents: each of them, in
    the order of the source; empty for more than a hundred.
    """

    provider: str
    user_id: str | None
    user_email: str | None
    users: int
    dry_run: bool
    created: int
    updated: int
    unchanged: int
    agents: tuple[SeededKey, ...]


def store_batch(api: ApiConnection, batch: KeyBatch, secret: str, *, dry_run: bool, steps: Steps) -> SeedResult:
    """Make the rows of the batch's users match its keys; the users are identified. dry_run: only read.

    Raises PromthctlError when a user was deleted meanwhile or a rule of the table refuses the rows; those of earlier
    chunks are stored then. Raises what `connect` raises, with what is known to be stored.
    """
    with ThreadPoolExecutor(1) as pool:
        writer = _RowWriter(api, pool)
        existing = ExistingRows(api, batch.provider.name, writer.wait)
        try:
            with api.translating():
                return _BatchRows(batch, secret, existing, None if dry_run else writer).store(steps)
        except TargetError as error:
            if state := writer.state:
                again = "then run the same command again"
                hint = error.hint if again in error.hint else f"{error.hint}, {again}"
                raise TargetError(
                    error.what, f"{error.why}; {state}", f"{hint}: rows that are stored are left alone"
                ) from None
            raise


def compare_with_nothing(batch: KeyBatch, secret: str, steps: Steps) -> SeedResult:
    """A dry run before any of the users exists: every key is new."""
    return _BatchRows(batch, secret, None, None).store(steps)


def row_id(user_id: str, provider: str, endpoint_id: str) -> str:
    """The id of that endpoint's row, as the module's description defines it."""
    return str(uuid5(NAMESPACE, f"{user_id.lower()}/{provider}/{endpoint_id}"))


class _RowWriter:
    """Writes rows in the background: one write at a time, and none while anything is read."""

    def __init__(self, api: ApiConnection, pool: Executor) -> None:
        self._api = api
        self._pool = pool
        self._under_way: Future[None] | None = None
        self._written = 0
        self._asked = 0  # rows of which no answer has come

    @property
    def state(self) -> str:
        """What is stored, as a clause; empty for nothing, where that is known."""
        done = f"{self._written:,} rows were stored" if self._written else ""
        unknown = (
            f"whether {self._asked:,} {'more' if done else 'rows'} were stored is not known" if self._asked else ""
        )
        return ", ".join(filter(None, [done, unknown]))

    def write(self, rows: list[Row], owners: set[User]) -> None:
        """Begin to insert or replace rows by their ids, all of them or none, once the previous write has ended.

        Raises what the previous write raised.
        """
        self.wait()
        if rows:
            self._under_way = self._pool.submit(self._write, rows, owners)

    def wait(self) -> None:
        """Wait for the write that is under way. Raises what it raised."""
        if (write := self._under_way) is not None:
            self._under_way = None
            write.result()

    def _write(self, rows: list[Row], owners: set[User]) -> None:
        from postgrest.exceptions import APIError
        from postgrest.types import ReturnMethod

        self._asked = len(rows)
        try:
            self._api.client.table(NAME).upsert(rows, on_conflict="id", returning=ReturnMethod.minimal).execute()
        except APIError as error:
            if from_database(error):
                self._asked = 0
            if not data_refused(error):
                raise
            raise self._refused(error.code or "", owners) from None
        self._asked = 0
        self._written += len(rows)

    def _refused(self, code: str, owners: set[User]) -> PromthctlError:
        before = f"the {self._written:,} rows before were stored" if self._written else "no row was changed"
        if code == FOREIGN_KEY_VIOLATION:
            names = [owner.email or owner.id for owner in owners]
            whose = names[0] if len(names) == 1 else f"{len(names)} users"
            return PromthctlError(
                f"The keys of {whose} were not stored",
                f"{'the user was' if len(names) == 1 else 'one of them was'} deleted in the meantime; {before}",
                "choose another user with --user" if len(names) == 1 else "run it again, which names the user",
            )
        local = self._api.access.of_stack
        return PromthctlError(
            "The keys were not stored",
            f"a rule of the table api_keys refuses them (code {code}); {before}",
            "promthctl local logs postgres names it" if local else "compare the table with the migrations",
        )


class _BatchRows:
    """The rows of a batch. existing: None where there is no user yet. writer: None in a dry run."""

    def __init__(self, batch: KeyBatch, secret: str, existing: ExistingRows | None, writer: _RowWriter | None) -> None:
        self._batch = batch
        self._secret = secret
        self._existing = existing
        self._writer = writer
        self._numbers: Counter[State] = Counter()
        self._listed: list[SeededKey] = []

    def store(self, steps: Steps) -> SeedResult:
        batch, keys = self._batch, iter(self._batch)
        title = f"{'Storing' if self._writer else 'Comparing'} the {batch.provider.title} keys"
        with steps.progress(title, batch.count) if batch.count > LISTED else nullcontext(_ignore) as advance:
            while chunk := list(islice(keys, CHUNK)):
                self._store_chunk(chunk)
                advance(len(chunk))
            if self._writer:
                self._writer.wait()
        only = batch.owners(2)
        owner = only[0] if len(only) == 1 else None
        return SeedResult(
            provider=batch.provider.name,
            user_id=owner.id if owner else None,
            user_email=owner.email if owner else None if only else DEV_EMAIL,
            users=batch.users,
            dry_run=self._writer is None,
            created=self._numbers["created"],
            updated=self._numbers["updated"],
            unchanged=self._numbers["unchanged"],
            agents=tuple(self._listed),
        )

    def _store_chunk(self, keys: Sequence[Key]) -> None:
        """Make the keys' rows match them, with one upsert."""
        owners = [self._batch.owner(key) for key in keys]
        rows, states = self._rows([(key, owner) for key, owner in zip(keys, owners, strict=True) if owner])
        if self._writer:
            self._writer.write(rows, {owner for owner in owners if owner})
        for key, owner in zip(keys, owners, strict=True):
            state = next(states) if owner else "created"
            self._numbers[state] += 1
            if self._batch.count <= LISTED:
                whose = owner.email or owner.id if owner else DEV_EMAIL
                mask = masked_key(key.api_key)
                self._listed.append(SeededKey(key.number, key.name, key.endpoint_id, whose, mask, state))

    def _rows(self, keys: Sequence[tuple[Key, User]]) -> tuple[list[Row], Iterator[State]]:
        """The rows that are new or different, and the state of each key."""
        provider = self._batch.provider.name
        wanted = [
            WantedRow(owner.id, row_id(owner.id, provider, key.endpoint_id), key.endpoint_id, key_hash(key.api_key))
            for key, owner in keys
        ]
        present = self._existing.take_rows(wanted) if self._existing else [None] * len(wanted)
        rows, states = [], []
        for (key, _), want, found in zip(keys, wanted, present, strict=True):
            state, row = self._row(key, want, found)
            states.append(state)
            if state != "unchanged":
                rows.append(row)
        return rows, iter(states)

    def _row(self, key: Key, wanted: WantedRow, found: Row | None) -> tuple[State, Row]:
        """The row as it should be, and how that differs from the one found."""
        row = {
            "id": wanted.own_id if found is None else found["id"],
            "user_id": wanted.user_id,
            "provider": self._batch.provider.name,
            "key_hash": wanted.key_hash,
            "masked_key": masked_key(key.api_key),
            "metadata": _metadata(key, json_object(found["metadata"]) if found else {}),
        }
        if found and decrypt_or_none(found["encrypted_key"], self._secret) == key.api_key:
            row["encrypted_key"] = found["encrypted_key"]
            same = all(found[name] == row[name] for name in ("key_hash", "masked_key", "metadata"))
            return "unchanged" if same else "updated", row
        row["encrypted_key"] = encrypt(key.api_key, self._secret)
        return "updated" if found else "created", row


def _metadata(key: Key, present: Row) -> Row:
    """What the app reads about an agent; members that it added stay, and a description that the key does not give."""
    description = present.get("description", "") if key.description is None else key.description
    return {
        **present,
        "endpoint_id": key.endpoint_id,
        "agent_name": key.name,
        "description": description,
        "base_url": key.base_url,
    }


def _ignore(_: int) -> None:
    """Work that takes no time reports no progress."""
