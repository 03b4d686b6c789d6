"""Text that a check constraint's pattern accepts: a small generator for PostgreSQL's regular expressions and LIKE.

Best effort. It knows literals, escapes, bracket expressions, groups, alternatives and quantifiers; what it does not
know (look-around, back references) raises ValueError, and the caller tries something else.
Source of the syntax: https://www.postgresql.org/docs/current/functions-matching.html
"""

from __future__ import annotations

import string

_ALL = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_ .@/:#+!,"
_CLASSES = {
    "alpha": string.ascii_lowercase + string.ascii_uppercase,
    "digit": string.digits,
    "alnum": string.ascii_lowercase + string.digits + string.ascii_uppercase,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "space": " ",
    "punct": "-_.!",
    "xdigit": string.hexdigits,
}
_ESCAPES = {
    "d": string.digits,
    "w": _CLASSES["alnum"] + "_",
    "s": " ",
    "D": string.ascii_letters,
    "W": "-",
    "S": _CLASSES["alnum"],
    "t": "\t",
    "n": "\n",
}
_NOTHING = "ymMAZbB"  # escapes that match a position, not a character
_LONGEST = 256  # a quantifier such as {1,10000} needs no more


def text_matching(pattern: str, token: str, extra: int = 0) -> str:
    """A text that `pattern` matches from its beginning to its end.

    token: hexadecimal digits that choose among equal characters, so that two tokens give two texts where the pattern
    has room. extra: how often to repeat, beyond the minimum, what may be repeated without limit.
    Raises ValueError where the pattern has something that this generator does not know.
    """
    reader = _Reader(pattern, token, extra)
    text = reader.alternatives()
    if reader.rest:
        raise ValueError(f"unexpected {reader.rest[0]!r} in {pattern!r}")
    return text


def text_like(pattern: str) -> str:
    """A text that the LIKE `pattern` matches: `%` stands for nothing, `_` for one letter."""
    text, escaped = "", False
    for character in pattern:
        if escaped or character not in "\\%_":
            text, escaped = text + character, False
        elif character == "\\":
            escaped = True
        elif character == "_":
            text += "a"
    return text


class _Reader:
    """Reads a pattern from left to right and makes the text on the way."""

    def __init__(self, pattern: str, token: str, extra: int) -> None:
        self.rest = pattern
        self._pattern = pattern
        self._digits = int(token or "0", 16)
        self._extra = extra

    def alternatives(self) -> str:
        """`a|b|c`: a text for the first; the others are read and dropped."""
        texts = [self._sequence()]
        while self.rest.startswith("|"):
            self._take()
            texts.append(self._sequence())
        return texts[0]

    def _sequence(self) -> str:
        text = ""
        while self.rest and self.rest[0] not in "|)":
            text += self._repeated()
        return text

    def _repeated(self) -> str:
        before = self.rest
        one = self._atom()
        atom = before[: len(before) - len(self.rest)]
        times = self._times()
        if times == 1:
            return one
        # Each repetition is generated separately, so that it draws other characters.
        again = _Reader(atom, "0", self._extra)
        again._digits = self._digits
        parts = [one]
        for _ in range(times - 1):
            again.rest = atom
            parts.append(again._atom())
        self._digits = again._digits
        return "".join(parts[:times])

    def _times(self) -> int:
        if not self.rest or self.rest[0] not in "*+?{":
            return 1
        sign = self._take()
        least, unlimited = {"*": (0, True), "+": (1, True), "?": (0, False)}.get(sign, (0, False))
        if sign == "{":
            bounds, _, self.rest = self.rest.partition("}")
            low, comma, high = bounds.partition(",")
            if not low.isdigit() or (high and not high.isdigit()):
                raise ValueError(f"a strange quantifier in {self._pattern!r}")
            least = int(low)
            unlimited = bool(comma) and (not high or int(high) > least)
            if high:
                return min(least + (self._extra if unlimited else 0), int(high), _LONGEST)
        if self.rest.startswith("?"):  # the reluctant form
            self._take()
        return min(least + (self._extra if unlimited else 0), _LONGEST)

    def _atom(self) -> str:
        character = self._take()
        if character in "^$":
            return ""
        if character == ".":
            return self._choose(_CLASSES["alnum"])
        if character == "[":
            return self._choose(self._bracket())
        if character == "\\":
            return self._escape()
        if character != "(":
            return character
        if self.rest.startswith("?:"):
            self.rest = self.rest[2:]
        elif self.rest.startswith("?"):
            raise ValueError(f"look-around in {self._pattern!r}")
        inner = self.alternatives()
        if not self.rest:
            raise ValueError(f"an open group in {self._pattern!r}")
        self._take()
        return inner

    def _escape(self) -> str:
        character = self._take()
        if character in _NOTHING:
            return ""
        if character.isdigit():
            raise ValueError(f"a back reference in {self._pattern!r}")
        return self._choose(_ESCAPES[character]) if character in _ESCAPES else character

    def _bracket(self) -> str:
        """The characters of `[...]`, whose opening bracket is read already."""
        negated = self.rest.startswith("^")
        if negated:
            self._take()
        members = ""
        first = True
        while first or not self.rest.startswith("]"):
            first = False
            if self.rest.startswith("[:"):
                name, _, self.rest = self.rest[2:].partition(":]")
                members += _CLASSES.get(name, "")
                continue
            character = self._take()
            if character == "\\":
                character = self._take()
                if character in _ESCAPES:
                    members += _ESCAPES[character]
                    continue
            if self.rest.startswith("-") and self.rest[1:2] not in ("]", ""):
                self._take()
                last = self._take()
                members += "".join(map(chr, range(ord(character), min(ord(last), ord(character) + 200) + 1)))
            else:
                members += character
        self._take()
        return "".join(c for c in _ALL if c not in members) if negated else members

    def _choose(self, characters: str) -> str:
        if not characters:
            raise ValueError(f"an empty choice in {self._pattern!r}")
        self._digits, index = divmod(self._digits, len(characters))
        return characters[index]

    def _take(self) -> str:
        if not self.rest:
            raise ValueError(f"{self._pattern!r} ends too early")
        character, self.rest = self.rest[0], self.rest[1:]
        return character
