"""`keys replace` and `keys remove`: just the rows that are meant, with a key that comes in unseen."""

from __future__ import annotations

import os
import pty
import subprocess
import threading

import pytest

from promthctl import settings
from promthctl.errors import PromthctlError, UsageError
from promthctl.keys.api_keys_table import ApiKeysTable
from promthctl.keys.changing import find_agent_rows, remove_all_keys, replace_key
from promthctl.keys.encryption import decrypt, key_hash
from promthctl.settings import Settings
from tests.hints import told
from tests.servers import Stack
from tests.stored_keys import SECRET, Row, Table, api_keys, fake_key, metadata, stored, target

__all__ = ["api_keys", "stored", "target"]

NEW = "fake-replacement-key-yyyy"
SECRETS = {"ENCRYPTION_SECRET": SECRET}


def here(stack: Stack, **environment: str) -> Settings:
    return settings.Settings(stack.project_dir, SECRETS | environment)


def changed(before: dict[str, Row], after: dict[str, Row]) -> set[str]:
    return {id_ for id_ in before if before[id_] != after.get(id_)}


def test_a_replaced_key_is_stored_with_its_hash_and_mask(stack: Stack, stored: Table) -> None:
    ids = stored.put(stored.user(), range(1, 15))
    before = stored.rows()
    done = stack.project.run("keys", "replace", "3", stdin=f"{NEW}\n", **SECRETS)
    after = stored.rows()
    assert changed(before, after) == {ids[2]}
    row, old = after[ids[2]], before[ids[2]]
    assert decrypt(row["encrypted_key"], SECRET) == NEW
    assert (row["key_hash"], row["masked_key"]) == (key_hash(NEW), "fake...yyy")
    assert {name for name in row if row[name] != old[name]} == {"encrypted_key", "key_hash", "masked_key", "updated_at"}
    assert "Agent 3" in done.stdout and "fake...yyy" in done.stdout
    assert NEW not in done.stdout + done.stderr and fake_key(3) not in done.stdout + done.stderr
    assert "had that key already" in stack.project.run("keys", "replace", "3", stdin=NEW, **SECRETS).stdout
    assert stored.rows() == after


def test_a_key_typed_at_the_prompt_is_not_shown(stack: Stack, stored: Table) -> None:
    (id_,) = stored.put(stored.user(), [1])
    outer, inner = pty.openpty()
    running = subprocess.Popen(
        stack.project.command("keys", "replace", "1"),
        env=stack.project.environment(**SECRETS),
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    shown = b""

    def read() -> None:
        nonlocal shown
        try:
            while piece := os.read(outer, 1000):
                shown += piece
                if b"New key of Agent 1: " in shown and not typed.is_set():
                    typed.set()
                    os.write(outer, f"{NEW}\n".encode())
        except OSError:  # the terminal is gone with the command
            pass

    typed = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert running.wait(60) == 0, shown
    finally:
        running.kill()
        running.wait()
        reader.join()
        os.close(outer)
    assert NEW.encode() not in shown
    assert decrypt(stored.rows()[id_]["encrypted_key"], SECRET) == NEW


@pytest.mark.parametrize("wanted", ["7", "ep-fake-7", "Agent 7", "agent 7", "ROW"])
def test_an_agent_is_found_by_number_endpoint_name_and_row(
    stack: Stack, stored: Table, api_keys: ApiKeysTable, wanted: str
) -> None:
    ids = stored.put(stored.user(), [7, 17, 70])
    chosen = find_agent_rows(here(stack), api_keys, ids[0] if wanted == "ROW" else wanted, None)
    assert [row.id for row in chosen.rows] == ids[:1]


def test_a_number_is_first_that_of_the_key_source(stack: Stack, stored: Table, api_keys: ApiKeysTable) -> None:
    user = stored.user()
    (named, *_) = stored.put(user, [50], metadata=metadata(50, agent_name="Planner"))
    source = {f"VANCHIN_{kind}_{n}": value for n in range(1, 15)
              for kind, value in (("API_KEY", fake_key(n)), ("ENDPOINT", f"ep-fake-{n if n > 1 else 50}"))}  # fmt: skip
    with pytest.raises(PromthctlError, match="no key of agent 1"):
        find_agent_rows(here(stack), api_keys, "1", user)
    assert find_agent_rows(here(stack, **source), api_keys, "1", user).rows[0].id == named


def test_an_agent_of_several_users_or_providers_must_be_told_apart(
    stack: Stack, stored: Table, api_keys: ApiKeysTable
) -> None:
    one, other = stored.user(), stored.user()
    (mine,) = stored.put(one, [1])
    stored.put(other, [1])
    with pytest.raises(UsageError, match="more than one agent") as caught:
        find_agent_rows(here(stack), api_keys, "1", None)
    assert one in caught.value.why and other in caught.value.why
    assert find_agent_rows(here(stack), api_keys, "1", one).rows[0].id == mine
    stored.put(one, [1], provider="openai")
    with pytest.raises(UsageError):
        find_agent_rows(here(stack), api_keys, "1", one)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "it is empty"),
        ("short", "fewer than 8 characters"),
        ("fake key with spaces", "a space"),
        ("fake-key-one\nfake-key-two", "a line break"),
        ("fake...xyz", "the mask of a key"),
        ("ep-fake1-1234567", "endpoint id"),
        ("fake-kéy-with-accent", "not ASCII"),
    ],
)
def test_what_cannot_be_a_key_is_refused_as_for_seeding(stack: Stack, stored: Table, typed: str, said: str) -> None:
    stored.put(stored.user(), [1])
    before = stored.rows()
    done = stack.project.run("keys", "replace", "1", stdin=typed, code=2, **SECRETS)
    assert said in done.stderr
    assert not typed or typed not in done.stdout + done.stderr
    assert stored.rows() == before


