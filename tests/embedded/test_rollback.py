"""`rollback --to`: what is lost is found by trying and exported before, and everything happens or nothing."""

from __future__ import annotations

import gzip
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl import rollback, settings
from promthctl.backups import writing
from promthctl.backups.manifest import SavedTable
from promthctl.errors import PromthctlError, RefusedError, TargetError, UsageError
from promthctl.rollback import RollbackResult
from promthctl.steps import Silent
from tests.embedded.rolling import World, until
from tests.servers import Server

GATE = 20233  # an advisory lock: a down script that wants it stops where the test wants it to
A = "create table public.a (id int primary key, t text);"
DROP_A = "drop table public.a;"


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> World:
    return World.make(database_url, tmp_path / "project")


@pytest.fixture
def filled(world: World) -> World:
    """Version 002 made the table a, which has three rows."""
    world.migrate(A, DROP_A)
    world.run("insert into a values (1, 'one'), (2, 'two'), (3, null)")
    return world


def whole(world: World) -> bool:
    """True when nothing was rolled back."""
    return world.history() == ["001", "002"] and world.read("select count(*) from a") == [(3,)]


# what is lost

EVERYTHING = """
create schema other;
create table other.x (id int primary key);
create table public.a (id int primary key, t varchar(50), n int, half int generated always as (n / 2) stored);
create table public.b (id int primary key, a_id int references a on delete cascade);
create table public.unkeyed (i int, j int);
create table public.p (id int, day date, note text, primary key (id, day)) partition by range (day);
create table public.p1 partition of p for values from ('2026-01-01') to ('2026-02-01');
create table public.p2 partition of p for values from ('2026-02-01') to ('2026-03-01') partition by list (id);
create table public.p21 partition of p2 for values in (1);
create index a_t_idx on a (t);
create view v as select id, t from a;
create function late() returns trigger language plpgsql as 'begin delete from public.unkeyed; return null; end';
create constraint trigger late after insert on b deferrable initially deferred for each row execute function late();
create function clear() returns void language sql as 'delete from public.unkeyed';
insert into a values (1, 'one', 10), (2, 'two', 20);
insert into b values (1, 1), (2, 1), (3, 2);
set constraints all immediate;
insert into other.x values (1);
insert into unkeyed values (1, 2);
insert into p values (1, '2026-01-05'), (1, '2026-02-05');
"""
LOSSES = {
    "drop table b": {"public.b": ("the table", 3)},
    "drop table a cascade": {"public.a": ("the table", 2)},
    "drop schema other cascade": {"other.x": ("the table", 1)},
    "alter table a drop column n cascade": {"public.a": ("column n", 2)},
    "alter table a drop column half": {},
    "drop view v; alter table a drop n cascade, alter t type text": {"public.a": ("column t, column n", 2)},
    "drop view v; alter table a alter t type varchar(2) using left(t, 2)": {"public.a": ("column t, rows", 2)},
    "truncate b": {"public.b": ("rows", 3)},
    "delete from a where id = 2": {"public.a": ("rows", 2), "public.b": ("rows", 3)},
    "delete from a where id = 9": {},
    "update a set t = upper(t)": {"public.a": ("rows", 2)},
    "select clear()": {"public.unkeyed": ("rows", 1)},
    "do $$ begin execute 'delete from unkeyed'; end $$": {"public.unkeyed": ("rows", 1)},
    "insert into b values (4, 1)": {"public.unkeyed": ("rows", 1)},
    "alter table unkeyed drop j": {"public.unkeyed": ("column j", 1)},
    "drop table p": {"public.p": ("the table", 2)},
    "drop table p1": {"public.p1": ("the table", 1)},
    "drop table p2": {"public.p2": ("the table", 1)},
    "alter table p detach partition p1": {},
    "alter table p drop note": {"public.p": ("column note", 2)},
    "truncate p1": {"public.p": ("rows", 2)},
    "delete from p where day > '2026-02-01'": {"public.p": ("rows", 2)},
    "insert into a values (3, 'three', 30)": {},
    "alter table a rename t to text": {},
    "alter table a rename to c; alter table c set schema other": {},
    "drop view v; drop index a_t_idx; drop function clear": {},
    "create temp table t (i int); insert into t values (1); delete from t": {},
}


