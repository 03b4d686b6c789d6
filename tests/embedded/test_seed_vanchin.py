"""Seeding on the real stack: rows by the documented format, written once, by one request, for one user only."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid4, uuid5

import httpx
import psutil
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from supabase import Client, create_client

from promthctl.api.client import ApiAccess, ApiConnection, connect
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError, UsageError
from promthctl.keys import seeding, users
from promthctl.keys.encryption import decrypt, encrypt, key_hash, masked_key
from promthctl.keys.key import Key, KeyList, named_places
from promthctl.keys.key_batch import checked_batch
from promthctl.keys.providers import find_provider
from promthctl.keys.seed_rows import SeedResult
from promthctl.keys.seeding import seed_batch
from promthctl.keys.sources import demo_keys
from promthctl.keys.users import DevUser, User
from promthctl.state import StateDir
from promthctl.steps import Silent

SECRET = "an encryption secret of the tests"
PASSWORD = "fake-password-of-a-test"

NODE_DECRYPT = """
const { createDecipheriv, createHash } = require("node:crypto");
let { token, secret } = process.env;
let key = Buffer.from(secret, "utf8");
if (key.length !== 32) key = createHash("sha256").update(key).digest();
const raw = Buffer.from(token, "base64");
const decipher = createDecipheriv("aes-256-gcm", key, raw.subarray(0, 12));
decipher.setAuthTag(raw.subarray(12, 28));
process.stdout.write(Buffer.concat([decipher.update(raw.subarray(28)), decipher.final()]));
"""


VANCHIN = find_provider("vanchin")


def ring(**changes: str) -> KeyList:
    """Fourteen fake keys; `a3="…"` gives agent 3 another key."""
    keys = [
        Key(
            at=named_places({}),
            number=n,
            name=f"Agent {n}",
            endpoint_id=f"ep-fake-{n}",
            api_key=changes.get(f"a{n}", f"fake-stack-key-{n:02d}-zzzz"),
            base_url="https://keys.example.com/v1",
        )
        for n in range(1, 15)
    ]
    return KeyList("a test", keys)


def with_base_url(keys: KeyList, base_url: str) -> KeyList:
    return dataclasses.replace(keys, keys=[dataclasses.replace(key, base_url=base_url) for key in keys])


def seed(
    access: ApiAccess, keys: KeyList, secret: str, user: str | None, dry_run: bool, dev_user: DevUser | None
) -> SeedResult:
    default = User(dev_user.id, dev_user.email) if dev_user else None
    with checked_batch(keys, VANCHIN, Silent()) as batch, connect(access) as api:
        return seed_batch(api, batch, secret, user, default, dry_run=dry_run, steps=Silent())


def ensure_dev_user(access: ApiAccess, known: DevUser | None) -> tuple[DevUser, bool]:
    with connect(access) as api:
        return users.ensure_dev_user(api, known or users.new_dev_user())


@pytest.fixture
def access(stack: Any) -> ApiAccess:
    return ApiAccess(stack.api_url, stack.anon_key, stack.service_role_key)


@pytest.fixture
def database(stack: Any) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(stack.db_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def sign_up(access: ApiAccess) -> Callable[[], tuple[User, Client]]:
    """Sign up a new user; returned with a client that is signed in as that user."""

    def signed_up() -> tuple[User, Client]:
        client = create_client(access.url, access.anon_key)
        email = f"user-{secrets.token_hex(6)}@example.com"
        user = client.auth.sign_up({"email": email, "password": PASSWORD}).user
        assert user is not None
        return User(user.id, email), client

    return signed_up


@pytest.fixture
def user(sign_up: Callable[[], tuple[User, Client]]) -> User:
    return sign_up()[0]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every HTTP request from now on, as "METHOD /path"."""
    seen: list[str] = []
    send = httpx.Client.send

    def recording(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        return send(client, request, **options)

    monkeypatch.setattr(httpx.Client, "send", recording)
    return seen


def rows_of(database: psycopg.Connection[dict[str, Any]], user: User) -> dict[str, dict[str, Any]]:
    """The user's whole rows by endpoint, with the transaction that wrote each."""
    found = database.execute(
        "select *, xmin::text as written_by from public.api_keys where user_id = %s order by id", [user.id]
    ).fetchall()
    return {row["metadata"].get("endpoint_id", str(row["id"])): row for row in found}


def run(access: ApiAccess, user: User, keys: KeyList | None = None, secret: str = SECRET, **options: Any) -> SeedResult:
    return seed(access, keys or ring(), secret, user.id, options.pop("dry_run", False), None)


def refusal(kind: type[PromthctlError], call: Callable[[], object]) -> PromthctlError:
    """The error of a call that must fail; its three parts are there and show no key."""
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    for part in (error.what, error.why, error.hint):
        assert part
        assert "fake-stack-key" not in part
        assert "zzzz" not in part
        assert key_hash("fake-stack-key-01-zzzz") not in part
    assert error.__cause__ is None  # supabase-py's own exception is not shown with it
    return error


# what is written


def test_the_first_seeding_writes_fourteen_rows_with_one_request(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]], requests: list[str]
) -> None:
    result = run(access, user)
    assert (result.created, result.updated, result.unchanged) == (14, 0, 0)
    assert (result.user_id, result.user_email) == (user.id, user.email)
    assert [line.split()[0] for line in requests] == ["GET", "GET", "POST"]
    rows = rows_of(database, user)
    assert len(rows) == 14
    namespace = uuid5(NAMESPACE_DNS, "api-keys.promthctl")
    for agent, seeded in zip(ring().keys, result.agents, strict=True):
        row = rows[agent.endpoint_id]
        assert row["id"] == uuid5(namespace, f"{user.id}/vanchin/{agent.endpoint_id}")
        assert row["provider"] == "vanchin"
        assert row["key_hash"] == key_hash(agent.api_key)
        assert row["masked_key"] == seeded.masked_key == f"{agent.api_key[:4]}...{agent.api_key[-3:]}"
        assert decrypt(row["encrypted_key"], SECRET) == agent.api_key
        assert row["metadata"] == {
            "endpoint_id": agent.endpoint_id,
            "agent_name": agent.name,
            "description": "",
            "base_url": "https://keys.example.com/v1",
        }
        assert (seeded.number, seeded.name, seeded.endpoint_id) == (agent.number, agent.name, agent.endpoint_id)


