"""`keys check`: whatever is wrong with a stored key is found, named, and ends with exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from promthctl import settings
from promthctl.keys.api_keys_table import open_table
from promthctl.keys.checking import KeyCheckResult, check_keys
from promthctl.keys.encryption import encrypt, key_hash, masked_key
from promthctl.keys.live_check import LiveOptions
from promthctl.resolve.api import ApiTarget
from promthctl.steps import Silent
from tests import json_schemas
from tests.loopback_api import Api, api
from tests.servers import Stack
from tests.stored_keys import SECRET, Table, fake_key, metadata, stored, target

__all__ = ["stored", "target"]


@pytest.fixture
def server() -> Iterator[Api]:
    with api() as running:
        yield running


def check(
    stack: Stack, target: ApiTarget, user: str | None = None, live: LiveOptions | None = None, **environment: str
) -> KeyCheckResult:
    here = settings.Settings(stack.project_dir, {"ENCRYPTION_SECRET": SECRET, **environment})
    with open_table(target) as table:
        return check_keys(here, table, user, live, Silent())


def stored_key(key: str, **changes: Any) -> dict[str, Any]:
    """The columns of a row for that key."""
    made = {"encrypted_key": encrypt(key, SECRET), "key_hash": key_hash(key), "masked_key": masked_key(key)}
    return made | changes


def test_sound_keys_are_sound(stack: Stack, stored: Table) -> None:
    user = stored.user()
    stored.put(user, range(1, 15))
    stored.put(user, [20], provider="openai", metadata={})  # as the app's own form stores a key
    before = stored.rows()
    done = stack.project.run("keys", "check", ENCRYPTION_SECRET=SECRET)
    assert "15 keys checked, all sound" in done.stdout
    result = stack.project.json("keys", "check", ENCRYPTION_SECRET=SECRET)
    assert (result["ok"], result["checked"], result["failed"], result["rows"]) == (True, 15, 0, [])
    assert stored.rows() == before


def test_no_keys_are_no_fault(stack: Stack, stored: Table) -> None:
    assert "No keys are stored" in stack.project.run("keys", "check", ENCRYPTION_SECRET=SECRET).stdout


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"encrypted_key": "no token"}, "cannot be decrypted"),
        ({"encrypted_key": ""}, "cannot be decrypted"),
        ({"encrypted_key": encrypt(fake_key(1), "another secret")}, "cannot be decrypted"),
        ({"encrypted_key": encrypt(fake_key(2), SECRET)}, "key_hash is that of another key"),
        ({"key_hash": key_hash(fake_key(2))}, "key_hash is that of another key"),
        ({"masked_key": "fake...abc"}, "masked_key is that of another key"),
        ({"metadata": []}, "metadata is not an object"),
        ({"metadata": "text"}, "metadata is not an object"),
        ({"metadata": {}}, "metadata.endpoint_id is missing"),
        ({"metadata": metadata(1, endpoint_id=7)}, "metadata.endpoint_id is not text"),
        ({"metadata": metadata(1, endpoint_id="")}, "metadata.endpoint_id is empty"),
        ({"metadata": metadata(1, agent_name=["a"])}, "metadata.agent_name is not text"),
        ({"metadata": metadata(1, agent_name=None)}, "metadata.agent_name is missing"),
        ({"metadata": metadata(1, description=1)}, "metadata.description is not text"),
        ({"metadata": metadata(1, base_url="keys.example.com")}, "metadata.base_url is not a URL"),
        ({"metadata": metadata(1, base_url="https://[")}, "metadata.base_url is not a URL"),
        ({"metadata": metadata(1, base_url="https://user:pass@keys.invalid")}, "user name or password"),
        ({"metadata": metadata(1, description=f"the key is {fake_key(1)}")}, "in the clear"),
        ({"metadata": metadata(1, other={"nested": [fake_key(1)]})}, "in the clear"),
    ],
)
def test_each_fault_is_found(
    stack: Stack, stored: Table, target: ApiTarget, columns: dict[str, Any], said: str
) -> None:
    user = stored.user()
    (id_,) = stored.put(user, [1], **columns)
    stored.put(user, [5, 6])
    result = check(stack, target)
    assert (result.checked, result.failed, result.ok) == (3, 1, False)
    (row,) = result.rows
    assert row.id == id_ and any(said in problem for problem in row.problems), row.problems


def test_a_fault_is_exit_code_1_and_names_the_row_without_its_key(stack: Stack, stored: Table) -> None:
    (id_,) = stored.put(stored.user(), [1], metadata=metadata(1, agent_name=f"my {fake_key(1)}"))
    done = stack.project.run("keys", "check", code=1, ENCRYPTION_SECRET=SECRET)
    assert id_ in done.stdout and "1 of 1 key failed" in done.stdout
    answer = stack.project.run("keys", "check", "--json", code=1, ENCRYPTION_SECRET=SECRET).stdout
    assert json_schemas.check(answer)["ok"] is False
    assert "fake-stored-key" not in done.stdout + done.stderr + answer


def test_duplicates_are_named_within_a_user_and_a_provider(stack: Stack, stored: Table, target: ApiTarget) -> None:
    one, other = stored.user(), stored.user()
    twins = {*stored.put(one, [1]), *stored.put(one, [1])}
    stored.put(one, [1], provider="openai")
    stored.put(other, [1])
    result = check(stack, target)
    assert (result.checked, result.failed) == (4, 1)
    (row,) = result.rows
    (problem,) = row.problems
    assert row.id in twins and (twins - {row.id}).pop() in problem


def test_endpoints_that_the_key_source_does_not_have_are_named_without_a_failure(
    stack: Stack, stored: Table, target: ApiTarget
) -> None:
    numbered = range(1, 15)
    source = {f"VANCHIN_API_KEY_{n}": fake_key(n) for n in numbered} | {
        f"VANCHIN_ENDPOINT_{n}": f"ep-fake-{n}" for n in numbered
    }
    user = stored.user()
    stored.put(user, [1, 2, 77])
    stored.put(user, [88], provider="openai")  # no source of that provider is configured
    result = check(stack, target, **source)
    assert [row.endpoint_id for row in result.unknown] == ["ep-fake-77"]
    assert result.ok and not result.warnings
    assert check(stack, target).unknown == ()
    broken = check(stack, target, **source | {"VANCHIN_ENDPOINT_3": ""})
    assert broken.ok and "VANCHIN_ENDPOINT_3 is missing" in broken.warnings[0]


def test_one_user_s_rows_can_be_checked_alone(stack: Stack, stored: Table, target: ApiTarget) -> None:
    one, other = stored.user(), stored.user()
    stored.put(one, [1, 2])
    stored.put(other, [3], encrypted_key="no token")
    assert check(stack, target, user=one).ok
    assert check(stack, target).failed == 1


def test_thousands_of_faults_are_counted_and_a_thousand_shown(stack: Stack, stored: Table, target: ApiTarget) -> None:
    stored.put(stored.user(), range(1200), "another secret")
    result = check(stack, target)
    assert (result.checked, result.failed, len(result.rows)) == (1200, 1200, 1000)


def test_without_the_secret_nothing_is_asked(stack: Stack, stored: Table) -> None:
    assert "There is no ENCRYPTION_SECRET" in stack.project.run("keys", "check", code=3, ENCRYPTION_SECRET="").stderr


def test_live_asks_each_agent_s_api_with_its_own_key(
    stack: Stack, stored: Table, target: ApiTarget, server: Api
) -> None:
    user = stored.user()
    for word, number in (("ok", 1), ("401", 2), ("429", 3), ("slow", 4)):
        stored.put(
            user, [number], **stored_key(f"fake-key-{word}-zzzz", metadata=metadata(number, base_url=server.url))
        )
    stored.put(user, [5], **stored_key("fake-key-ok-yyyy", provider="openai", metadata={"base_url": server.url}))
    stored.put(user, [6], encrypted_key="no token")
    result = check(stack, target, live=LiveOptions(4, 1.0, frozenset({"127.0.0.1"})))
    said = {row.agent or row.provider: row.answer.fault if row.answer else "not asked" for row in result.rows}
    assert said == {
        "Agent 1": None,
        "Agent 2": "the key is refused (HTTP 401)",
        "Agent 3": "too many requests, or the quota is used up (HTTP 429)",
        "Agent 4": "no answer within 1 seconds",
        "openai": None,
        "Agent 6": "not asked",
    }
    assert (result.checked, result.failed, result.ok) == (6, 4, False)
    assert server.models() == [f"ep-fake-{number}" for number in (1, 2, 3, 4)]
    sent = {body["model"]: headers["Authorization"] for _, headers, body in server.asked if body}
    assert sent["ep-fake-2"] == "Bearer fake-key-401-zzzz"


def test_live_shows_latencies_and_no_key(stack: Stack, stored: Table, server: Api) -> None:
    user = stored.user()
    columns = {"metadata": metadata(1, base_url=server.url)}
    stored.put(user, [1], **stored_key("fake-key-ok-zzzz", **columns))
    words = ("keys", "check", "--live", "--jobs", "2", "--timeout", "5")
    refused = stack.project.run(*words, code=1, ENCRYPTION_SECRET=SECRET)
    assert "leads to 127.0.0.1, not to its provider; nothing was sent" in refused.stdout and not server.asked
    words = (*words, "--allow-host", "127.0.0.1")
    done = stack.project.run(*words, ENCRYPTION_SECRET=SECRET)
    assert "answered in" in done.stdout and "all sound and answered" in done.stdout
    stored.put(user, [2], **stored_key("fake-key-403-zzzz", metadata=metadata(2, base_url=server.url)))
    done = stack.project.run(*words, code=1, ENCRYPTION_SECRET=SECRET)
    found = stack.project.run(*words, "--json", code=1, ENCRYPTION_SECRET=SECRET).stdout
    good, bad = json_schemas.check(found)["rows"]
    assert good["answer"]["fault"] is None and good["answer"]["milliseconds"] >= 0
    assert "refused" in bad["answer"]["fault"]
    assert "fake-key-" not in done.stdout + done.stderr + found