def test_everything_that_loses_data_is_found_and_trying_changes_nothing(world: World) -> None:
    world.migrate(EVERYTHING, "")
    tables = ("a", "b", "p", "unkeyed", "other.x")
    before, catalog = world.digest(*tables), world.read("select oid, relname, relfilenode from pg_class order by 1")
    for down, expected in LOSSES.items():
        world.write("002", EVERYTHING, f"{down};")
        found = world.plan().lost
        assert {lost.name: (lost.loses, lost.rows) for lost in found} == expected, down
        assert [lost.name for lost in found if not lost.restorable] == [n for n in expected if n == "public.unkeyed"]
    assert world.digest(*tables) == before
    assert world.read("select oid, relname, relfilenode from pg_class order by 1") == catalog
    assert world.names() == []


# undoing


def test_versions_are_undone_newest_first_and_leave_the_history(filled: World) -> None:
    filled.migrate("create table b (id int primary key references a);", "drop table b; select id from a;", "003")
    filled.migrate("create table c (id int);", "drop table c; select id from b;", "004")
    assert filled.roll_back("002").undone == ("004_m.down.sql", "003_m.down.sql")
    assert filled.history() == ["001", "002"]
    done = filled.roll_back("0")
    assert (done.to, done.undone, filled.history()) == (None, ("002_m.down.sql", "001_m.down.sql"), [])
    assert filled.read("select count(*) from pg_class where relname in ('a', 'b', 'c')") == [(0,)]


def test_a_version_may_be_named_without_its_zeros_and_nothing_newer_is_nothing_to_do(filled: World) -> None:
    assert filled.roll_back("2") == RollbackResult(filled.target.label, "002", (), ())
    assert filled.roll_back("1").to == "001"
    assert filled.history() == ["001"]


def test_the_backup_is_complete_private_and_holds_every_row(filled: World) -> None:
    done = filled.roll_back()
    assert done.backup is not None and [done.backup.name] == filled.names()
    assert stat.S_IMODE(done.backup.parent.stat().st_mode) == stat.S_IMODE(done.backup.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in done.backup.iterdir()} == {0o600}
    assert gzip.decompress((done.backup / "001-public-a.copy.gz").read_bytes()) == b"1\tone\n2\ttwo\n3\t\\N\n"
    assert [(lost.name, lost.rows) for lost in done.lost] == [("public.a", 3)]


def test_without_rows_there_is_no_backup_and_with_no_backup_there_is_none_either(filled: World) -> None:
    assert filled.roll_back(backup=False).backup is None
    filled.apply("002")
    assert filled.roll_back().backup is None
    assert filled.names() == []


def test_a_row_written_after_the_plan_is_exported_too(filled: World) -> None:
    plan = filled.plan()
    filled.run("insert into a values (4, 'late')")
    done = rollback.roll_back(settings.load(filled.project.path), filled.target, plan, True, Silent())
    assert [lost.rows for lost in done.lost] == [4]
    filled.apply("002")
    filled.restore()
    assert filled.read("select t from a where id = 4") == [("late",)]


