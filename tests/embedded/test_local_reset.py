"""`local reset`: a new database, the old one kept, brought back by --undo, and whole whenever it is killed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl.resetting.survivors import read_survivors
from promthctl.steps import Silent
from promthctl.targets import from_url
from tests.embedded.working import (
    assert_stops,
    assert_works,
    commit_row,
    data_directory,
    database_url,
    get,
)
from tests.promthctl_runner import Project

pytestmark = pytest.mark.usefixtures("tools")

# One of each kind that the CLI's own reset of a database leaves there; see resetting/survivors.py.
LEFT_BEHIND = """
create role left_role;
create sequence left_seq;
create collation left_coll (provider = icu, locale = 'de-DE');
create text search configuration left_cfg (copy = simple);
create text search dictionary left_dict (template = simple);
create operator @@@! (leftarg = int, rightarg = int, procedure = int4pl);
create conversion left_conv for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1;
create function extensions.left_function() returns trigger language plpgsql as 'begin return new; end';
create table extensions.left_table ();
create trigger left_trigger after insert on auth.users for each row execute function extensions.left_function();
create extension pg_net;
insert into storage.buckets (id, name) values ('left_bucket', 'left_bucket');
select vault.create_secret('a secret', 'left_secret');
select lo_create(4711);
create type left_range as range (subtype = int4);
"""
KINDS = {
    "role", "sequence", "collation", "text search configuration", "text search dictionary", "operator", "conversion",
    "function", "table", "trigger", "extension", "storage bucket", "vault secret", "large object",
}  # fmt: skip


def own(make_project: Callable[..., Project], files: dict[str, str]) -> Project:
    project = make_project()
    write(project, files)
    project.up()
    return project


def write(project: Project, files: dict[str, str]) -> None:
    folder = project.path / "supabase" / "migrations"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url(project), autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def users(project: Project) -> set[str]:
    return {str(user) for (user,) in rows(project, "select id from auth.users")}


def test_a_fresh_database_has_nothing_that_a_reset_leaves(make_project: Callable[..., Project]) -> None:
    project = own(make_project, {"001_a.sql": "create table a (id int primary key);"})
    rows(project, "create extension pg_cron; create extension pg_net")
    assert {one.kind for one in read_survivors(from_url(database_url(project)), Silent())} == {"extension"}


def test_what_the_cli_leaves_behind_is_no_obstacle_however_often(make_project: Callable[..., Project]) -> None:
    project = own(make_project, {"001_a.sql": LEFT_BEHIND})
    assert {one.kind for one in read_survivors(from_url(database_url(project)), Silent())} == KINDS
    rows(project, "create role by_hand; create table public.by_hand (); create schema mine; create sequence mine.s")
    first = project.json("local", "reset")
    assert {one["kind"] for one in first["also"]} == KINDS and {"by_hand", "left_role"} <= {
        one["name"] for one in first["also"]
    }
    assert first["gone"]["schemas"] == ["mine"] and first["gone"]["tables"][0]["name"] == "by_hand"
    for _ in range(2):
        assert project.json("local", "reset")["applied"] == ["001_a.sql"]
    assert rows(
        project, "select to_regrole('by_hand'), to_regclass('public.by_hand'), to_regrole('left_role')::text"
    ) == [(None, None, "left_role")]
    assert project.json("local", "up")["applied"] == []


def test_keys_ports_and_api_stay_and_undo_brings_everything_back(project: Project) -> None:
    project.up()
    user, env = commit_row(project), project.env()
    told = project.run("local", "reset").stdout
    assert "3 migrations replayed, 10 tables now" in told and "table public.prompts: 1 row" in told
    assert "the rows of auth.users: 1 row" in told and "promthctl local reset --undo" in told
    assert project.env() == env and user not in users(project)
    other = commit_row(project)
    assert_works(project, other)
    undone = project.json("local", "reset", "--undo")
    assert (undone["users"], undone["applied"]) == (1, ["001", "002", "003"])
    assert user in users(project) and other not in users(project)
    assert_works(project, user)
    project.run("local", "down")
    again = project.run("local", "reset", "--undo").stdout  # swaps, and starts what was stopped
    assert "Brought back" in again and other in users(project) and user not in users(project)
    kept = project.json("local", "reset")["kept"]  # of two generations the younger stays
    assert Path(kept["path"]).is_dir() and kept["bytes"] > 10_000_000
    assert other not in users(project)
    project.run("local", "reset", "--undo")
    assert other in users(project)
    told = project.run("local", "down", "--purge", "--yes").stdout
    assert "what a reset had kept (" in told and not Path(kept["path"]).exists()
    project.up()
    refused = project.run("local", "reset", "--undo", code=2).stderr
    assert "There is no database to put back" in refused and "next: " in refused
    assert_works(project)


def test_a_dry_run_tells_and_changes_nothing(project: Project) -> None:
    project.up()
    user = commit_row(project)
    for words in (["local", "reset", "--dry-run"], ["reset", "--dry-run"]):
        plan = project.json(*words)
        assert plan["gone"]["users"] == 1 and plan["keeps"] and plan["dry_run"] and len(plan["replays"]) == 3
        assert "would be replaced by a new database" in project.run(*words).stdout
    assert users(project) == {user} and not data_directory(project).with_name("postgres-17-before-reset").exists()
    told = project.run("local", "reset", "--dry-run", "--undo", code=2).stderr
    assert "exclude each other" in told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("create table b (;", "syntax error"),
        ("select 1/0;", "division by zero"),
        ("create table a ();", "already exists"),
    ],
)
def test_a_migration_that_fails_changes_nothing(make_project: Callable[..., Project], text: str, why: str) -> None:
    project = own(make_project, {"001_a.sql": "create table a ();"})
    rows(project, "create table by_hand as select 7 as n")
    pids = project.pids()
    write(project, {"002_b.sql": text})
    told = project.run("local", "reset", code=1).stderr
    assert "was not reset" in told and "002_b.sql could not be applied to the new database" in told and why in told
    assert told.rstrip().endswith("nothing was changed") and "adopt" not in told
    assert rows(project, "select n from by_hand") == [(7,)] and project.pids() == pids
    assert not data_directory(project).with_name("postgres-17-before-reset").exists()
    assert len(project.leftovers()) > 0 and not list(data_directory(project).parent.glob(".postgres-partial-*"))
    write(project, {"002_b.sql": "create table b ();"})
    assert project.json("local", "reset")["applied"] == ["001_a.sql", "002_b.sql"]


COURSE = {  # of a reset: where it is killed
    "while the database is copied": "promthctl.process:_relay:call:'cp'",
    "while the second is applied": "promthctl.supabase_cli.database_commands:DatabaseCli._run.<locals>.relay:call:002_",
    "before the old one stops": "promthctl.engines.embedded.engine:EmbeddedEngine._stop:call:",
    "before the old one is kept": "promthctl.engines.embedded.kept_copy:replace:call:",
    "with the old one kept": "pathlib:Path.rename:return:postgres-17 /",
    "with the new one in place": "promthctl.engines.embedded.kept_copy:replace:return:",
    "before it starts": "promthctl.engines.embedded.engine:EmbeddedEngine._restart_database:call:",
    "with everything started": "promthctl.engines.embedded.api:wait:call:",
}


@pytest.mark.parametrize("point", COURSE)
@pytest.mark.parametrize("command", ["up", "reset"])
def test_a_killed_reset_loses_nothing(project: Project, point: str, command: str) -> None:
    project.up()
    user = commit_row(project)
    killed = project.start("local", "reset", at=COURSE[point])
    killed.communicate(timeout=120)
    assert killed.returncode == -9
    project.run("local", "up")
    if command == "reset" and user in users(project):
        project.run("local", "reset")
    if user not in users(project):
        project.run("local", "reset", "--undo")
    assert_works(project, user)
    home = data_directory(project).parent
    assert not list(home.glob(".postgres-partial-*")) and not list(home.glob("*-swapping"))
    assert_stops(project)


UNDOING = {
    "before anything": "promthctl.engines.embedded.kept_copy:swap:call:",
    "with the kept one taken": "pathlib:Path.rename:return:-swapping",
    "with neither in place": "pathlib:Path.rename:return:postgres-17 /",
    "with both exchanged": "promthctl.engines.embedded.kept_copy:swap:return:",
}


@pytest.mark.parametrize("point", UNDOING)
def test_a_killed_undo_loses_nothing(project: Project, point: str) -> None:
    project.up()
    user = commit_row(project)
    project.run("local", "reset")
    other = commit_row(project)
    killed = project.start("local", "reset", "--undo", at=UNDOING[point])
    killed.communicate(timeout=120)
    assert killed.returncode == -9
    project.run("local", "up")
    there = users(project)
    assert there in ({user}, {other})
    project.run("local", "reset", "--undo")
    assert users(project) == {user, other} - there
    assert_works(project, *({user, other} - there))
    assert not list(data_directory(project).parent.glob("*-swapping"))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("point", ["while the second is applied", "with the old one kept"])
def test_an_interrupted_reset_loses_nothing(project: Project, name: str, point: str) -> None:
    project.up()
    user = commit_row(project)
    running = project.start("local", "reset", at=COURSE[point], signal=name)
    stdout, stderr = running.communicate(timeout=120)
    assert running.returncode != 0 and "Traceback" not in stdout + stderr
    project.run("local", "up")
    assert user in users(project)
    assert_works(project, user)


def test_a_database_of_another_major_version_is_not_mistaken_for_it(project: Project) -> None:
    project.up()
    project.run("local", "reset")
    (project.path / "pyproject.toml").write_text("[tool.promthctl]\npostgres = 18\nexample = 'mr-promth'\n")
    told = project.run("local", "reset", code=5).stderr
    assert "PostgreSQL 17" in told and "promthctl local up" in told and "nothing was changed" in told
    (project.path / "pyproject.toml").unlink()
    assert_works(project)


def test_the_development_user_can_be_seeded_for_after_a_reset_and_an_undo(make_project: Callable[..., Project]) -> None:
    project = make_project(ENCRYPTION_SECRET="0123456789abcdef0123456789abcdef")
    project.up()
    seeded = ("seed", "vanchin", "--demo")
    project.run(*seeded)
    before = json.loads((project.path / ".promthctl" / "dev-user.json").read_text())
    for words in ([], ["--undo"]):
        project.run("local", "reset", *words)
        project.run(*seeded)
        record = json.loads((project.path / ".promthctl" / "dev-user.json").read_text())
        assert users(project) == {record["id"]} and record["password"] == before["password"]
        assert {row["user_id"] for row in get(project, "/rest/v1/api_keys?select=user_id")} == {record["id"]}
    assert record == before


def test_a_copy_whose_data_directory_was_removed_comes_back(project: Project) -> None:
    project.up()
    user = commit_row(project)
    project.run("local", "reset")
    project.run("local", "down")
    shutil.rmtree(data_directory(project))
    told = project.run("local", "up").stderr
    assert "taken back" in told and user in users(project)
