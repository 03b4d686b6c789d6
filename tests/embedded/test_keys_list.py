"""`keys list`: everything about the stored keys but the keys."""

from __future__ import annotations

import dataclasses
import json

import pytest

from promthctl.api.client import ApiAccess
from promthctl.errors import PromthctlError, TargetError, UsageError
from promthctl.keys.api_keys_table import ApiKeysTable, open_table
from promthctl.keys.listing import ListedKey, listed_pages
from promthctl.resolve.api import ApiTarget
from tests.servers import Stack
from tests.stored_keys import Table, api_keys, metadata, stored, target

__all__ = ["api_keys", "stored", "target"]


def test_it_shows_what_is_stored_and_never_a_key(stack: Stack, stored: Table) -> None:
    user = stored.user()
    (first, *_) = stored.put(user, range(1, 15))
    stored.connection.execute("update api_keys set last_used = '2026-11-23 10:11:12+00' where id = %s", [first])
    found = stack.project.json("keys", "list")
    assert [key["agent"] for key in found] == [f"Agent {n}" for n in range(1, 15)]
    key = found[0]
    assert (key["id"], key["user_id"], key["provider"], key["endpoint_id"]) == (first, user, "vanchin", "ep-fake-1")
    assert key["masked_key"] == "fake...zzz"
    assert key["last_used"].startswith("2026-11-23T10:11:12")
    assert found[1]["last_used"] is None
    shown = stack.project.run("keys", "list").stdout
    assert "2026-11-23 10:11" in shown and "never" in shown
    everything = shown + json.dumps(found)
    for row in stored.rows().values():
        assert row["encrypted_key"] not in everything and row["key_hash"] not in everything
    assert "fake-stored-key" not in everything


def test_an_empty_table_is_said_to_be_empty(stack: Stack, stored: Table) -> None:
    assert stack.project.run("keys", "list").stdout == "No keys are stored.\n"
    assert stack.project.json("keys", "list") == []


def test_a_user_s_keys_are_found_by_e_mail_and_uuid(stored: Table, api_keys: ApiKeysTable) -> None:
    one, other = stored.user(), stored.user()
    stored.put(one, [1, 2])
    stored.put(other, [3])
    for wanted in (one, f"{one[:8]}@example.com", one.upper()):
        pages = list(listed_pages(api_keys, wanted))
        assert [key.agent for page in pages for key in page] == ["Agent 1", "Agent 2"]
    assert {key.user_id for page in listed_pages(api_keys, None) for key in page} == {one, other}


def test_more_rows_than_a_page_are_all_shown_once_and_in_bounded_memory(stored: Table, api_keys: ApiKeysTable) -> None:
    users = [stored.user() for _ in range(3)]
    ids = [id_ for user, numbers in zip(users, (range(400), range(1001), range(1105)), strict=True)
           for id_ in stored.put(user, numbers)]  # fmt: skip
    seen: list[str] = []
    sizes: list[int] = []
    for page in listed_pages(api_keys, None):
        seen += [key.id for key in page]
        sizes.append(len(page))
    assert sorted(seen) == sorted(ids) and len(seen) == 2506
    assert sizes == [1000, 1000, 506]
    assert sum(map(len, listed_pages(api_keys, users[2]))) == 1105


def test_rows_that_come_and_go_while_it_reads_disturb_nothing(stored: Table, api_keys: ApiKeysTable) -> None:
    user = stored.user()
    ids = stored.put(user, range(1500))
    pages = listed_pages(api_keys, None)
    first = [key.id for key in next(pages)]
    stored.connection.execute("delete from api_keys where id = any(%s)", [first])
    added = stored.put(user, [9000])
    rest = {key.id for page in pages for key in page}
    assert set(ids) - set(first) <= rest <= set(ids) - set(first) | set(added)


def test_what_looks_like_a_key_in_the_wrong_column_is_not_shown(stack: Stack, stored: Table) -> None:
    key = "VaNcHiN0fakeKey1234567890abcdefghijklmnopqrs"
    stored.put(stored.user(), [1], metadata=metadata(1, agent_name=key, endpoint_id=f"sk-{key}"))
    done = stack.project.run("keys", "list")
    assert key not in done.stdout and "(looks like a key)" in done.stdout


@pytest.mark.parametrize("user", ["sk-proj-0123456789abcdef", "VaNcHiN0fakeKey1234567890abcdefghijklmnopqrs"])
def test_a_key_in_place_of_the_user_is_refused_and_not_repeated(stack: Stack, user: str) -> None:
    for option in (["--user", user], [f"--user={user}"]):
        done = stack.project.run("keys", "list", *option, "--verbose", code=2)
        assert "looks like a key" in done.stderr
        assert user not in done.stdout + done.stderr


def test_faults_on_the_way_are_told_apart(stack: Stack, stored: Table, target: ApiTarget) -> None:
    def listed(access: ApiAccess, user: str | None = None) -> list[list[ListedKey]]:
        with open_table(dataclasses.replace(target, access=access)) as table:
            return list(listed_pages(table, user))

    with pytest.raises(TargetError):
        listed(ApiAccess(stack.api_url, stack.anon_key, "not-the-service-key"))
    with pytest.raises(TargetError):
        listed(ApiAccess("http://127.0.0.1:1", "a", "b"))
    with pytest.raises(PromthctlError, match="no user"):
        listed(target.access, "nobody@example.com")
    with pytest.raises(UsageError):
        listed(target.access, "neither")


def test_a_database_without_the_table_says_which_migrations_are_missing(stored: Table, target: ApiTarget) -> None:
    stored.connection.execute("alter table public.api_keys rename to moved; notify pgrst, 'reload schema'")
    try:
        with pytest.raises(PromthctlError, match="api_keys does not exist") as caught, open_table(target) as table:
            list(listed_pages(table, None))
        assert "not all of them are applied" in caught.value.why and "init --keys" in caught.value.hint
    finally:
        stored.connection.execute("alter table public.moved rename to api_keys; notify pgrst, 'reload schema'")
