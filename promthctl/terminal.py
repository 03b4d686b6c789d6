"""What may reach a terminal: text that was not written by us has its control characters made visible.

A name in a database, a project's name or a server's message could otherwise move the cursor, hide lines or set the
terminal's title. Line breaks and tabs stay.
"""

from __future__ import annotations

import re

# C0 without tab and line feed, DEL, C1 (ECMA-48), and what reorders a line (https://www.unicode.org/reports/tr9/).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


# What promthctl itself prints beside ASCII, each in one column, and its spinner.
_PLAIN = {"✔": "+", "✘": "x", "·": "-", "→": "->", "…": "...", "‖": "|", "␍": "^M", "µ": "u", "“": '"', "”": '"'}
_BRAILLE = range(0x2800, 0x2900)
ENCODING_ERRORS = "promthctl-plain"


def plain(error: UnicodeError) -> tuple[str, int]:
    """For codecs.register_error: signs as ASCII has them, everything else escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    code = ord(sign)
    escaped = f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return ("*" if code in _BRAILLE else _PLAIN.get(sign, escaped)), error.start + 1


def visible(text: str) -> str:
    """`text` with each control character as its picture (U+2400 …) or code: one column where the terminal has it."""
    return _CONTROL.sub(_picture, text)


def json_visible(text: str) -> str:
    """JSON text with the control characters escaped that JSON lets stand; it means the same."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"<U+{code:04X}>"
