"""Migration files of other tools: the part that undoes is told from the part that makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl.errors import PromthctlError
from promthctl.migration_set import discover, discover_in_place
from promthctl.migration_set.other_tools import FlywayName, flyway_name, paired_downs, split_parts

UP, DOWN = "create table x (id int);\n", "drop table x;\n"


@pytest.mark.parametrize(
    ("tool", "up", "down"),
    [
        ("dbmate", "-- migrate:up\n", "-- migrate:down\n"),
        ("dbmate", "-- migrate:up transaction:false\n", "--migrate:down transaction:false\n"),
        ("goose", "-- +goose Up\n-- +goose StatementBegin\n", "-- +goose StatementEnd\n\n-- +goose Down\n"),
        ("goose", "-- +goose NO TRANSACTION\r\n-- +goose up\r\n", "-- +goose DOWN\r\n"),
        ("sql-migrate", "-- +migrate Up\n", "-- +migrate Down notransaction\n"),
        ("micrate", "-- +micrate Up\n", "-- +micrate Down\n"),
        ("rambler", "-- rambler up\n", "-- rambler down\n"),
        ("node-pg-migrate", "-- Up Migration\n", "-- Down Migration\n"),
        ("tern", "", "---- create above / drop below ----\n"),
        ("MyBatis", "-- // first\n", "-- //@UNDO\n"),
        ("Atlas", "-- atlas:txtar\n\n-- migration.sql --\n", "-- down.sql --\n"),
        ("Play", "-- !Ups\n", "-- !Downs\n"),
        ("a heading", "-- UP\n", "-- ==== Down ====\n"),
    ],
)
def test_a_down_part_is_found_with_its_line(tool: str, up: str, down: str) -> None:
    parts = split_parts(up + UP + "\n" + down + DOWN)
    assert parts is not None
    assert parts.tool == tool
    assert UP in parts.up and "drop" not in parts.up
    assert DOWN in parts.down and "create table" not in parts.down
    lines = (up + UP + "\n" + down).splitlines()
    assert parts.line == len(lines)


@pytest.mark.parametrize(
    "sql",
    [
        UP,
        "-- +goose Up\n" + UP,
        "-- migrate:up\n" + UP + "-- migrate:down\n",  # nothing to run in it
        "-- migrate:up\n" + UP + "-- migrate:down\n-- drop table x;\n",
        UP + "-- down\n" + DOWN,  # a word, without an up part: somebody's own comment
        UP + "-- scale down the river\n" + UP,
        "select '\n-- migrate:down\n';\nselect 1;",
        "create function f() returns int language sql as $$\n-- +goose Down\nselect 1 $$;\nselect 2;",
        UP + "select 1; -- migrate:down\nselect 2;",
        "/*\n-- migrate:down\n*/ select 1;",
        "",
    ],
)
def test_what_only_looks_like_one_is_a_migration(sql: str) -> None:
    assert split_parts(sql) is None


def test_several_parts_of_each_kind_are_put_together() -> None:
    parts = split_parts("-- +migrate Up\na;\n-- +migrate Down\nb;\n-- +migrate Up\nc;\n-- +migrate Down\nd;\n")
    assert parts is not None
    assert parts.up == "-- +migrate Up\na;\n-- +migrate Up\nc;\n"
    assert parts.down == "-- +migrate Down\nb;\n-- +migrate Down\nd;\n"


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        ({"1_x.up.sql", "1_x.down.sql"}, {"1_x.down.sql": "1_x.up.sql"}),
        ({"1_x.sql", "1_x.down.sql"}, {"1_x.down.sql": "1_x.sql"}),
        ({"1_x_up.sql", "1_x_down.sql"}, {"1_x_down.sql": "1_x_up.sql"}),
        ({"1_x.sql", "1_x_rollback.sql"}, {"1_x_rollback.sql": "1_x.sql"}),
        ({"1_x.do.sql", "1_x.undo.sql"}, {"1_x.undo.sql": "1_x.do.sql"}),
        ({"1_x.sql", "1_x.Down.SQL"}, {"1_x.Down.SQL": "1_x.sql"}),
        ({"1_x.sql", "2_remove_rollback.sql"}, {}),
        ({"1_count_down.sql"}, {}),
    ],
)
def test_pairs_are_known_by_their_names(names: set[str], pairs: dict[str, str]) -> None:
    assert paired_downs(names) == pairs


def test_flyways_names() -> None:
    assert flyway_name("V1.2__add x.sql") == FlywayName(False, (1, 2), "add x")
    assert flyway_name("U3__x.sql") == FlywayName(True, (3,), "x")
    assert flyway_name("R__view.sql") is None and flyway_name("V1_x.sql") is None


def test_a_source_has_up_and_down_files_side_by_side(tmp_path: Path) -> None:
    for name in ("001_x.up.sql", "001_x.down.sql", "002_y_up.sql", "002_y_down.sql"):
        (tmp_path / name).write_text(UP)
    assert [(file.filename, file.down and file.down.name) for file in discover(tmp_path)] == [
        ("001_x.up.sql", "001_x.down.sql"),
        ("002_y_up.sql", "002_y_down.sql"),
    ]


@pytest.mark.parametrize("in_place", [False, True])
def test_a_file_with_a_down_part_is_refused_before_anything_is_touched(tmp_path: Path, in_place: bool) -> None:
    (tmp_path / "001_x.sql").write_text("-- migrate:up\n" + UP + "-- migrate:down\n" + DOWN)
    with pytest.raises(PromthctlError, match=r"001_x\.sql, line 3: the down part begins \(dbmate\)") as caught:
        (discover_in_place if in_place else discover)(tmp_path)
    assert "promthctl migrations convert" in caught.value.hint


def test_in_place_what_the_cli_would_take_for_a_migration_is_refused(tmp_path: Path) -> None:
    there = tmp_path / "supabase" / "migrations"
    there.mkdir(parents=True)
    for name in ("001_x.sql", "1_y.sql", "002_b.up.sql"):
        (there / name).write_text(UP)
    (tmp_path / "supabase" / "down").mkdir()
    (tmp_path / "supabase" / "down" / "002_b.down.sql").write_text(DOWN)
    found = discover_in_place(there)  # to the CLI, 1 and 001 are two versions
    assert [file.filename for file in found] == ["001_x.sql", "002_b.up.sql", "1_y.sql"]
    assert found[1].down == tmp_path / "supabase" / "down" / "002_b.down.sql"
    (there / "002_b.down.sql").write_text(DOWN)
    (there / "003_gone.sql").symlink_to("nowhere")
    with pytest.raises(PromthctlError) as caught:
        discover_in_place(there)
    assert "002_b.down.sql is a migration to the Supabase CLI" in caught.value.why
    assert "003_gone.sql is a link that leads nowhere" in caught.value.why


@pytest.mark.parametrize("names", [["20240101_x/migration.sql"], ["1_x/up.sql", "1_x/down.sql"], ["V1__x.sql"]])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_folder_of_another_tool_is_not_taken_for_an_empty_one(
    tmp_path: Path, names: list[str], in_place: bool
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(UP)
    with pytest.raises(PromthctlError, match=r"Supabase CLI (would skip|skips)") as caught:
        (discover_in_place if in_place else discover)(tmp_path)
    assert "promthctl migrations convert" in caught.value.hint
