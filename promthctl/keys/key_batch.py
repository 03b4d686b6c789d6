"""All keys of a source, checked before the first of them is stored, in memory that does not grow with their number.

Of more than ten thousand keys none is kept: the source is read again to store them. To find two keys for the same
endpoint of a user, a digest of each endpoint id is remembered in a temporary, unnamed database. SQLite keeps a few
megabytes of it in memory and the rest in a file that is gone when promthctl ends, however it ends.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING

from promthctl.errors import PromthctlError, UsageError
from promthctl.keys.key import Key, KeyList, KeySource, check_key, looks_unusual
from promthctl.keys.providers import Provider
from promthctl.keys.users import User, each_user, user_by_id
from promthctl.redact import remember_briefly
from promthctl.steps import Steps, Update

if TYPE_CHECKING:
    from supabase import Client

_BY_ID = 50  # users that are asked for one by one; for more, reading the whole list takes fewer requests
_CACHED = 1000  # users
_REPORTED = 10_000  # keys between two updates of the progress
_KEPT_KEYS = 10_000  # of more keys none is kept
_KEPT_CHARACTERS = 4_000_000  # of all their texts

# Person 0 owns the keys for which the source does not name a user.
_TABLES = """
    pragma journal_mode = off;
    create table people (person integer primary key, name text unique, place text, id text, email text);
    create table endpoints (person integer, endpoint blob, place text, primary key (person, endpoint)) without rowid;
    create view unknown as select person, name, place from people where id is null and person > 0;
    insert into people values (0, null, '--user', null, null);
