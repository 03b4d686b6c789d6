"""`migrations squash`: one file makes what many made, rows included, and targets that have those are known."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.schema import KINDS, compare, snapshot
from tests.embedded.test_bundle import own, rows
from tests.hints import Instead, Place, Row, Run, Sql, follow, told
from tests.promthctl_runner import Project, data
from tests.servers import Server, fresh_database

NOTES = "create table public.notes (id bigint generated always as identity primary key, body text, mood public.mood)"
FILES = {
    "001_base": f"create type public.mood as enum ('sad');\n{NOTES};\ncomment on table public.notes is 'n'",
    "002_rows": "-- the first rows\ncreate table public.kinds (id uuid default gen_random_uuid(), name text,"
    " at timestamptz default now());\ninsert into public.kinds (name) values ('a'), ('b; c');\n"
    "insert into storage.buckets (id, name) values ('pics', 'pics'); -- no more",
    "003_great": "alter type public.mood add value 'great';\nalter table public.notes enable row level security;\n"
    "create policy own on public.notes to authenticated using (true);\ngrant select on public.notes to authenticated;",
    "004_great": "alter table public.notes alter column mood set default 'great';\n"
    "insert into public.notes (body) values ('hello');\nalter table public.notes drop column body;",
}
LATER = {"005_later": "create table public.later (id int primary key);"}


def squashed(project: Project, *words: str) -> Any:
    return data(project.run("migrations", "squash", *words, "--json", timeout=600).stdout)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def history(url: str) -> list[str]:
    return [version for version, *_ in rows(url)]


def add(project: Project, files: dict[str, str]) -> None:
    for name, sql in files.items():
        (project.path / "sql" / f"{name}.sql").write_text(sql)


def test_one_file_makes_the_same_schema_and_rows_and_old_targets_are_known(
    tmp_path: Path, server: Server, database_url: str
) -> None:
    project = own(tmp_path, FILES)
    target = ("--db-url", database_url)
    project.run("push", *target, "--yes")
    add(project, LATER)
    (tmp_path / "sql/005_later.down.sql").write_text("drop table public.later;")
    made = squashed(project, "--to", "004")
    assert made["replaced"] == [f"{name}.sql" for name in FILES]
    assert {"public.kinds", "public.notes", "storage.buckets"} <= set(made["tables"])
    assert {"public.kinds.id", "public.kinds.at"} <= set(made["volatile"])
    assert names(tmp_path / "sql") == ["004_great.down.sql", "004_great.sql", "005_later.down.sql", "005_later.sql"]
    assert set(names(tmp_path / "supabase/squashed/004")) == {f"{name}.sql" for name in FILES}

    # A target that has the old files.
    listed = {row["version"]: row for row in project.json("migrations", "list", *target)}
    assert listed["001"]["squashed"] == "004_great.sql" and listed["004"]["edited"] is None
    planned = project.json("push", "--dry-run", *target)
    assert (planned["pending"], planned["refused"]) == (["005_later.sql"], False)
    assert "the old files for which 004_great.sql stands now: 001, 002, 003" in planned["disagreements"][0]["why"]
    assert project.json("migrations", "fetch", *target, "--dry-run")["written"] == []
    at = "promthctl.supabase_cli.database_commands:DatabaseCli.repair:return:"
    running = project.start("push", *target, "--yes", at=at)
    running.communicate(timeout=300)
    assert running.returncode == -9 and history(database_url) == ["001", "002", "003", "004"]
    pushed = project.json("push", *target, "--yes")
    assert (pushed["recorded"], pushed["applied"]) == (["004_great.sql"], ["005_later.sql"])
    assert history(database_url) == ["004", "005"]
    assert all(row["edited"] is False for row in project.json("migrations", "list", *target))

    # A new one.
    with fresh_database(server) as other, psycopg.connect(other) as new:
        empty = snapshot(new)
        new.rollback()
        project.run("push", "--db-url", other, "--yes")
        assert compare(snapshot(new), _with_later(database_url), KINDS) == ()
        new.rollback()
        assert new.execute("select name from public.kinds order by 1").fetchall() == [("a",), ("b; c",)]
        new.rollback()
        project.run("rollback", "--to", "0", "--db-url", other, "--yes", "--no-backup")
        assert compare(empty, snapshot(new), KINDS) == ()


def _with_later(url: str) -> Any:
    with psycopg.connect(url) as connection:
        return snapshot(connection)


PAIR = {"001_a": "create table public.a (id int primary key)", "002_b": "create table public.b (id int primary key);"}


def test_a_target_that_has_a_part_gets_the_rest_from_the_old_files(
    tmp_path: Path, server: Server, database_url: str
) -> None:
    """Then it is known; what is recorded without statements is proven by the schema, by adopt."""
    project = own(tmp_path, {"001_a": PAIR["001_a"]})
    project.run("push", "--db-url", database_url, "--yes")
    add(project, PAIR)
    made = squashed(project, "--to", "002")
    assert made["down"] == "sql/002_b.down.sql"
    assert "create table" in (tmp_path / made["file"]).read_text().lower()
    project.extra["PGPASSWORD"] = server.password
    place = Place(project, {"owner": database_url, "db": database_url})
    files = {name: (tmp_path / "sql" / name).read_bytes() for name in names(tmp_path / "sql")}
    told = project.run("push", "--db-url", database_url, "--yes", code=5).stderr
    assert "of which it has 001 and not 002" in told and "migrations squash --undo 002 brings the files back" in told
    back = (Run("promthctl migrations squash --undo 002"), Run("promthctl push [^,]*", adds="--yes"))
    follow(Row("push/squashes.py · check_met", f"promthctl diff --db-url {database_url}", back), place)
    assert names(tmp_path / "sql") == ["001_a.sql", "002_b.sql"] and history(database_url) == ["001", "002"]
    squashed(project, "--to", "002")
    assert {name: (tmp_path / "sql" / name).read_bytes() for name in names(tmp_path / "sql")} == files

    with psycopg.connect(database_url) as connection:
        connection.execute("update supabase_migrations.schema_migrations set statements = null where version = '001'")
    told = project.run("push", "--db-url", database_url, "--yes", code=5).stderr
    assert "of 001 its history does not say" in told and "promthctl migrations adopt --db-url" in told
    adopted = project.json("migrations", "adopt", "--db-url", database_url, "--yes")
    assert adopted["adopted"] == ["002_b.sql"] and history(database_url) == ["002"]
    assert project.json("push", "--db-url", database_url, "--yes")["applied"] == []


def test_what_reads_the_history_cannot_be_one_file(tmp_path: Path, server: Server, database_url: str) -> None:
    """An earlier version leaves it out. Until a push has recorded it, other commands say so."""
    reading = "do $$ begin assert (select count(*) = 2 from supabase_migrations.schema_migrations); end $$;"
    project = own(tmp_path, {**PAIR, "003_reading": reading})
    project.extra["PGPASSWORD"] = server.password
    place = Place(project, {"owner": database_url, "db": database_url})
    project.run("push", "--db-url", database_url, "--yes")
    earlier = Instead("promthctl migrations squash --to VERSION", (("VERSION", "002"),), adds="--as-written")
    row = Row(
        "migration_files/squashing.py · plan_squash", "promthctl migrations squash --to 003 --as-written", earlier
    )
    follow(row, place)
    assert "create table public.a (id int primary key)\n;\n" in (tmp_path / "sql/002_b.sql").read_text()
    back = f"promthctl rollback --to 002 --db-url {database_url} --yes"
    recorded = Run("promthctl push .*(?= records)", adds="--yes")
    follow(Row("push/squashes.py · check_recorded", back, recorded, "has no down script"), place)
    assert history(database_url) == ["002", "003"]


def test_a_history_that_a_trigger_changes_is_told_and_put_right(
    tmp_path: Path, server: Server, database_url: str
) -> None:
    project = own(tmp_path, PAIR)
    project.extra["PGPASSWORD"] = server.password
    push = f"promthctl push --yes --db-url {database_url}"
    place = Place(project, {"owner": database_url})
    place.must(push)
    squashed(project, "--to", "002")
    place.sql(
        "create function public.plain() returns trigger language plpgsql as"
        " 'begin new.statements = null; return new; end'; create trigger plain before insert or update on"
        " supabase_migrations.schema_migrations for each row execute function public.plain()"
    )
    steps = Sql("drop trigger plain on .*'002';"), Run("promthctl migrations adopt .*(?= records)", adds="--yes")
    follow(Row("push/squashes.py · _not_recorded", push, steps), place)
    (recorded,) = rows(database_url)
    assert recorded[0] == "002" and "create table public.a" in str(recorded)


@pytest.mark.parametrize("change", ["brought back", "taken away"])
def test_a_folder_that_changes_meanwhile_is_told_and_put_right(tmp_path: Path, change: str) -> None:
    """By another program, just when the files are written."""
    project = own(tmp_path, PAIR | LATER)
    place = Place(project)
    at = "promthctl.migration_files.changes:carry_out_alone:return:"
    running = project.start("migrations", "squash", "--to", "002", "--as-written", at=at, signal="SIGSTOP")
    try:
        _, status = os.waitpid(running.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        if change == "brought back":
            (tmp_path / "sql/001_a.sql").write_text(PAIR["001_a"])
        else:
            (tmp_path / "sql/002_b.sql").unlink()
            (tmp_path / "sql/002_b.down.sql").unlink()
        running.send_signal(signal.SIGCONT)
        _, printed = running.communicate(timeout=120)
    finally:
        running.kill()
    place.must(told("migration_files/squashing.py · squash", printed).hint)
    there = [name for name in names(tmp_path / "sql") if name.endswith(".sql")]
    assert there == ["002_b.down.sql", "002_b.sql", "005_later.sql"]
    assert project.json("migrations", "list")[0]["version"] == "002"


def test_local_up_knows_its_own_database(shared: Project) -> None:
    folder = shared.path / "supabase" / "migrations"
    folder.mkdir(parents=True)
    for name, sql in PAIR.items():
        (folder / f"{name}.sql").write_text(sql)
    shared.up()
    made = squashed(shared, "--to", "002")
    assert (made["file"], made["down"]) == ("supabase/migrations/002_b.sql", "supabase/down/002_b.down.sql")
    assert "Recorded 002_b.sql in the history" in shared.up().stderr
    assert history(shared.env()["SUPABASE_DB_URL"]) == ["002"]
    assert shared.json("verify", "--only", "tables")["ok"]
