"""What the Supabase CLI says about a failed migration, told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl import supabase_cli as cli
from promthctl.errors import PromthctlError
from promthctl.migration_set import Migration
from promthctl.process import Completed
from promthctl.settings import Settings
from promthctl.supabase_cli import SupabaseCli
from promthctl.targets import Target, from_url

REMOTE = from_url("postgresql://u@h/d")
LOCAL = Target("the local stack", "postgresql://u@127.0.0.1:1/d", local=True)
BODY = "create function f() returns int language plpgsql as $fn$\nbegin\n  return 1; -- ;\nend $fn$"

# name: (the file, the statement's number from 0, what the CLI shows of it, the line)
LINES = {
    "the first": ("select 1;\nselect 2;\n", 0, "select 1", 1),
    "the second": ("select 1;\nselect 2;\n", 1, "select 2", 2),
    "without a semicolon": ("select 1;\nselect 2", 1, "select 2", 2),
    "two on a line": ("select 1; select 2;\n", 1, "select 2", 1),
    "alike": ("select 1;\n\nselect 1;\n", 1, "select 1", 3),
    "comments before": ("-- a;\n/* b;\n*/ select 1;\n", 0, "-- a;\n/* b;\n*/ select 1", 3),
    "only comments": ("-- a;\n-- b\n", 0, "-- a;\n-- b", 1),
    "after a body": (BODY + ";\nselect 2;", 1, "select 2", 5),
    "a caret": ("select 1,\n  2,\n  nope;\n", 0, "select 1,\n  2,\n  nope\n  ^", 3),
    "a caret early": ("select 1;\n\nselekt 1,\n2;\n", 1, "selekt 1,\n^", 3),
    "a caret, alike": ("select nope,\n 1;\nselect nope,\n 1;\n", 1, "select nope,\n       ^", 3),
    "CRLF": ("select 1;\r\n\r\nselect\r\n 2;\r\n", 1, "select\r\n 2", 3),
    "CRLF and a caret": ("select 1;\r\nselect\r\n nope,\r\n 2;\r\n", 1, "select\r\n nope,\n ^", 3),
    "quotes": ("select ';', E'\\';', \";\" from t;\nselect 2;", 1, "select 2", 2),
    "a tag in a tag": ("do $a$ begin execute $b$ ; $b$; end $a$;\nselect 2;", 1, "select 2", 2),
    "parameters": ("prepare p as select $1;\nselect 2;\nselect $1;", 2, "select $1", 3),
    "cut otherwise": ("select 1;\n" * 3 + "select 2;\n", 1, "select 2", 4),
    "not in the file": ("select 1;\n", 0, "select 3", None),
    "nothing shown": ("select 1;\n", 0, "", None),
}


@pytest.mark.parametrize("kind", LINES)
def test_the_line_of_a_statement(kind: str) -> None:
    sql, number, text, line = LINES[kind]
    assert cli._line_of(text.replace("\r\n", "\n"), number, sql) == line


@pytest.mark.parametrize(
    ("sql", "number", "stays"),
    [
        ("create table a ();\nselect 1/0;", 1, False),
        ("create index concurrently i on a (b);\nselect 1/0;", 1, True),
        ("select 1/0;\ncreate index concurrently i on a (b);", 0, False),
        ("begin;\ncreate table a ();\ncommit;\nselect 1/0;", 3, True),
        ("create temp table t on commit drop as select 1;\nselect 1/0;", 1, False),
        ("select 'concurrently; commit'; -- concurrently\nselect 1/0;", 1, False),
    ],
)
def test_what_leaves_the_transaction_is_known(sql: str, number: int, stays: bool) -> None:
    assert cli._commits(sql, number) is stays


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (["a", "b"], ["a", "b"]),
        ([*"abcdefgh"], [*"abcdef", "…"]),
        ([*"abcdefgh", "  ^"], ["…", *"defgh", "  ^"]),
    ],
)
def test_a_long_statement_is_cut_where_it_matters_least(rows: list[str], shown: list[str]) -> None:
    assert cli._excerpt("\n".join(rows)) == "\n".join(f"    {row}" for row in shown)


HINTS = [
    (REMOTE, 'extension "vector" is not available (SQLSTATE 0A000)', "install vector on that server"),
    (LOCAL, 'extension "vector" is not available (SQLSTATE 0A000)', "postgres = 18"),
    (LOCAL, 'extension "timescaledb" is not available (SQLSTATE 0A000)', "no timescaledb; promthctl push --db-url"),
    (LOCAL, 'relation "a" already exists (SQLSTATE 42P07)', "if not exists"),
    (LOCAL, 'policy "a" for table "b" already exists (SQLSTATE 42710)', "if not exists"),
    (LOCAL, "division by zero (SQLSTATE 22012)", "correct db/001_a.sql"),
]


@pytest.mark.parametrize(("target", "reason", "hint"), HINTS)
def test_the_error_names_file_line_statement_and_mend(target: Target, reason: str, hint: str) -> None:
    migration = Migration("001", "a", Path("db/001_a.sql"), b"select 1;\n\nselect 2;\n")
    error = failure(target, f"ERROR: {reason}\nAt statement: 1\nselect 2", migration)
    assert error.what == f"001_a.sql could not be applied to {target.label}"
    assert error.why == f"line 3, statement 2: ERROR: {reason}\n    select 2"
    assert hint in error.hint and error.exit_code == 1


def failure(target: Target, message: str, *migrations: Migration) -> PromthctlError:
    import json

    body = json.dumps({"_tag": "Error", "error": {"code": "DbPushApplyError", "message": message}})
    answer = Completed(1, f"noise\n{body}\n", "Connecting\nApplying migration 001_a.sql...\n")
    return SupabaseCli(Path("supabase"), Settings(Path("/nowhere"), {}))._failure(
        target, answer, migrations, "The push"
    )


def test_a_file_that_is_not_known_here_is_still_named() -> None:
    error = failure(LOCAL, "ERROR: no (SQLSTATE 22012)\nAt statement: 4\nselect 2")
    assert error.what.startswith("001_a.sql") and error.why.startswith("statement 5: ERROR: no")


@pytest.mark.parametrize(
    ("stdout", "stderr", "why"),
    [
        ("", "", "ended with code 7 and said nothing"),
        ("", "panic: oh\n", "panic: oh"),
        ("not json\n", "", "not json"),
        ("[1]\n", "", "[1]"),
        ('{"error": {"message": "postgresql://u:fake-pw@h/d is down"}}', "", "postgresql://u:********@h/d is down"),
    ],
)
def test_anything_else_the_cli_says_is_passed_on_without_passwords(stdout: str, stderr: str, why: str) -> None:
    made = SupabaseCli(Path("supabase"), Settings(Path("/nowhere"), {}))
    error = made._failure(REMOTE, Completed(7, stdout, stderr), (), "The push")
    assert error.what == f"The push to {REMOTE.label} failed" and why in error.why and error.hint