"""


class KeyBatch:
    """count: of all keys. unassigned: of those for which the source does not name a user. warnings: sentences."""

    def __init__(self, source: KeySource, provider: Provider, ledger: sqlite3.Connection) -> None:
        self.provider = provider
        self.count = 0
        self.unassigned = 0
        self.warnings = tuple(source.warnings)
        self._source = source
        self._ledger = ledger
        self._kept: list[Key] | None = []  # the keys that were checked; None when they are read again
        self._kept_characters = 0
        self._place = ""  # of the user that is being read
        self._person = lru_cache(_CACHED)(self._find_person)
        self._owner = lru_cache(_CACHED)(self._find_owner)

    def __iter__(self) -> Iterator[Key]:
        """The keys that were checked; many of them are read and checked again, as a file may have changed since."""
        if self._kept is not None:
            for key in self._kept:
                remember_briefly(key.api_key)
                yield key
            return
        for key in self._source:
            check_key(key, self.provider)
            yield key

    def owner(self, key: Key) -> User | None:
        """The owner of a key, None for an unassigned one where identify_users was given no default.

        Raises UsageError for a user who was not among the owners when the keys were checked.
        """
        owner = self._owner(key.user)
        if owner is None and (key.user is not None or not self.unassigned):
            why = f"{self._source.origin} changed while it was read"
            raise UsageError(f"{key.at('user')} cannot be used", why, "run it again, which continues where this ended")
        return owner

    @property
    def users(self) -> int:
        """The number of users who own keys, as far as they are known."""
        query = "select count(distinct coalesce(id, name, '')) from people where person > 0 or ?"
        (number,) = self._ledger.execute(query, [self.unassigned > 0]).fetchone()
        return int(number)

    def owners(self, most: int) -> list[User]:
        """The known users who own keys, at most `most`."""
        query = "select distinct id, email from people where id is not null and (person > 0 or ?) limit ?"
        return [User(*row) for row in self._ledger.execute(query, [self.unassigned > 0, most])]

    def identify_users(self, client: Client, default: User | None) -> None:
        """Ask Supabase Auth who the users are. default: the owner of the unassigned keys.

        Raises PromthctlError when there is no such user, UsageError when one user, under two names, has two keys for
        the same endpoint.
        """
        if default is not None:
            self._identify(default, None)
        some = "select name from unknown where name not like '%@%' limit ?"
        uuids = [name for (name,) in self._ledger.execute(some, [_BY_ID + 1])]
        (left,) = self._ledger.execute("select count(*) from unknown").fetchone()
        if left == len(uuids) <= _BY_ID:
            for uuid in uuids:
                if user := user_by_id(client, uuid):
                    self._identify(user, uuid)
        elif left:
            for user in each_user(client):
                left -= self._identify(user, user.id) + self._identify(user, user.email.lower())
                if not left:
                    break
        self._refuse_unknown_users()
        self._refuse_two_names_for_one_endpoint()
        self._owner.cache_clear()

    def check_all(self, update: Update) -> None:
        """Read the source to its end. Raises UsageError for the first key that cannot be right, or if there is none."""
        unusual, first_unusual = 0, ""
        for key in self._source:
            check_key(key, self.provider)
            if looks_unusual(key, self.provider):
                unusual, first_unusual = unusual + 1, first_unusual or key.at("api_key")
            if key.user is None:
                self.unassigned += 1
            # A digest, since somebody may have put a key where the endpoint belongs.
            endpoint = hashlib.blake2b(key.endpoint_id.encode(), digest_size=16).digest()
            self._place = key.at("user")
            row = (self._person(key.user), endpoint, key.at("endpoint_id"))
            try:
                self._ledger.execute("insert into endpoints values (?, ?, ?)", row)
            except sqlite3.IntegrityError:
                wanted = "select place from endpoints where person = ? and endpoint = ?"
                (place,) = self._ledger.execute(wanted, row[:2]).fetchone()
                raise self._same_endpoint(place, row[2]) from None
            self.count += 1
            self._keep(key)
            if self.count % _REPORTED == 0:
                update(f"{self.count:,}")
        if not self.count:
            hint = f"add the keys, or try: {self.provider.command} --demo"
            raise UsageError(f"{self._source.origin} has no keys", "no line has a key in it", hint)
        if unusual:
            number = f"and {unusual - 1:,} more do not" if unusual > 1 else "does not"
            title = self.provider.title
            article = "an" if title[0] in "AEIOU" else "a"
            warning = f"{first_unusual} {number} look like {article} {title} key ({self.provider.key_example})."
            self.warnings += (warning,)

    def _keep(self, key: Key) -> None:
        if self._kept is None:
            return
        texts = (key.name, key.endpoint_id, key.api_key, key.base_url, key.description or "", key.user or "")
        self._kept_characters += sum(map(len, texts))
        if self.count > _KEPT_KEYS or self._kept_characters > _KEPT_CHARACTERS:
            self._kept = None
        else:
            self._kept.append(key)

    def _find_person(self, name: str | None) -> int:
        if name is None:
            return 0
        insert = "insert into people (name, place) values (?, ?) on conflict do nothing"
        self._ledger.execute(insert, [name, self._place])
        (person,) = self._ledger.execute("select person from people where name = ?", [name]).fetchone()
        return int(person)

    def _find_owner(self, name: str | None) -> User | None:
        query = "select id, email from people where name is ? and id is not null"
        known = self._ledger.execute(query, [name]).fetchone()
        return User(*known) if known else None

    def _identify(self, user: User, name: str | None) -> int:
        """Note which user a name means; 1 if the name was still unknown, otherwise 0."""
        update = "update people set id = ?, email = ? where name is ? and id is null"
        return self._ledger.execute(update, [user.id, user.email, name]).rowcount

    def _refuse_unknown_users(self) -> None:
        (number,) = self._ledger.execute("select count(*) from unknown").fetchone()
        if number:
            place, name = self._ledger.execute("select place, name from unknown order by person").fetchone()
            more = f" (or those of {number - 1:,} more)" if number > 1 else ""
            raise PromthctlError(
                f"{place}: there is no user {name}",
                f"Supabase Auth of this target does not know that e-mail or UUID{more}; nothing was stored",
                "sign the user up in the app first, or correct the keys",
            )

    def _refuse_two_names_for_one_endpoint(self) -> None:
        names, users = self._ledger.execute("select count(id), count(distinct id) from people").fetchone()
        if names == users:
            return
        twice = self._ledger.execute(
            """select min(e.place), max(e.place) from endpoints e join people p using (person)
               group by p.id, e.endpoint having count(*) > 1 limit 1"""
        ).fetchone()
        if twice:
            raise self._same_endpoint(*twice)

    def _same_endpoint(self, first: str, second: str) -> UsageError:
        return UsageError(
            f"{first} and {second} are the same endpoint",
            "each agent has an endpoint of its own, by which its row is found again"
            if self.provider.endpoint is None
            else "a user's keys and their rows are told apart by their endpoints; "
            f'a key that names none has "{self.provider.endpoint}"',
            "correct one of the two",
        )


@contextmanager
def checked_batch(source: KeySource, provider: Provider, steps: Steps) -> Iterator[KeyBatch]:
    """All keys of a source, read and checked. Raises what KeyBatch.check_all raises."""
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as ledger:
            ledger.executescript(_TABLES)
            batch = KeyBatch(source, provider, ledger)
            ledger.execute("begin")
            in_memory = isinstance(source, KeyList)  # checked in no time
            with nullcontext(_ignore) if in_memory else steps.step(f"Checking {source.origin}") as update:
                batch.check_all(update)
            yield batch
    except sqlite3.Error as error:
        raise PromthctlError(
            "The keys could not be checked",
            f"the temporary file that this needs failed: {error}",
            "free some disk space, or name a folder that has some: export TMPDIR=…",
        ) from None


def _ignore(_: str) -> None:
    """Work that takes no time reports no progress."""
