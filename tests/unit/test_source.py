"""Which folder the migrations come from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from promthctl import project_files, settings
from promthctl.errors import PromthctlError, UsageError
from promthctl.migration_set import discover_in_place, packaged_source
from promthctl.migration_set.source import CONFIG, find_source
from promthctl.state import StateDir
from tests.hints import Place
from tests.promthctl_runner import Project

OWN = "supabase/migrations/001_own.sql"
BUNDLED = "001_initial_schema.sql"
COPY = {f"supabase/migrations/{BUNDLED}": (packaged_source() / BUNDLED).read_text()}
EDITED = {"supabase/migrations/002_agent_chain_schema.sql": "select 2;"}
SETTING = '[tool.promthctl]\nmigrations = "sql"\n'

CASES: dict[str, tuple[dict[str, str], str]] = {
    "nothing": ({}, "example"),
    "our own config": ({"supabase/config.toml": "ours"}, "example"),
    "a config": ({"supabase/config.toml": "project_id = 'x'"}, "in-place"),
    "a setting of ours": ({"pyproject.toml": "[tool.promthctl]\npostgres = 18\n"}, "in-place"),
    "a repository": ({".git/HEAD": ""}, "in-place"),
    "the setting goes first": ({"pyproject.toml": SETTING, OWN: "select 1;"}, "configured"),
    "the setting may name the folder": ({"pyproject.toml": SETTING.replace("sql", "supabase/migrations")}, "in-place"),
    "the example as a setting": ({"pyproject.toml": '[tool.promthctl]\nexample = "mr-promth"\n', OWN: ""}, "example"),
    "files of its own": ({OWN: "select 1;"}, "in-place"),
    "our copies": ({**COPY, ".git/HEAD": ""}, "example"),
    "our copies, one of them edited": ({**COPY, **EDITED}, "in-place"),
    "a stranger's file of our name": ({f"supabase/migrations/{BUNDLED}": "select 1;"}, "in-place"),
    "database/migrations": ({"database/migrations/001_a.sql": "select 1;"}, "copied"),
    "database/migrations and its copies": ({"database/migrations/001_own.sql": "x;", OWN: "x;"}, "copied"),
}


def write(folder: Path, files: dict[str, str]) -> settings.Settings:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            CONFIG.format(name=settings.load(folder).project_id) if content == "ours" else content
        )
    return settings.load(folder)


@pytest.mark.parametrize("case", CASES)
def test_the_first_that_applies(tmp_path: Path, case: str) -> None:
    files, kind = CASES[case]
    assert find_source(write(tmp_path, files)).kind == kind


def test_a_copy_of_an_older_example_is_still_a_copy(tmp_path: Path) -> None:
    """The record of copies tells it from a file that somebody edited."""
    (old,) = EDITED
    found = write(tmp_path, {**COPY, **EDITED})
    digest = hashlib.sha256(EDITED[old].encode()).hexdigest()
    state = StateDir(found.state_dir)
    state.make()
    state.write("copies.json", {Path(old).name: digest})
    assert find_source(found).kind == "example"
    write(tmp_path, {old: "select 3;"})
    assert find_source(found).kind == "in-place"


def test_two_folders_need_a_setting(tmp_path: Path) -> None:
    found = write(tmp_path, {OWN: "select 1;", "database/migrations/001_a.sql": "select 1;"})
    with pytest.raises(UsageError, match="both have SQL files") as caught:
        find_source(found)
    line = caught.value.hint.removeprefix("set ").partition(", or ")[0]
    assert caught.value.hint.endswith("under [tool.promthctl] in pyproject.toml")
    write(tmp_path, {"pyproject.toml": f"[tool.promthctl]\n{line}\n"})
    assert find_source(settings.load(tmp_path)).kind == "in-place"


def test_in_place_is_what_the_cli_takes(tmp_path: Path) -> None:
    write(tmp_path, {"10_a.sql": "select 1;", "9_b.sql": "", "later.sql": "x", "notes.md": ""})
    assert [file.filename for file in discover_in_place(tmp_path)] == ["10_a.sql", "9_b.sql"]
    assert discover_in_place(tmp_path / "missing") == ()
    write(tmp_path, {"10_a.down.sql": "drop"})
    with pytest.raises(PromthctlError, match="would run it") as caught:
        discover_in_place(tmp_path)
    assert "promthctl migrations convert" in caught.value.hint


def test_the_projects_folder_is_found_upward(tmp_path: Path) -> None:
    inner = tmp_path / "repo" / "app" / "src"
    inner.mkdir(parents=True)
    write(tmp_path, {"supabase/config.toml": "", "repo/.git/HEAD": "", "repo/pyproject.toml": "[tool.x]\n"})
    assert project_files.find_project(inner) == inner  # .git is the limit
    write(tmp_path, {"repo/pyproject.toml": "[tool.promthctl]\n"})
    assert project_files.find_project(inner) == tmp_path / "repo"
    write(tmp_path, {"repo/app/supabase/config.toml": ""})
    assert project_files.find_project(inner) == tmp_path / "repo" / "app"
    assert project_files.find_project(inner, "../..") == inner / "../.."


SAID = "Migrations: Mr.Promth's example, as this folder has none of its own"
ON_EXAMPLE = ("push", "verify", "reset", "rollback --to 1", "migrations adopt", "migrations list", "migrations sync")
NOT_ON_IT = ("diff", "pull x", "migrations fetch", "seed sql")


@pytest.mark.parametrize("command", [*ON_EXAMPLE, *NOT_ON_IT])
def test_where_nobody_asks_for_the_example_it_is_said_or_not_used(tmp_path: Path, command: str) -> None:
    place = Place(Project(tmp_path))
    at = f"promthctl {command} --db-url postgresql://postgres@127.0.0.1:1/x"
    assert (SAID in place.shell(at).stderr) == (command in ON_EXAMPLE)
    place.write("pyproject.toml", '[tool.promthctl]\nexample = "mr-promth"\n')
    assert SAID not in place.shell(at).stderr


def test_a_push_to_many_targets_says_it_once(tmp_path: Path) -> None:
    place = Place(Project(tmp_path))
    at = "--db-url postgresql://postgres@127.0.0.1:1/x --db-url postgresql://postgres@127.0.0.1:1/y"
    assert place.shell(f"promthctl push {at} --dry-run").stderr.count(SAID) == 1
