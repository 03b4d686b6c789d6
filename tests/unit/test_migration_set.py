"""A migration folder is read in order, or refused with a fix; history rows tell edited files from unedited ones."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_set import (
    HistoryEntry,
    Migration,
    MigrationRow,
    discover,
    is_as_applied,
    list_migrations,
    packaged_source,
    present_migrations,
)

SQL = b"select 1;\n"


def fill(folder: Path, *names: str, content: bytes = SQL) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(content)
    return folder


def refusal(folder: Path) -> PromthctlError:
    with pytest.raises(PromthctlError) as caught:
        discover(folder)
    return caught.value


def migration(version: str, name: str, sql: str) -> Migration:
    return Migration(version, name, Path(f"{version}_{name}.sql"), sql.encode())


# ── what a source folder may hold ────────────────────────────────────────────────────────────────────────────────


def test_the_packaged_migrations_are_a_valid_source_and_each_can_be_undone() -> None:
    found = discover(packaged_source())
    assert [each.version for each in found] == [f"{number:03}" for number in range(1, len(found) + 1)]
    assert all(each.down is not None for each in found)


def test_migrations_carry_their_bytes_their_down_script_and_their_digest(tmp_path: Path) -> None:
    fill(tmp_path, "001_a.sql", "001_a.down.sql")
    fill(tmp_path, "002_b c.d.sql", content=b"\xef\xbb\xbfselect '\xc3\xa9';\r\n")
    first, second = discover(tmp_path)
    assert (first.version, first.name, first.filename, first.content) == ("001", "a", "001_a.sql", SQL)
    assert first.down == tmp_path / "001_a.down.sql"
    assert (second.name, second.filename, second.down) == ("b c.d", "002_b c.d.sql", None)
    assert second.content.startswith(b"\xef\xbb\xbf")
    assert second.sql == "select 'é';\r\n"
    assert first.sha256 == hashlib.sha256(SQL).hexdigest()


@pytest.mark.parametrize(
    "stray",
    [
        "README.md",
        ".DS_Store",
        ".#001_a.sql",
        ".001_a.sql.swp",
        "001_a.sql~",
        "#001_a.sql#",
        "001_a.sql.orig",
        ".x.sql",
    ],
)
def test_files_that_are_no_migrations_are_left_aside(tmp_path: Path, stray: str) -> None:
    fill(tmp_path, "001_a.sql", stray, content=b"-- \xff" if stray != "001_a.sql" else SQL)
    (tmp_path / "001_a.sql").write_bytes(SQL)
    (tmp_path / "archive").mkdir()
    assert [each.filename for each in discover(tmp_path)] == ["001_a.sql"]


def test_a_link_to_a_file_is_a_migration(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    fill(tmp_path / "shared", "init.sql")
    source = fill(tmp_path / "source", "002_b.sql")
    (source / "001_a.sql").symlink_to(tmp_path / "shared" / "init.sql")
    assert [each.filename for each in discover(source)] == ["001_a.sql", "002_b.sql"]


@pytest.mark.parametrize(
    "names",
    [
        ["001_a.sql", "002_b.sql", "003_c.sql", "20240101000000_d.sql", "20240101000001_e.sql"],
        ["1_a.sql", "2_b.sql", "9_c.sql"],
        ["1_a.sql", "2_b.sql", "30_c.sql"],
        ["20211209000000_init.sql"],
        ["001_a.sql", "20200101000000_init.sql"],
        ["001_init.sql"],
    ],
)
def test_any_widths_are_fine_while_text_and_numbers_agree(tmp_path: Path, names: list[str]) -> None:
    fill(tmp_path, *names)
    assert [each.filename for each in discover(tmp_path)] == names


@pytest.mark.parametrize(
    ("names", "why", "mends"),
    [
        (
            ["001_a.sql", "002_a.sql", "002_b.sql"],
            ["002_a.sql and 002_b.sql both have version 002"],
            ["promthctl migrations renumber"],
        ),
        (
            ["002_a.sql", "002_b.sql", "002_c d.sql", "003_e.sql", "002_b.down.sql"],
            ["002_a.sql and 002_b.sql both", "002_a.sql and 002_c d.sql both"],
            ["promthctl migrations renumber"],
        ),
        (["999_a.sql", "999_b.sql"], ["both have version 999"], ["promthctl migrations renumber"]),
        (
            ["001_a.sql", "1_b.sql", "002_c.sql"],
            ["001_a.sql and 1_b.sql both have version 001"],
            ["promthctl migrations renumber"],
        ),
        (
            ["20240101000000_a.sql", "20240101000000_b.sql"],
            ["both have version 20240101000000"],
            ["promthctl migrations renumber"],
        ),
        (
            ["9_a.sql", "10_b.sql"],
            ["version 10 would be applied before 9"],
            ["mv 9_a.sql 09_a.sql"],
        ),
        (
            ["9_a.sql", "9_a.down.sql", "10_b.sql", "100_c.sql", "20240101000000_d.sql"],
            ["version 10 would be applied before 9"],
            ["mv 9_a.sql 09_a.sql && mv 9_a.down.sql 09_a.down.sql"],
        ),
        (
            ["001_a.sql", "002_b.sql", "0015_c.sql"],
            ["version 0015 would be applied before 002"],
            ["mv 0015_c.sql 015_c.sql"],
        ),
        (
            ["5_a.sql", "20240101000000_b.sql"],
            ["version 20240101000000 would be applied before 5"],
            ["mv 5_a.sql 00000000000005_a.sql"],
        ),
        (["001_a.sql", "002-b.sql"], ["002-b.sql is not named NNN_name.sql"], ["mv 002-b.sql 002_b.sql"]),
        (["001_a.sql", "setup.sql"], ["setup.sql is not named"], ["mv setup.sql 002_setup.sql"]),
        (["001_a.sql", "x.sql", "y.sql"], [], ["mv x.sql 002_x.sql", "mv y.sql 003_y.sql"]),
        (["setup.sql"], ["setup.sql is not named"], ["mv setup.sql 001_setup.sql"]),
        (["999_a.sql", "setup.sql"], ["setup.sql is not named"], ["rename setup.sql to NNN_name.sql"]),
        (["001.sql"], ["001.sql is not named"], ["mv 001.sql 001_migration.sql"]),
        (["001_.sql"], ["001_.sql is not named"], ["mv 001_.sql 001_migration.sql"]),
        (["001_a.SQL"], ["001_a.SQL is not named"], ["mv 001_a.SQL 001_a.sql"]),
        (["\u0661_a.sql"], ["is not named"], ["mv "]),
        (["001_a\nb.sql"], [r"'001_a\nb.sql' is not named"], ["to NNN_name.sql"]),
        (
            ["001_a.sql", "002_b.down.sql"],
            ["002_b.down.sql has no 002_b.sql beside it"],
            ["put 002_b.sql beside it, or mv 002_b.down.sql 002_b.down.sql.old"],
        ),
        (
            ["20200101000000_init.sql"],
            ["20200101000000_init.sql would be skipped"],
            ["mv 20200101000000_init.sql 20200101000000_initial_schema.sql"],
        ),
    ],
)
def test_a_folder_the_cli_would_misread_is_refused_with_its_fix(
    tmp_path: Path, names: list[str], why: list[str], mends: list[str]
) -> None:
    fill(tmp_path, *names)
    error = refusal(tmp_path)
    assert str(tmp_path) in error.what
    assert error.hint.startswith(f"in {tmp_path}:")
    for part in why:
        assert part in error.why
    for part in mends:
        assert part in error.hint


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "001_a.sql is empty"),
        (b" \r\n\t\n", "001_a.sql is empty"),
        (b"\xef\xbb\xbf\n", "001_a.sql is empty"),
        (b";\n;", "001_a.sql is empty"),
        (b"select 1;\nselect '\xe9';", "001_a.sql is not UTF-8 text: byte 0xe9 at offset 18, line 2"),
        (b"\xef\xbb\xbfselect '\xe9';", "byte 0xe9 at offset 11, line 1"),
        ("select 1;".encode("utf-16"), "byte 0xff at offset 0, line 1"),
        ("select 1;".encode("utf-16-le"), "byte 0x00 at offset 1, line 1"),
    ],
)
def test_a_file_postgres_could_not_read_is_refused_with_the_place(tmp_path: Path, content: bytes, why: str) -> None:
    fill(tmp_path, "001_a.sql", content=content)
    error = refusal(tmp_path)
    assert why in error.why
    assert "001_a.sql" in error.hint


def test_a_name_that_is_not_text_is_shown_escaped(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/001_\xff.sql")).write_bytes(SQL)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    error = refusal(tmp_path)
    assert r"'001_\udcff.sql'" in error.why
    (error.what + error.why + error.hint).encode()  # can be printed


def test_everything_wrong_with_a_folder_is_told_at_once(tmp_path: Path) -> None:
    fill(tmp_path, "001_a.sql", "001_b.sql", "setup.sql", "009_x.down.sql")
    fill(tmp_path, "002_c.sql", content=b"")
    (tmp_path / "003_d.sql").mkdir()
    (tmp_path / "004_e.sql").symlink_to("nowhere")
    error = refusal(tmp_path)
    assert len(error.why.splitlines()) == 6
    assert len(error.hint.splitlines()) == 7
    for name in ("001_b.sql", "setup.sql", "009_x.down.sql", "002_c.sql is empty", "003_d.sql is a folder", "nowhere"):
        assert name in error.why


def test_a_device_or_socket_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "001_a.sql")
    monkeypatch.chdir(tmp_path)  # socket paths are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("002_b.sql")
        assert "002_b.sql is not a file" in refusal(tmp_path).why


@pytest.mark.parametrize("kind", ["missing", "a file", "empty", "only text"])
def test_a_source_without_migrations_is_a_wrong_configuration(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "migrations"
    if kind == "a file":
        folder.write_bytes(SQL)
    elif kind != "missing":
        fill(folder, *(["README.md"] if kind == "only text" else []))
    error = refusal(folder)
    assert isinstance(error, UsageError)
    assert str(folder) in error.what
    assert "under [tool.promthctl]" in error.hint


names = st.text(st.characters(categories=["L", "N"], include_characters=" _-."), min_size=1, max_size=12)


@given(st.data())
def test_discovery_is_in_the_order_of_the_numbers_or_refused(data: st.DataObject) -> None:
    width = data.draw(st.one_of(st.none(), st.integers(1, 14)))
    numbers = data.draw(st.lists(st.integers(0, 10**6 if width is None else 10**width - 1), min_size=1, unique=True))
    versions = {f"{number:0{width or 1}}": number for number in numbers}
    with TemporaryDirectory() as folder:
        for version in versions:
            name = data.draw(names.filter(lambda text: not text.endswith(".down") and text != "init"))
            fill(Path(folder), f"{version}_{name}.sql")
        try:
            found = [each.version for each in discover(Path(folder))]
        except PromthctlError:
            assert sorted(versions) != sorted(versions, key=versions.__getitem__)
        else:
            assert found == sorted(versions) == sorted(versions, key=versions.__getitem__)


@given(st.lists(st.sampled_from([1, 2, 9, 10, 99, 100, 1000, 20240101000000]), min_size=2, unique=True))
def test_following_the_proposed_padding_gives_a_valid_folder(numbers: list[int]) -> None:
    with TemporaryDirectory() as text:
        folder = fill(Path(text), *(f"{number}_m.sql" for number in numbers))
        try:
            discover(folder)
        except PromthctlError as error:
            for line in error.hint.removeprefix(f"in {folder}: ").splitlines():
                _, old, new = line.split()
                (folder / old).rename(folder / new)
        assert [int(each.version) for each in discover(folder)] == sorted(numbers)


# ── what a target's history says of a file ───────────────────────────────────────────────────────────────────────

FILE = (
    "-- head\ncreate table a (i int); -- trailing; comment\n\ninsert into a values (1)\n;\n\nselect 'x;y' -- end;\n;\n"
)
STATEMENTS = (
    "-- head\ncreate table a (i int)",
    "-- trailing; comment\n\ninsert into a values (1)",
    "select 'x;y' -- end;",
)


@pytest.mark.parametrize(
    "sql",
    [
        FILE,
        FILE.replace("\n", "\r\n"),
        "\n\n" + FILE.rstrip("\n;"),
        FILE.replace(")\n;\n\n", ");;\n\n\n;\n"),
    ],
)
def test_spacing_around_statements_is_no_edit(sql: str) -> None:
    assert is_as_applied(sql, STATEMENTS)
    assert is_as_applied(sql, [statement.replace("\n", "\r\n") for statement in STATEMENTS])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("create table a (i int);", "create table a (i int)"),
        ("i int", "i bigint"),
        ("(1)\n;", "(1)\n"),
        ("'x;y'", "'x; y'"),
        ("'x;y'", "'x;Y'"),
        ("-- head\n", "-- head "),
        ("-- head\n", ""),
        ("-- head\n", "-- head\ndrop table b;\n"),
        ("insert", "drop table b; insert"),
        ("-- end;\n;\n", "-- end;\n;\nselect 2;"),
        ("\nselect 'x;y' -- end;\n;\n", ""),
        ("trailing; comment\n\ninsert", "trailing; comment insert"),
    ],
)
def test_any_edit_of_a_statement_is_seen(old: str, new: str) -> None:
    assert old in FILE
    assert not is_as_applied(FILE.replace(old, new), STATEMENTS)


@pytest.mark.parametrize(
    ("sql", "statements", "expected"),
    [
        ("select 1 -- c\n;select 2", ["select 1 -- c", "select 2"], True),
        ("select 1 -- c;select 2", ["select 1 -- c", "select 2"], False),
        ("select 1 -- c;\nselect 2", ["select 1 -- c;", "select 2"], False),
        ("select 1 -- c;\n;select 2", ["select 1 -- c;", "select 2"], True),
        ("select '--';select 2", ["select '--'", "select 2"], True),
        ("select E'\\'--';select 2", ["select E'\\'--'", "select 2"], True),
        ("select $a$ --$a$;select 2", ["select $a$ --$a$", "select 2"], True),
        ("select 1 /* -- */;select 2", ["select 1 /* -- */", "select 2"], True),
        ('select 1 "--";select 2', ['select 1 "--"', "select 2"], True),
        # the whole file as one statement, as the Management API records it
        ("select 1;\nselect 2;\n", ["select 1;\nselect 2;"], True),
        ("select 1;\nselect 2\n", ["select 1;\nselect 2;"], True),
        ("select 1;\nselect 3;\n", ["select 1;\nselect 2;"], False),
        (" ;\n", [], True),
        ("select 1", [], False),
        ("", ["select 1"], False),
    ],
)
def test_a_semicolon_counts_only_where_it_ends_a_statement(sql: str, statements: list[str], expected: bool) -> None:
    assert is_as_applied(sql, statements) is expected


@given(st.data())
def test_one_changed_character_inside_a_statement_is_seen(data: st.DataObject) -> None:
    sql = ";\n".join(STATEMENTS)
    places = [at for at, char in enumerate(sql) if not char.isspace() and char != ";"]
    place = data.draw(st.sampled_from(places))
    other = data.draw(st.characters(codec="utf-8").filter(lambda char: char != sql[place]))
    assert not is_as_applied(sql[:place] + other + sql[place + 1 :], STATEMENTS)
    assert not is_as_applied(sql[:place] + sql[place + 1 :], STATEMENTS)


def test_the_listing_shows_each_version_once_with_where_it_is() -> None:
    source = [
        migration("001", "a", "select 1;"),
        migration("002", "b", "select 2;"),
        migration("003", "c", "select 3;"),
    ]
    there = [
        migration("001", "a", "select 1;"),
        migration("002", "b", "select 22;"),
        migration("005", "own", "select 5;"),
    ]
    history = {
        "001": HistoryEntry("001", "a", ("select 1",)),
        "002": HistoryEntry("002", "b", ("select 2",)),
        "004": HistoryEntry("004", "gone", ("select 4",)),
    }
    assert list_migrations(source, there, history) == (
        MigrationRow("001", "a", in_source=True, in_supabase=True, applied=True, edited=False),
        MigrationRow("002", "b", in_source=True, in_supabase=True, applied=True, edited=True),
        MigrationRow("003", "c", in_source=True, in_supabase=False, applied=False, edited=None),
        MigrationRow("004", "gone", in_source=False, in_supabase=False, applied=True, edited=None),
        MigrationRow("005", "own", in_source=False, in_supabase=True, applied=False, edited=None),
    )


def test_without_a_target_nothing_is_said_of_its_history() -> None:
    (row,) = list_migrations([migration("001", "a", "select 1;")], [], None)
    assert (row.applied, row.edited) == (None, None)


def test_a_history_row_without_statements_cannot_tell_of_edits() -> None:
    (row,) = list_migrations([migration("001", "a", "select 1;")], [], {"001": HistoryEntry("001", "", ())})
    assert (row.applied, row.edited) == (True, None)


def test_a_file_renamed_since_it_was_applied_is_still_the_applied_one() -> None:
    entry = {"001": HistoryEntry("001", "old", ("select 1",))}
    (row,) = list_migrations([migration("001", "new", "select 1;")], [], entry)
    assert (row.name, row.applied, row.edited) == ("new", True, False)


def test_of_two_files_with_one_version_the_one_in_the_history_is_applied() -> None:
    entry = {"001": HistoryEntry("001", "b", ("select 1",))}
    rows = list_migrations([migration("001", "a", "select 2;")], [migration("001", "b", "select 1;")], entry)
    assert [(row.name, row.applied, row.edited) for row in rows] == [("a", False, None), ("b", True, False)]


def test_supabase_migrations_are_read_as_the_cli_reads_them(tmp_path: Path) -> None:
    assert present_migrations(tmp_path / "missing") == ()
    fill(tmp_path, "002_b.sql", "001_a.sql", "001_a.down.sql", "x.sql", ".003_c.sql", "004_d.SQL")
    fill(tmp_path, "9_e.sql", content=b"select '\xff';")
    (tmp_path / "005_f.sql").mkdir()
    assert [each.filename for each in present_migrations(tmp_path)] == [
        "001_a.sql",
        "001_a.down.sql",
        "002_b.sql",
        "9_e.sql",
    ]
    assert present_migrations(tmp_path)[-1].sql == "select '\ufffd';"


def test_supabase_migrations_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "migrations").write_bytes(b"")
    with pytest.raises(PromthctlError, match="cannot be read"):
        present_migrations(tmp_path / "migrations")
