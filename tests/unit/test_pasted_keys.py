"""A key in the wrong place is recognised, and what belongs there is not taken for one."""

from __future__ import annotations

import pytest

from promthctl.errors import UsageError
from promthctl.keys.key import looks_like_key, refuse_key
from promthctl.redact import redact

KEYS = [
    "VaNcHiN0fakeKey1234567890abcdefghijklmnopqr",  # 43 characters, as VanchinAI's
    "sk-fake0123456789",
    "sk-proj-fake_0123456789-abcdef",
    "sk-ant-api03-fake-0123456789",
    "AIzaFAKE0123456789abcdefghijklmnopqrstuv",
    "eyJhbGciOiJIUzI1NiJ9.eyJmYWtlIjoxfQ.c2lnbmF0dXJl",
    "sb_secret_FAKE0123456789",
    "sbp_" + "0123456789" * 4,
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",  # 32 hexadecimal digits
    "ZmFrZSBrZXkgaW4gYmFzZTY0IGxldHRlcnM5OTk=",
]
NAMES = [
    "",
    "3",
    "Agent 3",
    "demo-not-a-real-key-01",
    "ep-abcdef-1234567890",
    "ep-3f2a9c81d7e64b5a9c0d1e2f3a4b5c6d-1732",
    "6f1c2b3a-4d5e-6f70-8192-a3b4c5d6e7f8",
    "6F1C2B3A-4D5E-6F70-8192-A3B4C5D6E7F8",
    "mira.long.name.of.a.person.2026@example.com",
    "sk-jones@example.com",
    "NEW_ENCRYPTION_SECRET_OF_THE_YEAR_2026",
    "new-encryption-secret-of-the-year-2026",
    "Researcher of long texts and many pages 12",
    "fake...zzz",
    "----------------------------------",
    "12345678901234567890123456789012345",
]


@pytest.mark.parametrize("text", KEYS)
def test_a_key_is_recognised_and_masked_from_then_on(text: str) -> None:
    assert looks_like_key(text) and looks_like_key(f" {text}\n")
    with pytest.raises(UsageError) as caught:
        refuse_key(text, "AGENT", "a name", "promthctl keys list")
    assert text not in caught.value.what + caught.value.why + caught.value.hint
    assert text not in redact(f"somebody says {text}")


@pytest.mark.parametrize("text", NAMES)
def test_a_name_is_no_key(text: str) -> None:
    assert not looks_like_key(text)
    refuse_key(text, "AGENT", "a name", "promthctl keys list")
