"""How the Mr.Promth app keeps an API key: AES-256-GCM, readable with Node's crypto and any other implementation.

    encrypted_key = base64( iv[12] ‖ tag[16] ‖ ciphertext ), no associated data

The AES key is the UTF-8 bytes of ENCRYPTION_SECRET when they are exactly 32, else their SHA-256. The format is the
app's: it decrypts what promthctl wrote, and promthctl what the app wrote.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os

from promthctl.errors import PrerequisiteError, PromthctlError, UsageError

_IV = 12  # bytes, the nonce NIST SP 800-38D recommends for GCM
_TAG = 16  # bytes, GCM's full tag
_KEY = 32  # bytes, AES-256

# The empty line first: an .env whose last line has no line break would otherwise grow that line.
MAKE_ONE = """python3 -c "import secrets; print('\\nENCRYPTION_SECRET=' + secrets.token_hex(16))" >> .env"""


class DecryptionError(PromthctlError):
    """A stored key was written under another secret, or changed since."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "The stored key cannot be decrypted",
            why,
            "set the ENCRYPTION_SECRET it was stored with, or store the keys again: promthctl seed vanchin",
        )


def derive_key(secret: str) -> bytes:
    """The 32-byte AES key that `secret`, the value of ENCRYPTION_SECRET, stands for.

    Raises PrerequisiteError when the secret is blank, UsageError when it is not text.
    """
    if not secret.strip():
        raise PrerequisiteError(
            "There is no ENCRYPTION_SECRET",
            "keys are stored encrypted, and the app needs the same secret to read them",
            MAKE_ONE,
        )
    try:
        raw = secret.encode()
    except UnicodeEncodeError:
        raise UsageError(
            "ENCRYPTION_SECRET cannot be used", "it is not UTF-8 text, which the app would read differently", MAKE_ONE
        ) from None
    return raw if len(raw) == _KEY else hashlib.sha256(raw).digest()


def encrypt(plaintext: str, secret: str) -> str:
    """`plaintext` as encrypted_key holds it; a fresh random iv makes every call's result different.

    Raises what derive_key raises.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    iv = os.urandom(_IV)
    sealed = AESGCM(derive_key(secret)).encrypt(iv, plaintext.encode(), None)
    return base64.b64encode(iv + sealed[-_TAG:] + sealed[:-_TAG]).decode()


def decrypt(token: str, secret: str) -> str:
    """The text that `encrypt` was given.

    Raises DecryptionError when the token is not of the format, was changed, or needs another secret; and what
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


def key_hash(key: str) -> str:
    """SHA-256 of the key in hex, by which the app recognises a key it already has."""
    return hashlib.sha256(key.encode()).hexdigest()


def masked_key(key: str) -> str:
    """First four characters, "...", last three, for a key of any length: the format of the masked_key column.

    redact.mask hides a short key altogether; this column has one format only, and the key sources refuse keys so
    short that it would show them whole.
    """
    return f"{key[:4]}...{key[-3:]}"
