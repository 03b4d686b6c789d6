"""One transaction to try things in: savepoints, the role and claims of whoever tries, and the result.

Every attempt is one round trip: go back to a savepoint, take a role, run a statement, all in one message.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from psycopg import Connection

# Savepoints of one name nest; PostgreSQL then means the newest.
_ATTEMPT = sql.Identifier("promthctl_attempt")
_STEP = sql.Identifier("promthctl_step")
_BEGIN = bytearray(b'savepoint "promthctl_stage"')
_UNDO = b'rollback to savepoint "promthctl_stage"; release savepoint "promthctl_stage"'
_NOTHING = sql.SQL("select 1")
_MARK = b'savepoint "promthctl_attempt"'
_CLAIMS = ("request.jwt.claim", "request.jwt.claims", "request.jwt.claim.sub", "request.jwt.claim.role",
           "request.jwt.claim.email")  # fmt: skip
# What PostgREST sets besides: https://docs.postgrest.org/en/stable/references/transactions.html
_STARTED = int(time.time())
_REQUEST = {"request.headers": "{}", "request.cookies": "{}", "request.method": "GET", "request.path": "/"}


@dataclass(frozen=True)
class Actor:
    """Who tries. role: the database role; user: the id of the signed-in user, None if nobody is signed in.

    said: claims beyond the usual ones, or instead of them. settings: more of the request, such as request.headers.
    """

    name: str
    role: str
    user: str | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def becoming(self) -> sql.Composable:
        """SQL that takes the role and claims; spelled once, because it is part of every attempt."""
        calls = (sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings_of(self))
        return sql.SQL("select {}").format(sql.SQL(", ").join(calls))

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of an access token as Supabase Auth makes them: https://supabase.com/docs/guides/auth/jwt-fields"""
        valid = {"iat": _STARTED, "exp": _STARTED + 3600}
        if self.user is None:
            return {"iss": "supabase", "role": self.role, **valid, **self.said}
        usual: dict[str, Any] = {
            **valid,
            "aud": "authenticated",
            "role": self.role,
            "sub": self.user,
            "email": email(self.user),
            "aal": "aal2",
            "is_anonymous": False,
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {},
        }
        return {**usual, **self.said}


@dataclass(frozen=True)
class StatementResult:
    """rows: how many rows the statement reached; error: what it raised instead."""

    rows: int
    error: psycopg.Error | None = None


def email(user: str) -> str:
    """The address of a made user; the domain is reserved (RFC 2606) and receives nothing.

    What is before the @ can be a user's name or handle, which sign-up triggers often make of it.
    """
    return f"u{user.replace('-', '')[:14]}@example.com"


