"""Down scripts: cut into statements with their lines, and refused when they could not run in one transaction."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl.errors import PromthctlError, RefusedError
from promthctl.migration_set import Migration, discover, packaged_source
from promthctl.rollback import scripts


def script(folder: Path, sql: str | bytes) -> scripts.DownScript:
    down = folder / "002_m.down.sql"
    down.write_bytes(sql.encode() if isinstance(sql, str) else sql)
    (read,) = scripts.read_down_scripts(
        [Migration("002", "m", folder / "002_m.sql", b"select 1", down)], folder / "supabase"
    )
    return read


def test_statements_keep_their_text_and_the_line_on_which_they_begin(tmp_path: Path) -> None:
    sql = "\ufeff-- ü; not one\nselect 'ก;';\n\n/* x; */ do $$\nbegin; end $$;\r\nselect 2"
    found = script(tmp_path, sql).statements
    assert [(statement.text, statement.line) for statement in found] == [
        ("-- ü; not one\nselect 'ก;'", 2),
        ("/* x; */ do $$\nbegin; end $$", 4),
        ("select 2", 6),
    ]


@pytest.mark.parametrize("text", ["", " \n", "-- Undoes 002_m.\n"])
def test_a_script_that_was_not_written_yet_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(RefusedError, match="has not been written yet"):
        script(tmp_path, text)


def test_a_script_of_comments_has_nothing_to_do(tmp_path: Path) -> None:
    assert [one.node for one in script(tmp_path, "-- nothing to undo\n").statements] == [None]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("begin", "BEGIN and COMMIT"),
        ("commit and chain", "BEGIN and COMMIT"),
        ("rollback to savepoint x", "it would end or divide"),
        ("prepare transaction 'x'", "it would end or divide"),
        ("create index concurrently on t (a)", "CONCURRENTLY"),
        ("drop index concurrently i", "CONCURRENTLY"),
        ("reindex index concurrently i", "CONCURRENTLY"),
        ("reindex (concurrently, verbose) table t", "CONCURRENTLY"),
        ("alter table t detach partition p concurrently", "CONCURRENTLY"),
        ("vacuum t", "VACUUM"),
        ("drop database d", "DROP DATABASE"),
        ("alter system set work_mem = '1GB'", "ALTER SYSTEM"),
        ("copy t from stdin", "COPY without a file"),
        ("copy (select 1) to stdout", "COPY without a file"),
    ],
)
def test_what_cannot_be_part_of_a_transaction_is_refused_with_its_line(tmp_path: Path, sql: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=rf"002_m\.down\.sql, line 3: {reason}"):
        script(tmp_path, f"drop table t;\n\n{sql};")


@pytest.mark.parametrize(
    "sql",
    [
        "refresh materialized view concurrently m",
        "analyze t",
        "alter table t detach partition p",
        "create index on t (a)",
        "reindex (verbose) table t",
        "create function f() returns int language sql begin atomic select 1; end",
    ],
)
def test_what_can_be_part_of_a_transaction_is_taken(tmp_path: Path, sql: str) -> None:
    assert [statement.text for statement in script(tmp_path, sql).statements] == [sql]


def test_what_is_no_sql_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(PromthctlError, match="line 2: syntax error at or near"):
        script(tmp_path, "drop table a;\ndrop tabel b;\n")
    with pytest.raises(PromthctlError, match="not UTF-8"):
        script(tmp_path, b"select '\xff'")


def test_every_migration_that_comes_with_promthctl_can_be_undone() -> None:
    assert len(scripts.read_down_scripts(discover(packaged_source()), Path())) == 3


def test_a_missing_script_is_asked_for_where_it_may_be(tmp_path: Path) -> None:
    lacking = Migration("002", "m", tmp_path / "002_m.sql", b"select 1")
    with pytest.raises(RefusedError, match=r"002_m\.sql has no down script") as raised:
        scripts.read_down_scripts([lacking], tmp_path / "supabase")
    assert raised.value.hint.startswith("promthctl migrations down 002 writes")
    assert raised.value.hint.endswith(f"or write {tmp_path / '002_m.down.sql'}")
    with pytest.raises(RefusedError) as raised:  # the Supabase CLI would apply it there
        scripts.read_down_scripts([lacking], tmp_path)
    assert "/down/002_m.down.sql" in raised.value.hint
