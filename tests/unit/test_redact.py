"""What is secret is masked wherever it shows up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from promthctl import redact as module
from promthctl.redact import mask, redact, remember, remember_briefly


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A registry of its own for each test."""
    monkeypatch.setattr(module, "_known", set())
    yield


def test_remembered_secrets_are_masked_everywhere() -> None:
    remember("fake-secret-1")
    assert redact("a fake-secret-1, b=fake-secret-1;fake-secret-12") == "a ********, b=********;********2"
    assert redact("nothing here") == "nothing here"


def test_a_secret_within_a_longer_one_leaves_no_rest() -> None:
    for secret in ("fake-secret", "fake-secret-longer"):
        remember(secret)
    assert redact("fake-secret-longer fake-secret") == "******** ********"


def test_secrets_that_pass_by_are_masked_until_many_others_came() -> None:
    remember_briefly("fake-passing-secret")
    for number in range(1999):
        remember_briefly(f"fake-other-{number:04}")
    assert redact("fake-passing-secret fake-other-0000") == "******** ********"
    remember_briefly("fake-one-more")
    assert redact("fake-passing-secret fake-other-0000") == "fake-passing-secret ********"


@pytest.mark.parametrize("harmless", [None, "", "short", "postgres", "password"])
def test_what_would_mask_ordinary_text_is_not_remembered(harmless: str | None) -> None:
    remember(harmless)
    assert redact("a short postgres password") == "a short postgres password"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:pw@h/d", "postgresql://u:********@h/d"),
        ("see POSTGRES://u:a:b@h:1/d now", "see POSTGRES://u:********@h:1/d now"),
        ("postgresql://u:p@ss@h/d", "postgresql://u:********@h/d"),
        ("postgresql://:pw@h", "postgresql://:********@h"),
        ("a postgres://u:x@h and https://v:y@i", "a postgres://u:********@h and https://v:********@i"),
        ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
        ("http://127.0.0.1:54321/ told a@example.com", "http://127.0.0.1:54321/ told a@example.com"),
        ('{"url":"http://127.0.0.1:54321","to":"a@b.c"}', '{"url":"http://127.0.0.1:54321","to":"a@b.c"}'),
    ],
)
def test_passwords_in_urls_are_masked_unseen(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("key", "shown"),
    [("sk-1234567890", "sk-1...890"), ("12345678901", "1234...901"), ("1234567890", "...")],
)
def test_masks_show_too_little_to_guess(key: str, shown: str) -> None:
    assert mask(key) == shown
