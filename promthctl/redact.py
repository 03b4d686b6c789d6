"""Secrets never reach a person, a log or a program: whatever is known to be secret is masked on the way out.

The registry is process-wide on purpose: a secret read anywhere must be masked everywhere.
"""

from __future__ import annotations

import re
from collections import deque

_MIN_LENGTH = 6
_COMMON = {"postgres", "password", "supabase"}  # everybody's password for a database of no value, and everyday words
_known: set[str] = set()
_lately: deque[str] = deque(maxlen=2000)
# The password of any database URL, also of one that was never remembered (a child's error message, say).
_URL_PASSWORD = re.compile(
    r"(?P<head>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)(?P<password>[^\s/'\x22<>]+)(?=@)", re.IGNORECASE
)


def remember(secret: str | None) -> None:
    """Mask `secret` in everything printed from now on; what is short or common would mask ordinary text."""
    if secret and len(secret) >= _MIN_LENGTH and secret not in _COMMON:
        _known.add(secret)


def remember_briefly(secret: str) -> None:
    """Mask `secret` until two thousand others came after it: for keys that pass by in any number."""
    if len(secret) >= _MIN_LENGTH:
        _lately.append(secret)


def redact(text: str) -> str:
    """`text` with every remembered secret and every URL password replaced by asterisks."""
    for secret in sorted(_known.union(_lately), key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, "********")
    return _URL_PASSWORD.sub(r"\g<head>********", text)


def mask(key: str) -> str:
    """First four characters, "...", last three: how the Mr.Promth app shows a key (its `masked_key` column)."""
    return f"{key[:4]}...{key[-3:]}" if len(key) > 10 else "..."
