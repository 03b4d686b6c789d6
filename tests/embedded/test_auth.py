"""Auth's answers and rows, by requests and by supabase-py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from promthctl.toolchain import Toolchain
from tests.rest_server import Rest, rest_server
from tests.servers import Server, fresh_database

PASSWORD = "a-fake-pass-1"


@pytest.fixture(scope="module")
def mail_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mail") / "mail.jsonl"


@pytest.fixture(scope="module")
def auth_db(server: Server) -> Iterator[str]:
    with fresh_database(server) as url:
        yield url


@pytest.fixture(scope="module")
def auth(auth_db: str, tools: Toolchain, mail_file: Path) -> Iterator[Rest]:
    with rest_server(auth_db, tools, mail_file=mail_file) as running:
        yield running


def test_a_new_user_gets_a_session(auth: Rest) -> None:
    made = auth.auth("POST", "/signup", {"email": "One@Example.com", "password": PASSWORD, "data": {"n": 1}}, key=auth.anon_key)
    assert made.status == 200, made
    print(made.json)
