"""Quantities as people read them."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def size(number: float) -> str:
    """Bytes: 0 B, 12 kB, 340 MB, 3.4 GB."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, noun: str, plural: str = "") -> str:
    """1 row, 1,200 rows. plural: where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def all_of(number: int, noun: str, done: str) -> str:
    """The only migration is applied, all 3 migrations are applied. done: the participle."""
    return f"the only {noun} is {done}" if number == 1 else f"all {count(number, noun)} are {done}"


def part_of(number: int, total: int, done: str) -> str:
    """1 of 3 is applied, 2 of 3 are applied. done: the participle."""
    return f"{number:,} of {total:,} {'is' if number == 1 else 'are'} {done}"


def duration(seconds: int) -> str:
    """Its two largest units: 12 s, 3 min 5 s, 2 h 4 min, 3 d 1 h."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    largest = next((place for place, (number, _) in enumerate(parts) if number), 3)
    return " ".join(f"{number} {unit}" for number, unit in parts[largest : largest + 2] if number) or "0 s"


def read_duration(text: str) -> float | None:
    """Seconds of 10, 10s, 500ms, 1.5min or 1h; None for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip(), re.ASCII)
    return float(match[1]) * _UNITS[match[2]] if match and match[2] in _UNITS else None
