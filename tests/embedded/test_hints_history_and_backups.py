"""Hints about histories, backups, locks and roles, followed on databases of one server; see tests/hints.py."""

from __future__ import annotations

import gzip
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from promthctl import push, resetting, settings, targets
from promthctl.database import advisory_lock, connect
from promthctl.errors import PromthctlError, RefusedError, TargetError
from promthctl.isolation.proof import _require_roles
from promthctl.migration_files import changes, fetching
from promthctl.resetting import ResetPlan, replay
from promthctl.rollback import undoing
from promthctl.steps import Silent
from tests.hints import ByHand, Edit, Instead, Option, Place, Row, Run, Say, Sql, follow, told
from tests.promthctl_runner import Project
from tests.servers import Server

AT = "--db-url {db}"
A = "create table public.a (id int primary key, is_public boolean);\n"
B = "create table public.b (id int primary key, x int);\n"
HISTORY = "create schema supabase_migrations; create table supabase_migrations.schema_migrations"
APPLIED = "insert into supabase_migrations.schema_migrations values ('001'), ('002');"
READER = "create role hints_reader login password '{password}'"
TWO = (("db/002_b.sql", B), ("db/002_b.down.sql", "drop table public.b;\n"))
ROWS_ONLY = (("db/002_b.sql", "insert into public.a values (1);\n"), ("db/003_c.sql", B))
# A sequence is not rolled back: what ends its session does so once.
ONCE = "create sequence public.once"
ENDS_ITSELF = "select pg_terminate_backend(pg_backend_pid()) where nextval('public.once') = 1;\n"
FORGETS = "delete from supabase_migrations.schema_migrations;\n"

CONFIRM = "cli/invocation.py · confirm"
DECIDE = "adoption/adopting.py · _decide"
READ = "database/history.py · _unread"
ADOPT = f"promthctl migrations adopt {AT} --yes"
RESTORE = f"promthctl rollback {AT} --yes --restore"

ROWS = (
    Row(CONFIRM, f"promthctl push {AT}", Option("--yes")),
    Row(
        DECIDE,
        f"{ADOPT} --assume 999",
        (Run("promthctl migrations list.*(?= shows)"), Say("999", "001", "shows the versions")),
        sql=A,
        name="of no migration",
    ),
    Row(
        DECIDE,
        f"{ADOPT} --assume 001",
        Run("promthctl push.*(?= applies it)", adds="--yes"),
        name="of what is not there",
    ),
    Row(
        DECIDE,
        ADOPT,
        Instead("promthctl migrations adopt.*", adds="--yes"),
        files=ROWS_ONLY,
        sql=f"{A}{B}insert into public.a values (1)",
        name="of rows only",
    ),
    Row(
        "database/connection.py · _refused_url",
        "promthctl migrations list --db-url '{db}?nonsense=1'",
        Say("?nonsense=1", "", r"what follows the \?"),
    ),
    Row(
        READ,
        "promthctl migrations list --db-url {reader}",
        Sql("grant .*"),
        sql=f"{HISTORY} (version text primary key, statements text[], name text); {READER}",
        name="without rights",
    ),
    Row(
        READ,
        f"promthctl migrations list {AT}",
        Sql("alter table .*"),
        sql=f"{HISTORY} (x int)",
        name="that is another table",
    ),
    Row(
        "database/aftermath.py · confirm_history",
        f"promthctl push {AT} --yes --allow-destructive",
        Edit("db/002_b.sql", B, "take out of the migrations"),
        "--include-all",
        files=(("db/002_b.sql", FORGETS),),
    ),
    Row(
        "drafting/differences.py · applied_and_pending",
        f"promthctl diff {AT}",
        (Run("promthctl migrations list.*(?= shows)"), Edit("db/002_b.sql", B, "add their files")),
        sql=f"{HISTORY} (version text); {APPLIED} {A}{B}",
    ),
    Row(
        "drafting/differences.py · applied_and_pending",
        f"promthctl diff {AT}",
        Run("promthctl migrations fetch.*(?= writes)"),
        sql=f"{HISTORY} (version text, statements text[], name text); {A}{B}"
        " insert into supabase_migrations.schema_migrations values"
        f" ('001', array[$x${A}$x$], 'a'), ('002', array[$x${B}$x$], 'b')",
        name="with statements",
    ),
    Row(
        "isolation/declared.py · check_conditions",
        f"promthctl verify {AT} --yes",
        Edit(
            "pyproject.toml",
            '[tool.promthctl]\nmigrations = "db"\n[tool.promthctl.public]\na = "is_public"\n',
            r"give a in \[tool.promthctl.public\] a condition on its columns, such as is_public",
        ),
        files=(("pyproject.toml", '[tool.promthctl]\nmigrations = "db"\n[tool.promthctl.public]\na = "true; x"\n'),),
        then="Not verified",
        sql=f"{A} alter table a enable row level security",
    ),
    Row(
        "migration_files/renumbering.py · _applied",
        f"promthctl migrations renumber {AT} --dry-run",
        ByHand("mv db/001_b.sql db/002_b.sql", "rename by hand the one that is not applied there"),
        files=(("db/001_b.sql", B),),
        sql=f"{HISTORY} (version text); insert into supabase_migrations.schema_migrations values ('001')",
    ),
    Row(
        "migration_files/renumbering.py · _padded",
        f"promthctl migrations renumber {AT} --dry-run",
        ByHand("mv db/10_c.sql db/91_c.sql", "rename by hand those that are not applied, to versions that sort after"),
        files=(("db/9_b.sql", B), ("db/10_c.sql", "select 1;\n")),
        sql=f"{HISTORY} (version text, name text); insert into supabase_migrations.schema_migrations values ('9', 'b')",
    ),
    Row(
        "seeds/failing.py · _lost",
        f"promthctl seed sql {AT} --yes",
        Instead(r"promthctl seed sql[^;]*", adds="--yes"),
        files=(("supabase/seed.sql", ENDS_ITSELF),),
        sql=ONCE,
    ),
    Row(
        "supabase_cli/migration_errors.py · _broken_off",
        f"promthctl push {AT} --yes --allow-destructive",
        ByHand(":", "run the same command again"),
        files=(("db/002_b.sql", ENDS_ITSELF),),
        sql=ONCE,
    ),
)


