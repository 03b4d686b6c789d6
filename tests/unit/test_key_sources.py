"""Keys are found in the documented order, and whatever is wrong with them is named without showing any of it."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promthctl.errors import PrerequisiteError, PromthctlError, UsageError
from promthctl.keys.encryption import encryption_secret
from promthctl.keys.key import Key
from promthctl.keys.key_batch import checked_batch
from promthctl.keys.providers import find_provider
from promthctl.keys.sources import demo_keys, open_source
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.steps import Silent

VANCHIN = find_provider("vanchin")


@dataclass(frozen=True)
class Loaded:
    """The keys of a source, checked whole."""

    agents: tuple[Key, ...]
    warnings: tuple[str, ...]
    origin: str


def load(settings: Settings, keys_file: str | None, stdin: bytes | None = None, provider: str = "vanchin") -> Loaded:
    """stdin: what is to be read from it; reading it when it is None fails."""
    made_for = find_provider(provider)
    given = io.BytesIO(stdin) if stdin is not None else None
    with (
        open_source(settings, made_for, keys_file, given) as source,
        checked_batch(source, made_for, Silent()) as checked,
    ):
        return Loaded(tuple(checked), checked.warnings, source.origin)


def fake_key(n: int, kind: str = "file") -> str:
    return f"fake-{kind}-key-{n:02d}-zzzz"


def document(**changes: Any) -> dict[str, Any]:
    agents = [
        {"id": n, "name": f"Agent {n}", "api_key": fake_key(n), "endpoint_id": f"ep-fake-{n}"} for n in range(1, 15)
    ]
    return {"provider": "vanchin", "base_url": "https://keys.example.com/v1", "agents": agents, **changes}


def with_agent(index: int, **changes: Any) -> dict[str, Any]:
    whole = document()
    whole["agents"][index] |= changes
    return whole


def without(index: int, member: str) -> dict[str, Any]:
    whole = document()
    del whole["agents"][index][member]
    return whole


def variables(numbers: range = range(1, 15)) -> dict[str, str]:
    keys = {f"VANCHIN_API_KEY_{n}": fake_key(n, "env") for n in numbers}
    return keys | {f"VANCHIN_ENDPOINT_{n}": f"ep-env-{n}" for n in numbers}


def settings_of(tmp_path: Path, **env: str) -> Settings:
    return Settings(project_dir=tmp_path, env=env)


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture(autouse=True, scope="module")
def only_our_secrets() -> Iterator[None]:
    """What these tests make promthctl remember, generated text included, is forgotten after them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("promthctl.redact._known", set())
        yield


@pytest.fixture
def load_file(tmp_path: Path) -> Callable[[Any], Loaded]:
    def loaded(content: Any) -> Loaded:
        return load(settings_of(tmp_path), str(write(tmp_path / "keys.json", content)))

    return loaded


def refusal(call: Callable[[], object]) -> PromthctlError:
    """The error of a call that must fail; its three parts are there and show no key."""
    with pytest.raises(PromthctlError) as caught:
        call()
    error = caught.value
    for part in (error.what, error.why, error.hint):
        assert part
        assert "\n" not in part
        assert not re.search(r"fake-(file|env)-key", part)
    return error


# where keys come from


def test_a_file_is_read_with_its_names_endpoints_and_base_url(load_file: Callable[[Any], Loaded]) -> None:
    ring = load_file(with_agent(2, description="writes the tests"))
    assert [agent.number for agent in ring.agents] == list(range(1, 15))
    third = ring.agents[2]
    assert (third.name, third.endpoint_id, third.api_key) == ("Agent 3", "ep-fake-3", fake_key(3))
    assert third.description == "writes the tests"
    assert ring.agents[0].description is None
    assert (third.base_url, ring.warnings) == ("https://keys.example.com/v1", ())


def test_agents_come_in_the_order_of_their_numbers(load_file: Callable[[Any], Loaded]) -> None:
    whole = document()
    whole["agents"].reverse()
    assert [agent.number for agent in load_file(whole).agents] == list(range(1, 15))


