"""What the Supabase CLI says about a failed migration, told with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from promthctl import supabase_cli
from promthctl.errors import PrerequisiteError, PromthctlError, TargetError
from promthctl.migration_set import Migration
from promthctl.process import Completed
from promthctl.redact import redact
from promthctl.settings import Settings
from promthctl.steps import Silent
from promthctl.supabase_cli import DatabaseCli, Runner, api_keys, choosing, dialects, migration_errors
from promthctl.supabase_cli.local_stack import LocalStackCli
from promthctl.targets import Target, from_url
from promthctl.toolchain.tools import pinned_cli

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
    "after an atomic body": (
        "create function f() returns int language sql begin atomic select 1; select 2; end;\n"
        + "insert into nope values (1);\n" * 2,
        2,
        "insert into nope values (1)",
        3,
    ),
    "a tag in a tag": ("do $a$ begin execute $b$ ; $b$; end $a$;\nselect 2;", 1, "select 2", 2),
    "spaces at the end": ("select 1;  \nselect  \n 2;\n", 1, "select\n 2", 2),
    "padded with spaces": ("select 1;\nselect 2,\n nope;", 1, "select 2,   \n nope      \n ^         ", 3),
    "parameters": ("prepare p as select $1;\nselect 2;\nselect $1;", 2, "select $1", 3),
    "cut otherwise": ("select 1;\n" * 3 + "select 2;\n", 1, "select 2", 4),
    "not in the file": ("select 1;\n", 0, "select 3", None),
    "nothing shown": ("select 1;\n", 0, "", None),
}


@pytest.mark.parametrize("kind", LINES)
def test_the_line_of_a_statement(kind: str) -> None:
    sql, number, text, line = LINES[kind]
    assert migration_errors._line_of(text, number, sql) == line


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("create table b ();\nselect 1;\nselect 2;", "; nothing of 001_a.sql was applied"),
        ("vacuum a;\nselect 1;\nselect 2;", "; its first statement was applied, and will run again"),
        ("create table b ();\nvacuum a;\nselect 2;", "; its first 2 statements were applied, and will run again"),
        (
            "create table b ();\nrefresh materialized view concurrently mv;\nselect 2;",
            "; nothing of 001_a.sql was applied",
        ),
    ],
)
def test_the_error_says_what_stays_applied(sql: str, told: str) -> None:
    migration = Migration("001", "a", Path("db/001_a.sql"), sql.encode())
    assert failure(LOCAL, "ERROR: no (SQLSTATE 22012)\nAt statement: 2\nselect 2", migration).hint.endswith(told)


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (["a", "b"], ["a", "b"]),
        ([*"abcdefgh"], [*"abcdef", "…"]),
        ([*"abcdefgh", "  ^"], ["…", *"defgh", "  ^"]),
    ],
)
def test_a_long_statement_is_cut_where_it_matters_least(rows: list[str], shown: list[str]) -> None:
    assert migration_errors._excerpt("\n".join(rows)) == "\n".join(f"    {row}" for row in shown)


HINTS = [
    (REMOTE, 'extension "vector" is not available (SQLSTATE 0A000)', "install vector on that server"),
    (LOCAL, 'extension "vector" is not available (SQLSTATE 0A000)', "[tool.promthctl]\npostgres = "),
    (LOCAL, 'extension "pg_graphql" does not exist (SQLSTATE 42704)', "drop extension if exists"),
    (LOCAL, "http is not available on the embedded engine: GET x was not called (SQLSTATE 0A000)", "--engine docker"),
    (
        LOCAL,
        "pg_cron can only be loaded via shared_preload_libraries (SQLSTATE XX000)",
        "promthctl local down, then promthctl local up",
    ),
    (LOCAL, 'relation "a" already exists (SQLSTATE 42P07)', "if not exists"),
    (LOCAL, 'policy "a" for table "b" already exists (SQLSTATE 42710)', "if not exists"),
    (LOCAL, "CREATE INDEX CONCURRENTLY cannot be executed within a pipeline (SQLSTATE 25001)", "--supabase-cli pinned"),
    (LOCAL, "CREATE DATABASE cannot be executed within a pipeline (SQLSTATE 25001)", "give it a migration of its own"),
    (REMOTE, 'schema "auth" does not exist (SQLSTATE 3F000)', "need Supabase's schema auth"),
    (LOCAL, "division by zero (SQLSTATE 22012)", "correct db/001_a.sql"),
]


@pytest.mark.parametrize(("target", "reason", "hint"), HINTS)
def test_the_error_names_file_line_statement_and_mend(target: Target, reason: str, hint: str) -> None:
    migration = Migration("001", "a", Path("db/001_a.sql"), b"select 1;\n\nselect 2;\n")
    error = failure(target, f"ERROR: {reason}\nAt statement: 1\nselect 2", migration)
    assert error.what == f"001_a.sql could not be applied to {target.label}"
    assert error.why == f"line 3, statement 2: ERROR: {reason}\n    select 2"
    assert hint in error.hint and error.exit_code == (4 if "XX000" in reason else 1)


def failed(answer: Completed, target: Target, *migrations: Migration) -> PromthctlError:
    cli = DatabaseCli(Runner(Path("supabase"), Settings(Path("/nowhere"), {"PATH": "/nowhere"})))
    return cli._failure(target, dialects.read_answer(answer), f"The push to {target.label} failed", migrations)


def failure(target: Target, message: str, *migrations: Migration) -> PromthctlError:
    body = json.dumps({"_tag": "Error", "error": {"code": "DbPushApplyError", "message": message}})
    return failed(
        Completed(1, f"noise\n{body}\n", "Connecting\nApplying migration 001_a.sql...\n"), target, *migrations
    )


# What 2.100.0 printed for a file that fails, shortened: its own stack trace, and lines filled up with spaces.
TEXT = """Connecting to remote database...
Do you want to push these migrations to the remote database?
 • 001_a.sql

 [Y/n] y