@pytest.fixture
def place(tmp_path: Path, database_url: str, server: Server) -> Iterator[Place]:
    """The password is in the environment: the hints print none."""
    plain = database_url.replace(f":{server.password}@", "@")
    values = {
        "db": plain,
        "owner": database_url,
        "reader": plain.replace("//postgres@", "//hints_reader@"),
        "password": server.password,
    }
    place = Place(Project(tmp_path, {"PGPASSWORD": server.password}), values)
    place.write("pyproject.toml", '[tool.promthctl]\nmigrations = "db"\n')
    place.write("db/001_a.sql", A)
    yield place


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_what_comes_next_helps(row: Row, place: Place) -> None:
    follow(row, place)


def test_a_no_is_taken_back_by_a_yes(place: Place) -> None:
    def answer(text: bytes) -> subprocess.CompletedProcess[str]:
        outer, inner = pty.openpty()
        os.write(outer, text)
        words = [sys.executable, "-m", "promthctl", "push", "--db-url", place.values["db"]]
        try:
            return subprocess.run(
                words,
                stdin=inner,
                cwd=place.project.path,
                env=place.project.environment(),
                capture_output=True,
                text=True,
                timeout=60,
            )
        finally:
            os.close(inner)
            os.close(outer)

    error = told(CONFIRM, answer(b"n\n").stderr)
    assert error.hint.endswith("answer y")
    assert answer(b"y\n").returncode == 0


def test_isolation_is_proven_as_the_role_that_the_hint_names(place: Place) -> None:
    """`verify` shows this error among its results."""
    place.sql(READER)
    reader = psycopg.connect(place.values["reader"], password=place.values["password"])
    with reader, pytest.raises(PromthctlError) as raised:
        _require_roles(reader)
    error = told("isolation/proof.py · _require_roles", raised.value)
    assert "connect as postgres" in error.hint
    with psycopg.connect(place.values["owner"]) as postgres:
        _require_roles(postgres)


def test_a_restore_is_helped_at_every_step(place: Place) -> None:
    for path, text in TWO:
        place.write(path, text)
    back = place.fill(f"promthctl rollback {AT} --to 001 --yes")
    push = place.fill(f"promthctl push {AT} --yes")
    place.must(push)
    place.sql("insert into b values (1, 1)")
    backups = place.project.path / ".promthctl" / "backups"
    place.must(back)

    (kept,) = backups.iterdir()
    restore = f"{RESTORE} {kept.name}"
    follow(
        Row(
            "backups/folder.py · find_backup",
            f"{RESTORE} nothere",
            (Run("promthctl rollback --list"), Say("nothere", kept.name, "--list")),
            "it does not have what the backup's rows belong to",
        ),
        place,
    )
    follow(Row("backups/restoring.py · _incomplete", restore, Run("promthctl push .*?(?=,)", adds="--yes")), place)
    place.sql("update b set x = 2")
    follow(
        Row("backups/restoring.py · _refused", restore, Instead("promthctl .* --conflicts replace", adds="--yes")),
        place,
    )

    (data,) = kept.glob("*.gz")
    good = data.read_bytes()
    data.write_bytes(gzip.compress(b"damaged"))
    error = told("backups/folder.py · find_backup", place.shell(place.fill(restore)).stderr)
    assert "take an undamaged copy of the backup" in error.hint
    data.write_bytes(good)
    place.must(place.fill(restore))


