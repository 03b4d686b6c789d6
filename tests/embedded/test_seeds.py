"""Roles and seeds: run once on a new database, never unasked on another, and what is said of one that fails."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.promthctl_runner import Project
from tests.tcp_relay import relay_to

CONFIG = 'project_id = "x"\n[db]\nport = 1\n[db.seed]\nsql_paths = ["./seed.sql", "./seeds/*.sql"]\n'
NOTES = "create table notes (id int primary key, t text);\ngrant select on notes to analyst;\n"
SEED = "truncate notes;\ninsert into notes values (1, 'one;'), (2, 'ไทย');\n"
ROLES = "create role analyst nologin;\n"


def write(project: Project, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = project.path / "supabase" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def query(project: Project, sql: str) -> list[Any]:
    with psycopg.connect(project.env()["SUPABASE_DB_URL"]) as connection:
        return [row[0] if len(row) == 1 else row for row in connection.execute(sql.encode())]


def ids(project: Project) -> list[int]:
    return query(project, "select id from notes order by id")


@pytest.fixture
def seeded(project: Project) -> Project:
    """A project with roles, a migration that needs them, and a seed; its stack was never up."""
    write(project, {"config.toml": CONFIG, "roles.sql": ROLES, "migrations/001_notes.sql": NOTES, "seed.sql": SEED})
    return project


@pytest.fixture(scope="module")
def notes(shared: Project) -> Project:
    """A stack with the table notes and no seeds, whose rows come and go."""
    write(shared, {"config.toml": CONFIG, "roles.sql": ROLES, "migrations/001_notes.sql": NOTES})
    shared.up()
    return shared


def test_a_new_database_gets_its_roles_and_its_seeds_once(seeded: Project, supabase: Path) -> None:
    write(seeded, {"seeds/10_b.sql": "insert into notes values (10, 'b');", "seeds/2_a.sql": b""})
    up = seeded.up()
    assert "3 files run now" in up.stdout and "supabase/seed.sql: 2 statements, 2 rows changed" in up.stdout
    assert ids(seeded) == [1, 2, 10]
    query(seeded, "select 1")
    with psycopg.connect(seeded.env()["SUPABASE_DB_URL"]) as connection:
        connection.execute("delete from notes")
    again = seeded.json("local", "up")
    assert again["seeds"] is None and again["unseeded"] == [] and ids(seeded) == []
    result = seeded.json("seed", "sql")
    assert result["files"] == [] and result["done"] == [
        "supabase/seed.sql",
        "supabase/seeds/10_b.sql",
        "supabase/seeds/2_a.sql",
    ]
    # The record is the Supabase CLI's own: to it these seeds were run, too.
    url = seeded.env()["SUPABASE_DB_URL"]
    command = [supabase, "db", "push", f"--remote={url}", "--include-seed", "--yes", "--workdir", seeded.path]
    told = subprocess.run(command, env=seeded.environment(PGSSLMODE="disable"), capture_output=True, text=True)
    assert told.returncode == 0 and "Seeding" not in told.stdout + told.stderr, told.stderr
    assert ids(seeded) == []
    named = seeded.json("seed", "sql", "supabase/seed.sql")
    assert [(run["statements"], run["rows"]) for run in named["files"]] == [(2, 2)] and ids(seeded) == [1, 2]
    write(seeded, {"seed.sql": SEED + "-- new\n"})
    assert seeded.json("seed", "sql", "--dry-run")["changed"] == ["supabase/seed.sql"]
    assert seeded.json("local", "reset")["seeds"]["files"][0]["rows"] == 2
    assert ids(seeded) == [1, 2, 10]
    assert seeded.json("local", "reset", "--no-seed")["seeds"] is None and ids(seeded) == []
    verified = seeded.run("verify", "--only", "tables", code=None)  # its throw-away database has the roles, too
    assert "The schema is what" in verified.stdout, verified.stderr


def test_seeds_wait_for_a_migration_that_is_corrected(seeded: Project) -> None:
    (seeded.path / "supabase" / "roles.sql").unlink()
    write(seeded, {"migrations/000_first.sql": "create table first ();"})
    failed = seeded.up(code=1)
    assert 'role "analyst" does not exist' in failed.stderr
    write(seeded, {"roles.sql": ROLES})
    assert [run["name"] for run in seeded.json("local", "up")["seeds"]["files"]] == ["supabase/seed.sql"]
    assert ids(seeded) == [1, 2]


def test_seeds_that_came_later_are_not_run_unasked(seeded: Project) -> None:
    write(seeded, {"migrations/002_bad.sql": "select nothing;"})
    seeded.up(code=1)
    (seeded.path / "supabase" / "seed.sql").unlink()
    (seeded.path / "supabase" / "roles.sql").unlink()
    write(seeded, {"migrations/002_bad.sql": "select 1;"})
    seeded.run("local", "up")
    write(seeded, {"seed.sql": SEED})
    assert seeded.json("local", "up")["unseeded"] == ["supabase/seed.sql"] and ids(seeded) == []


def test_roles_that_fail_leave_nothing(seeded: Project) -> None:
    write(seeded, {"roles.sql": ROLES + "create role boss superuser;\n"})
    failed = seeded.up(code=1)
    assert "supabase/roles.sql could not be run" in failed.stderr and "line 2, statement 2" in failed.stderr
    write(seeded, {"roles.sql": ROLES})
    seeded.up()
    assert ids(seeded) == [1, 2]


def test_a_dump_of_a_project_with_pgsodium_is_told_which_lines_go(seeded: Project) -> None:
    write(
        seeded, {"seeds/1.sql": """insert into notes values (3);\nselect setval('"pgsodium"."key_key_id_seq"', 1);\n"""}
    )
    failed = seeded.up(code=1)
    assert "line 2, statement 2" in failed.stderr and "take the lines about pgsodium" in failed.stderr
    write(seeded, {"seeds/1.sql": "insert into notes values (3);\n"})
    seeded.run("seed", "sql")
    assert ids(seeded) == [1, 2, 3]


def test_what_another_role_owns_is_changed_after_set_role(seeded: Project) -> None:
    made = "create role keeper nologin noinherit;\ngrant keeper to postgres with inherit false, set true;\n"
    write(seeded, {"roles.sql": ROLES + made, "migrations/002_kept.sql": "create schema kept authorization keeper;"})
    late = "create function kept.f() returns int language sql return 1;"
    write(seeded, {"migrations/003_owned.sql": f"set role keeper;\n{late}\nreset role;"})
    write(seeded, {"migrations/004_denied.sql": "comment on function kept.f() is 'kept';"})
    failed = seeded.up(code=1)
    assert "004_denied.sql" in failed.stderr and "set role NAME" in failed.stderr, failed.stderr
    assert "connect as" not in failed.stderr
    write(
        seeded, {"migrations/004_denied.sql": "set role keeper;\ncomment on function kept.f() is 'kept';\nreset role;"}
    )
    seeded.up()


def test_a_seed_that_failed_is_not_run_again_unasked_and_not_forgotten(seeded: Project) -> None:
    write(seeded, {"seeds/1.sql": "insert into notes values (3);\ninsert into notes\n  values (1);\n"})
    failed = seeded.up(code=1)
    assert "line 2, statement 2: duplicate key" in failed.stderr and "promthctl seed sql; nothing" in failed.stderr
    assert ids(seeded) == [1, 2]
    again = seeded.run("local", "up")
    assert "Not run on this database: supabase/seeds/1.sql" in again.stdout and "promthctl seed sql" in again.stdout
    assert "Not run" not in seeded.run("local", "up", "--no-seed").stdout
    write(seeded, {"seeds/1.sql": "insert into notes values (3);"})
    seeded.run("seed", "sql")
    assert ids(seeded) == [1, 2, 3] and "Not run" not in seeded.run("local", "up").stdout


def test_a_killed_seed_leaves_nothing_and_is_told(seeded: Project) -> None:
    write(seeded, {"seed.sql": "insert into notes values (1);\nselect pg_sleep(600);"})
    running = seeded.start("local", "up", "--api-port", "0", "--db-port", "0")
    try:
        asleep = "select count(*) from pg_stat_activity where query like 'select pg_sleep%'"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.2)
            if (seeded.path / ".promthctl" / "stack.json").exists():
                try:
                    if query(seeded, asleep) == [1]:
                        break
                except psycopg.Error:
                    pass
    finally:
        running.kill()
        running.communicate()
    assert ids(seeded) == []
    assert seeded.json("local", "up")["unseeded"] == ["supabase/seed.sql"]


@pytest.mark.parametrize("off", ["--no-seed", "enabled = false"])
def test_seeds_can_be_switched_off(seeded: Project, off: str) -> None:
    if not off.startswith("--"):
        write(seeded, {"config.toml": f"[db.seed]\n{off}\n"})
    up = seeded.up(*([off] if off.startswith("--") else []))
    assert "seed" not in up.stdout.lower().replace("seed vanchin", "")
    assert ids(seeded) == []
    code = 0 if off.startswith("--") else 1
    told = seeded.run("seed", "sql", code=code)
    assert code == 0 or "enabled = false" in told.stderr


DUMP = """\\restrict x
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET session_replication_role = replica;
COPY public.notes (id, t) FROM stdin;
5\tfive; it's
6\t\\N
\\.
SELECT pg_catalog.setval('public.numbers', 7, true);
\\unrestrict x
"""


@pytest.mark.parametrize(
    ("seed", "wanted"),
    [
        (DUMP, [5, 6]),
        (DUMP.replace("\n", "\r\n"), [5, 6]),
        ("begin;\ninsert into notes values (1);\ncommit;\n", [1]),
        ("insert into notes values (1);\nrollback;\n", []),
        (b"\xef\xbb\xbfinsert into notes values (1);\r\n", [1]),
        (b"set client_encoding = 'LATIN1';\ninsert into notes values (1, 'caf\xe9');\n", [1]),
        ("do $$ begin insert into notes values (1, 'a;b'); end $$;", [1]),
        (
            "create function f() returns int begin atomic select 1; end;insert into notes select f();drop function f;",
            [1],
        ),
        ("set local role service_role; select 1; reset role; insert into notes values (1); set role anon;", [1]),
        ("".join(f"insert into notes values ({n}, 'x;');\n" for n in range(2500)), list(range(2500))),
        ("-- nothing\n", []),
        ("", []),
        (
            """
