"""`migrations renumber` and `convert`: proven first, all of the files or none, and what follows works."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.promthctl_runner import Project


def project(path: Path, files: dict[str, str], source: str = "sql") -> Project:
    """A repository whose migrations are in the folder `source`; the files are not committed."""
    git(path, "init", "-q")
    (path / "supabase").mkdir()
    (path / "supabase" / "config.toml").write_text('project_id = "files"\n')
    (path / "pyproject.toml").write_text(f'[tool.promthctl]\nmigrations = "{source}"\n')
    put(path, {f"{source}/{name}": sql for name, sql in files.items()})
    return Project(path)


def put(path: Path, files: dict[str, str]) -> None:
    for name, sql in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(sql)


def git(path: Path, *words: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    return subprocess.run(("git", "-C", path, *identity, *words), check=True, capture_output=True, text=True).stdout


def commit(path: Path) -> None:
    git(path, "add", "-A")
    git(path, "commit", "-qm", "more")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


TABLES = {
    "001_a.sql": "create table public.a (id int);",
    "002_z.sql": "create table public.z (id int);",
    "003_d.sql": "create table public.d (id int); alter table public.z add d int;",
    "003_d.down.sql": "drop table public.d;",
}
LATER = {"sql/002_c.sql": "alter table public.z add c int;"}


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1"
        )
        return [name for (name,) in found]


def test_the_older_file_keeps_the_version_and_the_order_stays(tmp_path: Path, database_url: str) -> None:
    own = project(tmp_path, TABLES)
    commit(tmp_path)
    put(tmp_path, LATER)  # by name it is the first, by age the last
    commit(tmp_path)
    told = own.run("push", "--db-url", database_url, "--yes", code=1).stderr
    assert "002_c.sql and 002_z.sql both have version 002" in told or "002_z.sql and 002_c.sql both" in told
    assert "promthctl migrations renumber" in told
    expected = [["002_c.sql", "003_c.sql"], ["003_d.sql", "004_d.sql"]]
    assert own.json("migrations", "renumber", "--dry-run")["renamed"] == expected
    assert "002_c.sql" in names(tmp_path / "sql")
    made = own.json("migrations", "renumber")
    assert made["renamed"] == expected and made["order"] == "git" and made["asked"] is None
    assert names(tmp_path / "sql") == ["001_a.sql", "002_z.sql", "003_c.sql", "004_d.down.sql", "004_d.sql"]
    assert sorted(git(tmp_path, "status", "--short").splitlines())[:3] == [
        "R  sql/002_c.sql -> sql/003_c.sql",
        "R  sql/003_d.down.sql -> sql/004_d.down.sql",
        "R  sql/003_d.sql -> sql/004_d.sql",
    ]
    assert own.json("migrations", "renumber")["renamed"] == []
    own.run("push", "--db-url", database_url, "--yes")
    assert tables(database_url) == ["a", "d", "z"]


def test_what_the_target_has_applied_is_never_renamed(tmp_path: Path, database_url: str) -> None:
    own = project(tmp_path, TABLES)
    own.run("push", "--db-url", database_url, "--yes")
    put(tmp_path, LATER)  # git knows nothing, and by name it would come first
    made = own.json("migrations", "renumber", "--db-url", database_url)
    assert made["renamed"] == [["002_c.sql", "004_c.sql"]] and made["asked"]
    own.run("push", "--db-url", database_url, "--yes")


def test_a_file_of_others_in_supabase_migrations_can_be_kept(tmp_path: Path, database_url: str) -> None:
    own = project(tmp_path, TABLES)
    own.run("migrations", "sync")
    put(tmp_path, {"supabase/migrations/002_x.sql": "create table public.x (id int);"})
    for command in (("push", "--db-url", database_url, "--dry-run"), ("verify", "--db-url", database_url)):
        told = own.run(*command, code=5).stderr
        assert "002_x.sql there and 002_z.sql in the source both have version 002" in told
    own.run("migrations", "renumber")
    assert len(names(tmp_path / "supabase" / "migrations")) == 4
    own.run("push", "--db-url", database_url, "--yes")
    assert tables(database_url) == ["a", "d", "x", "z"]


# Files whose order by name fails, and the names that they should get.
OTHER_ORDERS = {
    "a later file needs what comes first": (
        {
            "004_x.sql": "create table if not exists public.x (id int);",
            "004_y.sql": "create table if not exists public.x (id int, y int);",
            "005_z.sql": "insert into public.x (y) values (1);",
        },
        {"004_x.sql": "005_x.sql", "005_z.sql": "006_z.sql"},
    ),
    "in two pairs one needs the other": (
        {
            "002_a.sql": "alter table public.z add a int;",
            "005_a.sql": "alter table public.b add a int;",
            "005_b.sql": "create table public.b (id int);",
        },
        {"002_a.sql": "003_a.sql", "005_a.sql": "006_a.sql"},
    ),
}


@pytest.mark.parametrize("kind", OTHER_ORDERS)
def test_where_the_first_order_does_not_apply_another_is_tried(tmp_path: Path, kind: str) -> None:
    files, expected = OTHER_ORDERS[kind]
    own = project(tmp_path, TABLES | files)
    made = own.json("migrations", "renumber")
    renamed = dict(made["renamed"])
    assert made["order"] == "trial"
    assert {old: renamed.get(old) for old in expected} == expected
    assert "002_z.sql" not in renamed and "004_y.sql" not in renamed


def test_an_order_that_does_not_apply_is_refused_and_nothing_is_renamed(tmp_path: Path) -> None:
    own = project(tmp_path, TABLES | {"002_a.sql": "alter table public.nowhere add a int;"})
    before = names(tmp_path / "sql")
    told = own.run("migrations", "renumber", code=1).stderr
    assert "Nothing was renamed" in told and "002_a.sql" in told
    assert names(tmp_path / "sql") == before


@pytest.mark.parametrize("at", ["call:replace_file", "return:replace_file", "return:move_in_index"])
def test_a_killed_run_is_finished_by_the_next(tmp_path: Path, at: str) -> None:
    own = project(tmp_path, TABLES)
    commit(tmp_path)
    put(tmp_path, LATER)
    event, _, function = at.partition(":")
    module = "promthctl.migration_files.git" if "index" in function else "promthctl.migration_set.sync"
    child = own.start("migrations", "renumber", at=f"{module}:{function}:{event}:")
    child.communicate()
    assert child.returncode == -9
    told = own.run("migrations", "sync", code=1).stderr
    assert "promthctl migrations renumber finishes it" in told
    own.run("migrations", "renumber")
    assert names(tmp_path / "sql") == ["001_a.sql", "002_z.sql", "003_c.sql", "004_d.down.sql", "004_d.sql"]
    own.run("migrations", "sync")
    assert "R  sql/003_d.sql -> sql/004_d.sql" in git(tmp_path, "status", "--short")


STRANGERS = {
    "dbmate": {"001_x.sql": "-- migrate:up\ncreate table public.x (id int);\n-- migrate:down\ndrop table public.x;\n"},
    "goose": {
        "001_x.sql": "-- +goose Up\n-- +goose StatementBegin\ncreate table public.x (id int);\n"
        "-- +goose StatementEnd\n-- +goose Down\ndrop table public.x;\n"
    },
    "pairs": {"001_x.up.sql": "create table public.x (id int);", "001_x.down.sql": "drop table public.x;"},
    "Flyway": {"V1__x.sql": "create table public.x (id int);", "U1__x.sql": "drop table public.x;"},
    "Diesel": {"2024-01-01-000000_x/up.sql": "create table public.x (id int);",
               "2024-01-01-000000_x/down.sql": "drop table public.x;"},
}  # fmt: skip


@pytest.mark.parametrize("source", ["sql", "supabase/migrations"])
@pytest.mark.parametrize("tool", STRANGERS)
def test_files_of_other_tools_run_up_and_back(tmp_path: Path, database_url: str, tool: str, source: str) -> None:
    own, target = project(tmp_path, STRANGERS[tool], source), ("--db-url", database_url)
    read_as_it_is = tool == "pairs" and source == "sql"
    if not read_as_it_is:
        told = own.run("push", *target, "--yes", code=1).stderr
        assert "promthctl migrations convert" in told
        own.run("migrations", "convert")
        assert own.json("migrations", "convert")["written"] == []
    own.run("push", *target, "--yes")
    assert tables(database_url) == ["x"]
    own.run("rollback", "--to", "0", *target, "--yes")
    assert tables(database_url) == []


def test_gooses_variables_are_not_guessed(tmp_path: Path) -> None:
    sql = "-- +goose Up\n-- +goose ENVSUB ON\nselect '${X}';\n-- +goose Down\nselect 2;\n"
    own = project(tmp_path, {"001_x.sql": sql})
    assert "001_x.sql, line 2: goose would put" in own.run("migrations", "convert", code=5).stderr
    assert (tmp_path / "sql" / "001_x.sql").read_text() == sql


# ── copies whose source is gone ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("source", ["sql", "database/migrations"])
def test_a_copy_whose_source_was_renamed_before_it_was_applied_is_taken_back(
    tmp_path: Path, database_url: str, source: str
) -> None:
    own, target = project(tmp_path, TABLES, source), ("--db-url", database_url)
    if source == "database/migrations":
        (tmp_path / "pyproject.toml").unlink()
    own.run("migrations", "sync")
    assert (tmp_path / ".promthctl" / "copies.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / source / "003_d.sql").write_text("create table public.e (id int);")
    (tmp_path / source / "003_d.sql").rename(tmp_path / source / "003_e.sql")
    (tmp_path / source / "003_d.down.sql").unlink()
    (tmp_path / source / "002_z.sql").unlink()
    told = own.run("push", *target, "--dry-run").stdout
    assert "which a push removes: 002_z.sql, 003_d.sql" in told.replace("\n", " ")
    own.run("push", *target, "--yes")
    assert names(tmp_path / "supabase" / "migrations") == ["001_a.sql", "003_e.sql"]
    assert tables(database_url) == ["a", "e"]


def test_a_copy_that_is_applied_or_edited_or_not_known_stays(tmp_path: Path, database_url: str) -> None:
    own, target = project(tmp_path, TABLES), ("--db-url", database_url)
    own.run("push", *target, "--yes")
    (tmp_path / "sql" / "001_a.sql").unlink()
    own.run("migrations", "sync", *target)
    there = tmp_path / "supabase" / "migrations"
    assert "001_a.sql" in names(there)  # applied
    put(tmp_path, {"sql/004_x.sql": "select 4;", "sql/005_y.sql": "select 5;"})
    own.run("migrations", "sync", *target)
    (there / "004_x.sql").write_text("select 'mine';")
    (tmp_path / "sql" / "004_x.sql").unlink()
    own.run("migrations", "sync", *target)
    assert "004_x.sql" in names(there)  # edited
    (tmp_path / ".promthctl" / "copies.json").unlink()
    (tmp_path / "sql" / "005_y.sql").rename(tmp_path / "sql" / "005_w.sql")
    (tmp_path / "sql" / "005_w.sql").write_text("select 55;")
    told = own.run("migrations", "sync", *target, code=5).stderr
    assert f"rm {there}/005_y.sql if it is an old copy" in told
    (there / "005_y.sql").unlink()
    own.run("migrations", "sync", *target)


@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_terminal_is_asked_where_nothing_says_which_file_is_older(tmp_path: Path, answer: str) -> None:
    own = project(
        tmp_path, {"001_b.sql": "create table public.b (id int);", "001_a.sql": "create table public.a (id int);"}
    )
    outer, inner = pty.openpty()
    try:
        os.write(outer, f"{answer}\n".encode())
        made = subprocess.run(
            own.command("migrations", "renumber"),
            env=own.environment(),
            stdin=inner,
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        os.close(outer)
        os.close(inner)
    assert "the first by name comes first where git knows none as the older: 001_a.sql, 001_b.sql" in made.stderr
    assert "Rename them so?" in made.stderr
    renamed = ["001_a.sql", "002_b.sql"] if answer == "y" else ["001_a.sql", "001_b.sql"]
    assert (made.returncode, names(tmp_path / "sql")) == (0 if answer == "y" else 5, renamed), made.stderr