def test_a_connection_that_was_lost_is_made_again(database_url: str) -> None:
    target = targets.from_url(database_url)
    with pytest.raises(TargetError) as raised, connect(target) as connection:
        with psycopg.connect(database_url) as other:
            other.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
        connection.execute("select 1")
    assert told("database/connection_errors.py · lost", raised.value).hint.endswith("run the same command again")
    with connect(target) as connection:
        connection.execute("select 1")


def test_another_promthctl_is_waited_for(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory_lock, "_LOCK_SECONDS", 0.0)
    target = targets.from_url(database_url)
    with advisory_lock.exclusive(target, Silent()):
        with pytest.raises(RefusedError) as raised, advisory_lock.exclusive(target, Silent()):
            pass
        assert told("database/advisory_lock.py · _held", raised.value).hint.startswith("wait until it is done")
    with advisory_lock.exclusive(target, Silent()):
        pass


def test_what_an_earlier_push_left_is_ended(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory_lock, "_LOCK_SECONDS", 0.0)
    target, text = targets.from_url(database_url), "select pg_sleep(60)"
    with psycopg.connect(database_url, autocommit=True) as left, psycopg.connect(database_url, autocommit=True) as mine:

        def work() -> None:
            with pytest.raises(psycopg.OperationalError):
                left.execute(text)

        working = threading.Thread(target=work)
        working.start()
        try:
            while mine.execute("select 1 from pg_stat_activity where query = %s", (text,)).fetchone() is None:
                pass
            with pytest.raises(RefusedError) as raised:
                advisory_lock.wait_for_leftovers(target, text, Silent())
            hint = told("database/advisory_lock.py · wait_for_leftovers", raised.value).hint
            mine.execute(re.findall("select pg_terminate_backend.*", hint)[0].encode())
        finally:
            working.join()
    advisory_lock.wait_for_leftovers(target, text, Silent())


def test_what_changes_between_a_plan_and_its_end_is_planned_again(place: Place) -> None:
    for path, text in TWO:
        place.write(path, text)
    here, target = settings.load(place.project.path), targets.from_url(place.values["owner"])
    planned = push.plan_push(here, target, rehearsed=False)
    place.write("db/001_a.sql", A + "select 1;\n")
    with pytest.raises(RefusedError) as raised:
        push.apply_plan(here, target, planned, Silent())
    assert told("push/applying.py · _outdated", raised.value).hint.startswith("run the same command again")
    place.must(place.fill(f"promthctl push {AT} --yes"))

    place.write("db/001_a.down.sql", "drop table public.a;\n")
    undone = undoing.plan_rollback(here, target, "0", Silent())
    place.must(place.fill(f"promthctl rollback {AT} --to 001 --yes"))
    with pytest.raises(RefusedError) as raised:
        undoing.roll_back(here, target, undone, False, Silent())
    assert told("rollback/undoing.py · _changed", raised.value).hint == "run the same command again"
    place.must(place.fill(f"promthctl rollback {AT} --to 0 --yes"))


def test_a_reset_is_helped_at_every_step(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    here, target = settings.load(place.project.path), targets.from_url(place.values["owner"])

    def plan() -> ResetPlan:
        return resetting.plan_reset(here, target, False, Silent())

    read = replay._read_premises
    with monkeypatch.context() as patched:  # a server without extensions, which none of ours is
        patched.setattr(replay, "_read_premises", lambda *words: replace(read(*words), available=frozenset()))
        place.write("db/002_b.sql", "create extension hstore;\n")
        with pytest.raises(RefusedError) as raised:
            plan()
        assert "or take it out of the migrations" in told("resetting/replay.py · try_reset", raised.value).hint
        place.write("db/002_b.sql", "create table public.a ();\n")
        with pytest.raises(PromthctlError) as failed:
            plan()
    assert "take it out" in told("resetting/replay.py · for_the_person", failed.value).hint
    place.write("db/002_b.sql", B)
    planned = plan()
    place.write("db/002_b.sql", B + "select 1;\n")
    with pytest.raises(RefusedError) as raised:
        resetting.reset_target(here, target, planned, Silent())
    assert "for a new plan" in told("resetting/target.py · reset_target", raised.value).hint
    resetting.reset_target(here, target, plan(), Silent())


def test_a_fetched_file_that_was_changed_meanwhile_is_fetched_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.sql(
        f"{HISTORY} (version text, statements text[], name text);"
        f" insert into supabase_migrations.schema_migrations values ('002', array[$x${B}$x$], 'b')"
    )
    here, target = settings.load(place.project.path), targets.from_url(place.values["owner"])
    written = changes.carry_out

    def carry_out(*words: object) -> None:
        written(*words)
        place.write("db/002_b.sql", "another text")

    with monkeypatch.context() as patched:
        patched.setattr(changes, "carry_out", carry_out)
        with pytest.raises(PromthctlError) as raised:
            fetching.fetch(here, fetching.plan_fetch(here, target), Silent())
    place.must(re.findall(r"mv \S+ \S+", told("migration_files/fetching.py · fetch", raised.value).hint)[0])
    place.must(place.fill(f"promthctl migrations fetch {AT}"))
