"""Versions of their own: the order stays, and what is applied keeps its version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promthctl.migration_set.numbering import NoVersionLeftError, own_versions


@pytest.mark.parametrize(
    ("versions", "applied", "better"),
    [
        ("001 002 003", "", "001 002 003"),
        ("001 002 002 003", "", "001 002 003 004"),
        ("001 002 002 004", "", "001 002 003 004"),
        ("002 002 002 003 009", "", "002 003 004 005 009"),
        ("001 002 002 003", "001 002", "001 002 003 004"),
        ("20240101000000 20240101000000 20240102000000", "", "20240101000000 20240101000001 20240102000000"),
    ],
)
def test_files_move_on_only_as_far_as_they_have_to(versions: str, applied: str, better: str) -> None:
    given_versions, ran = versions.split(), applied.split()
    flags = [version in ran and given_versions.index(version) == place for place, version in enumerate(given_versions)]
    assert own_versions(given_versions, flags) == better.split()


def test_what_comes_after_something_applied_comes_after_all_of_it() -> None:
    assert own_versions(["002", "002", "004"], [True, False, True]) == ["002", "005", "004"]
    assert own_versions(["002", "002", "003", "004"], [True, False, False, True]) == ["002", "005", "006", "004"]


def test_versions_of_the_history_without_a_file_are_taken() -> None:
    assert own_versions(["002", "003"], [False, False], ["002"]) == ["003", "004"]


def test_there_may_be_no_version_left() -> None:
    with pytest.raises(NoVersionLeftError):
        own_versions(["998", "999", "999"], [False] * 3)


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=20))
def test_the_order_stays_and_what_is_applied_keeps_its_version(drawn: list[tuple[int, bool]]) -> None:
    seen: set[int] = set()
    files = []
    for number, wanted in sorted(drawn, key=lambda one: (one[0], not one[1])):
        files.append((f"{number:03}", wanted and number not in seen))
        seen.add(number)
    made = own_versions([version for version, _ in files], [ran for _, ran in files])
    assert len(set(made)) == len(made)
    assert all(new == old for new, (old, ran) in zip(made, files, strict=True) if ran)
    pending = [new for new, (_, ran) in zip(made, files, strict=True) if not ran]
    assert pending == sorted(pending)