def test_from_the_export_on_nobody_writes_to_the_table(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    export, refused = writing.BackupWriter.export_table, []

    def exporting(*arguments: Any) -> SavedTable:
        with filled.session() as somebody, pytest.raises(psycopg.errors.LockNotAvailable) as raised:
            somebody.execute("set lock_timeout = '50ms'; insert into a values (4, 'between')")
        refused.append(raised.value)
        return export(*arguments)

    monkeypatch.setattr(writing.BackupWriter, "export_table", exporting)
    for down in (DROP_A, "alter table a drop column t;", "delete from a;"):
        filled.write("002", A, down)
        filled.roll_back()
        filled.run("drop table if exists a")
        filled.apply("002")
        filled.run("insert into a values (1, 'one')")
    assert len(refused) == 3


def test_what_a_script_sets_for_its_session_ends_with_it(filled: World) -> None:
    filled.migrate("select 1;", "set search_path = ''; set role anon; set lock_timeout = 1;", "003")
    filled.write("002", A, "drop table a;")
    filled.roll_back()
    assert filled.history() == ["001"]


# refusals: nothing changes


def test_a_script_that_fails_changes_nothing_and_is_named_with_line_and_statement(filled: World) -> None:
    filled.write("002", A, "drop table a;\n\n-- ü\nselect\n  1;\nalter table\n  gone drop column x;\n")
    with pytest.raises(PromthctlError) as raised:
        filled.roll_back()
    assert "002_m.down.sql could not be run" in raised.value.what
    assert raised.value.why.startswith('line 6, statement 3: relation "gone" does not exist')
    assert whole(filled) and filled.names() == []


def test_objects_in_the_way_are_named(filled: World) -> None:
    filled.run("create view mine as select * from a")
    with pytest.raises(PromthctlError, match="view mine depends on table a"):
        filled.roll_back()
    assert whole(filled)


def test_what_cannot_be_rolled_back_is_told_before_anything_runs(filled: World) -> None:
    with pytest.raises(UsageError, match="version 003 is not applied") as unknown:
        filled.roll_back("003")
    assert "001, 002" in unknown.value.why
    (filled.project.path / "db" / "002_m.down.sql").unlink()
    with pytest.raises(RefusedError, match=r"002_m\.sql has no down script") as lacking:
        filled.roll_back()
    assert str(filled.project.path / "db" / "002_m.down.sql") in lacking.value.hint
    filled.run("insert into supabase_migrations.schema_migrations values ('007')")
    with pytest.raises(RefusedError, match="no file here: 007"):
        filled.roll_back()
    filled.run("delete from supabase_migrations.schema_migrations where version = '007'")
    assert whole(filled)


def test_a_script_that_would_commit_half_way_is_refused(filled: World) -> None:
    filled.write("002", A, "drop table a;\ncommit;\nselect 1 / 0;")
    with pytest.raises(RefusedError, match=r"002_m\.down\.sql, line 2: BEGIN and COMMIT"):
        filled.roll_back()
    filled.write("002", A, "drop table a; do $$ begin commit; end $$;")
    with pytest.raises(PromthctlError, match="invalid transaction termination"):
        filled.roll_back()
    assert whole(filled)


def test_a_plan_that_is_no_longer_true_is_not_carried_out(filled: World) -> None:
    filled.write("002", A, "delete from a where t = 'bad';")
    plan = filled.plan()
    assert plan.lost == ()
    here = settings.load(filled.project.path)
    filled.run("update a set t = 'bad' where id = 1")
    with pytest.raises(RefusedError, match=r"more would be lost .* public\.a \(rows\)"):
        rollback.roll_back(here, filled.target, plan, True, Silent())
    filled.migrate("select 1;", "select 1;", "003")
    with pytest.raises(RefusedError, match="its history is not the one"):
        rollback.roll_back(here, filled.target, plan, True, Silent())
    assert filled.history() == ["001", "002", "003"] and filled.read("select count(*) from a") == [(3,)]
    assert filled.names() == []


def test_rows_that_row_level_security_hides_stop_the_export(filled: World, server: Server) -> None:
    plan = filled.plan()
    database = filled.url.rpartition("/")[2]
    World(server.url(database, "supabase_admin"), filled.project).run(
        "create role keeper login password 'only-for-this-test'",
        "grant usage, create on schema public, supabase_migrations to keeper",
        "grant all on supabase_migrations.schema_migrations to keeper",
        "alter table a owner to keeper",
        "alter table a enable row level security",
        "alter table a force row level security",
        "create policy a_few on a using (id = 1)",
    )
    keeper = World(f"postgresql://keeper:only-for-this-test@127.0.0.1:{server.port}/{database}", filled.project)
    with pytest.raises(PromthctlError, match="row-level security"):
        keeper.plan()
    with pytest.raises(PromthctlError, match="row-level security"):
        rollback.roll_back(settings.load(filled.project.path), keeper.target, plan, True, Silent())
    assert whole(filled) and filled.names() == []


def test_a_table_that_somebody_uses_is_waited_for_with_patience_but_not_for_ever(filled: World) -> None:
    target = replace(filled.target, lock_seconds=3.0)
    plan = filled.plan()
    with filled.session() as somebody:
        somebody.execute("select * from a")
        with pytest.raises(PromthctlError, match="lock timeout") as raised:
            rollback.roll_back(settings.load(filled.project.path), target, plan, True, Silent())
        assert f"select pg_terminate_backend({somebody.info.backend_pid})" in raised.value.hint
    assert whole(filled) and filled.names() == []


def test_a_connection_lost_in_the_middle_changes_nothing(filled: World) -> None:
    filled.write("002", A, "drop table a; select pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(TargetError) as raised:
        filled.roll_back()
    assert "nothing was changed" in raised.value.hint
    assert whole(filled) and filled.names() == []


def test_a_full_disk_changes_nothing(filled: World) -> None:
    filled.run("insert into a select g, md5(g::text) from generate_series(10, 5000) g")
    filled.project.prefix = ("prlimit", "--fsize=20000")
    done = filled.project.run("rollback", "--to", "001", "--db-url", filled.url, "--yes", code=1)
    assert "The backup could not be written, so nothing was changed" in done.stderr
    assert filled.history() == ["001", "002"] and filled.read("select count(*) from a") == [(4994,)]
    assert filled.names() == []


# two at once, and killed


def test_of_two_rollbacks_at_once_one_is_done_and_the_other_finds_it_done(filled: World) -> None:
    filled.write("002", A, f"select pg_advisory_xact_lock({GATE}); drop table a;")
    done: list[str] = []

    def roll_back() -> None:
        try:
            done.extend(filled.roll_back().undone)
        except RefusedError as error:  # its plan was made before the other one was carried out
            assert "another one than when the rollback was planned" in error.why

    with psycopg.connect(filled.url, autocommit=True) as gate:
        gate.execute("select pg_advisory_lock(%s)", (GATE,))
        threads = [threading.Thread(target=roll_back) for _ in range(2)]
        for thread in threads:
            thread.start()
        until(gate, f"select count(*) = 1 from pg_locks where not granted and locktype = 'advisory' and objid = {GATE}")
    for thread in threads:
        thread.join(60)
    assert done == ["002_m.down.sql"]
    assert filled.history() == ["001"] and len(filled.names()) == 1


POINTS = {
    "after the export": "promthctl.backups.writing:BackupWriter.export_table:return:",
    "after the scripts": "promthctl.rollback.undoing:_shorten_history:return:",
    "before the backup has its name": "promthctl.backups.writing:BackupWriter.complete:call:",
    "after the backup, before the commit": "promthctl.backups.writing:BackupWriter.complete:return:",
}


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_nothing_happened_and_the_next_one_does_it(filled: World, point: str) -> None:
    process = filled.project.start("rollback", "--to", "001", "--db-url", filled.url, "--yes", at=POINTS[point])
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == -9, stdout + stderr
    until(psycopg.connect(filled.url, autocommit=True), "select count(*) = 1 from pg_stat_activity where backend_type"
          " = 'client backend' and datname = current_database()")  # fmt: skip
    assert whole(filled)
    complete = [name for name in filled.names() if not name.startswith(".")]
    assert len(complete) == (1 if point.startswith("after the backup") else 0)
    done = filled.roll_back()
    assert filled.history() == ["001"] and done.backup is not None
    assert filled.names() == sorted([*complete, done.backup.name])  # what the killed one left half made is gone
    filled.apply("002")
    filled.restore(done.backup.name)
    assert whole(filled)


# the command


def test_a_rollback_elsewhere_asks_and_shows_what_is_lost(filled: World) -> None:
    words = ("rollback", "--to", "001", "--db-url", filled.url)
    refused = filled.project.run(*words, code=5).stderr
    assert refused.startswith(f"Target: {filled.target.label}")
    assert "002_m.down.sql" in refused and "public.a: the table, 3 rows" in refused
    assert f"exported first, to {filled.backups}" in refused
    dry = filled.project.run(*words, "--dry-run").stdout
    assert dry.splitlines()[:2] == [f"1 migration would be undone on {filled.target.label}, newest first:",
                                    "  002_m.down.sql"]  # fmt: skip
    assert "public.a: the table, 3 rows" in dry
    assert "No backup is made of these rows." in filled.project.run(*words, "--dry-run", "--no-backup").stdout
    assert whole(filled) and filled.names() == []


def test_json_has_what_happened_and_the_commands_that_bring_it_back(filled: World) -> None:
    words = ("rollback", "--to", "001", "--db-url", filled.url)
    lost = [{"name": "public.a", "loses": "the table", "rows": 3, "restorable": True}]
    planned = filled.project.json(*words, "--dry-run")
    assert planned.pop("backup").startswith(str(filled.backups))
    assert planned == {"target": filled.target.label, "to": "001", "undone": ["002_m.down.sql"], "lost": lost,
                       "again": [], "dry_run": True}  # fmt: skip
    done = filled.project.json(*words, "--yes")
    (name,) = filled.names()
    assert done["backup"] == str(filled.backups / name) and done["lost"] == lost
    push, restore = (command.split() for command in done["again"])
    password = psycopg.conninfo.conninfo_to_dict(filled.url)["password"]
    filled.project.run(*push[1:], "--yes", PGPASSWORD=str(password))
    filled.project.run(*restore[1:], "--yes", PGPASSWORD=str(password))
    assert whole(filled)


def test_usage_that_makes_no_sense_is_told(filled: World) -> None:
    for words in ((), ("--to", "1", "--list"), ("--restore", "x", "--to", "1")):
        assert "one of --to VERSION" in filled.project.run("rollback", *words, code=2).stderr
    gone = filled.project.run("rollback", "--restore", "x", "--db-url", filled.url, code=2).stderr
    assert "The backup x does not exist" in gone
    assert "version all is not applied" in filled.project.run(
        "rollback", "--to", "all", "--db-url", filled.url, code=2
    ).stderr  # fmt: skip
