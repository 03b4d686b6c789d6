"""A key in the wrong place: refused before it is used, and never repeated."""

from __future__ import annotations

import re

from promthctl.errors import UsageError
from promthctl.redact import remember

# What keys and tokens of providers and of Supabase begin with.
_BEGINNING = re.compile(r"((sk|pk|rk|gsk|xai|sbp|sb_secret|ghp|hf)[-_]|AIza|AKIA|eyJ)[A-Za-z0-9._+/=-]{8,}")
_LONG = re.compile(r"[A-Za-z0-9_+=-]{30,}")  # VanchinAI's keys have 43 such characters
_KNOWN_FORMS = re.compile(
    r"ep-[a-z0-9]+-\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)  # endpoint, UUID


def looks_like_key(text: str) -> bool:
    """True for what is a key rather than a name, an endpoint, a UUID or an e-mail address, as far as one can see."""
    word = text.strip()
    if _BEGINNING.fullmatch(word):
        return True
    if not _LONG.fullmatch(word) or _KNOWN_FORMS.fullmatch(word) or _is_words(word):
        return False
    return any(map(str.isdigit, word)) and any(map(str.isalpha, word))


def refuse_key(text: str, place: str, wanted: str) -> None:
    """Raise UsageError when `text`, given as `place` where `wanted` belongs, looks like a key."""
    if looks_like_key(text):
        remember(text.strip())
        raise UsageError(
            f"{place} looks like a key",
            f"{wanted} belongs there; what was typed is not repeated here, but the shell's history may have it",
            "remove it from the history; keys are typed at a prompt or piped in: promthctl keys replace --help",
        )


def _is_words(word: str) -> bool:
    """True for words of one case with separators, such as a variable's name."""
    return word in (word.lower(), word.upper()) and len(re.split("[_-]", word)) > 3
