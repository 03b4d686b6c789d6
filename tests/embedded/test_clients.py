"""An app's programs, with supabase-py and with supabase-js: two users, their own rows, and nobody else's."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from postgrest.exceptions import APIError
from supabase import Client, create_client
from supabase_auth.errors import AuthApiError

from tests.servers import Stack

TABLES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "js" / "rows.json").read_text(encoding="utf-8"))
PASSWORD = "fake-password-of-a-test"
DENIED = "42501"  # insufficient_privilege


@dataclass(frozen=True)
class Person:
    """A signed-in user with one row in every table. rows: by table, as they were written."""

    client: Client
    id: str
    email: str
    rows: dict[str, dict[str, Any]]


def sign_up(stack: Stack, **data: str) -> tuple[Client, str, str]:
    client, email = create_client(stack.api_url, stack.anon_key), f"py-{secrets.token_hex(6)}@example.com"
    made = client.auth.sign_up({"email": email, "password": PASSWORD, "options": {"data": data}}).user
    signed_in = client.auth.sign_in_with_password({"email": email, "password": PASSWORD}).user
    assert made is not None and signed_in is not None and made.id == signed_in.id
    return client, made.id, email


def person(stack: Stack) -> Person:
    client, user, email = sign_up(stack)
    ids = {"$user": user, "$email": email}
    rows = {}
    for table, entry in TABLES.items():
        row = entry["row"]
        for value in row.values():
            if isinstance(value, str) and value.startswith("$"):
                ids.setdefault(value, str(uuid4()))
        rows[table] = {
            column: ids.get(value, value) if isinstance(value, str) else value for column, value in row.items()
        }
        client.table(table).insert(rows[table]).execute()
    return Person(client, user, email, rows)


@pytest.fixture(scope="module")
def service(stack: Stack) -> Client:
    return create_client(stack.api_url, stack.service_role_key)


@pytest.fixture(scope="module")
def people(stack: Stack, service: Client) -> Iterator[tuple[Person, Person]]:
    pair = person(stack), person(stack)
    yield pair
    for each in pair:
        service.auth.admin.delete_user(each.id)
    for table in TABLES:
        assert (
            service.table(table).select("id").in_("id", [each.rows[table]["id"] for each in pair]).execute().data == []
        )


@pytest.fixture
def alice(people: tuple[Person, Person]) -> Person:
    return people[0]


@pytest.fixture
def bob(people: tuple[Person, Person]) -> Person:
    return people[1]


@contextmanager
def refused(code: str = DENIED) -> Iterator[None]:
    with pytest.raises(APIError) as caught:
        yield
    assert caught.value.code == code


# supabase-py


@pytest.mark.parametrize("table", TABLES)
def test_owners_read_and_change_their_own_row(alice: Person, table: str) -> None:
    written, change = alice.rows[table], TABLES[table]["change"]
    [row] = alice.client.table(table).select("*").execute().data
    assert row | written == row
    stamp = datetime.fromisoformat(row.get("created_at") or row["connected_at"])
    assert abs(stamp - datetime.now(UTC)) < timedelta(hours=1)
    [changed] = alice.client.table(table).update(change).eq("id", written["id"]).execute().data
    assert changed | change == changed


@pytest.mark.parametrize("table", TABLES)
def test_other_users_neither_see_nor_touch_it(alice: Person, bob: Person, service: Client, table: str) -> None:
    row, change = bob.rows[table], TABLES[table]["change"]
    mine = alice.client.table(table)
    before = service.table(table).select("*").eq("id", row["id"]).execute().data
    assert mine.select("*").eq("id", row["id"]).execute().data == []
    assert mine.update(change).eq("id", row["id"]).execute().data == []
    if TABLES[table].get("kept"):
        with refused():
            mine.delete().eq("id", row["id"]).execute()
    else:
        assert mine.delete().eq("id", row["id"]).execute().data == []
    with refused():
        mine.insert(row | {"id": str(uuid4())}).execute()
    assert service.table(table).select("*").eq("id", row["id"]).execute().data == before != []


@pytest.mark.parametrize("table", TABLES)
def test_a_visitor_meets_nothing_and_the_service_key_everything(
    stack: Stack, service: Client, alice: Person, bob: Person, table: str
) -> None:
    visitor = create_client(stack.api_url, stack.anon_key).table(table)
    with refused():
        visitor.select("*").execute()
    with refused():
        visitor.insert(alice.rows[table] | {"id": str(uuid4())}).execute()
    ids = [person.rows[table]["id"] for person in (alice, bob)]
    assert len(service.table(table).select("id").in_("id", ids).execute().data) == 2


def test_a_public_prompt_is_read_by_all_who_signed_in_and_changed_by_none(
    stack: Stack, alice: Person, bob: Person
) -> None:
    shared = bob.client.table("prompts").insert(
        {"user_id": bob.id, "title": "shared", "content": "c", "is_public": True}
    )
    [prompt] = shared.execute().data
    try:
        seen = alice.client.table("prompts").select("title").eq("user_id", bob.id).execute().data
        assert seen == [{"title": "shared"}]
        assert alice.client.table("prompts").update({"title": "x"}).eq("id", prompt["id"]).execute().data == []
        with refused():
            create_client(stack.api_url, stack.anon_key).table("prompts").select("*").execute()
    finally:
        bob.client.table("prompts").delete().eq("id", prompt["id"]).execute()


def test_filters_ordering_pages_counts_and_single_rows(alice: Person) -> None:
    session = alice.client.table("chat_sessions").insert({"user_id": alice.id}).execute().data[0]["id"]
    messages = alice.client.table("messages")
    rows = [{"session_id": session, "role": "assistant", "content": f"answer {n}"} for n in range(5)]
    messages.insert(rows).execute()

    def contents(query: Any) -> list[str]:
        return [row["content"] for row in query.eq("session_id", session).execute().data]

    chosen = messages.select("content")
    assert contents(messages.select("content").order("content", desc=True).range(1, 2)) == ["answer 3", "answer 2"]
    assert contents(messages.select("content").gt("content", "answer 2").order("content")) == ["answer 3", "answer 4"]
    assert contents(messages.select("content").ilike("content", "%R 1")) == ["answer 1"]
    assert contents(messages.select("content").or_("content.eq.answer 0,role.eq.user")) == ["answer 0"]
    assert len(contents(messages.select("content").is_("provider_message_id", "null"))) == 5
    assert messages.select("*", count="exact").eq("session_id", session).limit(2).execute().count == 5
    assert chosen.eq("session_id", session).eq("content", "answer 4").single().execute().data == {"content": "answer 4"}
    with refused("PGRST116"):
        messages.select("*").eq("session_id", session).single().execute()
    assert messages.select("*").eq("content", "nowhere").maybe_single().execute() is None
    alice.client.table("chat_sessions").delete().eq("id", session).execute()
    assert messages.select("id").eq("session_id", session).execute().data == []  # gone with their session


def test_upserts_json_and_arrays(alice: Person) -> None:
    sessions, prompts, row = alice.client.table("chat_sessions"), alice.client.table("prompts"), alice.rows["prompts"]
    before = sessions.select("*").eq("id", alice.rows["chat_sessions"]["id"]).single().execute().data
    metadata = {"model": {"name": "m"}, "seen": ["a", 1, None, True]}
    [after] = sessions.upsert(alice.rows["chat_sessions"] | {"metadata": metadata}).execute().data
    assert after == before | {"metadata": metadata, "updated_at": after["updated_at"]}
    assert datetime.fromisoformat(after["updated_at"]) > datetime.fromisoformat(before["updated_at"])
    assert len(sessions.select("id").contains("metadata", {"model": {"name": "m"}}).execute().data) == 1
    assert sessions.select("id").contains("metadata", {"model": {"name": "other"}}).execute().data == []
    assert sessions.select("name:metadata->model->>name").execute().data == [{"name": "m"}]
    prompts.update({"tags": ["x", "with, comma"]}).eq("id", row["id"]).execute()
    assert len(prompts.select("id").contains("tags", ["with, comma"]).execute().data) == 1
    with refused("23505"):
        sessions.insert(alice.rows["chat_sessions"]).execute()


def test_embedded_resources(alice: Person, bob: Person) -> None:
    [chat] = alice.client.table("chat_sessions").select("*, messages(*)").execute().data
    assert chat["id"] == alice.rows["chat_sessions"]["id"]
    assert [message["id"] for message in chat["messages"]] == [alice.rows["messages"]["id"]]
    [project] = alice.client.table("projects").select("name, agent_logs(status, tool_executions(id))").execute().data
    assert project["agent_logs"][0]["tool_executions"] == [{"id": alice.rows["tool_executions"]["id"]}]
    [message] = bob.client.table("messages").select("content, chat_sessions!inner(id)").execute().data
    assert message["chat_sessions"] == {"id": bob.rows["chat_sessions"]["id"]}


def test_errors_of_the_database_keep_their_codes(alice: Person) -> None:
    message = {"session_id": alice.rows["chat_sessions"]["id"], "content": "c"}
    for row, code in (
        (message | {"role": "robot"}, "23514"),
        (message | {"role": None}, "23502"),
        (message | {"role": "user", "session_id": "not-a-uuid"}, "22P02"),
        (message | {"role": "user", "colour": "red"}, "PGRST204"),
    ):
        with refused(code):
            alice.client.table("messages").insert(row).execute()
    with refused("PGRST205"):
        alice.client.table("no_such_table").select("*").execute()
    with refused("PGRST202"):
        alice.client.rpc("no_such_function", {}).execute()


def test_functions_see_with_the_eyes_of_their_caller(stack: Stack, alice: Person, service: Client) -> None:
    with made(
        stack,
        "create function public.own_prompts(needle text) returns setof public.prompts language sql stable"
        " as $$ select * from public.prompts where content like '%' || needle || '%' $$;"
        "create function public.refuse() returns void language plpgsql"
        " as $$ begin raise exception 'not today' using hint = 'tomorrow'; end $$",
        "drop function public.own_prompts(text); drop function public.refuse()",
    ):
        eventually(lambda: alice.client.rpc("own_prompts", {"needle": "c"}).execute())
        assert [row["user_id"] for row in alice.client.rpc("own_prompts", {"needle": "c"}).execute().data] == [alice.id]
        assert len(service.rpc("own_prompts", {"needle": "c"}).execute().data) >= 2
        with pytest.raises(APIError) as caught:
            alice.client.rpc("refuse", {}).execute()
        assert (caught.value.code, caught.value.message, caught.value.hint) == ("P0001", "not today", "tomorrow")


def test_the_api_sees_what_is_made_while_it_runs(stack: Stack, service: Client) -> None:
    def columns() -> set[str]:
        return {column for row in service.table("made_later").select("*").execute().data for column in row}

    made_later = "create table public.made_later as select 1 as id; grant select on public.made_later to service_role"
    with made(stack, made_later, "drop table public.made_later"):
        eventually(lambda: columns() == {"id"})
        with psycopg.connect(stack.db_url, autocommit=True) as connection:
            connection.execute("alter table public.made_later add column note text default 'n'")
        eventually(lambda: service.table("made_later").select("note").eq("note", "n").execute().data)
    eventually(lambda: _gone(columns))


def _gone(call: Callable[[], object]) -> bool:
    try:
        call()
    except APIError as error:
        return error.code == "PGRST205"
    return False


def test_a_trigger_on_the_users_finds_their_data_as_an_object(stack: Stack, service: Client) -> None:
    with made(
        stack,
        "create function public.greet() returns trigger language plpgsql security definer set search_path = '' as $$"
        " begin insert into public.user_profiles (id, email, name, preferences) values (new.id, new.email,"
        " new.raw_user_meta_data ->> 'full_name', jsonb_build_object('kind', jsonb_typeof(new.raw_user_meta_data)));"
        " return new; end $$;"
        "create trigger greet after insert on auth.users for each row execute function public.greet()",
        "drop trigger greet on auth.users; drop function public.greet()",
    ):
        client, user, email = sign_up(stack, full_name="Zoë Ünal")
        [profile] = client.table("user_profiles").select("*").execute().data
        service.auth.admin.delete_user(user)
    assert (profile["email"], profile["name"], profile["preferences"]) == (email, "Zoë Ünal", {"kind": "object"})


def eventually(call: Callable[[], object]) -> None:
    """Wait for the API to hear of a change of the schema, as PostgREST does: soon, not at once."""
    deadline = time.monotonic() + 10
    while True:
        try:
            if call():
                return
        except APIError:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def made(stack: Stack, change: str, back: str) -> Iterator[None]:
    with psycopg.connect(stack.db_url, autocommit=True) as connection:
        connection.execute(change.encode())
        try:
            yield
        finally:
            connection.execute(back.encode())


def test_the_admin_api_makes_finds_and_removes_users(stack: Stack, service: Client) -> None:
    email = f"made-{secrets.token_hex(6)}@example.com"
    wanted = {"email": email, "password": PASSWORD, "email_confirm": True, "user_metadata": {"name": "Made"}}
    admin = service.auth.admin
    user = admin.create_user(wanted).user  # type: ignore[arg-type]
    assert admin.get_user_by_id(user.id).user.user_metadata["name"] == "Made"
    assert email in [other.email for other in admin.list_users()]
    signed_in = create_client(stack.api_url, stack.anon_key)
    assert signed_in.auth.sign_in_with_password({"email": email, "password": PASSWORD}).user
    with pytest.raises(AuthApiError):
        create_client(stack.api_url, stack.anon_key).auth.admin.list_users()
    admin.delete_user(user.id)
    with pytest.raises(AuthApiError):
        signed_in.auth.sign_in_with_password({"email": email, "password": PASSWORD})
    with pytest.raises(AuthApiError):
        admin.get_user_by_id(user.id)


# the doors


ASKED = ("/rest/v1/messages", "/auth/v1/user", "/auth/v1/admin/users", "/_promthctl/status")


@pytest.mark.parametrize("path", ASKED)
@pytest.mark.parametrize("key", ["", "fake", "forged"])
def test_no_door_opens_without_the_right_key(stack: Stack, path: str, key: str) -> None:
    sent = stack.service_role_key[:-4] + "AAAA" if key == "forged" else key
    headers = {"apikey": sent, "authorization": f"Bearer {sent}"} if sent else {}
    answer = httpx.get(stack.api_url + path, headers=headers)
    assert answer.status_code == 401 or (answer.status_code == 403 and "/rest/" not in path), answer.text


def test_a_path_that_is_no_text_is_a_bad_request(stack: Stack) -> None:
    assert httpx.get(f"{stack.api_url}/rest/v1/%zz").status_code == 400


@pytest.mark.parametrize("path", [*ASKED, "/", "/_promthctl/studio", "/_promthctl/studio/main.js"])
def test_only_loopback_hosts_are_answered(stack: Stack, path: str) -> None:
    headers = {"host": "rebound.example.com", "apikey": stack.service_role_key}
    answer = httpx.get(stack.api_url + path, headers=headers)
    assert answer.status_code == 421


@pytest.mark.parametrize("path", ["/_promthctl/status", "/_promthctl/studio", "/_promthctl/studio/users", "/"])
def test_no_page_shows_a_secret(stack: Stack, path: str) -> None:
    record = stack.project.record()
    for headers in ({}, {"apikey": stack.anon_key}, {"apikey": stack.service_role_key}):
        answer = httpx.get(stack.api_url + path, headers=headers, follow_redirects=True)
        for name in ("db_password", "internal_password", "jwt_secret", "service_role_key"):
            assert record[name] not in answer.text, name


# supabase-js


def test_supabase_js_finds_the_same(stack: Stack, node: Path, js_folder: Path) -> None:
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", "isolation.mjs"],
        cwd=js_folder,
        env=stack.project.environment(**stack.env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"\n# pass {3 * len(TABLES) + 2}\n" in done.stdout, done.stdout
