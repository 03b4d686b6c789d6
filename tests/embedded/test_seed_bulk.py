"""Thousands of keys for many users on the real stack: checked whole, stored in chunks, continued after any end."""

from __future__ import annotations

import csv
import io
import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from supabase import create_client

from promthctl.api.client import ApiAccess, connect
from promthctl.errors import PromthctlError, UsageError
from promthctl.keys import existing_rows, seed_rows, users
from promthctl.keys.encryption import decrypt, key_hash
from promthctl.keys.key import Key, KeyList
from promthctl.keys.key_batch import checked_batch
from promthctl.keys.providers import find_provider
from promthctl.keys.seed_rows import SeedResult, row_id
from promthctl.keys.seeding import seed_batch
from promthctl.keys.users import User
from promthctl.steps import Silent
from tests.promthctl_runner import REPOSITORY, Project, data

SECRET = "an encryption secret of the tests"
VANCHIN, OPENAI = find_provider("vanchin"), find_provider("openai")
PASSWORD = "fake-password-of-a-test"

Database = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def access(stack: Any) -> ApiAccess:
    return ApiAccess(stack.api_url, stack.anon_key, stack.service_role_key)


@pytest.fixture(scope="module")
def database(stack: Any) -> Iterator[Database]:
    with psycopg.connect(stack.db_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture(scope="module")
def sign_up(access: ApiAccess) -> Callable[[], User]:
    def signed_up() -> User:
        email = f"bulk-{secrets.token_hex(6)}@example.com"
        user = create_client(access.url, access.anon_key).auth.sign_up({"email": email, "password": PASSWORD}).user
        assert user is not None
        return User(user.id, email)

    return signed_up


@pytest.fixture
def user(sign_up: Callable[[], User]) -> User:
    return sign_up()


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every HTTP request from now on, as "METHOD /path"."""
    seen: list[str] = []
    send = httpx.Client.send

    def recording(client: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        assert len(request.url.raw_path) < 6000  # gateways take lines of 8 KB
        return send(client, request, **options)

    monkeypatch.setattr(httpx.Client, "send", recording)
    return seen


def fake_key(n: int) -> str:
    return f"fake-bulk-key-{n:05d}-zzzz"


def key(n: int, user: str | None = None, **changes: Any) -> Key:
    fields: dict[str, Any] = {
        "name": f"Agent {n}",
        "endpoint_id": f"ep-bulk-{n}",
        "api_key": fake_key(n),
        "base_url": "https://keys.example.com/v1",
        "user": user,
    }
    return Key(at=f"line {n}, ".__add__, **(fields | changes))


def store(
    access: ApiAccess, keys: list[Key], default: User | None = None, provider: Any = VANCHIN, dry_run: bool = False
) -> SeedResult:
    with checked_batch(KeyList("a test", keys), provider, Silent()) as batch, connect(access) as api:
        return seed_batch(api, batch, SECRET, None, default, dry_run=dry_run, steps=Silent())


def rows_of(database: Database, *users: User) -> list[dict[str, Any]]:
    """The users' whole rows, with the transaction that wrote each."""
    query = "select *, xmin::text as written_by from public.api_keys where user_id = any (%s::uuid[]) order by id"
    return database.execute(query, [[user.id for user in users]]).fetchall()


def numbers(result: SeedResult) -> tuple[int, int, int]:
    return result.created, result.updated, result.unchanged


def csv_text(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([["endpoint_id", "name", "api_key", "user"], *rows])
    return text.getvalue()


# what is stored


def test_each_key_goes_to_its_user_by_email_or_uuid(
    access: ApiAccess, database: Database, sign_up: Callable[[], User], requests: list[str]
) -> None:
    ann, bob, eve = (sign_up() for _ in range(3))
    requests.clear()
    keys = [key(n, (ann.email, bob.id, None)[n % 3]) for n in range(1, 1201)]
    result = store(access, keys, eve)
    assert numbers(result) == (1200, 0, 0)
    assert (result.users, result.user_id, result.user_email, result.agents) == (3, None, None, ())
    # One page of users; each chunk one write, and only the first chunk has to look what is there.
    assert [line.split()[0] for line in requests] == ["GET", "GET", "POST", "POST", "POST"]
    for number, owner in enumerate((ann, bob, eve)):
        rows = {row["metadata"]["endpoint_id"]: row for row in rows_of(database, owner)}
        assert rows.keys() == {f"ep-bulk-{n}" for n in range(1, 1201) if n % 3 == number}
        row = rows[f"ep-bulk-{600 + number}"]
        assert decrypt(row["encrypted_key"], SECRET) == fake_key(600 + number)
        assert str(row["id"]) == row_id(owner.id, "vanchin", f"ep-bulk-{600 + number}")


def test_the_same_keys_again_write_nothing_and_a_changed_one_just_itself(
    access: ApiAccess, database: Database, user: User, requests: list[str]
) -> None:
    keys = [key(n) for n in range(1, 701)]
    store(access, keys, user)
    before = rows_of(database, user)
    requests.clear()
    assert numbers(store(access, keys, user)) == (0, 0, 700)
    assert {line.split()[0] for line in requests} == {"GET"}
    assert rows_of(database, user) == before
    keys[650] = key(651, api_key="fake-bulk-key-changed-zzzz")
    assert numbers(store(access, keys, user, dry_run=True)) == (0, 1, 699)
    assert rows_of(database, user) == before
    assert numbers(store(access, keys, user)) == (0, 1, 699)
    after = rows_of(database, user)
    changed = [row for row in after if row not in before]
    assert [row["key_hash"] for row in changed] == [key_hash("fake-bulk-key-changed-zzzz")]


def test_a_user_with_more_rows_than_an_answer_holds_is_compared_by_id(
    access: ApiAccess, database: Database, sign_up: Callable[[], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    many, few = sign_up(), sign_up()
    keys = [key(n, many.email) for n in range(1, 251)] + [key(n, few.email) for n in range(1, 8)]
    store(access, keys)
    before = rows_of(database, many, few)
    monkeypatch.setattr(existing_rows, "PAGE", 20)
    assert numbers(store(access, keys)) == (0, 0, 257)
    keys[3] = key(4, many.email, name="Planner")
    assert numbers(store(access, [*keys, key(251, many.email)])) == (1, 1, 256)
    assert len([row for row in rows_of(database, many, few) if row not in before]) == 2


def test_what_is_remembered_of_the_users_rows_may_be_forgotten(
    access: ApiAccess, sign_up: Callable[[], User], requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = [sign_up() for _ in range(4)]
    monkeypatch.setattr(existing_rows, "_KEPT", 3)
    monkeypatch.setattr(seed_rows, "CHUNK", 5)
    keys = [key(n, owners[n % 4].email) for n in range(1, 41)]
    assert numbers(store(access, keys)) == (40, 0, 0)
    requests.clear()
    assert numbers(store(access, keys)) == (0, 0, 40)
    assert requests.count("GET /rest/v1/api_keys") == 8  # again for each chunk


def test_rows_an_app_made_are_adopted_in_bulk_too(access: ApiAccess, database: Database, user: User) -> None:
    insert = """insert into public.api_keys (user_id, provider, encrypted_key, key_hash, masked_key, metadata)
                values (%s, 'vanchin', 'old', %s, 'm', %s) returning id"""
    by_endpoint = database.execute(insert, [user.id, "other", '{"endpoint_id": "ep-bulk-9"}']).fetchone()
    by_key = database.execute(insert, [user.id, key_hash(fake_key(610)), "[]"]).fetchone()
    assert by_endpoint is not None
    assert by_key is not None
    assert numbers(store(access, [key(n) for n in range(1, 621)], user)) == (618, 2, 0)
    ids = {row["metadata"]["endpoint_id"]: row["id"] for row in rows_of(database, user)}
    assert len(ids) == 620
    assert (ids["ep-bulk-9"], ids["ep-bulk-610"]) == (by_endpoint["id"], by_key["id"])


def test_a_row_whose_metadata_names_another_keys_endpoint_is_not_taken_for_it(
    access: ApiAccess, database: Database, user: User
) -> None:
    store(access, [key(1)], user)
    database.execute(
        """update public.api_keys set metadata = '{"endpoint_id": "ep-bulk-2"}' where user_id = %s""", [user.id]
    )
    assert numbers(store(access, [key(2), key(1)], user)) == (1, 1, 0)
    assert len(rows_of(database, user)) == 2


def test_providers_do_not_mix(access: ApiAccess, database: Database, user: User) -> None:
    shared = [key(1), key(2)]
    assert numbers(store(access, shared, user)) == (2, 0, 0)
    assert numbers(store(access, shared, user, provider=OPENAI)) == (2, 0, 0)
    assert numbers(store(access, shared, user, provider=OPENAI)) == (0, 0, 2)
    assert sorted(row["provider"] for row in rows_of(database, user)) == ["openai"] * 2 + ["vanchin"] * 2


# whose they are


def test_many_users_are_found_by_reading_the_list_once(
    access: ApiAccess, sign_up: Callable[[], User], requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "_PAGE", 3)
    owners = [sign_up() for _ in range(8)]
    requests.clear()
    result = store(access, [key(1, owner.id if n % 2 else owner.email) for n, owner in enumerate(owners)], dry_run=True)
    assert (result.users, result.created) == (8, 8)
    listed = [line for line in requests if line.endswith("/admin/users")]
    assert len(listed) >= 3
    assert not [line for line in requests if "/admin/users/" in line]


def test_a_few_uuids_are_asked_for_one_by_one(access: ApiAccess, user: User, requests: list[str]) -> None:
    store(access, [key(1, user.id), key(2, user.id)], dry_run=True)
    assert [line for line in requests if "admin" in line] == [f"GET /auth/v1/admin/users/{user.id}"]


@pytest.mark.parametrize("unknown", [str(uuid4()), f"nobody-{uuid4().hex}@example.com"], ids=["uuid", "email"])
def test_an_unknown_user_is_named_with_the_line_before_anything_is_written(
    access: ApiAccess, database: Database, user: User, unknown: str
) -> None:
    with pytest.raises(PromthctlError) as caught:
        store(access, [key(1), key(2, unknown), key(3, "nobody-else@example.com"), key(4)], user)
    assert f"line 2, user: there is no user {unknown}" in caught.value.what
    assert "1 more" in caught.value.why
    assert rows_of(database, user) == []


def test_one_user_under_two_names_may_not_have_an_endpoint_twice(
    access: ApiAccess, database: Database, user: User
) -> None:
    with pytest.raises(UsageError, match="line 1, endpoint_id and line 2, endpoint_id are the same endpoint"):
        store(access, [key(1, user.id), key(2, user.email, endpoint_id="ep-bulk-1")])
    with pytest.raises(UsageError, match="the same endpoint"):
        store(access, [key(1, user.id), key(1)], user)
    assert rows_of(database, user) == []
    assert numbers(store(access, [key(1, user.id), key(2, user.email)])) == (2, 0, 0)


def test_a_user_that_was_not_there_when_many_keys_were_checked_is_refused(
    access: ApiAccess, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promthctl.keys.key_batch._KEPT_KEYS", 0)  # of more it is read again
    keys = [key(1, user.id)]
    with checked_batch(KeyList("a test", keys), VANCHIN, Silent()) as batch, connect(access) as api:
        for late in (key(2), key(3, "late@example.com")):
            keys[:] = [late]
            with pytest.raises(UsageError, match="changed while it was read"):
                seed_batch(api, batch, SECRET, None, None, dry_run=False, steps=Silent())


def test_a_few_keys_are_stored_as_they_were_checked(access: ApiAccess, database: Database, user: User) -> None:
    keys = [key(1, user.id), key(2, user.id)]
    with checked_batch(KeyList("a test", keys), VANCHIN, Silent()) as batch, connect(access) as api:
        keys[:] = [key(3, "late@example.com")]
        assert numbers(seed_batch(api, batch, SECRET, None, None, dry_run=False, steps=Silent())) == (2, 0, 0)
    assert len(rows_of(database, user)) == 2


@pytest.mark.parametrize("limit", ["_KEPT_KEYS", "_KEPT_CHARACTERS"])
def test_of_more_keys_none_is_kept(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"promthctl.keys.key_batch.{limit}", 1)
    readings = []

    class Counted(KeyList):
        def __iter__(self) -> Iterator[Key]:
            readings.append(1)
            return super().__iter__()

    with checked_batch(Counted("a test", [key(1), key(2)]), VANCHIN, Silent()) as batch:
        assert [one.endpoint_id for one in batch] == ["ep-bulk-1", "ep-bulk-2"]
    assert len(readings) == 2


def test_a_rule_that_refuses_a_later_chunk_is_told_with_what_is_stored(
    access: ApiAccess, database: Database, user: User
) -> None:
    rule = "alter table public.api_keys add constraint of_a_test check (masked_key <> 'fake...zzy') not valid"
    database.execute(rule)
    try:
        with pytest.raises(PromthctlError) as caught:
            store(access, [key(n, api_key=f"fake-bulk-{n}-zz{'y' if n == 700 else 'z'}") for n in range(1, 801)], user)
    finally:
        database.execute("alter table public.api_keys drop constraint of_a_test")
    assert "the 500 rows before were stored" in caught.value.why
    assert len(rows_of(database, user)) == 500


# the command


@pytest.fixture
def project(stack: Any) -> Project:
    return Project(stack.project.path, {"ENCRYPTION_SECRET": SECRET})


def bulk_file(folder: Path, number: int, user: str, padding: str = "") -> Path:
    path = folder / "keys.csv"
    rows = [[f"ep-bulk-{n}", f'Agent "{n}", of many{padding}', fake_key(n), user] for n in range(1, number + 1)]
    path.write_text(csv_text(rows))
    path.chmod(0o600)
    return path


def test_a_file_is_stored_with_its_numbers_told(project: Project, user: User, tmp_path: Path) -> None:
    path = bulk_file(tmp_path, 1100, user.email)
    done = project.run("seed", "vanchin", "--keys", str(path))
    assert done.stdout == f"For {user.email}: 1,100 were created, 0 updated, 0 unchanged\n"
    assert done.stderr.splitlines()[0] == "Target: the local stack"
    assert "Storing the VanchinAI keys: 1,000 of 1,100" in done.stderr
    again = project.run("seed", "vanchin", "--keys", str(path), "--user", user.email, "--dry-run")
    assert "--user is not used" in again.stderr
    assert "fake-bulk" not in done.stderr
    told = project.json("seed", "keys", "--provider", "vanchin", "--keys", str(path))
    assert (told["seeded"]["unchanged"], told["seeded"]["agents"]) == (1100, [])


def test_keys_of_several_users_are_shown_with_them(
    project: Project, sign_up: Callable[[], User], tmp_path: Path
) -> None:
    ann, bob = sign_up(), sign_up()
    lines = [json.dumps({"api_key": f"sk-{fake_key(n)}-0000", "user": who.email}) for n, who in enumerate((ann, bob))]
    done = project.run("seed", "keys", "--provider", "openai", "--keys", "-", stdin="\n".join(lines))
    assert "For 2 users: 2 were created" in done.stdout
    assert ann.email in done.stdout
    assert "sk-f...000" in done.stdout
    assert "fake-bulk" not in done.stdout + done.stderr


def interrupted(project: Project, signal: str, at: str, *words: str, stdin: Path, temporary: Path) -> int:
    """promthctl with its standard input from a file, and a signal at a point of its course; its exit code."""
    command = [sys.executable, "-m", "tests.interrupted", signal, at, *project.command(*words)[3:]]
    environment = project.environment(TMPDIR=str(temporary))
    with stdin.open("rb") as file:
        done = subprocess.run(
            command, env=environment, cwd=REPOSITORY, stdin=file, capture_output=True, text=True, timeout=120
        )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


@pytest.mark.parametrize(("signal", "code"), [("SIGKILL", -9), ("SIGINT", 130)])
def test_an_interrupted_run_leaves_no_file_and_the_next_one_goes_on(
    project: Project, user: User, database: Database, tmp_path: Path, signal: str, code: int
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    path = bulk_file(tmp_path, 2600, user.email, " " * 500)  # more than is kept in memory
    words = ("seed", "vanchin", "--keys", "-")
    point = "promthctl.keys.seed_rows:_RowWriter._write:return:ep-bulk-1200"  # in the third chunk
    assert interrupted(project, signal, point, *words, stdin=path, temporary=temporary) == code
    assert list(temporary.iterdir()) == []
    before = rows_of(database, user)
    assert len(before) == 1500
    told = data(project.run(*words, "--json", stdin=path.read_text()).stdout)["seeded"]
    assert (told["created"], told["updated"], told["unchanged"]) == (1100, 0, 1500)
    after = rows_of(database, user)
    assert len(after) == 2600
    assert all(row in after for row in before)


def test_a_faulty_last_line_stops_all_before_the_first_request(
    project: Project, user: User, database: Database, tmp_path: Path
) -> None:
    path = bulk_file(tmp_path, 1000, user.email)
    path.write_text(path.read_text() + f"ep-last,,{fake_key(0)} {fake_key(1)},\n")
    done = project.run("seed", "vanchin", "--keys", str(path), code=2)
    assert "line 1002, api_key cannot be used" in done.stderr
    assert "fake-bulk" not in done.stderr
    assert rows_of(database, user) == []


# other targets


def test_elsewhere_the_user_must_be_named_and_the_change_agreed_to(
    project: Project, stack: Any, user: User, database: Database
) -> None:
    api = {"SUPABASE_URL": stack.api_url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_role_key}
    words = ("seed", "keys", "--provider", "openai", "--demo", "--db-url", stack.db_url)
    assert "no user to store" in project.run(*words, "-y", code=2, **api).stderr
    done = project.run(*words, "--user", user.email, code=5, **api)
    assert done.stderr.startswith("Target: database ")
    assert "--yes" in done.stderr
    assert rows_of(database, user) == []
    assert "1 would be created" in project.run(*words, "--user", user.email, "--dry-run", **api).stdout
    assert rows_of(database, user) == []
    assert "1 was created" in project.run(*words, "--user", user.email, "-y", **api).stdout
    assert len(rows_of(database, user)) == 1


def test_demo_keys_and_a_file_exclude_each_other(project: Project) -> None:
    assert "exclude" in project.run("seed", "vanchin", "--demo", "--keys", "keys.csv", code=2).stderr
