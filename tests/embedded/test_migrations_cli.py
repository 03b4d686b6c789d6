"""`migrations list` and `migrations sync` as a user runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promthctl.migration_set import packaged_source
from tests.promthctl_runner import REPOSITORY, Project

A, B = "create table public.a (id int);\n", "create table public.b (id int);\n"


@pytest.fixture
def own(tmp_path: Path) -> Project:
    """A project with two migrations of its own. Nothing is started in it."""
    project = Project(tmp_path / "project")
    write(project, "database/migrations", {"001_a.sql": A, "002_b.sql": B, "002_b.down.sql": "drop table public.b;\n"})
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "database/migrations"\n')
    return project


def write(project: Project, folder: str, files: dict[str, str]) -> None:
    (project.path / folder).mkdir(parents=True, exist_ok=True)
    for name, sql in files.items():
        (project.path / folder / name).write_text(sql)


def copied(project: Project) -> dict[str, str]:
    folder = project.path / "supabase" / "migrations"
    return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


def listed(project: Project, *options: str) -> dict[str, tuple[Any, ...]]:
    """version_name → (in source, in supabase/migrations, applied, edited since)."""
    rows = project.json("migrations", "list", *options)
    return {
        f"{row['version']}_{row['name']}": (row["in_source"], row["in_supabase"], row["applied"], row["edited"])
        for row in rows
    }


def test_this_repository_has_the_packaged_migrations_checked_in() -> None:
    assert Project(REPOSITORY).run("migrations", "sync", "--check").stdout.startswith("3 unchanged")
    packaged = {path.name: path.read_bytes() for path in packaged_source().glob("[0-9]*.sql")}
    checked_in = {path.name: path.read_bytes() for path in (REPOSITORY / "supabase" / "migrations").iterdir()}
    assert checked_in == {name: sql for name, sql in packaged.items() if not name.endswith(".down.sql")}


def test_an_empty_folder_gets_the_packaged_migrations(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.run("migrations", "sync", "--check", code=1)
    assert copied(project) == {}
    told = project.run("migrations", "sync").stdout
    assert told.splitlines()[0] == "added: 001_initial_schema.sql"
    assert sorted(copied(project)) == [
        "001_initial_schema.sql",
        "002_agent_chain_schema.sql",
        "003_add_metadata_and_cli_sessions.sql",
    ]
    assert (tmp_path / "supabase" / "config.toml").read_text().splitlines()[-1].startswith('project_id = "')
    project.run("migrations", "sync", "--check")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert "3 unchanged" in project.run("migrations", "sync").stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_configured_source_is_copied_without_its_down_scripts(own: Project) -> None:
    plan = own.json("migrations", "sync")
    assert [migration["version"] for migration in plan["added"]] == ["001", "002"]
    assert copied(own) == {"001_a.sql": A, "002_b.sql": B}


def test_files_of_others_are_listed_and_left_alone(own: Project) -> None:
    theirs = {"20260101000000_theirs.sql": "select 1;\n", "notes.sql": "-- notes\n"}
    write(own, "supabase/migrations", theirs)
    told = own.run("migrations", "sync").stdout
    assert "Left alone, not from the source: 20260101000000_theirs.sql, notes.sql" in told
    assert copied(own) == {"001_a.sql": A, "002_b.sql": B} | theirs
    own.run("migrations", "sync", "--check")


def test_an_edited_copy_is_shown_and_overwritten_while_it_is_not_applied(own: Project) -> None:
    own.run("migrations", "sync")
    write(own, "supabase/migrations", {"001_a.sql": "select [1];\n"})
    for command in (["migrations", "sync", "--check"], ["migrations", "sync"]):
        told = own.run(*command, code=1 if "--check" in command else 0).stdout
        assert "overwritten: 001_a.sql" in told and "-select [1];" in told and f"+{A}" in told
    assert copied(own)["001_a.sql"] == A
    (kept,) = (own.path / ".promthctl" / "replaced").iterdir()
    assert kept.read_text() == "select [1];\n" and kept.stat().st_mode & 0o777 == 0o600


def test_of_each_edited_copy_the_last_five_are_kept(own: Project) -> None:
    own.run("migrations", "sync")
    for number in range(7):
        write(own, "supabase/migrations", {"001_a.sql": f"select {number};\n"})
        if number == 3:
            write(own, "supabase/migrations", {"002_b.sql": "select 'b';\n"})
        own.run("migrations", "sync")
    kept = sorted((own.path / ".promthctl" / "replaced").iterdir())
    texts = [file.read_text() for file in kept if file.name.endswith("-001_a.sql")]
    assert texts == [f"select {number};\n" for number in range(2, 7)]
    assert len(kept) == 6
    assert own.json("cache", "list")["replaced"] > 0
    assert ".promthctl/replaced" in own.run("cache", "list").stdout


def test_a_copy_that_nobody_edited_is_replaced_without_a_word(own: Project) -> None:
    own.run("migrations", "sync")
    write(own, "database/migrations", {"001_a.sql": A + "-- edited\n"})
    assert "kept" not in own.run("migrations", "sync").stderr
    assert copied(own)["001_a.sql"] == A + "-- edited\n"
    assert not (own.path / ".promthctl" / "replaced").exists()


def test_what_is_applied_is_overwritten_only_by_force(own: Project, database_url: str) -> None:
    own.run("push", "--db-url", database_url, "--yes")
    edited = {"001_a.sql": A + "-- edited\n"}
    write(own, "database/migrations", edited)
    target = ("--db-url", database_url)
    checked = own.run("migrations", "sync", "--check", *target, code=1)
    assert "differs, and is applied: 001_a.sql" in checked.stdout
    refused = own.run("migrations", "sync", *target, code=5)
    assert "+-- edited" in refused.stderr and "--force" in refused.stderr
    assert copied(own)["001_a.sql"] == A
    assert "overwritten: 001_a.sql" in own.run("migrations", "sync", "--force", *target).stdout
    assert copied(own)["001_a.sql"] == edited["001_a.sql"]


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ({"001_a.sql": A, "001_b.sql": B}, 1, ["both have version 001", "promthctl migrations renumber"]),
        ({"9_a.sql": A, "10_b.sql": B}, 1, ["before 9", "mv 9_a.sql 09_a.sql"]),
        ({"first.sql": A}, 1, ["NNN_name.sql", "mv first.sql 001_first.sql"]),
        ({"001_a.sql": "\n"}, 1, ["001_a.sql is empty"]),
        ({"notes.txt": "x"}, 2, ["holds no migrations"]),
    ],
)
@pytest.mark.parametrize("command", ["migrations sync", "migrations list"])
def test_a_source_that_cannot_be_used(
    tmp_path: Path, source: dict[str, str], code: int, words: list[str], command: str
) -> None:
    project = Project(tmp_path)
    write(project, "database", source)
    (tmp_path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "database"\n')
    told = project.run(*command.split(), code=code).stderr
    assert all(word in told for word in words), told
    assert copied(project) == {}


def test_list_tells_every_state(own: Project, database_url: str) -> None:
    target = ("--db-url", database_url)
    assert listed(own) == {"001_a": (True, False, None, None), "002_b": (True, False, None, None)}
    assert listed(own, *target) == {"001_a": (True, False, False, None), "002_b": (True, False, False, None)}
    own.run("push", *target, "--yes")
    assert listed(own, *target) == {"001_a": (True, True, True, False), "002_b": (True, True, True, False)}
    write(own, "database/migrations", {"001_a.sql": A + "-- edited\n", "003_c.sql": "select 1;\n"})
    write(own, "supabase/migrations", {"004_theirs.sql": "select 1;\n"})
    (own.path / "database" / "migrations" / "002_b.sql").unlink()
    (own.path / "database" / "migrations" / "002_b.down.sql").unlink()
    assert listed(own, *target) == {
        "001_a": (True, True, True, True),
        "002_b": (False, True, True, False),
        "003_c": (True, False, False, None),
        "004_theirs": (False, True, False, None),
    }
    (own.path / "supabase" / "migrations" / "002_b.sql").unlink()
    assert listed(own, *target)["002_b"] == (False, False, True, None)
    table = own.run("migrations", "list", *target).stdout
    assert " ".join(table.splitlines()[0].split()) == "Version Name In source In supabase/ Applied Edited since"
    assert table.splitlines()[1].split() == ["001", "a", "yes", "yes", "yes", "yes"]


def test_a_stopped_stack_counts_what_was_copied_as_applied(shared: Project) -> None:
    source = shared.path / "db"
    write(shared, "db", {"001_a.sql": A})
    (shared.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    shared.up()
    assert listed(shared) == {"001_a": (True, True, True, False)}
    (source / "001_a.sql").write_text(A + "-- edited\n")
    shared.run("migrations", "sync", code=5)
    assert listed(shared) == {"001_a": (True, True, True, True)}
    shared.run("local", "down")
    shared.run("migrations", "sync", code=5)
    assert listed(shared) == {"001_a": (True, True, None, None)}
    assert "Applied is unknown" in shared.run("migrations", "list").stdout
    assert copied(shared) == {"001_a.sql": A}
    shared.run("migrations", "sync", "--force")
    assert copied(shared) == {"001_a.sql": A + "-- edited\n"}
