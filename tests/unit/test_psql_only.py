"""What only psql understands is found in a migration before anything runs, with the fix; SQL like it is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from promthctl.errors import PromthctlError
from promthctl.migration_set import discover, discover_in_place
from promthctl.sql.psql_only import find_psql_only

DUMP = "--\n-- PostgreSQL database dump\n--\n\n\\restrict 0fNx\n\nSET x.y = 1;\n\n\\unrestrict 0fNx\n"
FOUND = [
    (DUMP, 5, "\\restrict"),
    ("select 1;\n  \\connect other\n", 2, "\\connect"),
    ("\\c other", 1, "\\c"),
    ("select 'create table t ()' \\gexec\n", 1, "\\gexec"),
    ("\\set ON_ERROR_STOP on\nselect 1;", 1, "\\set"),
    ("-- rows\nCOPY public.t (a, b) FROM stdin;\n1\tit's\n\\.\n", 2, "COPY"),
    ('copy "from" from STDIN with (format csv);\n1,2\n\\.\n', 1, "COPY"),
    ("select 1; copy t to stdout;", 1, "COPY"),
    ("Copy t From Stdin;\n1\n\\.\n", 1, "COPY"),
    ("copy t to sTdOuT", 1, "COPY"),
    ("copy (select a from b) to stdout", 1, "COPY"),
]
SQL = [
    "select E'\\n \\d', ' \\connect x', $$ \\connect $$; -- \\restrict\n/* \\i file */",
    "create function f() returns text language sql as $$\n  \\copy is text here\n  copy t from stdin; $$;",
    "insert into t values ('COPY t FROM stdin;\n\\.');",
    'create table "copy" (stdin int); select stdin from stdin; select copy from stdin',
    "copy t from '/file'; select to_stdout from stdout",
    "comment on table t is 'made by \\restrict';",
]


@pytest.mark.parametrize(("text", "line", "command"), FOUND)
def test_it_is_found_with_its_line(text: str, line: int, command: str) -> None:
    assert find_psql_only(text) == (line, command)


@pytest.mark.parametrize("text", SQL)
def test_sql_is_left_alone(text: str) -> None:
    assert find_psql_only(text) is None


@pytest.mark.parametrize("read", [discover, discover_in_place])
def test_the_folder_is_refused_with_every_fix(tmp_path: Path, read: object) -> None:
    for number, (text, _, _) in enumerate(FOUND[:6], start=1):
        (tmp_path / f"00{number}_a.sql").write_text(text)
    with pytest.raises(PromthctlError) as raised:
        read(tmp_path)  # type: ignore[operator]
    assert raised.value.why.splitlines()[0] == (
        "001_a.sql, line 5: \\restrict is a command of psql, which the Supabase CLI cannot run"
    )
    assert len(raised.value.why.splitlines()) == 6
    assert "as INSERT" in raised.value.hint


def test_the_command_that_is_told_mends_a_dump(tmp_path: Path) -> None:
    (tmp_path / "001_a dump.sql").write_text(DUMP)
    with pytest.raises(PromthctlError) as raised:
        discover(tmp_path)
    command = raised.value.hint.removeprefix(f"in {tmp_path}: ")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    (migration,) = discover(tmp_path)
    assert "SET x.y = 1;" in migration.sql and "\\" not in migration.sql