def test_members_that_have_a_default_may_be_left_out_and_unknown_ones_are_ignored(
    load_file: Callable[[Any], Loaded],
) -> None:
    whole = without(0, "name") | {"notes": "exported from the console"}
    del whole["provider"], whole["base_url"]
    ring = load_file(whole)
    assert (ring.agents[0].base_url, ring.agents[0].name) == (VANCHIN.base_url, "Agent 1")


def test_a_byte_order_mark_is_tolerated(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", "\ufeff" + json.dumps(document()))
    assert len(load(settings_of(tmp_path), str(path)).agents) == 14
    assert len(load(settings_of(tmp_path), "-", path.read_bytes()).agents) == 14


def test_a_dash_reads_standard_input(tmp_path: Path) -> None:
    ring = load(settings_of(tmp_path), "-", json.dumps(document()).encode())
    assert ring.origin == "standard input"
    assert ring.agents[13].api_key == fake_key(14)


def test_the_first_source_wins(tmp_path: Path) -> None:
    flag = write(tmp_path / "flag.json", with_agent(0, name="from the flag"))
    write(tmp_path / "named.json", with_agent(0, name="from the variable"))
    env = variables()
    assert load(settings_of(tmp_path, **env), None).agents[0].api_key == fake_key(1, "env")
    env["VANCHIN_KEYS_FILE"] = "named.json"  # relative to the project
    assert load(settings_of(tmp_path, **env), None).agents[0].name == "from the variable"
    assert load(settings_of(tmp_path, **env), str(flag)).agents[0].name == "from the flag"


def test_numbered_variables_may_name_and_describe_an_agent(tmp_path: Path) -> None:
    env = variables() | {"VANCHIN_AGENT_NAME_2": "Planner", "VANCHIN_AGENT_DESCRIPTION_2": "plans"}
    ring = load(settings_of(tmp_path, **env), None)
    assert [(a.name, a.description) for a in ring.agents[:2]] == [("Agent 1", None), ("Planner", "plans")]
    assert ring.agents[0].base_url == VANCHIN.base_url


def test_vanchin_base_url_overrides_every_source(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", document())
    for env, flag in (({}, str(path)), (variables(), None)):
        settings = settings_of(tmp_path, **env, VANCHIN_BASE_URL="http://127.0.0.1:8080/v1")
        assert load(settings, flag).agents[0].base_url == "http://127.0.0.1:8080/v1"


def test_every_key_read_is_masked_in_later_output(tmp_path: Path) -> None:
    load(settings_of(tmp_path, **variables()), None)
    load(settings_of(tmp_path), "-", json.dumps(document()).encode())
    assert redact(f"{fake_key(7, 'env')} {fake_key(7)}") == "******** ********"


def test_keys_are_masked_even_when_the_source_is_refused(tmp_path: Path) -> None:
    whole = with_agent(13, api_key="fake-key-only-in-a-refused-file", endpoint_id=3)
    refusal(lambda: load(settings_of(tmp_path), "-", json.dumps(whole).encode()))
    assert redact("fake-key-only-in-a-refused-file") == "********"


def test_a_ring_can_be_shown_without_its_keys(load_file: Callable[[Any], Loaded]) -> None:
    assert "fake-file-key" not in repr(load_file(document()))


def test_demo_keys_are_fourteen_different_obvious_fakes() -> None:
    keys = demo_keys(VANCHIN).keys
    assert len({key.api_key for key in keys}) == len({key.endpoint_id for key in keys}) == 14
    assert all("not-a-real-key" in key.api_key and "demo" in key.endpoint_id for key in keys)
    assert all(key.base_url.split("/")[2].endswith(".invalid") for key in keys)


def test_the_encryption_secret_is_taken_as_the_app_sees_it(tmp_path: Path) -> None:
    assert encryption_secret(settings_of(tmp_path, ENCRYPTION_SECRET=" a fake secret ")) == " a fake secret "
    with pytest.raises(PrerequisiteError, match="ENCRYPTION_SECRET"):
        encryption_secret(settings_of(tmp_path))


# what is refused


def test_no_keys_at_all(tmp_path: Path) -> None:
    error = refusal(lambda: load(settings_of(tmp_path, VANCHIN_API_KEY_1=" "), None))
    assert "no VanchinAI keys" in error.what
    assert "--demo" in error.hint


def test_thirteen_keys_name_the_missing_number(tmp_path: Path, load_file: Callable[[Any], Loaded]) -> None:
    env = variables()
    del env["VANCHIN_API_KEY_9"], env["VANCHIN_ENDPOINT_9"]
    for error in (
        refusal(lambda: load(settings_of(tmp_path, **env), None)),
        refusal(lambda: load_file(document(agents=[a for a in document()["agents"] if a["id"] != 9]))),
    ):
        assert "13 of 14" in error.what
        assert "number 9 is missing" in error.why


def test_several_missing_numbers_are_all_named(tmp_path: Path) -> None:
    error = refusal(lambda: load(settings_of(tmp_path, **variables(range(1, 12))), None))
    assert "12, 13 and 14" in error.why


def test_fifteen_keys_name_the_one_too_many(tmp_path: Path, load_file: Callable[[Any], Loaded]) -> None:
    extra = {"id": 15, "name": "Agent 15", "api_key": fake_key(15), "endpoint_id": "ep-fake-15"}
    for error in (
        refusal(lambda: load(settings_of(tmp_path, **variables(range(1, 16))), None)),
        refusal(lambda: load_file(document(agents=[*document()["agents"], extra]))),
    ):
        assert "more agents than 14" in error.what
        assert "number 15" in error.why


def test_a_number_outside_one_to_fourteen(load_file: Callable[[Any], Loaded]) -> None:
    assert "Agent 0 does not exist" in refusal(lambda: load_file(with_agent(0, id=0))).what


@pytest.mark.parametrize(("missing", "there"), [("ENDPOINT", "API_KEY"), ("API_KEY", "ENDPOINT")])
def test_half_a_pair_names_the_missing_variable(tmp_path: Path, missing: str, there: str) -> None:
    env = variables() | {f"VANCHIN_{missing}_5": ""}
    error = refusal(lambda: load(settings_of(tmp_path, **env), None))
    assert f"VANCHIN_{missing}_5 is missing" in error.what
    assert f"VANCHIN_{there}_5 is set" in error.why


def test_duplicate_endpoints_name_both_places(tmp_path: Path, load_file: Callable[[Any], Loaded]) -> None:
    env = variables() | {"VANCHIN_ENDPOINT_8": "ep-env-3"}
    error = refusal(lambda: load(settings_of(tmp_path, **env), None))
    assert "VANCHIN_ENDPOINT_3 and VANCHIN_ENDPOINT_8" in error.what
    error = refusal(lambda: load_file(with_agent(7, endpoint_id="ep-fake-3")))
    assert "agents[2].endpoint_id and agents[7].endpoint_id" in error.what


def test_duplicate_numbers_name_both_places(load_file: Callable[[Any], Loaded]) -> None:
    error = refusal(lambda: load_file(with_agent(7, id=3)))
    assert "two agents 3" in error.what
    assert "agents[2].id and agents[7].id" in error.why


def test_one_key_for_two_endpoints_is_a_warning_since_the_gateway_allows_it(
    load_file: Callable[[Any], Loaded],
) -> None:
    assert load_file(with_agent(7, api_key=fake_key(3))).warnings == ("Agents 3 and 8 have the same key.",)


def test_malformed_json_names_line_and_column(load_file: Callable[[Any], Loaded]) -> None:
    text = '{\n  "provider": "vanchin",\n  "agents": [{"id": 1 "api_key": "fake-file-key-01"}]\n}'
    assert "line 3, column 23" in refusal(lambda: load_file(text)).why


@pytest.mark.parametrize("text", ["", " \n", "[" * 100_000])
def test_json_that_is_empty_or_too_deep(load_file: Callable[[Any], Loaded], text: str) -> None:
    assert "not valid JSON" in refusal(lambda: load_file(text)).what


@pytest.mark.parametrize(
    ("content", "path", "found"),
    [
        ([], "the document", "a list"),
        ("null", "the document", "null"),
        (document(agents={}), "agents", "an object"),
        ({"provider": "vanchin"}, "agents", "missing"),
        (document(agents=[1]), "agents[0]", "a number"),
        (document(provider=3), "provider", "a number"),
        (document(base_url=None), "base_url", "null"),
        (with_agent(3, api_key=["fake-file-key-04-zzzz"]), "agents[3].api_key", "a list"),
        (without(3, "api_key"), "agents[3].api_key", "missing"),
        (without(4, "endpoint_id"), "agents[4].endpoint_id", "missing"),
        (without(5, "id"), "agents[5].id", "missing"),
        (with_agent(5, id="6"), "agents[5].id", "text"),
        (with_agent(5, id=True), "agents[5].id", "true or false"),
        (with_agent(5, id=6.0), "agents[5].id", "a fraction"),
        (with_agent(5, id=10**4000), "agents[5].id", "not a finite number"),
        (with_agent(5, id=float("nan")), "agents[5].id", "not a finite number"),
        (with_agent(6, name=7), "agents[6].name", "a number"),
        (with_agent(6, description={}), "agents[6].description", "an object"),
    ],
)
def test_a_wrong_type_names_its_path(load_file: Callable[[Any], Loaded], content: Any, path: str, found: str) -> None:
    error = refusal(lambda: load_file(content))
    assert error.what.startswith(f"{path} must be ")
    assert error.why.endswith(found if found == "missing" else f"it is {found}")


def test_an_empty_list_of_agents(load_file: Callable[[Any], Loaded]) -> None:
    assert "has no keys" in refusal(lambda: load_file(document(agents=[]))).what


@pytest.mark.parametrize(
    ("damage", "described"),
    [
        ("fake-file-key 02", "character 14 is a space"),
        ("fake-file-key-02\n", "character 17 is a line break"),
        ("fake-file-key-02\r\n", "character 17 is a line break"),
        ("\tfake-file-key-02", "character 1 is a tab"),
        ("fake-file-key\u200b-02", "character 14 is U+200B"),
        ("fake-file-key\u0007-02", "character 14 is U+0007"),
        ("fake-file-key\0-02", "character 14 is U+0000"),
        ("fake-file-key\ud800-02", "character 14 is U+D800"),
        ("\u201cfake-file-key-02\u201d", "character 1 is U+201C"),
        ("fake-file-keyä02", "character 14 is a letter that is not ASCII"),
        ("", "it is empty"),
        ("fake-02", "cut off"),
        ("ep-abcdef-1234567890", "an endpoint id, not a key"),
    ],
)
def test_a_key_that_was_copied_badly(load_file: Callable[[Any], Loaded], damage: str, described: str) -> None:
    error = refusal(lambda: load_file(with_agent(1, api_key=damage)))
    assert "agents[1].api_key" in error.what
    assert described in error.why


@pytest.mark.parametrize("damage", ["", "ep fake", "ep-fake-2\n"])
def test_an_endpoint_that_was_copied_badly(load_file: Callable[[Any], Loaded], damage: str) -> None:
    assert "agents[1].endpoint_id" in refusal(lambda: load_file(with_agent(1, endpoint_id=damage))).what


def test_a_copying_mishap_in_a_variable_names_the_variable(tmp_path: Path) -> None:
    env = variables() | {"VANCHIN_API_KEY_4": "fake-env-key 04"}
    error = refusal(lambda: load(settings_of(tmp_path, **env), None))
    assert "VANCHIN_API_KEY_4" in error.what


@pytest.mark.parametrize("member", ["name", "description"])
def test_text_the_database_cannot_store(load_file: Callable[[Any], Loaded], member: str) -> None:
    for character in ("\0", "\udcff"):
        error = refusal(partial(load_file, with_agent(1, **{member: f"a{character}b"})))
        assert error.what == f"agents[1].{member} cannot be used"


def test_another_provider(load_file: Callable[[Any], Loaded]) -> None:
    error = refusal(lambda: load_file(document(provider="fake-file-key-in-the-wrong-place")))
    assert "another provider" in error.what


@pytest.mark.parametrize(
    "url", ["", "ftp://x.example.com", "keys.example.com/v1", "https://", "http://[", "https://a b.example.com"]
)
def test_a_base_url_that_is_not_http(tmp_path: Path, load_file: Callable[[Any], Loaded], url: str) -> None:
    assert "base_url cannot be used" in refusal(lambda: load_file(document(base_url=url))).what
    if url:
        settings = settings_of(tmp_path, **variables(), VANCHIN_BASE_URL=url)
        assert "VANCHIN_BASE_URL" in refusal(lambda: load(settings, None)).what


def test_a_base_url_with_a_password_which_would_be_stored_in_the_clear(load_file: Callable[[Any], Loaded]) -> None:
    error = refusal(lambda: load_file(document(base_url="https://me:fake-file-key-pw@keys.example.com")))
    assert "password" in error.why


# what the file itself can be


def test_a_file_others_can_read_gives_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", document())
    path.chmod(0o640)
    (warning,) = load(settings_of(tmp_path), str(path)).warnings
    assert f"chmod 600 {path}" in warning


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\x7fELF\x02\x01\x00\x00", "binary"),
        (json.dumps(document()).encode("utf-16"), "UTF-16"),
        (b'{\n"provider": "vanch\xefn"}', "line 2 is not UTF-8"),
        (b" " * (1024 * 1024 + 1), "larger than one megabyte"),
    ],
)
def test_a_file_that_is_no_text(tmp_path: Path, raw: bytes, why: str) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(raw)
    assert why in refusal(lambda: load(settings_of(tmp_path), str(path))).why


