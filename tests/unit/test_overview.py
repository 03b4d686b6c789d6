"""`promthctl` alone: where the project stands, in a folder where nothing runs."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from promthctl import settings
from promthctl.engines import Status
from promthctl.engines.choosing import record_engine
from promthctl.overview import standing
from tests.promthctl_runner import Project

TARGETS = """[tool.promthctl]
migrations = "supabase/migrations"
[tool.promthctl.targets.live]
project_ref = "abcdefghijklmnopqrst"
production = true
[tool.promthctl.targets.near]
db_url = "postgresql://me@db.example.com/app"
"""
CONFIG = """
[db.seed]
sql_paths = ["./seeds/*.sql"]
[studio]
openai_api_key = "env(OPENAI_API_KEY)"
[auth.external.github]
enabled = true
secret = "env(GITHUB_SECRET)"
[auth.external.apple]
enabled = false
secret = "env(APPLE_SECRET)"
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, {"HOME": str(tmp_path / "home")})


def write(project: Project, **files: str) -> None:
    for name, text in files.items():
        path = project.path / name.replace("__", "/").replace("_sql", ".sql").replace("_toml", ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commands(shown: Any) -> list[str]:
    return [each["command"] for each in shown["next"]]


def test_in_an_empty_folder_it_says_what_can_be_started(project: Project) -> None:
    shown = project.json()
    assert not shown["is_project"] and shown["local"]["state"] == "not started"
    assert commands(shown) == ["promthctl init", "promthctl local up", "promthctl pull everything --db-url URL"]
    text = project.run().stdout
    assert text.startswith(f"No project in {project.path}") and all(command in text for command in commands(shown))


def test_above_a_project_it_names_the_folder(project: Project) -> None:
    write(project, app__supabase__config_toml="")
    assert commands(project.json())[0] == "promthctl -C app"
    assert project.json("-C", str(project.path / "app"))["is_project"]


def test_a_project_says_what_it_has_and_what_it_lacks(project: Project) -> None:
    write(
        project,
        pyproject_toml=TARGETS,
        supabase__config_toml=CONFIG,
        supabase__migrations__001_a_sql="create table api_keys (id int);",
        supabase__seeds__b_sql="select 1;",
    )
    shown = project.json()
    assert shown["migrations"] == {
        "source": "supabase/migrations",
        "files": 1,
        "example": False,
        "applied": None,
        "pending": None,
        "without_file": [],
        "problem": "",
    }
    assert shown["seeds"] == ["supabase/seeds/b.sql"]
    assert [(each["name"], each["production"]) for each in shown["targets"]] == [("live", True), ("near", False)]
    missing = [each["name"] for each in shown["missing_secrets"]]
    assert missing == ["GITHUB_SECRET", "SUPABASE_ACCESS_TOKEN", "PGPASSWORD", "ENCRYPTION_SECRET"]
    assert commands(shown) == ["promthctl local up"]
    text = project.run().stdout
    assert "live  hosted project abcdefghijklmnopqrst · PRODUCTION" in text and "is not known" in text


def test_no_value_of_a_secret_is_shown(project: Project) -> None:
    canary = "c4n4ry-0123456789"
    write(project, pyproject_toml=TARGETS, supabase__config_toml=CONFIG)
    (project.path / ".env").write_text(f"GITHUB_SECRET={canary}\nPGPASSWORD={canary}\n")
    shown = project.run("-v").stdout + project.run("--json").stdout
    assert canary not in shown and "GITHUB_SECRET" not in shown


def test_migrations_that_cannot_be_used_are_told(project: Project) -> None:
    write(project, pyproject_toml=TARGETS, supabase__migrations__001_a_sql="", supabase__migrations__001_b_sql="")
    shown = project.json()
    assert shown["migrations"]["problem"] and commands(shown) == ["promthctl migrations list"]


def test_a_stack_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = settings.load(tmp_path)
    (tmp_path / ".promthctl").mkdir()
    record_engine(here, "embedded")
    never = threading.Event()

    class Silent:
        def status(self) -> Status:
            never.wait()
            return Status("embedded", False, None, None, (), None)

    monkeypatch.setattr(standing, "current", lambda _: Silent())
    monkeypatch.setattr(standing, "_PATIENCE", 0.01)
    found = standing.overview(here)
    never.set()
    assert found.local.state == "unknown" and "did not answer" in found.local.why
    assert [each.command for each in found.next] == ["promthctl local status"]
