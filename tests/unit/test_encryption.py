"""A key survives the way into the column and back, and nothing that was changed on the way is accepted."""

from __future__ import annotations

import base64
import hashlib
import shlex
import subprocess
import sys
from pathlib import Path
from secrets import token_hex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promthctl.errors import PrerequisiteError, UsageError
from promthctl.keys.encryption import (
    DecryptionError,
    decrypt,
    derive_key,
    encrypt,
    key_hash,
    masked_key,
    weak_secret_warnings,
)

SECRET = "0123456789abcdef0123456789abcdef"
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())
texts = st.text(st.characters(exclude_categories=["Cs"]))


def test_a_secret_of_exactly_32_bytes_is_the_key() -> None:
    assert derive_key(SECRET) == SECRET.encode()
    assert derive_key("é" * 16) == ("é" * 16).encode()  # bytes count, not characters


@pytest.mark.parametrize("secret", [SECRET[:-1], SECRET + "0", "short", "é" * 32])
def test_a_secret_of_any_other_length_is_hashed(secret: str) -> None:
    assert derive_key(secret) == hashlib.sha256(secret.encode()).digest()


@pytest.mark.parametrize("secret", ["", "   ", "\n"])
def test_a_missing_secret_is_answered_with_the_command_that_makes_one(secret: str) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        encrypt("fake-key-of-a-test", secret)
    assert "ENCRYPTION_SECRET" in caught.value.what
    assert caught.value.hint.endswith(">> .env")


def test_the_offered_command_appends_a_secret_of_32_bytes_on_a_line_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        derive_key("")
    (tmp_path / ".env").write_text("LAST=without line break")
    command = caught.value.hint.replace("python3", shlex.quote(sys.executable), 1)
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[0] == "LAST=without line break"
    name, _, value = lines[1].partition("=")
    assert name == "ENCRYPTION_SECRET"
    assert len(value.encode()) == 32


def test_a_secret_that_is_not_text_is_refused() -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        derive_key("broken \udcff bytes")


@given(text=texts, secret=secrets)
def test_what_was_encrypted_decrypts_to_the_same(text: str, secret: str) -> None:
    assert decrypt(encrypt(text, secret), secret) == text


def test_the_format_is_iv_tag_ciphertext() -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    raw = base64.b64decode(encrypt("fake-key-of-a-test", SECRET), validate=True)
    iv, tag, ciphertext = raw[:12], raw[12:28], raw[28:]
    assert len(ciphertext) == len("fake-key-of-a-test")
    assert AESGCM(SECRET.encode()).decrypt(iv, ciphertext + tag, None) == b"fake-key-of-a-test"


def test_a_token_made_elsewhere_by_the_format_decrypts() -> None:
    # NIST's GCM test case 14 (256-bit key and 96-bit iv of zeros), its plaintext of sixteen zero bytes.
    ciphertext = bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18")
    tag = bytes.fromhex("d0d1c8a799996bf0265b98b5d48ab919")
    token = base64.b64encode(bytes(12) + tag + ciphertext).decode()
    assert decrypt(token, "\0" * 32) == "\0" * 16


def test_two_encryptions_of_one_key_differ() -> None:
    assert encrypt("fake-key-of-a-test", SECRET) != encrypt("fake-key-of-a-test", SECRET)


@given(text=texts, data=st.data())
def test_a_changed_token_is_refused(text: str, data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(encrypt(text, SECRET)))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DecryptionError):
        decrypt(base64.b64encode(raw).decode(), SECRET)


@settings(max_examples=25)
@given(text=texts, secret=secrets)
def test_every_single_byte_and_bit_of_a_token_counts(text: str, secret: str) -> None:
    raw = base64.b64decode(encrypt(text, secret))
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1 << position % 8
        with pytest.raises(DecryptionError):
            decrypt(base64.b64encode(changed).decode(), secret)


@given(text=texts, data=st.data())
def test_a_token_that_was_cut_or_grew_is_refused(text: str, data: st.DataObject) -> None:
    token = encrypt(text, SECRET)
    cut = data.draw(st.integers(0, len(token) - 1))
    for damaged in (token[:cut], token[cut + 1 :], token + token[:4]):
        with pytest.raises(DecryptionError):
            decrypt(damaged, SECRET)


@pytest.mark.parametrize("length", [31, 32, 33])
@pytest.mark.parametrize("letter", ["x", "é", "漢", "🔑"])
@given(text=texts)
def test_secrets_about_the_length_of_a_key_work_in_bytes_and_in_letters(length: int, letter: str, text: str) -> None:
    for secret in (letter * length, letter * (length // len(letter.encode())) + "y" * (length % len(letter.encode()))):
        token = encrypt(text, secret)
        assert decrypt(token, secret) == text
        with pytest.raises(DecryptionError):
            decrypt(token, secret + "x")


def test_another_secret_is_refused_without_showing_either() -> None:
    with pytest.raises(DecryptionError) as caught:
        decrypt(encrypt("fake-key-of-a-test", SECRET), "another secret of the tests")
    assert "ENCRYPTION_SECRET" in caught.value.why
    for hidden in ("fake-key-of-a-test", SECRET, "another secret"):
        assert hidden not in str(caught.value) + caught.value.hint


@given(st.text())
def test_text_that_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(DecryptionError):
        decrypt(text, SECRET)


def test_a_token_with_line_breaks_or_of_url_safe_letters_is_refused() -> None:
    token = encrypt("fake-key-of-a-test", SECRET)
    for damaged in (token[:8] + "\n" + token[8:], token + "=", "-_" + token[2:], token[:-4]):
        with pytest.raises(DecryptionError):
            decrypt(damaged, SECRET)


def test_the_hash_is_sha256_in_hex() -> None:
    assert key_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.text(min_size=8))
def test_a_mask_is_four_characters_dots_and_three(key: str) -> None:
    assert masked_key(key) == key[:4] + "..." + key[-3:]
    assert len(masked_key(key)) == 10  # the column is varchar(20)


@pytest.mark.parametrize(
    ("secret", "strength"),
    [("a", 1), ("changeme", 7), ("a" * 64, 1), ("ab" * 20, 2), ("12345678" * 4, 8), ("fake-secret-of-a-test", 21)],
)
def test_a_secret_that_can_be_guessed_is_refused_or_warned_of(secret: str, strength: int) -> None:
    (warning,) = weak_secret_warnings(secret, weak=True)
    assert f"{strength} characters count" in warning and secret not in warning.split()
    if strength < 8:
        with pytest.raises(UsageError, match="too weak"):
            weak_secret_warnings(secret)
    else:
        assert weak_secret_warnings(secret) == (warning,)


def test_the_command_that_makes_a_secret_makes_a_strong_one() -> None:
    assert all(weak_secret_warnings(token_hex(16)) == () for _ in range(1000))
