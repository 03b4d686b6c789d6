"""Rows of api_keys as an app or an earlier seeding left them, put there by SQL; all keys are fake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row

from promthctl.api.client import ApiAccess
from promthctl.keys.api_keys_table import ApiKeysTable, open_table
from promthctl.keys.encryption import encrypt, key_hash, masked_key
from promthctl.resolve.api import ApiTarget
from tests.servers import Stack

SECRET = "an encryption secret of the tests"
NEW_SECRET = "another encryption secret of them"

Row = dict[str, Any]


def fake_key(number: int) -> str:
    return f"fake-stored-key-{number:04d}-zzzz"


@dataclass(frozen=True)
class Table:
    """api_keys of a stack, empty at first."""

    connection: psycopg.Connection[Row]

    def user(self) -> str:
        """A new user's id."""
        user_id = str(uuid4())
        made = (
            "insert into auth.users (id, email, aud, role, created_at, updated_at)"
            " values (%s, %s, 'authenticated', 'authenticated', now(), now())"
        )
        self.connection.execute(made, [user_id, f"{user_id[:8]}@example.com"])
        return user_id

    def put(self, user_id: str, numbers: Iterable[int], secret: str = SECRET, **columns: Any) -> list[str]:
        """A row for each number, its other columns as seeding writes them; the ids. columns: what is different."""
        rows = [self._row(user_id, number, secret) | columns for number in numbers]
        names = list(rows[0])
        with (
            self.connection.cursor() as cursor,
            cursor.copy(f"copy public.api_keys ({', '.join(names)}) from stdin".encode()) as copy,
        ):
            for row in rows:
                copy.write_row([json.dumps(row[name]) if name == "metadata" else row[name] for name in names])
        return [row["id"] for row in rows]

    def rows(self) -> dict[str, Row]:
        """All rows by id, times and all."""
        found = self.connection.execute("select * from public.api_keys").fetchall()
        return {str(row["id"]): row for row in found}

    def _row(self, user_id: str, number: int, secret: str) -> Row:
        key = fake_key(number)
        return {
            "id": str(uuid4()),
            "user_id": user_id,
            "provider": "vanchin",
            "encrypted_key": encrypt(key, secret),
            "key_hash": key_hash(key),
            "masked_key": masked_key(key),
            "metadata": metadata(number),
        }


def metadata(number: int, **changes: Any) -> Row:
    named = {"endpoint_id": f"ep-fake-{number}", "agent_name": f"Agent {number}", "description": ""}
    return {**named, "base_url": "https://keys.invalid/v1", **changes}


@pytest.fixture
def stored(stack: Stack) -> Iterator[Table]:
    """The session's stack without keys."""
    with psycopg.connect(stack.db_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute("delete from public.api_keys")
        yield Table(connection)
        connection.execute("delete from public.api_keys")


@pytest.fixture
def target(stack: Stack) -> ApiTarget:
    return ApiTarget("the local stack", ApiAccess(stack.api_url, stack.anon_key, stack.service_role_key), local=True)


@pytest.fixture
def api_keys(target: ApiTarget) -> Iterator[ApiKeysTable]:
    """The table as promthctl works on it, through the stack's API."""
    with open_table(target) as table:
        yield table