@pytest.mark.parametrize(
    "words", [("replace", "KEY"), ("remove", "KEY"), ("replace", "1", "KEY"), ("remove", "--all=KEY")]
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    stack: Stack, stored: Table, words: tuple[str, ...]
) -> None:
    stored.put(stored.user(), [1])
    before = stored.rows()
    for key in ("VaNcHiN0fakeKey1234567890abcdefghijklmnopqrs", "sk-fake0123456789abcdef"):
        given = [word.replace("KEY", key) for word in words]
        done = stack.project.run("keys", *given, "-v", code=2, stdin=NEW, **SECRETS)
        assert key not in done.stdout + done.stderr
    assert stored.rows() == before


def test_a_row_the_app_changed_meanwhile_is_not_overwritten(
    stack: Stack, stored: Table, api_keys: ApiKeysTable
) -> None:
    (id_,) = stored.put(stored.user(), [1])
    chosen = find_agent_rows(here(stack), api_keys, "1", None)
    stored.connection.execute("update api_keys set encrypted_key = 'the app was here' where id = %s", [id_])
    with pytest.raises(PromthctlError, match="not replaced") as raised:
        replace_key(here(stack), api_keys, chosen, NEW)
    assert told("keys/changing.py · replace_key", raised.value).hint.endswith("then run it again")
    assert stored.rows()[id_]["encrypted_key"] == "the app was here"
    replace_key(here(stack), api_keys, find_agent_rows(here(stack), api_keys, "1", None), NEW)
    assert decrypt(stored.rows()[id_]["encrypted_key"], SECRET) == NEW


def test_another_secret_than_the_rows_is_warned_of(stack: Stack, stored: Table) -> None:
    stored.put(stored.user(), [1])
    done = stack.project.run("keys", "replace", "1", stdin=NEW, ENCRYPTION_SECRET="another secret of the tests")
    assert "make sure that it is the app's" in done.stderr
    assert "no key of agent 9" in stack.project.run("keys", "replace", "9", stdin=NEW, code=1, **SECRETS).stderr


def test_one_agent_s_key_is_removed_and_no_other(stack: Stack, stored: Table) -> None:
    ids = stored.put(stored.user(), range(1, 5))
    done = stack.project.run("keys", "remove", "2")
    assert "1 key removed" in done.stdout and "Agent 2 fake...zzz" in done.stderr
    assert set(stored.rows()) == {ids[0], *ids[2:]}
    stack.project.run("keys", "remove", "2", code=1)


def test_all_keys_of_a_user_or_of_everybody_are_removed(stack: Stack, stored: Table, api_keys: ApiKeysTable) -> None:
    one, other = stored.user(), stored.user()
    stored.put(one, range(1203))
    stored.put(other, range(3), provider="openai")
    assert remove_all_keys(api_keys, one).removed == 1203
    assert {str(row["user_id"]) for row in stored.rows().values()} == {other}
    assert "3 keys removed" in stack.project.run("keys", "remove", "--all").stdout
    assert "0 keys removed" in stack.project.run("keys", "remove", "--all").stdout


@pytest.mark.parametrize("words", [(), ("1", "--all")])
def test_what_to_remove_must_be_said_once(stack: Stack, stored: Table, words: tuple[str, ...]) -> None:
    stored.put(stored.user(), [1])
    stack.project.run("keys", "remove", *words, code=2)
    assert len(stored.rows()) == 1