def test_seeding_the_same_keys_again_writes_nothing(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]], requests: list[str]
) -> None:
    run(access, user)
    before = rows_of(database, user)
    requests.clear()
    result = run(access, user)
    assert (result.created, result.updated, result.unchanged) == (0, 0, 14)
    assert {line.split()[0] for line in requests} == {"GET"}
    assert rows_of(database, user) == before


def test_a_changed_key_updates_just_that_row(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    run(access, user)
    before = rows_of(database, user)
    result = run(access, user, ring(a3="fake-stack-key-03-changed-zzzz"))
    assert [agent.number for agent in result.agents if agent.state == "updated"] == [3]
    assert result.unchanged == 13
    after = rows_of(database, user)
    changed = after.pop("ep-fake-3")
    old = before.pop("ep-fake-3")
    assert after == before
    assert (changed["id"], changed["created_at"]) == (old["id"], old["created_at"])
    assert changed["updated_at"] > old["updated_at"]
    assert changed["key_hash"] == key_hash("fake-stack-key-03-changed-zzzz")
    assert decrypt(changed["encrypted_key"], SECRET) == "fake-stack-key-03-changed-zzzz"


def test_a_changed_name_base_url_or_description_updates_the_metadata(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    run(access, user)
    keys = ring()
    renamed = dataclasses.replace(keys.keys[0], name="Planner", description="plans")
    assert run(access, user, dataclasses.replace(keys, keys=[renamed, *keys.keys[1:]])).updated == 1
    row = rows_of(database, user)["ep-fake-1"]
    assert (row["metadata"]["agent_name"], row["metadata"]["description"]) == ("Planner", "plans")
    assert run(access, user, with_base_url(keys, "https://other.example.com/v1")).updated == 14
    row = rows_of(database, user)["ep-fake-1"]
    assert row["metadata"]["description"] == "plans"  # keys that give none do not remove one


def test_entries_the_app_added_to_the_metadata_stay(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    run(access, user)
    database.execute(
        """update public.api_keys set metadata = metadata || '{"quota": 5}' where user_id = %s""", [user.id]
    )
    assert run(access, user).unchanged == 14
    assert run(access, user, ring(a1="fake-stack-key-01-changed-zzzz")).updated == 1
    assert all(row["metadata"]["quota"] == 5 for row in rows_of(database, user).values())


def test_another_encryption_secret_re_encrypts_every_key(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    run(access, user)
    assert run(access, user, secret="another secret of the tests").updated == 14
    for agent in ring().keys:
        token = rows_of(database, user)[agent.endpoint_id]["encrypted_key"]
        assert decrypt(token, "another secret of the tests") == agent.api_key


def test_a_damaged_row_is_fixed(access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]) -> None:
    run(access, user)
    damage = (
        "update public.api_keys set encrypted_key = 'damaged', metadata = '[]' where user_id = %s and key_hash = %s"
    )
    database.execute(damage, [user.id, key_hash("fake-stack-key-05-zzzz")])
    assert run(access, user).updated == 1
    row = rows_of(database, user)["ep-fake-5"]
    assert decrypt(row["encrypted_key"], SECRET) == "fake-stack-key-05-zzzz"


def test_rows_made_by_the_app_or_by_hand_are_adopted_instead_of_doubled(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    insert = """insert into public.api_keys (user_id, provider, encrypted_key, key_hash, masked_key, metadata)
                values (%s, 'vanchin', %s, %s, %s, %s) returning id"""
    key, old = "fake-stack-key-04-zzzz", "fake-stack-key-of-an-old-agent-2"

    def inserted(api_key: str, metadata: dict[str, str]) -> Any:
        values = [user.id, encrypt(api_key, SECRET), key_hash(api_key), masked_key(api_key), Jsonb(metadata)]
        row = database.execute(insert, values).fetchone()
        assert row is not None
        return row["id"]

    by_endpoint, by_key = inserted(old, {"endpoint_id": "ep-fake-2"}), inserted(key, {})
    result = run(access, user)
    assert (result.created, result.updated) == (12, 2)
    rows = rows_of(database, user)
    assert len(rows) == 14
    assert (rows["ep-fake-2"]["id"], rows["ep-fake-4"]["id"]) == (by_endpoint, by_key)
    assert decrypt(rows["ep-fake-2"]["encrypted_key"], SECRET) == "fake-stack-key-02-zzzz"
    assert run(access, user).unchanged == 14


def test_rows_of_other_endpoints_and_providers_are_left_alone(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    run(access, user, demo_keys(VANCHIN))
    database.execute(
        """insert into public.api_keys (user_id, provider, encrypted_key, key_hash, masked_key)
           values (%s, 'openai', 'e', %s, 'm')""",
        [user.id, key_hash("fake-stack-key-01-zzzz")],
    )
    before = rows_of(database, user)
    assert run(access, user).created == 14
    after = rows_of(database, user)
    assert len(after) == 29
    assert {endpoint: after[endpoint] for endpoint in before} == before


def test_two_seedings_at_once_make_fourteen_rows(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run(access, user), range(4)))
    assert len(rows_of(database, user)) == 14
    assert run(access, user).unchanged == 14


def test_a_dry_run_reads_and_changes_nothing(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]], requests: list[str]
) -> None:
    assert run(access, user, dry_run=True).created == 14
    assert rows_of(database, user) == {}
    run(access, user)
    before = rows_of(database, user)
    requests.clear()
    result = run(access, user, ring(a9="fake-stack-key-09-changed-zzzz"), dry_run=True)
    assert (result.dry_run, result.updated, result.unchanged) == (True, 1, 13)
    assert {line.split()[0] for line in requests} == {"GET"}
    assert rows_of(database, user) == before
    assert "fake-stack-key-09" not in repr(result)


def test_a_dry_run_before_there_is_a_user_asks_nothing(access: ApiAccess, requests: list[str]) -> None:
    result = seed(access, ring(), SECRET, None, True, None)
    assert (result.user_id, result.created, requests) == (None, 14, [])


# who can read it


def test_only_the_owner_sees_the_rows(access: ApiAccess, sign_up: Callable[[], tuple[User, Client]]) -> None:
    (owner, owners), (_, others) = sign_up(), sign_up()
    run(access, owner)
    assert len(owners.table("api_keys").select("id").execute().data) == 14
    assert others.table("api_keys").select("id").execute().data == []
    assert _visible_to_nobody(access) == []


def _visible_to_nobody(access: ApiAccess) -> list[Any]:
    """What a client that is not signed in reads: no rows, or a refusal, are both right."""
    from postgrest.exceptions import APIError

    try:
        return list(create_client(access.url, access.anon_key).table("api_keys").select("id").execute().data)
    except APIError:
        return []


@pytest.mark.parametrize("secret", ["0123456789abcdef0123456789abcdef", "a secret of another length — ключ"])
def test_node_decrypts_what_the_owner_reads(
    access: ApiAccess, sign_up: Callable[[], tuple[User, Client]], node: Path, secret: str
) -> None:
    owner, client = sign_up()
    run(access, owner, secret=secret)
    query = client.table("api_keys").select("encrypted_key").eq("metadata->>endpoint_id", "ep-fake-7")
    row: Any = query.single().execute().data
    told = subprocess.run(
        [node, "-e", NODE_DECRYPT],
        env={**os.environ, "token": row["encrypted_key"], "secret": secret},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "fake-stack-key-07-zzzz"


# whose they are


def test_a_user_is_found_by_uuid_and_by_email_in_any_case(access: ApiAccess, user: User) -> None:
    for wanted in (user.id, user.id.upper(), user.email, user.email.upper(), f" {user.email} "):
        assert seed(access, ring(), SECRET, wanted, True, None).user_id == user.id


def test_a_user_on_a_later_page_is_found(
    access: ApiAccess, sign_up: Callable[[], tuple[User, Client]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = [sign_up()[0] for _ in range(5)]
    monkeypatch.setattr(users, "_PAGE", 2)
    assert seed(access, ring(), SECRET, first.email, True, None).user_id == first.id


@pytest.mark.parametrize("wanted", [str(uuid4()), f"nobody-{uuid4().hex}@example.com"], ids=["uuid", "email"])
def test_an_unknown_user(access: ApiAccess, wanted: str) -> None:
    error = refusal(PromthctlError, lambda: seed(access, ring(), SECRET, wanted, False, None))
    assert wanted in error.what
    assert error.exit_code == 1


@pytest.mark.parametrize("wanted", ["", "alice", "a b@example.com", "@", "123", "sk-fake-stack-key-0123"])
def test_text_that_is_neither_email_nor_uuid(access: ApiAccess, wanted: str) -> None:
    refusal(UsageError, lambda: seed(access, ring(), SECRET, wanted, False, None))


def test_no_user_at_all(access: ApiAccess) -> None:
    assert "--user" in refusal(UsageError, lambda: seed(access, ring(), SECRET, None, False, None)).hint


@pytest.fixture
def no_dev_user(database: psycopg.Connection[dict[str, Any]]) -> Iterator[None]:
    database.execute("delete from auth.users where email = %s", [users.DEV_EMAIL])
    yield
    database.execute("delete from auth.users where email = %s", [users.DEV_EMAIL])


def test_the_development_user_is_signed_up_once(access: ApiAccess, no_dev_user: None, requests: list[str]) -> None:
    made, created = ensure_dev_user(access, None)
    assert created
    assert made.password not in repr(made)
    requests.clear()
    assert ensure_dev_user(access, made) == (made, False)
    assert len(requests) == 1
    client = create_client(access.url, access.anon_key)
    signed_in = client.auth.sign_in_with_password({"email": made.email, "password": made.password}).user
    assert signed_in is not None
    assert signed_in.id == made.id
    assert seed(access, ring(), SECRET, None, False, made).created == 14
    assert len(client.table("api_keys").select("id").execute().data) == 14


def test_the_development_user_is_signed_up_again_after_a_reset(
    access: ApiAccess, no_dev_user: None, database: psycopg.Connection[dict[str, Any]]
) -> None:
    made, _ = ensure_dev_user(access, None)
    database.execute("delete from auth.users where id = %s", [made.id])
    again, created = ensure_dev_user(access, made)
    assert created
    assert again.id != made.id
    assert (again.email, again.password) == (made.email, made.password)


def test_a_development_user_whose_record_names_another_id_is_recognised(access: ApiAccess, no_dev_user: None) -> None:
    made, _ = ensure_dev_user(access, None)
    assert ensure_dev_user(access, dataclasses.replace(made, id=str(uuid4()))) == (made, False)


def test_a_development_user_whose_password_is_lost_can_still_be_named(access: ApiAccess, no_dev_user: None) -> None:
    made, _ = ensure_dev_user(access, None)
    error = refusal(PromthctlError, lambda: ensure_dev_user(access, None))
    assert made.email in error.what
    assert error.hint == f"run the same command again with --user {made.email}"


def test_the_password_outlives_an_interruption_after_the_sign_up(
    access: ApiAccess, no_dev_user: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(api: ApiConnection, stored: users.DevUser) -> None:
        users.ensure_dev_user(api, stored)
        raise KeyboardInterrupt

    state = StateDir(tmp_path / ".promthctl")
    with connect(access) as api:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(seeding, "ensure_dev_user", interrupted)
            seeding._dev_user(api, state, dry_run=False)
        assert seeding._dev_user(api, state, dry_run=True) == (None, False)
        person, made = seeding._dev_user(api, state, dry_run=False)
        assert person is not None and person.id and made  # so that its password is shown
        assert seeding._dev_user(api, state, dry_run=False) == (person, False)


# what goes wrong


def test_without_a_secret_nothing_is_asked(access: ApiAccess, user: User, requests: list[str]) -> None:
    assert ".env" in refusal(PrerequisiteError, lambda: run(access, user, secret=" ")).hint
    assert requests == []


@pytest.mark.parametrize(
    "key",
    [
        "sb_secret_wrong",
        "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.d3Jvbmc",
        "anon",
        "with space",
        "",
        "naïve",
    ],
)
def test_a_wrong_service_key_is_refused(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]], key: str
) -> None:
    wrong = dataclasses.replace(access, service_key=access.anon_key if key == "anon" else key)
    for dev_user in (None, DevUser(user.id, user.email, PASSWORD)):
        chosen = None if dev_user else user.id
        error = refusal(TargetError, partial(seed, wrong, ring(), SECRET, chosen, False, dev_user))
        assert error.exit_code == 4
        assert not key or key not in error.what + error.why + error.hint
    assert rows_of(database, user) == {}


def test_a_stack_that_is_not_up(user: User) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = ApiAccess(f"http://127.0.0.1:{probe.getsockname()[1]}", "anon", "service")
    error = refusal(TargetError, lambda: run(closed, user))
    assert error.hint == "promthctl local up"


@pytest.mark.parametrize("url", ["", "127.0.0.1:54321", "ftp://example.com", "http://"])
def test_a_url_that_is_no_url(user: User, url: str) -> None:
    refusal(UsageError, lambda: run(ApiAccess(url, "anon", "service"), user))


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str]) -> Iterator[ApiAccess]:
    """An HTTP server that is not Supabase: one answer for everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ApiAccess(f"http://127.0.0.1:{server.server_port}", "anon", "service")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>fake-stack-key</html>", PromthctlError),
        (200, b'{"unexpected": true}', PromthctlError),
        (404, b"<html>not here</html>", PromthctlError),
        (404, b'{"message": "no Route matched"}', PromthctlError),
        (401, b'{"message": "Invalid API key"}', TargetError),
        (403, b"", TargetError),
        (302, b"", PromthctlError),
        (429, b"slow down", PromthctlError),
        (500, b"", TargetError),
        (503, b'{"message": "starting"}', TargetError),
    ],
)
def test_something_else_answers_at_the_url(status: int, body: bytes, kind: type[PromthctlError]) -> None:
    headers = {"Location": "http://127.0.0.1:9/"} if status == 302 else {}
    with answering(status, body, headers) as elsewhere:
        calls: list[Callable[[], object]] = [
            partial(seed, elsewhere, ring(), SECRET, str(uuid4()), False, None),
            partial(seed, elsewhere, ring(), SECRET, "nobody@example.com", False, None),
            partial(ensure_dev_user, elsewhere, None),
        ]
        for call in calls:
            error = refusal(kind, call)
            assert type(error) is kind
            assert status == 200 or str(status) in error.why


def test_the_read_of_the_rows_meets_something_else(user: User) -> None:
    dev_user = DevUser(user.id, user.email, PASSWORD)
    with answering(200, b"{", {}) as elsewhere:
        refusal(PromthctlError, lambda: seed(elsewhere, ring(), SECRET, None, False, dev_user))


@contextmanager
def altered(database: psycopg.Connection[dict[str, Any]], change: str, back: str) -> Iterator[None]:
    database.execute(change.encode())
    try:
        yield
    finally:
        database.execute(back.encode())


@pytest.mark.parametrize(
    ("change", "back", "missing"),
    [
        (
            "alter table public.api_keys rename to api_keys_away",
            "alter table public.api_keys_away rename to api_keys",
            "no migration of the project creates it",
        ),
        (
            "alter table public.api_keys rename column metadata to metadata_away",
            "alter table public.api_keys rename column metadata_away to metadata",
            "a column of the table api_keys",
        ),
    ],
)
def test_migrations_that_are_not_applied(
    access: ApiAccess,
    user: User,
    database: psycopg.Connection[dict[str, Any]],
    change: str,
    back: str,
    missing: str,
) -> None:
    with altered(database, change, back):
        error = refusal(PromthctlError, lambda: run(access, user))
    assert missing in f"{error.what}; {error.why}".lower()
    assert "migration" in error.why
    assert error.hint.endswith("promthctl local up")


def test_a_rule_of_the_table_refuses_all_fourteen_without_quoting_the_row(
    access: ApiAccess, user: User, database: psycopg.Connection[dict[str, Any]]
) -> None:
    rule = "alter table public.api_keys add constraint of_a_test check (masked_key <> 'fake...zzy') not valid"
    with altered(database, rule, "alter table public.api_keys drop constraint of_a_test"):
        error = refusal(PromthctlError, lambda: run(access, user, ring(a11="fake-stack-key-11-zzzy")))
    assert "no row was changed" in error.why
    assert rows_of(database, user) == {}


def test_a_user_deleted_in_the_meantime(access: ApiAccess) -> None:
    gone = DevUser(str(uuid4()), "gone@example.com", PASSWORD)
    error = refusal(PromthctlError, lambda: seed(access, ring(), SECRET, None, False, gone))
    assert "gone@example.com" in error.what
    assert "deleted" in error.why


def test_nothing_lingers(access: ApiAccess, user: User, no_dev_user: None) -> None:
    def sockets() -> int:
        return sum(bool(each.raddr) for each in psutil.Process().net_connections("inet"))

    threads, connections = threading.active_count(), sockets()
    ensure_dev_user(access, None)
    run(access, user)
    assert (threading.active_count(), sockets()) == (threads, connections)


def test_access_and_results_can_be_logged(access: ApiAccess, user: User) -> None:
    shown = repr(access) + repr(run(access, user)) + json.dumps(dataclasses.asdict(run(access, user)))
    assert access.service_key not in shown
    assert access.anon_key not in shown
    assert "fake-stack-key" not in shown


def test_proxies_of_the_environment_are_not_used_for_the_local_stack(
    access: ApiAccess, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with connect(access) as api:
        assert api.client.auth.admin.get_user_by_id(user.id).user.id == user.id