def test_a_directory(tmp_path: Path) -> None:
    assert "a directory" in refusal(lambda: load(settings_of(tmp_path), str(tmp_path))).why


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "absent.json"
    for settings, flag in (
        (settings_of(tmp_path), str(path)),
        (settings_of(tmp_path, VANCHIN_KEYS_FILE=path.name, **variables()), None),
    ):
        error = refusal(partial(load, settings, flag))
        assert str(path) in error.what
        assert "no such file" in error.why


@pytest.mark.parametrize(
    "key", ["fake-sk-1234567890abcdefghij", "sk-ant-fake1234567890", "0123456789abcdef0123456789ab"]
)
def test_a_key_in_the_place_of_a_file_is_not_repeated(tmp_path: Path, key: str) -> None:
    for settings, flag in ((settings_of(tmp_path), key), (settings_of(tmp_path, VANCHIN_KEYS_FILE=key), None)):
        error = refusal(partial(load, settings, flag))
        assert "looks like a key" in error.what and key not in f"{error.what}{error.why}{error.hint}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", document())
    path.chmod(0)
    assert "permission denied" in refusal(lambda: load(settings_of(tmp_path), str(path))).why


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    assert refusal(lambda: load(settings_of(tmp_path), "a\0b")).exit_code == 2


def test_standard_input_that_is_no_text_or_closed(tmp_path: Path) -> None:
    assert "UTF-8" in refusal(lambda: load(settings_of(tmp_path), "-", b"\xff")).why
    assert "closed" in refusal(lambda: load(settings_of(tmp_path), "-", None)).why


# anything at all

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NOWHERE = settings_of(Path("/"))


@given(json_values)
def test_any_json_is_either_keys_or_a_usage_error(value: Any) -> None:
    with pytest.raises(UsageError):
        load(NOWHERE, "-", json.dumps(value).encode())


@given(
    index=st.integers(0, 13),
    member=st.sampled_from(["id", "name", "api_key", "endpoint_id", "description", "base_url", "user"]),
    value=json_values,
)
def test_any_value_in_any_place_is_either_accepted_or_a_usage_error(index: int, member: str, value: Any) -> None:
    try:
        loaded = load(NOWHERE, "-", json.dumps(with_agent(index, **{member: value})).encode())
    except UsageError as error:
        assert "fake-file-key" not in f"{error.what}{error.why}{error.hint}"
    else:
        assert len(loaded.agents) == 14


@given(st.text())
def test_any_text_is_either_keys_or_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        load(NOWHERE, "-", text.encode(errors="surrogatepass"))
