"""`promthctl init`: what an empty folder gets, and that nothing of a project is touched."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from promthctl.dotenv_file import merge
from tests import fork_server
from tests.promthctl_runner import Project

EMPTY = [
    ".env",
    ".gitignore",
    "supabase/.gitignore",
    "supabase/config.toml",
    "supabase/down/001_create_notes.down.sql",
    "supabase/migrations/001_create_notes.sql",
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def run(project: Project, words: str) -> tuple[int, str]:
    done = fork_server.run(words.split(), project.environment(), project.path)
    return done.returncode, done.stdout + done.stderr


def files(project: Project) -> dict[str, bytes]:
    found = (path for path in project.path.rglob("*") if path.is_file())
    return {str(path.relative_to(project.path)): path.read_bytes() for path in sorted(found)}


def test_an_empty_folder_becomes_a_project_once(project: Project) -> None:
    code, shown = run(project, "init")
    made = files(project)
    assert code == 0 and sorted(made) == EMPTY and all(str(project.path / name) in shown for name in EMPTY)
    secret = made[".env"].decode().removeprefix("ENCRYPTION_SECRET=").strip()
    assert len(secret) == 32 and secret not in shown
    assert stat.S_IMODE((project.path / ".env").stat().st_mode) == 0o600
    assert made[".gitignore"] == b".env\n.promthctl/\n"
    code, shown = run(project, "init")
    assert code == 0 and "Nothing had to be written" in shown and files(project) == made
    assert "1 migration in supabase/migrations" in shown


def test_what_is_there_already_is_kept(project: Project) -> None:
    (project.path / ".gitignore").write_text("node_modules\n/.env")
    merge(project.path / ".env", {"OTHER": "value", "ENCRYPTION_SECRET": "mine-and-nobody-elses"})
    before = files(project)
    assert run(project, "init")[0] == 0
    after = files(project)
    assert after[".env"] == before[".env"] and after[".gitignore"] == b"node_modules\n/.env\n.promthctl/\n"


def test_a_supabase_repository_is_told_and_left_alone(project: Project) -> None:
    (project.path / "supabase" / "migrations").mkdir(parents=True)
    for name in ("config.toml", "seed.sql", "roles.sql", "migrations/20250101000000_a.sql"):
        (project.path / "supabase" / name).write_text("")
    before = files(project)
    code, shown = run(project, "init")
    assert code == 0 and files(project) == before
    for found in ("supabase/config.toml", "1 migration in supabase/migrations", "supabase/roles.sql", "seed.sql"):
        assert found in shown


def test_the_example_can_be_begun_with(project: Project) -> None:
    assert run(project, "init --example mr-promth")[0] == 0
    assert sorted(files(project)) == [".env", ".gitignore", "pyproject.toml"]
    made = files(project)
    assert run(project, "init --example mr-promth")[0] == 0 and files(project) == made
    assert run(project, "init --example other")[0] == 2


def test_a_template_goes_where_the_migrations_are(project: Project) -> None:
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "db"\n')
    (project.path / "db").mkdir()
    assert run(project, "migrations new create_notes --template table")[0] == 0
    assert run(project, "migrations new Order --template table")[0] == 0
    names = sorted(path.name for path in (project.path / "db").iterdir())
    assert names == ["001_create_notes.down.sql", "001_create_notes.sql", "002_order.down.sql", "002_order.sql"]
    assert "create table public.order (" in (project.path / "db" / "002_order.sql").read_text()
    assert run(project, "migrations new บันทึก --template table")[0] == 2