class Sandbox:
    """A transaction that `opened` ends by rolling back, whatever happens in it."""

    def __init__(self, connection: Connection[Any], own_role: str) -> None:
        self.connection = connection
        self.own_role = own_role
        self._waiting: list[bytes] = []  # what goes with the next message: savepoints cost no round trip of their own
        self._failed = False

    @classmethod
    @contextmanager
    def opened(cls, connection: Connection[Any], statement_ms: int, lock_ms: int) -> Iterator[Sandbox]:
        """A sandbox in a transaction of its own, or in a savepoint of the caller's. Raises psycopg.Error."""
        with connection.transaction(force_rollback=True):
            row = connection.execute(
                "select current_user, set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),"
                " set_config('idle_in_transaction_session_timeout', '60s', true),"
                " set_config('row_security', 'on', true),"
                " set_config('client_min_messages', 'error', true)",
                (f"{statement_ms}ms", f"{lock_ms}ms"),
            ).fetchone()
            assert row is not None
            yield cls(connection, row[0])

    def run(self, statement: sql.Composable) -> list[tuple[Any, ...]]:
        """The rows of a statement of the connection's own role. What it does stays until the stage ends.

        Raises psycopg.Error, after which the transaction is as it was before.
        """
        try:
            # What is before the last of several statements returns nothing of interest.
            return self._send(sql.SQL("savepoint {0}; {1}; release savepoint {0}").format(_STEP, statement))[-2][1]
        except psycopg.Error:
            self._send(sql.SQL("rollback to savepoint {0}; release savepoint {0}").format(_STEP))
            raise

    def run_signed_in(self, user: str, statement: sql.Composable) -> list[tuple[Any, ...]]:
        """As `run`, with the claims of a signed-in user but the connection's own role."""
        found = self.run(sql.SQL("{}; {}").format(signed_in(user), statement))
        unsaid = sql.SQL(", ").join(sql.SQL("set_config({}, '', true)").format(name) for name in _CLAIMS)
        self._send(sql.SQL("select {}").format(unsaid))
        return found

    def run_limited(
        self,
        statement: sql.Composable,
        query: sql.Composable,
        milliseconds: int,
        before: sql.Composable = _NOTHING,
    ) -> list[tuple[Any, ...]]:
        """Run `before` and a statement that may take so long, then a query for its rows. What it does is undone.

        Raises psycopg.Error, after which the transaction is as it was before.
        """
        limit = sql.SQL("select set_config('statement_timeout', {}, true)").format(f"{milliseconds}ms")
        try:
            return self._send(
                sql.SQL("savepoint {0}; {1}; {2}; {3}; {4}; rollback to savepoint {0}; release savepoint {0}").format(
                    _STEP, limit, before, statement, query
                )
            )[4][1]
        except psycopg.Error:
            if not self.connection.broken:
                self._send(sql.SQL("rollback to savepoint {0}; release savepoint {0}").format(_STEP))
            raise

    def run_one(self, statement: sql.Composable) -> list[tuple[Any, ...]]:
        """As `run`, for a statement with a part that is not ours: the extended protocol takes exactly one."""
        self._send(sql.SQL("select 1"))  # what waits belongs before the savepoint that follows
        with self.connection.transaction(), self.connection.cursor(binary=True) as cursor:
            cursor.execute(statement.as_bytes(self.connection))
            return cursor.fetchall()

    @contextmanager
    def stage(self) -> Iterator[None]:
        """Whatever happens inside is undone at its end; attempts inside start from the last `mark`."""
        begin = bytes(_BEGIN)  # a value of its own, to be found again by its identity
        self._waiting.append(begin)
        try:
            yield
        finally:
            place = next((n for n, each in enumerate(self._waiting) if each is begin), None)
            if place is not None:  # nothing was sent since
                del self._waiting[place:]
            else:
                self._waiting.append(_UNDO)
                if self._failed and not self.connection.broken:
                    self._send(sql.SQL("select 1"))

    def mark(self) -> None:
        """Let attempts start from the present state."""
        self._waiting.append(_MARK)

    def attempt(
        self, actor: Actor, statement: sql.Composable, before: Sequence[sql.Composable] = ()
    ) -> StatementResult:
        """Try a statement as `actor`, `before` it as the connection's own role. The last attempt is undone first."""
        parts = [sql.SQL("rollback to savepoint {}").format(_ATTEMPT), *before, become(actor), statement]
        try:
            results = self._send(sql.SQL("; ").join(parts))
        except psycopg.Error as error:
            if self.connection.broken:
                raise
            self._failed = True  # no other statement of the connection works before the stage ends
            return StatementResult(0, error)
        return StatementResult(results[len(parts) - 1][0])

    def ask(self, actor: Actor, statement: sql.Composable) -> list[tuple[Any, ...]]:
        """The rows of a query of `actor`, which changes nothing. Raises psycopg.Error."""
        try:
            return self._send(
                sql.SQL("savepoint {0}; {1}; {2}; {3}; release savepoint {0}").format(
                    _STEP, become(actor), statement, self.come_back
                )
            )[2][1]
        except psycopg.Error:
            self._send(sql.SQL("rollback to savepoint {0}; release savepoint {0}").format(_STEP))
            raise

    @property
    def come_back(self) -> sql.Composed:
        """SQL that takes the connection's own role again."""
        return sql.SQL("select set_config('role', {}, true)").format(self.own_role)

    def inspect(self, statement: sql.Composable) -> list[tuple[Any, ...]]:
        """Query, as the connection's own role, what the last attempt has left; it must have succeeded."""
        return self._send(sql.SQL("{}; {}").format(self.come_back, statement))[1][1]

    def _send(self, statement: sql.Composable) -> list[tuple[int, list[tuple[Any, ...]]]]:
        """The number of rows and the rows of each statement in one message."""
        waiting, self._waiting, self._failed = self._waiting, [], False
        with self.connection.cursor() as cursor:
            cursor.execute(b"; ".join([*waiting, statement.as_bytes(self.connection)]))
            results = []
            while True:
                results.append((cursor.rowcount, cursor.fetchall() if cursor.description else []))
                if not cursor.nextset():
                    return results[sum(each.count(b";") + 1 for each in waiting) :]


def settings_of(actor: Actor) -> list[tuple[str, str]]:
    """The settings by which the database knows who calls and with which request, the role last."""
    claims = actor.claims
    values = ("", json.dumps(claims), actor.user or "", actor.role, str(claims.get("email", "")))
    request = {**_REQUEST, **actor.settings}
    return [*zip(_CLAIMS, values, strict=True), *request.items(), ("role", actor.role)]


def become(actor: Actor) -> sql.Composable:
    """SQL that takes the actor's role and claims, for the rest of the transaction."""
    return actor.becoming


def signed_in(user: str) -> sql.Composed:
    """SQL that says, for the rest of the transaction, that the user calls, and leaves the role as it is."""
    claims = settings_of(Actor("owner", "authenticated", user))[: len(_CLAIMS)]
    calls = (sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in claims)
    return sql.SQL("select {}").format(sql.SQL(", ").join(calls))