Applying migration 001_a.sql...
github.com/supabase/cli/pkg@v1.0.0/migration/file.go:112 (0x10831ed)
runtime/asm_amd64.s:1693 (0x485ce1)

{}
Try rerunning the command with --debug to troubleshoot the error.
"""


def test_an_early_v2_s_text_tells_as_much_as_json() -> None:
    migration = Migration("001", "a", Path("db/001_a.sql"), b"select 1;\n\nselect\n nope,\n 2;\n")
    message = 'ERROR: column "nope" does not exist (SQLSTATE 42703)\nAt statement: 1\nselect\n nope\n ^'
    padded = "\n".join(row.ljust(60) for row in message.splitlines())
    text, body = failed(Completed(1, "", TEXT.format(padded)), LOCAL, migration), failure(LOCAL, message, migration)
    assert (text.what, text.why, text.hint) == (body.what, body.why, body.hint)
    assert text.why.startswith('line 4, statement 2: ERROR: column "nope" does not exist (SQLSTATE 42703)\n')


def test_a_file_that_is_not_known_here_is_still_named() -> None:
    error = failure(LOCAL, "ERROR: no (SQLSTATE 22012)\nAt statement: 4\nselect 2")
    assert error.what.startswith("001_a.sql") and error.why.startswith("statement 5: ERROR: no")


@pytest.mark.parametrize(
    ("stdout", "stderr", "why"),
    [
        ("", "", "ended with code 7 and said nothing"),
        ("", "panic: oh\n", "panic: oh"),
        ("", f"Connecting\na.go:1 (0x1)\n\noh\n{dialects._ADVICE} …\n", "oh"),
        ("not json\n", "", "not json"),
        ("[1]\n", "", "[1]"),
        ('{"error": "text"}\n', "", '{"error": "text"}'),
        ('{"error": {"message": "postgresql://u:fake-pw@h/d is down"}}', "", "postgresql://u:********@h/d is down"),
    ],
)
def test_anything_else_the_cli_says_is_passed_on_without_passwords(stdout: str, stderr: str, why: str) -> None:
    error = failed(Completed(7, stdout, stderr), REMOTE)
    assert error.what == f"The push to {REMOTE.label} failed" and error.why.removeprefix("it ") == why and error.hint


def test_a_database_that_the_cli_cannot_reach_is_told_as_we_tell_it() -> None:
    said = "failed to connect to postgres: failed to connect to `host=h user=u database=d`: tls error (refused TLS now)"
    error = failed(Completed(1, "", f"{said}\n"), REMOTE)
    assert error.what == f"Cannot connect to {REMOTE.label}" and error.exit_code == 4
    assert error.why == "it offers no encrypted connection (tls error (refused TLS now))"


# Which CLI is run


@pytest.mark.parametrize(
    "said",
    [
        'ERROR: schema "supabase_migrations" does not exist (SQLSTATE 3F000)',
        'ERROR: relation "supabase_migrations.schema_migrations" does not exist (SQLSTATE 42P01)',
    ],
)
def test_a_history_that_is_gone_as_soon_as_it_is_made_is_no_mistake_in_sql(said: str) -> None:
    answer = Completed(1, json.dumps({"error": {"message": said}}), "")
    error = failed(answer, REMOTE)
    assert isinstance(error, TargetError) and said in error.why
    assert error.hint.startswith("run the same command again; promthctl migrations list --db-url")
    other = failed(Completed(1, json.dumps({"error": {"message": said.replace("supabase_m", "m")}}), ""), REMOTE)
    assert not isinstance(other, TargetError)


def fake(folder: Path, says: str, code: int = 0) -> Path:
    """A program that tells that version, and counts how often it was asked."""
    program = folder / "supabase"
    program.write_text(f"#!/bin/sh\necho asked >>'{folder}/asked'\nprintf '{says}'\nexit {code}\n")
    program.chmod(0o755)
    return program


def choose(folder: Path, which: str) -> tuple[Path, dialects.Dialect]:
    return choosing.choose(Settings(folder, {"PATH": f"{folder}:/bin"}, supabase_cli=which), Silent())


@pytest.mark.parametrize(
    ("version", "dialect"),
    [("2.100.0", dialects.V2), ("2.122.1\\n", dialects.V2), ("3.0.0-beta.1", dialects.V3), ("3.44.1", dialects.V3)],
)
def test_the_version_decides_how_the_cli_is_spoken_to(tmp_path: Path, version: str, dialect: dialects.Dialect) -> None:
    program = fake(tmp_path, version)
    assert choose(tmp_path, "system") == choose(tmp_path, str(program)) == (program, dialect)


@pytest.mark.parametrize(
    ("says", "code", "why"),
    [
        ("2.99.9", 0, "it is version 2.99; promthctl works with 2.100 to 3.x"),
        ("1.226.4", 0, "version 1.226"),
        ("4.0.0", 0, "version 4.0"),
        ("Python 3.11.2", 0, "does not print its version"),
        ("", 0, "does not print its version"),
        ("3.1.0", 1, "does not print its version"),
    ],
)
def test_what_cannot_be_driven_is_refused(tmp_path: Path, says: str, code: int, why: str) -> None:
    with pytest.raises(PrerequisiteError) as caught:
        choose(tmp_path, str(fake(tmp_path, says, code)))
    assert why in caught.value.why and "--supabase-cli pinned" in caught.value.hint


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a program")
    for which, why in (("system", "there is none"), ("missing", "no such file"), ("text", "Permission denied")):
        with pytest.raises(PrerequisiteError) as caught:
            choose(tmp_path, which if which == "system" else str(tmp_path / which))
        assert why in caught.value.why


def test_the_version_is_asked_once_until_the_file_changes(tmp_path: Path) -> None:
    program = fake(tmp_path, "2.122.1")
    for _ in range(2):
        assert choose(tmp_path, "system")[1] is dialects.V2
    assert (tmp_path / "asked").read_text() == "asked\n"
    (tmp_path / ".promthctl" / "supabase-cli.json").write_text("{")
    assert choose(tmp_path, "system")[1] is dialects.V2
    program.unlink()
    fake(tmp_path, "3.1.0")
    assert choose(tmp_path, "system")[1] is dialects.V3
    assert (tmp_path / "asked").read_text() == "asked\n" * 3


def test_the_pinned_one_is_of_the_line_that_is_locked() -> None:
    major, minor = pinned_cli().split(".")[:2]
    assert dialects.dialect_of((int(major), int(minor))) is dialects.V3


# The answers of a CLI that is not the pinned one


def answering(folder: Path, script: str) -> Runner:
    """A CLI of an early v2 that answers as the script does; its arguments are in folder/runs."""
    program = folder / "supabase"
    program.write_text(f"""#!/bin/sh
