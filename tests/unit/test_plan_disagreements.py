"""A history beside the files: what each disagreement is called, and whether it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl.migration_set import HistoryEntry, Migration
from promthctl.push import disagreements
from promthctl.targets import Target

REMOTE = Target("database x", "postgresql://u@h:5432/x")
HOSTED = Target("project", "postgresql://u@h:5432/x", ref="abcdefghijklmnopqrst")
LOCAL = Target("the local stack", "postgresql://u@h:5432/x", local=True)
SQL = "create table a (i int); -- one\nselect 1;\n"
PIECES = ("create table a (i int)", "-- one\nselect 1")


def files(*names: str, sql: str = SQL) -> tuple[Migration, ...]:
    parts = (name.partition("_") for name in names)
    return tuple(
        Migration(version, name, Path(f"/p/db/{version}_{name}.sql"), sql.encode()) for version, _, name in parts
    )


def found(
    here: tuple[Migration, ...],
    history: dict[str, tuple[str, tuple[str, ...]]],
    target: Target = REMOTE,
    include_all: bool = False,
) -> list[tuple[str, tuple[str, ...], bool]]:
    entries = {version: HistoryEntry(version, name, pieces) for version, (name, pieces) in history.items()}
    pending = tuple(file for file in here if file.version not in entries)
    return [
        (one.kind, one.versions, one.refuses)
        for one in disagreements.find_disagreements(target, here, entries, pending, include_all)
    ]


@pytest.mark.parametrize(
    ("here", "history", "expected"),
    [
        (files("001_a", "002_b"), {}, []),
        (files("001_a", "002_b"), {"001": ("a", PIECES)}, []),
        (files("001_a"), {"001": ("a", PIECES), "002": ("b", PIECES)}, [("missing", ("002",), False)]),
        (files("001_a", "003_c"), {"001": ("a", PIECES), "002": ("b", PIECES)}, [("missing", ("002",), True)]),
        (files("001_a", "002_b", "003_c"), {"001": ("a", PIECES), "003": ("c", PIECES)}, [("early", ("002",), True)]),
        (files("001_a"), {"001": ("a", ("create table a (i bigint)", "select 1"))}, [("edited", ("001",), True)]),
        (files("001_a"), {"001": ("", ("create table b (i int)",))}, [("edited", ("001",), True)]),
        (files("001_a"), {"001": ("a", ("CREATE TABLE a(i int)", "select 1"))}, [("edited", ("001",), False)]),
        (files("001_a"), {"001": ("a", ("not SQL at all",))}, [("edited", ("001",), True)]),
        (files("001_a"), {"001": ("b", ("create table b (i int)",))}, [("taken", ("001",), True)]),
        (files("001_a"), {"001": ("renamed since", PIECES)}, []),
        (files("001_a"), {"001": ("a", ())}, [("unknown", ("001",), False)]),
    ],
)
def test_what_disagrees_and_what_refuses(
    here: tuple[Migration, ...],
    history: dict[str, tuple[str, tuple[str, ...]]],
    expected: list[tuple[str, tuple[str, ...], bool]],
) -> None:
    assert found(here, history) == expected


def test_early_ones_are_allowed_when_all_are_wanted() -> None:
    history = {"003": ("c", PIECES)}
    assert found(files("002_b", "003_c"), history, include_all=True) == [("early", ("002",), False)]


def hint_of(target: Target, here: tuple[Migration, ...], history: dict[str, tuple[str, tuple[str, ...]]]) -> str:
    entries = {version: HistoryEntry(version, name, pieces) for version, (name, pieces) in history.items()}
    pending = tuple(file for file in here if file.version not in entries)
    refusal = disagreements.refusal_of(
        target.label, disagreements.find_disagreements(target, here, entries, pending, False)
    )
    assert refusal is not None and refusal.exit_code == 5
    return refusal.hint


def test_the_commands_name_the_target() -> None:
    missing = files("003_c"), {"002": ("b", PIECES)}
    edited = files("001_a"), {"001": ("a", ("select 2",))}
    early = files("001_a", "002_b"), {"002": ("b", PIECES)}
    for here, history in (missing, edited):
        assert "--remote=postgresql://u@h:5432/x" in hint_of(REMOTE, here, history)
        assert "--remote=abcdefghijklmnopqrst" in hint_of(HOSTED, here, history)
        assert "promthctl local reset" in hint_of(LOCAL, here, history) and "--remote" not in hint_of(
            LOCAL, here, history
        )
    assert "promthctl push --include-all --project-ref abcdefghijklmnopqrst" in hint_of(HOSTED, *early)
    assert hint_of(LOCAL, *early).endswith("promthctl push --include-all")


def test_of_many_early_ones_some_are_named() -> None:
    here = files(*(f"{number:04}_x" for number in range(1, 1001)))
    history = {"1001": ("last", PIECES)}
    hint = hint_of(REMOTE, (*here, *files("1001_last")), history)
    assert len(hint.splitlines()) == 12 and "0010_x.sql /p/db/1011_x.sql\nand so on" in hint


def test_a_long_difference_is_cut() -> None:
    here = files("001_a", sql="".join(f"select {number};\n" for number in range(100)))
    entries = {"001": HistoryEntry("001", "a", ("select 'x'",))}
    (one,) = disagreements.find_disagreements(REMOTE, here, entries, (), False)
    assert len(one.why.splitlines()) < 30 and one.why.endswith("…")