insert into auth.users (id, email, encrypted_password)
  values (gen_random_uuid(), 'a@example.com', crypt('password123', gen_salt('bf')));
insert into auth.identities (id, user_id, provider_id, identity_data, provider)
  select gen_random_uuid(), id, id::text, '{}', 'email' from auth.users;
insert into storage.buckets (id, name) values ('b', 'b');
insert into notes values (1);""",
            [1],
        ),
    ],
)
def test_seeds_as_people_write_them(notes: Project, seed: str | bytes, wanted: list[int]) -> None:
    with psycopg.connect(notes.env()["SUPABASE_DB_URL"]) as connection:
        connection.execute("truncate notes")
        connection.execute("create sequence if not exists numbers")
    path = notes.path / "supabase" / "one.sql"
    path.write_bytes(seed if isinstance(seed, bytes) else seed.encode())
    result = notes.json("seed", "sql", str(path))
    assert ids(notes) == wanted
    assert result["files"][0]["rows"] == len(wanted) or "auth" in str(seed) or "do $$" in str(seed)


@pytest.mark.parametrize(
    ("seed", "told", "kept"),
    [
        ("insert into notes values (1);\n\nselect *\nfrom nowhere;", 'line 4, statement 2: relation "nowhere"', []),
        ("insert into notes values (1);\ninsert into notes values (2;\n", "line 2, statement 2: syntax error", []),
        ("insert into notes values (1);\ninsert into notes values (1);\n", "line 2, statement 2: duplicate key", []),
        ("copy notes from stdin;\n1\tx\nb\ty\n\\.\n", "line 3, statement 1: invalid input syntax", []),
        ("begin;\ninsert into notes values (1);\ncommit;\nselect 1/0;", "up to line 3 was not undone", [1]),
        ("select 1;\n\\i other.sql\n", "line 2 is for psql: \\i other.sql", []),
        ("vacuum notes;", "which runs in one transaction", []),
        (b"insert into notes values (1, 'caf\xe9');", "as UTF-8, or begin it with", []),
        ("select 1;".encode("utf-16"), "a zero byte", []),
        ("select 'open", "unterminated quoted string", []),
        ("copy notes to stdout;", "line 1, statement 1", []),
    ],
)
def test_a_seed_that_fails_names_the_line(notes: Project, seed: str | bytes, told: str, kept: list[int]) -> None:
    with psycopg.connect(notes.env()["SUPABASE_DB_URL"]) as connection:
        connection.execute("truncate notes")
    path = notes.path / "supabase" / "one.sql"
    path.write_bytes(seed if isinstance(seed, bytes) else seed.encode())
    failed = notes.run("seed", "sql", str(path), code=1)
    assert told in failed.stderr and str(path) in failed.stderr
    assert ("nothing of it was kept" in failed.stderr) is not bool(kept)
    assert ids(notes) == kept


def test_a_database_that_is_not_local_is_asked_for(notes: Project, make_project: Callable[..., Project]) -> None:
    url = notes.env()["SUPABASE_DB_URL"]
    other = make_project("other")
    write(other, {"seed.sql": "insert into notes values (77);"})
    refused = other.run("seed", "sql", "--db-url", url, code=5)
    assert "supabase/seed.sql" in refused.stderr and "Nothing was run" in refused.stderr and 77 not in ids(notes)
    assert "To run on" in other.run("seed", "sql", "--dry-run", "--db-url", url).stdout and 77 not in ids(notes)
    other.run("seed", "sql", "--db-url", url, "--yes")
    assert 77 in ids(notes)
    assert other.json("seed", "sql", "--db-url", url)["done"] == ["supabase/seed.sql"]
    missing = other.run("seed", "sql", "nowhere.sql", "--db-url", url, code=1)
    assert "cannot be read" in missing.stderr


def test_a_connection_that_is_lost_while_the_seeds_are_planned_is_no_fault_of_a_file(
    project: Project, database_url: str
) -> None:
    seed = project.path / "supabase" / "seed.sql"
    seed.parent.mkdir(exist_ok=True)
    seed.write_text("select 1;\n")
    with relay_to(database_url) as relay:
        relay.until = lambda data: b"seed_files" in data
        told = project.run("seed", "sql", "--db-url", relay.url, "--yes", code=4).stderr
    assert "was lost" in told and "check the network" in told
