"""Store keys as rows of api_keys, through supabase-py over HTTP with the service key.

A row's id is UUIDv5(NAMESPACE, "<user id>/<provider>/<endpoint id>"), the user id in lower case with hyphens, where
NAMESPACE is UUIDv5(DNS namespace, "api-keys.promthctl"); so seeding again finds its own rows. A row that the app or
an SQL script made before, under an id of its own, is adopted rather than doubled (promthctl.keys.existing).
Rows of endpoints that are not among the keys are left alone.

The keys go in chunks: what is there is read, and one upsert writes what is new or different, all of it or nothing; with
nothing different none writes. While a chunk is on its way the next one is encrypted. Interrupted, the next run goes on
where this one ended, since it finds the rows that are there already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Literal
from uuid import NAMESPACE_DNS, uuid5

from promthctl.api.client import ApiAccess, connect
from promthctl.errors import PromthctlError, UsageError
from promthctl.keys.batch import Batch
from promthctl.keys.encryption import DecryptionError, decrypt, derive_key, encrypt, key_hash, masked_key
from promthctl.keys.existing import Existing, Row, Wanted, json_object
from promthctl.keys.key import Key
from promthctl.keys.store import explained
from promthctl.keys.users import DEV_EMAIL, User, find_user
from promthctl.steps import Steps

if TYPE_CHECKING:
    from postgrest.exceptions import APIError
    from supabase import Client

NAMESPACE = uuid5(NAMESPACE_DNS, "api-keys.promthctl")
LISTED = 100  # keys; of more than these only the numbers are told
CHUNK = 500  # keys; about 250 KB

# PostgreSQL's SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_FOREIGN_KEY = "23503"
# Classes 22, 23 and P0 (a trigger's raise); SUP is Supabase Lite's word for a SQLSTATE it does not know (0.10.0).
_DATA_REFUSED = ("22", "23", "P0", "SUP")

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

    user_id, user_email: of the one user whose keys they are, both None when there are several; user_id None also in a
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


def seed(
    access: ApiAccess,
    batch: Batch,
    secret: str,
    user: str | None,
    default: User | None,
    *,
    dry_run: bool,
    steps: Steps,
    approve: Callable[[], None] = lambda: None,
) -> SeedResult:
    """Make the users' rows say what the keys say.

    batch: from promthctl.keys.batch.checked. secret: the value of ENCRYPTION_SECRET. user: an e-mail or a UUID, whose
    the keys are that the batch assigns to nobody; None for `default`. dry_run: read only; without any user even that is
    not needed. approve: called before the first row is written, to raise what stops that.
    Raises PrerequisiteError without a secret, UsageError without a user, TargetError when the API cannot be reached
    or refuses the service key, PromthctlError for an unknown user, missing migrations or a violated constraint.
    """
    derive_key(secret)  # nothing is asked of the API before the secret is known to be usable
    if batch.unassigned and user is None and default is None and not dry_run:
        raise UsageError(
            "There is no user to store the keys for",
            "only the local stack has a development user of its own",
            f"{batch.provider.command} --user name@example.com",
        )
    if batch.unassigned == batch.count and user is None and default is None:
        return _Seeding(batch, secret, None).run(steps)
    with connect(access, access.service_key) as client, ThreadPoolExecutor(1) as writer:
        batch.resolve(client, find_user(client, user) if user is not None and batch.unassigned else default)
        if not dry_run:
            approve()
        return _Seeding(batch, secret, _Table(access, client, writer, batch.provider.name, dry_run)).run(steps)


def row_id(user_id: str, provider: str, endpoint_id: str) -> str:
    """The id of that endpoint's row, as the module's description defines it."""
    return str(uuid5(NAMESPACE, f"{user_id.lower()}/{provider}/{endpoint_id}"))


class _Table:
    """What is there, and the way to change it: one write at a time is under way, and none while anything is read."""

    def __init__(self, access: ApiAccess, client: Client, writer: Executor, provider: str, dry_run: bool) -> None:
        self.existing = Existing(access, client, provider, self.settle)
        self.dry_run = dry_run
        self._access = access
        self._client = client
        self._writer = writer
        self._under_way: Future[None] | None = None
        self._written = 0

    def write(self, rows: list[Row], owners: set[User]) -> None:
        """Begin to insert or replace rows by their ids, all of them or none; the write before has ended then.

        Raises what storing the rows before raised.
        """
        self.settle()
        if rows and not self.dry_run:
            self._under_way = self._writer.submit(self._write, rows, owners)

    def settle(self) -> None:
        """Wait for the write that is under way. Raises what it raised."""
        if (write := self._under_way) is not None:
            self._under_way = None
            write.result()

    def _write(self, rows: list[Row], owners: set[User]) -> None:
        from postgrest.exceptions import APIError
        from postgrest.types import ReturnMethod

        try:
            self._client.table("api_keys").upsert(rows, on_conflict="id", returning=ReturnMethod.minimal).execute()
        except APIError as error:
            raise explained(self._access, error) or self._refused(error, owners) or error from None
        self._written += len(rows)

    def _refused(self, error: APIError, owners: set[User]) -> PromthctlError | None:
        """Only the error's code is used, since its details can quote the row."""
        code = error.code or ""
        before = f"the {self._written:,} rows before were stored" if self._written else "no row was changed"
        if code == _FOREIGN_KEY:
            names = [owner.email or owner.id for owner in owners]
            whose = names[0] if len(names) == 1 else f"{len(names)} users"
            return PromthctlError(
                f"The keys of {whose} were not stored",
                f"{'the user was' if len(names) == 1 else 'one of them was'} deleted in the meantime; {before}",
                "choose another user with --user" if len(names) == 1 else "run it again, which names the user",
            )
        if code.startswith(_DATA_REFUSED):
            local = self._access.is_local
            return PromthctlError(
                "The keys were not stored",
                f"a rule of the table api_keys refuses them (code {code}); {before}",
                "promthctl local logs postgres names it" if local else "compare the table with the migrations",
            )
        return None


