"""Which targets a squashed file is known by, and what `migrations squash` refuses before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl.migration_set import HistoryEntry, Migration
from promthctl.migration_set.squashed import as_replaced, digest, find_squashes, header, replaced_versions, squashed_by
from tests.hints import ByHand, Instead, Place, Row, Say, follow
from tests.promthctl_runner import Project


def file(version: str, sql: str) -> Migration:
    return Migration(version, f"m{version}", Path(f"{version}_m{version}.sql"), sql.encode())


OLD = [
    file("001", "create table a (i int);\n-- more\ninsert into a values (1);"),
    file("002", "select 2"),
    file("003", "select 3;\n"),
]
NEW = file("003", f"-- 3 in one\n{header(OLD)}\ncreate table a (i int);")
NEXT = file("005", header([NEW, file("004", "select 4"), file("005", "select 5")]) + "\nselect 345;")


def entry(one: Migration, *statements: str) -> HistoryEntry:
    return HistoryEntry(one.version, one.name, statements or (one.sql,))


def state(new: Migration, *entries: HistoryEntry) -> object:
    found = find_squashes([new], {one.version: one for one in entries})
    return (found[0].state, found[0].versions, found[0].missing, found[0].unproven) if found else None


def test_the_head_names_what_the_file_stands_for() -> None:
    assert [(one.version, one.parts) for one in squashed_by(NEW)] == [("001", ()), ("002", ()), ("003", ())]
    assert [(one.version, one.parts) for one in squashed_by(NEXT)][3:] == [
        ("003", ("001", "002", "003")),
        ("004", ()),
        ("005", ()),
    ]
    assert replaced_versions([NEW]) == {"001": "003_m003.sql", "002": "003_m003.sql"}
    assert squashed_by(file("001", f"select 1;\n{header(OLD)}")) == ()


def test_a_digest_does_not_depend_on_how_the_history_was_cut() -> None:
    cut = ["create table a (i int)", "-- more\r\ninsert into a values (1)"]
    assert digest(cut) == digest([OLD[0].sql]) != digest([OLD[0].sql.replace("1)", "2)")])


HISTORIES = {
    "nothing": ((), None),
    "all old ones": ((*map(entry, OLD),), ("replaces", ("001", "002"), (), ())),
    "the new one": ((entry(NEW),), None),
    "the new one, edited since": ((entry(NEW, "select 9"),), None),
    "the new one and old ones": ((entry(OLD[0]), entry(NEW)), ("left over", ("001",), (), ())),
    "the first": ((entry(OLD[0]),), ("in part", ("001",), ("002", "003"), ())),
    "one without statements": (
        (entry(OLD[0]), HistoryEntry("002", "", ()), entry(OLD[2])),
        ("unproven", ("001", "002"), (), ("002",)),
    ),
    "one that was another": (
        (entry(OLD[0], "select 0"), entry(OLD[1]), entry(OLD[2])),
        ("unproven", ("001", "002"), (), ("001",)),
    ),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_target_is_known_by_its_history(name: str) -> None:
    entries, expected = HISTORIES[name]
    assert state(NEW, *entries) == expected


def test_what_was_squashed_twice_knows_both_histories() -> None:
    later = [file("004", "select 4"), file("005", "select 5")]
    assert state(NEXT, *map(entry, [*OLD, *later])) == ("replaces", ("001", "002", "003", "004"), (), ())
    assert state(NEXT, *map(entry, [NEW, *later])) == ("replaces", ("003", "004"), (), ())
    assert state(NEXT, *map(entry, OLD)) == ("in part", ("001", "002", "003"), ("004", "005"), ())
    (found,) = find_squashes([NEXT], {one.version: entry(one) for one in [NEW, *later]})
    assert list(as_replaced({one.version: entry(one) for one in [NEW, *later]}, [found])) == ["005"]


ONE = (("supabase/migrations/001_a.sql", "select 1;\n"),)
SQUASHED = (("supabase/migrations/003_m003.sql", NEW.sql),)
ONLY, SQUASH = "is the only migration up to", "promthctl migrations squash"
FIRST = "migration_files/squashing.py · _first"
UNDO = "migration_files/squashing.py · plan_undo"
ROWS = (
    Row("cli/squash.py · command", SQUASH, Instead(f"{SQUASH} --to VERSION", (("VERSION", "001"),)), ONLY, ONE),
    Row(FIRST, f"{SQUASH} --to 009", Say("009", "001", "promthctl migrations list"), ONLY, ONE),
    Row(
        FIRST,
        f"{SQUASH} --to 001",
        Instead("promthctl -C DIR .*(?=, where)", (("DIR", "here"), ("VERSION", "001"))),
        ONLY,
        (("here/supabase/migrations/001_a.sql", "select 1;\n"),),
        name="example",
    ),
    Row(
        FIRST, f"{SQUASH} --to 001", Say("001", "002", "later versions, for --to"), "no migration 002", ONE, name="one"
    ),
    Row(UNDO, f"{SQUASH} --undo 009", Say("009", "003", "promthctl migrations list"), "does not have them", SQUASHED),
    Row(
        UNDO,
        f"{SQUASH} --undo 003",
        ByHand("mkdir -p supabase/squashed/003 && echo 'select 1;' > supabase/squashed/003/001_m001.sql", "git log"),
        "Restored: supabase/migrations/001_m001.sql",
        SQUASHED,
        name="kept",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, tmp_path: Path) -> None:
    follow(row, Place(Project(tmp_path)))
