"""A provider of keys is one entry of a table, which names its variables and what its keys look like."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from promthctl.errors import UsageError
from promthctl.keys.key import Key, check_key
from promthctl.keys.key_batch import checked_batch
from promthctl.keys.key_file_formats import parse_document
from promthctl.keys.providers import PROVIDERS, Provider, find_provider, provider_names
from promthctl.keys.sources import demo_keys, open_source
from promthctl.settings import Settings
from promthctl.steps import Silent

FAKE = "sk-fake-provider-key-0123456789"


def from_variables(provider: str, **env: str) -> tuple[Key, ...]:
    made_for = find_provider(provider)
    with (
        open_source(Settings(Path("/"), env), made_for, None, None) as source,
        checked_batch(source, made_for, Silent()) as checked,
    ):
        return tuple(checked)


@pytest.mark.parametrize("name", provider_names())
def test_each_provider_is_whole(name: str) -> None:
    provider = find_provider(name)
    assert provider.name == name
    assert len(name) <= 50  # the column's width
    assert (provider.agents is None) == (provider.endpoint is not None)
    assert re.fullmatch(r"[A-Z][A-Z0-9]*", provider.variables)
    for key in demo_keys(provider):
        check_key(key, provider)
        assert provider.key_pattern is None or re.fullmatch(provider.key_pattern, key.api_key)
        assert not key.base_url.startswith(provider.base_url)


def test_a_new_entry_is_a_new_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    example = Provider("example", "Example", "https://api.example.com/v1", "EXAMPLE", endpoint="default")
    monkeypatch.setitem(PROVIDERS, "example", example)
    assert "example" in provider_names()
    (key,) = from_variables("Example", EXAMPLE_API_KEY=FAKE)
    assert (key.name, key.endpoint_id, key.base_url) == ("Example", "default", "https://api.example.com/v1")


def test_an_unknown_provider_is_not_repeated_as_it_may_be_a_key() -> None:
    with pytest.raises(UsageError) as caught:
        find_provider(FAKE)
    assert FAKE not in f"{caught.value.what}{caught.value.why}{caught.value.hint}"
    assert "anthropic" in caught.value.why
    assert "openai" in caught.value.why


def test_a_provider_without_numbered_agents_has_one_key_in_its_variables() -> None:
    (key,) = from_variables("openai", OPENAI_API_KEY=FAKE, OPENAI_MODEL="a-model", OPENAI_BASE_URL="http://127.0.0.1:1")
    assert (key.name, key.endpoint_id, key.api_key, key.base_url) == ("a-model", "a-model", FAKE, "http://127.0.0.1:1")
    with pytest.raises(UsageError, match="There are no Anthropic keys"):
        from_variables("anthropic", OPENAI_API_KEY=FAKE)


def test_a_document_for_it_needs_neither_numbers_nor_endpoints() -> None:
    openai = find_provider("openai")
    (key,) = parse_document(f'{{"agents": [{{"api_key": "{FAKE}"}}]}}', "a test", openai, None)
    assert (key.number, key.name, key.endpoint_id) == (None, "OpenAI", "default")
    with pytest.raises(UsageError, match="another provider"):
        parse_document(f'{{"provider": "vanchin", "agents": [{{"api_key": "{FAKE}"}}]}}', "a test", openai, None)


def test_two_keys_that_name_no_endpoint_are_told_how_to_be_told_apart() -> None:
    openai = find_provider("openai")
    text = f'{{"agents": [{{"api_key": "{FAKE}1"}}, {{"api_key": "{FAKE}2"}}]}}'
    source = parse_document(text, "a test", openai, None)
    with pytest.raises(UsageError, match='"default"'), checked_batch(source, openai, Silent()):
        pass