[ "$1" != --version ] || {{ echo 2.100.0; exit; }}
echo "$*" >>'{folder}/runs'
{script}
""")
    program.chmod(0o755)
    return supabase_cli.find_runner(settings_of(folder), Silent())


def settings_of(folder: Path) -> Settings:
    env = {"HOME": str(folder), "SUPABASE_ACCESS_TOKEN": "sbp_" + "0" * 40}
    return Settings(folder, env, supabase_cli=str(folder / "supabase"), cache_dir=folder / "cache")


# What 2.100.0 prints for an option it does not know, shortened.
NO_REVEAL = """case "$*" in *--reveal*)
echo '{"_tag":"Help","doc":{"description":"List all API keys"}}'
echo '{"_tag":"Errors","errors":[{"code":"UnrecognizedOption","message":"Unrecognized flag: --reveal in command"}]}' >&2
exit 1;; esac
"""


def test_an_early_v2_gives_the_key_that_it_shows_without_reveal(tmp_path: Path) -> None:
    keys = [
        {"name": "service_role", "api_key": "not-a-real-service-key", "type": "legacy"},
        {"name": "default", "api_key": "sb_secret_ab···", "type": "secret"},
    ]
    answering(tmp_path, f"{NO_REVEAL}printf '%s' '{json.dumps(keys, indent=2, ensure_ascii=False)}'")
    found = api_keys.find_service_key("abcdefghijklmnopqrst", "the project", settings_of(tmp_path), Silent())
    assert found == "not-a-real-service-key" and redact(found) == "********"
    first, second = (tmp_path / "runs").read_text().splitlines()
    assert "--project-ref=abcdefghijklmnopqrst --reveal" in first and "--reveal" not in second


def test_an_answer_that_is_no_list_of_keys_is_not_guessed_at(tmp_path: Path) -> None:
    answering(tmp_path, "echo '{\"keys\": 5}'")
    with pytest.raises(PromthctlError, match="does not understand"):
        api_keys.find_service_key("abcdefghijklmnopqrst", "the project", settings_of(tmp_path), Silent())


def test_keys_in_a_message_are_not_shown() -> None:
    answer = dialects.read_answer(Completed(1, "", "Target: project x\nstatus 403: sb_secret_FAKE eyJFAKE.x\n"))
    assert answer.message == "status 403: ******** ********"


def test_a_version_without_an_option_is_told_apart_from_a_failure(tmp_path: Path) -> None:
    cli = LocalStackCli(answering(tmp_path, NO_REVEAL.replace("--reveal*", "--network-id*")))
    with pytest.raises(PrerequisiteError, match="Unrecognized flag") as caught:
        cli.start("", "a network", lambda: None)
    assert "--supabase-cli pinned" in caught.value.hint


@pytest.mark.parametrize("printed", ['[{"name": "supabase/postgres", "local": "17.6.1.106", "remote": ""}]', "{}", ""])
def test_a_version_that_answers_differently_cannot_run_the_local_stack(tmp_path: Path, printed: str) -> None:
    cli = LocalStackCli(answering(tmp_path, f"printf '%s' '{printed}'"))
    for command in (cli.services, lambda: cli.start("", "a network", lambda: None)):
        with pytest.raises(PrerequisiteError, match="cannot run the local stack on Docker") as caught:
            command()
        assert "--supabase-cli pinned" in caught.value.hint
    cli.stop("p")
    assert not (tmp_path / "cache").exists()


def test_the_images_are_asked_for_again_when_the_cli_was_replaced(tmp_path: Path) -> None:
    listed = 'printf \'{"services": [{"name": "supabase/postgres", "local": "%s"}]}\''
    for tag in ("1", "22"):
        cli = LocalStackCli(answering(tmp_path, listed % tag))
        assert cli.services() == cli.services() == {"supabase/postgres": tag}
    assert len((tmp_path / "runs").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("permission denied for schema auth (SQLSTATE 42501)", "keeps the schema auth to itself"),
        ("must be owner of table messages (SQLSTATE 42501)", "take that statement out"),
    ],
)
def test_what_supabase_keeps_to_itself_is_told(tmp_path: Path, message: str, told: str) -> None:
    assert told in migration_errors.hint(Settings(tmp_path, {}), LOCAL, f"ERROR: {message}", "")


@pytest.mark.parametrize(
    ("schema", "extension"), [("cron", "pg_cron"), ("net", "pg_net"), ("pgmq", "pgmq"), ("graphql", "pg_graphql")]
)
def test_a_schema_that_the_dashboard_made_is_told_by_its_extension(tmp_path: Path, schema: str, extension: str) -> None:
    message = f'ERROR: schema "{schema}" does not exist (SQLSTATE 3F000)'
    told = migration_errors.hint(Settings(tmp_path, {}), LOCAL, message, "")
    assert f"`create extension if not exists {extension};`" in told
