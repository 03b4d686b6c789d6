"""A provider of keys is one file; its variables and the look of its keys are told there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from promthctl.errors import UsageError
from promthctl.keys import batch, providers, sources
from promthctl.keys.key import Key, check
from promthctl.settings import Settings
from promthctl.steps import Silent

FAKE = "sk-fake-provider-key-0123456789"


def from_variables(provider: str, **env: str) -> tuple[Key, ...]:
    made_for = providers.find(provider)
    with (
        sources.opened(Settings(Path("/"), env), made_for, None, None) as source,
        batch.checked(source, made_for, Silent()) as checked,
    ):
        return tuple(checked)


@pytest.mark.parametrize("name", providers.names())
def test_each_provider_is_whole(name: str) -> None:
    provider = providers.find(name)
    assert provider.name == name
    assert len(name) <= 50  # the column's width
    assert (provider.agents is None) == (provider.endpoint is not None)
    assert re.fullmatch(r"[A-Z][A-Z0-9]*", provider.variables)
    for key in sources.demo(provider):
        check(key, provider)
        assert provider.key_pattern is None or re.fullmatch(provider.key_pattern, key.api_key)
        assert not key.base_url.startswith(provider.base_url)


def test_a_new_file_is_a_new_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "example.py").write_text(
        "from promthctl.keys.provider import Provider\n"
        'PROVIDER = Provider("example", "Example", "https://api.example.com/v1", "EXAMPLE", endpoint="default")\n'
    )
    module: ModuleType = providers
    monkeypatch.setattr(module, "__path__", [*module.__path__, str(tmp_path)])
    assert "example" in providers.names()
    (key,) = from_variables("Example", EXAMPLE_API_KEY=FAKE)
    assert (key.name, key.endpoint_id, key.base_url) == ("Example", "default", "https://api.example.com/v1")


def test_an_unknown_provider_is_not_repeated_as_it_may_be_a_key() -> None:
    with pytest.raises(UsageError) as caught:
        providers.find(FAKE)
    assert FAKE not in f"{caught.value.what}{caught.value.why}{caught.value.hint}"
    assert "anthropic" in caught.value.why
    assert "openai" in caught.value.why


def test_a_provider_without_numbered_agents_has_one_key_in_its_variables() -> None:
    (key,) = from_variables("openai", OPENAI_API_KEY=FAKE, OPENAI_MODEL="a-model", OPENAI_BASE_URL="http://127.0.0.1:1")
    assert (key.name, key.endpoint_id, key.api_key, key.base_url) == ("a-model", "a-model", FAKE, "http://127.0.0.1:1")
    with pytest.raises(UsageError, match="There are no Anthropic keys"):
        from_variables("anthropic", OPENAI_API_KEY=FAKE)


def test_a_document_for_it_needs_neither_numbers_nor_endpoints() -> None:
    from promthctl.keys import document

    openai = providers.find("openai")
    (key,) = document.parse(f'{{"agents": [{{"api_key": "{FAKE}"}}]}}', "a test", openai, None)
    assert (key.number, key.name, key.endpoint_id) == (None, "OpenAI", "default")
    with pytest.raises(UsageError, match="another provider"):
        document.parse(f'{{"provider": "vanchin", "agents": [{{"api_key": "{FAKE}"}}]}}', "a test", openai, None)


def test_two_keys_that_name_no_endpoint_are_told_how_to_be_told_apart() -> None:
    from promthctl.keys import document

    openai = providers.find("openai")
    text = f'{{"agents": [{{"api_key": "{FAKE}1"}}, {{"api_key": "{FAKE}2"}}]}}'
    source = document.parse(text, "a test", openai, None)
    with pytest.raises(UsageError, match='"default"'), batch.checked(source, openai, Silent()):
        pass
