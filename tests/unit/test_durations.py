"""Durations and times as people give them to --lock-timeout and --since."""

from __future__ import annotations

import time

import pytest

from promthctl.cli.options import lock_seconds, unix_time
from promthctl.errors import UsageError
from promthctl.quantities import read_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("10s", 10), ("500ms", 0.5), ("2 min", 120), ("1.5m", 90), ("1h", 3600), ("0", 0)],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert read_duration(text) == lock_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5.2", "10 years", "1e3", "٣", "1h30m", "s", "25h", "0.1ms"])
def test_what_is_no_time_to_wait_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--lock-timeout cannot be understood"):
        lock_seconds(text)


def test_since_takes_a_duration_or_a_time() -> None:
    assert 595 < time.time() - unix_time("10m") < 605
    assert unix_time("2026-11-30T14:00:00+00:00") == unix_time("2026-11-30T15:00:00+01:00") == 1796047200
    for text in ("yesterday", "14:00", "-5", "2026-13-01"):
        with pytest.raises(UsageError, match="--since cannot be understood"):
            unix_time(text)
