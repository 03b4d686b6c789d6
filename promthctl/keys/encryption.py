"""How a stored API key is encrypted: AES-256-GCM, readable with Node's crypto and any other implementation.

    encrypted_key = base64( iv[12] ‖ tag[16] ‖ ciphertext ), no associated data

The AES key is the UTF-8 bytes of ENCRYPTION_SECRET when there are exactly 32, otherwise their SHA-256. The format is
the app's: it decrypts what promthctl wrote, and promthctl what the app wrote.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import shlex
from pathlib import Path

from promthctl.errors import PrerequisiteError, PromthctlError, UsageError
from promthctl.redact import remember
from promthctl.settings import Settings, in_shell

_IV = 12  # bytes, the nonce NIST SP 800-38D recommends for GCM
_TAG = 16  # bytes, GCM's full tag
_KEY = 32  # bytes, AES-256
_REFUSED = 8  # characters; fewer are guessed from one stored key within minutes
_FEW = 8  # different characters; a text of fewer is as weak as their number


class DecryptionError(PromthctlError):
    """A stored key was encrypted under another secret, or changed since."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "The stored key cannot be decrypted",
            why,
            "set the ENCRYPTION_SECRET it was stored with, or store the key again: promthctl keys replace AGENT",
        )


def generate_command(name: str = "ENCRYPTION_SECRET", settings: Settings | None = None) -> str:
    """The command that makes a secret and writes it into the project's .env, wherever it is typed."""
    here = settings is None or settings.project_dir == Path.cwd()
    file = ".env" if here or settings is None else shlex.quote(str(settings.project_dir / ".env"))
    # The line break first: it would otherwise be appended to the last line of an .env that does not end with one.
    command = f"""python3 -c "import secrets; print('\\n{name}=' + secrets.token_hex(16))" >> {file}"""
    return f"unset {name}; {command}" if in_shell(name) else command


def encryption_secret(settings: Settings) -> str:
    """ENCRYPTION_SECRET just as the app sees it, white space included.

    Raises PrerequisiteError, with the command that makes one, when it is not set, and UsageError when it is not text.
    """
    secret = settings.env.get("ENCRYPTION_SECRET", "")
    remember(secret)
    derive_key(secret, settings)
    return secret


def weak_secret_warnings(
    secret: str, name: str = "ENCRYPTION_SECRET", *, weak: bool = False, settings: Settings | None = None
) -> tuple[str, ...]:
    """A sentence when new keys should not be stored under this secret, because it can be guessed.

    name: its variable. weak: True for --weak-secret. settings: see derive_key. Raises UsageError for one so short that
    only --weak-secret makes it usable.
    """
    strength = _strength(secret)
    if strength < _REFUSED and not weak:
        raise UsageError(
            f"{name} is too weak",
            "whoever has a copy of the table finds it by trying, and with it every key",
            f"{generate_command(name, settings)} ; or run the same command with --weak-secret",
        )
    if strength >= _KEY:
        return ()
    return (f"{name} is weak: {strength} characters count, {_KEY} random ones cannot be guessed.",)


def _strength(secret: str) -> int:
    """How many characters of it someone would have to guess; what repeats counts once."""
    length = len(secret)
    repeats = (size for size in range(1, length // 2 + 1) if secret == (secret[:size] * length)[:length])
    period = next(repeats, length)
    different = len(set(secret))
    return min(period, different) if different < _FEW else period


def derive_key(secret: str, settings: Settings | None = None) -> bytes:
    """The 32-byte AES key of `secret`, the value of ENCRYPTION_SECRET. settings: the project whose .env a hint names.

    Raises PrerequisiteError when the secret is blank, UsageError when it is not text.
    """
    if not secret.strip():
        raise PrerequisiteError(
            "There is no ENCRYPTION_SECRET",
            "keys are stored encrypted, and the app needs the same secret to read them",
            generate_command(settings=settings),
        )
    try:
        raw = secret.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "ENCRYPTION_SECRET cannot be used",
            "it is not UTF-8 text, so the app would read it differently",
            generate_command(settings=settings),
        ) from None
    return raw if len(raw) == _KEY else hashlib.sha256(raw).digest()


def encrypt(plaintext: str, secret: str) -> str:
    """`plaintext` in the form of encrypted_key; a fresh random iv makes every result different.

    Raises what derive_key raises.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    iv = os.urandom(_IV)
    sealed = AESGCM(derive_key(secret)).encrypt(iv, plaintext.encode(), None)
    return base64.b64encode(iv + sealed[-_TAG:] + sealed[:-_TAG]).decode()


def decrypt(token: str, secret: str) -> str:
    """The plaintext of a token that `encrypt` or the app made.

    Raises DecryptionError when the token is not of this format, was changed, or needs another secret; and what
    derive_key raises.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = derive_key(secret)
    try:
        raw = base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        raise DecryptionError("it is not base64 text") from None
    if len(raw) < _IV + _TAG or base64.b64encode(raw).decode() != token:
        raise DecryptionError("it is not base64( iv[12] ‖ tag[16] ‖ ciphertext )")
    iv, tag, ciphertext = raw[:_IV], raw[_IV : _IV + _TAG], raw[_IV + _TAG :]
    try:
        return AESGCM(key).decrypt(iv, ciphertext + tag, None).decode()
    except (InvalidTag, UnicodeDecodeError):
        raise DecryptionError("it was stored with another ENCRYPTION_SECRET, or changed since") from None


def decrypt_or_none(token: str, secret: str) -> str | None:
    """The plaintext, None when the token cannot be decrypted with that secret. Raises what derive_key raises."""
    try:
        return decrypt(token, secret)
    except DecryptionError:
        return None


def key_hash(key: str) -> str:
    """SHA-256 of the key in hex, by which the app recognises a key it already has."""
    return hashlib.sha256(key.encode()).hexdigest()


def masked_key(key: str) -> str:
    """First four characters, "...", last three, for a key of any length: the format of the column masked_key.

    redact.mask hides a short key completely; this column has one format only, and keys so short that it would show
    them in full are refused.
    """
    return f"{key[:4]}...{key[-3:]}"