class _Seeding:
    """One run. table: None where there is no user yet, so that every key is new."""

    def __init__(self, batch: Batch, secret: str, table: _Table | None) -> None:
        self._batch = batch
        self._secret = secret
        self._table = table
        self._numbers: Counter[State] = Counter()
        self._listed: list[SeededKey] = []

    def run(self, steps: Steps) -> SeedResult:
        batch, keys = self._batch, iter(self._batch)
        title = f"{'Comparing' if self._dry_run else 'Storing'} the {batch.provider.title} keys"
        with steps.progress(title, batch.count) if batch.count > LISTED else nullcontext(_unseen) as advance:
            while chunk := list(islice(keys, CHUNK)):
                self._store(chunk)
                advance(len(chunk))
            if self._table:
                self._table.settle()
        only = batch.owners(2)
        owner = only[0] if len(only) == 1 else None
        return SeedResult(
            provider=batch.provider.name,
            user_id=owner.id if owner else None,
            user_email=owner.email if owner else None if only else DEV_EMAIL,
            users=batch.users,
            dry_run=self._dry_run,
            created=self._numbers["created"],
            updated=self._numbers["updated"],
            unchanged=self._numbers["unchanged"],
            agents=tuple(self._listed),
        )

    @property
    def _dry_run(self) -> bool:
        return self._table is None or self._table.dry_run

    def _store(self, keys: Sequence[Key]) -> None:
        """Bring the keys' rows up to them, with one upsert."""
        owners = [self._batch.owner(key) for key in keys]
        rows, states = self._rows([(key, owner) for key, owner in zip(keys, owners, strict=True) if owner])
        if self._table:
            self._table.write(rows, {owner for owner in owners if owner})
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
            Wanted(owner.id, row_id(owner.id, provider, key.endpoint_id), key.endpoint_id, key_hash(key.api_key))
            for key, owner in keys
        ]
        present = self._table.existing.take(wanted) if self._table else [None] * len(wanted)
        rows, states = [], []
        for (key, _), want, found in zip(keys, wanted, present, strict=True):
            state, row = self._row(key, want, found)
            states.append(state)
            if state != "unchanged":
                rows.append(row)
        return rows, iter(states)

    def _row(self, key: Key, wanted: Wanted, found: Row | None) -> tuple[State, Row]:
        """The row as it should be, and how that differs from the one found."""
        row = {
            "id": wanted.own_id if found is None else found["id"],
            "user_id": wanted.user_id,
            "provider": self._batch.provider.name,
            "key_hash": wanted.key_hash,
            "masked_key": masked_key(key.api_key),
            "metadata": _metadata(key, json_object(found["metadata"]) if found else {}),
        }
        if found and _holds(found["encrypted_key"], key.api_key, self._secret):
            row["encrypted_key"] = found["encrypted_key"]
            same = all(found[name] == row[name] for name in ("key_hash", "masked_key", "metadata"))
            return "unchanged" if same else "updated", row
        row["encrypted_key"] = encrypt(key.api_key, self._secret)
        return "updated" if found else "created", row


def _metadata(key: Key, present: Row) -> Row:
    """What the app reads of an agent; entries it added itself stay, and so does a description the keys do not give."""
    description = present.get("description", "") if key.description is None else key.description
    return {
        **present,
        "endpoint_id": key.endpoint_id,
        "agent_name": key.name,
        "description": description,
        "base_url": key.base_url,
    }


def _holds(token: str, key: str, secret: str) -> bool:
    try:
        return decrypt(token, secret) == key
    except DecryptionError:
        return False


def _unseen(_: int) -> None:
    """Nobody watches what takes no time."""
