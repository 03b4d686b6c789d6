"""`promthctl diff`: the SQL it prints, run on what the migrations make, leaves an equal catalog; and its reverse."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from promthctl.schema import compare, snapshot
from tests.embedded.test_bundle import own
from tests.promthctl_runner import Project
from tests.servers import Server, fresh_database

FILES = {
    "001_base": """create type public.mood as enum ('sad', 'ok');
create table public.notes (id bigint generated always as identity primary key, body text not null, mood public.mood);
create view public.bodies as select body from public.notes;
create function public.shout(word text) returns text language sql immutable as 'select upper(word)';"""
}
CHANGES = {  # through the command; tests/embedded/test_round_trips.py has many more
    "lost column": "drop view public.bodies; alter table public.notes drop column body;",
    "policy": "alter table public.notes enable row level security; create policy mine on public.notes for select to"
    " authenticated using (id > 0);",
}


def change(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


@pytest.mark.parametrize("name", CHANGES)
def test_the_sql_and_its_reverse_lead_there_and_back(tmp_path: Path, server: Server, name: str) -> None:
    project = own(tmp_path, FILES)
    with fresh_database(server) as changed, fresh_database(server) as other:
        for url in (changed, other):
            project.run("push", "--db-url", url, "--yes")
        change(changed, CHANGES[name])
        there = project.json("diff", "--db-url", changed, code=1)
        back = project.json("diff", "--reverse", "--db-url", changed, code=1)
        assert there["left"] == back["left"] == []
        with psycopg.connect(changed) as one, psycopg.connect(other) as two:
            before = snapshot(two)
            two.execute(there["sql"].encode(), prepare=False)
            assert compare(snapshot(one), snapshot(two)) == ()
            two.execute(back["sql"].encode(), prepare=False)
            assert compare(before, snapshot(two)) == ()


def test_nothing_changed_by_hand(tmp_path: Path, server: Server, database_url: str) -> None:
    """The password in the environment is the target's alone, and what is not applied does not count."""
    project = own(tmp_path, FILES)
    project.run("push", "--db-url", database_url, "--yes")
    (tmp_path / "sql" / "002_later.sql").write_text("create table public.later (id int);")
    plain = database_url.replace(f":{server.password}@", "@")
    passwords = tmp_path / "passwords"
    passwords.write_text(f"*:*:*:*:{server.password}\n")
    passwords.chmod(0o600)
    for given in ({"PGPASSWORD": server.password}, {"PGPASSFILE": str(passwords)}):
        found = project.json("diff", "--db-url", plain, **given)
        assert (found["sql"], found["left"], found["pending"]) == ("", [], ["002_later.sql"])


def test_in_an_empty_folder_all_that_is_there_was_made_by_hand(tmp_path: Path, database_url: str) -> None:
    """As for a pull: the example is not what the folder's owner means by its migrations."""
    change(database_url, "create table public.notes (id int primary key)")
    found = Project(tmp_path).json("diff", "--db-url", database_url, code=1)
    assert "notes" in found["sql"] and "prompts" not in found["sql"]
