"""`promthctl test` and `promthctl types`, on what the migrations make, on a copy of the stack, and on a target."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from promthctl import settings
from promthctl.engines.embedded import system_user
from promthctl.engines.ports import free_port
from promthctl.toolchain import Toolchain
from tests.embedded.test_bundle import own
from tests.hints import Instead, Place, Row, follow, told
from tests.promthctl_runner import Project
from tests.servers import Stack

APP_TESTS = Path(__file__).parents[2] / "supabase" / "tests"
NOTES = {
    "001_notes": "create table public.notes (id int primary key, body text not null);"
    " create type public.mood as enum ('sad', 'ok');"
}
FAILING = """\\set who 'Ann'
begin;
select plan(4);
select has_table('public', 'notes', 'there are notes');

select is(
  :'who'::text, 'Bob', 'who it is');
select * from todo_start('later');
select ok(false, 'not yet');
select * from todo_end();
insert into public.notes values (1, 'a');
select is((select count(*) from public.notes), 1::bigint, 'one note') \\gset
\\echo :is
select * from finish();
rollback;
"""
BROKEN = "begin;\nselect plan(1);\nselect ok(true);\n\nselect 1 +\n  nothing;\nrollback;\n"
# The usual first file, which installs helpers by way of database.dev, and one that uses them.
HOOKS = """create extension if not exists http with schema extensions;
create extension if not exists pg_tle;
drop extension if exists "supabase-dbdev";
select pgtle.uninstall_extension_if_exists('supabase-dbdev');
select pgtle.install_extension('supabase-dbdev', resp.contents ->> 'version', 'PostgreSQL package manager',
                               resp.contents ->> 'sql')
  from http(('GET', 'https://api.database.dev/rest/v1/package_versions?limit=1', null, null, null)) x,
       lateral (select ((row_to_json(x) -> 'content') #>> '{}')::json -> 0) resp (contents);
create extension "supabase-dbdev";
select dbdev.install('basejump-supabase_test_helpers');
create extension if not exists "basejump-supabase_test_helpers" version '0.0.6';
begin;
select plan(1);
select ok(true, 'the hooks ran');
select * from finish();
rollback;
"""
HELPED = """begin;
select plan(6);
select isnt(tests.create_supabase_user('ann', 'ann@example.com'), null, 'a user');
select tests.authenticate_as('ann');
select is(auth.uid(), tests.get_supabase_uid('ann'), 'who is signed in');
select is(current_user, 'authenticated', 'as such');
select tests.clear_authentication();
select is(auth.uid(), null, 'and out again');
reset role;
select tests.freeze_time('2020-01-01 00:00:00+00');
select is(now(), '2020-01-01 00:00:00+00'::timestamptz, 'at a frozen time');
select tests.unfreeze_time();
alter table public.notes enable row level security;
select tests.rls_enabled('public', 'notes');
select * from finish();
rollback;
"""

# What suites of others rely on: functions of their own beside the helpers, a user who is asked for only where there are
# rows, and psql's \\gset after a finished statement.
RELIED_ON = """begin;
select plan(4);
create function tests.one() returns int language sql as 'select 1';
select tests.create_supabase_user('ann', 'ann@example.com');
select is_empty($$select * from public.notes where body = tests.get_supabase_uid('nobody')::text$$, 'no rows');
select 41 + 1 as answer;
-- what was found
\\gset
select is(:answer, 42, 'the answer');
select tests.authenticate_as('ann');
select is(tests.one(), 1, 'a function of our own');
select is(auth.role(), null, 'the claims are those of the original');
select * from finish();
rollback;
"""


def with_tests(folder: Path, **files: str) -> Project:
    project = own(folder, NOTES)
    tests = folder / "supabase" / "tests"
    tests.mkdir(parents=True)
    for name, text in files.items():
        (tests / f"{name}.sql").write_text(text)
    return project


def failures(run: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Where a run has failing assertions or problems, and what was said."""
    return [
        (found["place"]["file"].rpartition("/")[2], found["place"]["line"], found.get("name") or found["message"])
        for file in run["files"]
        for found in (*(one for one in file["assertions"] if not one["ok"] and not one["directive"]), *file["problems"])
    ]


def test_the_apps_own_tests_pass_on_a_copy_of_the_stack(stack: Stack) -> None:
    paths = [str(path) for path in sorted(APP_TESTS.iterdir())]
    run = stack.project.json("test", *paths)
    assert failures(run) == [] and sum(len(file["assertions"]) for file in run["files"]) > 40
    assert run["database"] == "a copy of the local stack's database"
    with psycopg.connect(stack.db_url) as connection:
        assert connection.execute("select count(*) from pg_extension where extname = 'pgtap'").fetchone() == (0,)


def test_what_fails_has_its_file_and_line(tmp_path: Path) -> None:
    project = with_tests(tmp_path, a_failing=FAILING, b_broken=BROKEN)
    done = project.run("test", "--junit", "junit.xml", code=1)
    assert "supabase/tests/a_failing.sql:6: not ok 2 - who it is" in done.stdout
    assert 'supabase/tests/b_broken.sql:6: column "nothing" does not exist' in done.stdout
    assert "1 of 5 tests failed (1 todo), 2 of 2 files" in done.stdout
    assert '<failure message="who it is">supabase/tests/a_failing.sql:6' in (tmp_path / "junit.xml").read_text()


def test_the_usual_helpers_are_there(tmp_path: Path) -> None:
    """By the usual hooks, and where a file takes them for granted."""
    project = with_tests(tmp_path, **{"000-hooks": HOOKS, "010-helped": HELPED})
    assert failures(project.json("test")) == []
    run = project.json("test", "supabase/tests/010-helped.sql")
    assert failures(run) == [] and "basejump-supabase_test_helpers" in run["notes"][0]


def test_what_suites_of_others_rely_on(tmp_path: Path) -> None:
    project = with_tests(tmp_path, relied_on=RELIED_ON)
    assert failures(project.json("test")) == []


def test_nothing_stays_in_a_target(tmp_path: Path, database_url: str) -> None:
    text = "create table public.left_over (id int); begin; select plan(1); select ok(true); select finish(); commit;"
    project = with_tests(tmp_path, a=text, b="begin; select plan(1); select has_table('left_over'); rollback;")
    project.run("test", "--db-url", database_url, code=5)
    run = project.json("test", "--db-url", database_url, "--yes")
    assert failures(run) == []  # the first, which commits, prepares the second
    with psycopg.connect(database_url) as connection:
        left = connection.execute("select to_regclass('left_over'), to_regproc('plan')").fetchone()
    assert left == (None, None)


def test_many_files_share_the_sessions_of_a_target(tmp_path: Path, database_url: str) -> None:
    """Each begins as in a new session: DISCARD ALL is between them."""
    unset = "select is(coalesce(current_setting('my.own', true), ''), '');"
    one = f"begin; select plan(1); {unset} set my.own = 'x'; rollback;"
    project = with_tests(tmp_path, **{f"{number:02}": one for number in range(20)})
    run = project.json("test", "--db-url", database_url, "--yes", "-j", "1")
    assert failures(run) == [] and len(run["files"]) == 20


def accepts(url: str) -> bool:
    try:
        psycopg.connect(url).close()
        return True
    except psycopg.OperationalError:
        return False


@pytest.fixture
def bare_postgres(tools: Toolchain) -> Iterator[str]:
    """The URL of a PostgreSQL as it came: without pgTAP. In a folder that the user who runs it for root can enter."""
    with TemporaryDirectory(prefix="promthctl-bare-", ignore_cleanup_errors=True) as name:
        user, data, port = system_user.postgres_user(settings.load(Path(name))), Path(name) / "data", free_port()
        who = {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}
        if user is not None:
            os.chown(name, user.uid, user.gid)
        programs, password = tools.postgres / "bin", Path(name) / "password"
        password.write_text("fake")
        password.chmod(0o644)
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=name, **who)
        options = [
            "-D",
            data,
            "-p",
            str(port),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={name}",
        ]
        server = subprocess.Popen([programs / "postgres", *options], stderr=subprocess.DEVNULL, cwd=name, **who)
        try:
            url = f"postgresql://postgres:fake@127.0.0.1:{port}/postgres"
            while not accepts(url):
                assert server.poll() is None
                time.sleep(0.05)
            yield url
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(30)


def test_a_server_without_pgtap_is_no_place_and_what_the_migrations_make_is(tmp_path: Path, bare_postgres: str) -> None:
    project = with_tests(tmp_path, a="begin; select plan(1); select has_table('notes'); select finish(); rollback;")
    instead = Instead("promthctl test --from-migrations", adds="")
    follow(
        Row("pgtap/places.py · guarded_target", f"promthctl test --yes --db-url {bare_postgres}", instead),
        Place(project),
    )


def test_types_are_written_when_they_change(tmp_path: Path) -> None:
    project = own(tmp_path, NOTES)
    told("cli/types.py · command", project.run("types", "--check", code=2).stderr)
    project.run("types", "--check", "--output", "db.ts", code=1)
    assert not (tmp_path / "db.ts").exists()
    project.run("types", "--output", "db.ts")
    text = (tmp_path / "db.ts").read_text()
    assert '"notes": {' in text and '"mood"' in text
    (tmp_path / "db.ts").write_text(text.replace(",", ",\n").replace('"notes"', "notes"))
    project.run("types", "--check", "--output", "db.ts")
    (tmp_path / "db.ts").write_text(text.replace("body", "text"))
    assert "is not what" in project.run("types", "--check", "--output", "db.ts", code=1).stdout


@pytest.mark.full
def test_types_of_other_languages(tmp_path: Path) -> None:
    project = own(tmp_path, NOTES)
    assert "class PublicNotes(" in project.run("types", "python").stdout
    assert "type PublicNotesSelect struct" in project.run("types", "go").stdout
