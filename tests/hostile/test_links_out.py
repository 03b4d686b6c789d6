"""A clone's links and patterns lead to no file of the user: what is run or copied as SQL lies in the repository."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from promthctl import seeds, settings, trust
from promthctl.errors import RefusedError
from promthctl.migration_set.folder import discover_in_place, present_migrations
from tests.promthctl_runner import Project

SECRET = "-- canary-of-the-user\nselect 1;\n"
CONFIG = '[tool.promthctl]\nmigrations = "sql"\n'
COMMANDS = [("migrations", "sync"), ("migrations", "bundle"), ("migrations", "convert", "--yes")]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "home" / "001_secret.sql"
    file.parent.mkdir()
    file.write_text(SECRET)
    return file


@pytest.fixture(params=["a repository", "an archive"])
def clone(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    path = tmp_path / "clone"
    (path / "sql").mkdir(parents=True)
    (path / "supabase").mkdir()
    if request.param == "a repository":
        (path / ".git").mkdir()
    (path / "pyproject.toml").write_text(CONFIG)
    (path / "sql" / "001_a.sql").write_text("create table a (id int);\n")
    return Project(path)


def nothing_came_in(project: Project) -> bool:
    files = [path for path in project.path.rglob("*") if path.is_file() and not path.is_symlink()]
    return not any(b"canary" in path.read_bytes() for path in files)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", ["002_b.sql", "002_b.down.sql"])
def test_a_migration_that_is_a_link_out_is_not_read(
    clone: Project, secret: Path, words: tuple[str, ...], name: str
) -> None:
    (clone.path / "sql" / name).symlink_to(secret)
    refused = clone.run(*words, code=5)
    assert nothing_came_in(clone) and "canary" not in refused.stdout + refused.stderr
    assert "leads out of the repository" in refused.stderr, refused.stderr


def test_a_link_out_in_supabase_migrations_is_not_read(clone: Project, secret: Path) -> None:
    folder = clone.path / "supabase" / "migrations"
    folder.mkdir()
    (folder / "002_b.sql").symlink_to(secret)
    for read in (discover_in_place, present_migrations):
        with pytest.raises(RefusedError, match="leads out of the repository"):
            read(folder)


@pytest.mark.parametrize("name", ["001_a/up.sql", "001_a/down.sql"])
def test_a_folder_of_another_tool_with_a_link_out_is_not_converted(clone: Project, secret: Path, name: str) -> None:
    (clone.path / "sql" / "001_a.sql").unlink()
    (clone.path / "sql" / "001_a").mkdir()
    (clone.path / "sql" / "001_a" / "up.sql").write_text("create table a (id int);\n")
    (clone.path / "sql" / name).unlink(missing_ok=True)
    (clone.path / "sql" / name).symlink_to(secret)
    refused = clone.run("migrations", "convert", "--yes", code=None).stderr
    assert nothing_came_in(clone) and "leads out of the repository" in refused, refused


LINKS: dict[str, Callable[[Path, Path], object]] = {
    "seed.sql": lambda supabase, secret: (supabase / "seed.sql").symlink_to(secret),
    "roles.sql": lambda supabase, secret: (supabase / "roles.sql").symlink_to(secret),
    "a folder of a pattern": lambda supabase, secret: [
        (supabase / "seeds").symlink_to(secret.parent),
        (supabase / "config.toml").write_text('[db.seed]\nsql_paths = ["./seeds/*.sql"]\n'),
    ],
    "a link of a link": lambda supabase, secret: [
        (supabase / "one").symlink_to(secret),
        (supabase / "seed.sql").symlink_to("one"),
    ],
}


@pytest.mark.parametrize("kind", LINKS)
def test_a_seed_that_is_a_link_out_is_not_read(clone: Project, secret: Path, kind: str) -> None:
    LINKS[kind](clone.path / "supabase", secret)
    here = settings.load(clone.path)
    with pytest.raises(RefusedError, match="leads out of the repository") as caught:
        seeds.find_seeds(here)
        seeds.find_roles(here)
    assert nothing_came_in(clone)
    subprocess.run(["/bin/sh", "-c", caught.value.hint.partition("here: ")[2]], check=True)
    seeds.find_seeds(here)
    seeds.find_roles(here)


@pytest.mark.parametrize("pattern", ["../../home/*.sql", "{home}/001_secret.sql", "./x/../../../home/?01*.sql"])
def test_a_pattern_that_leads_out_asks_first(
    clone: Project, secret: Path, pattern: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(clone.path.parent / "config"))
    text = pattern.format(home=secret.parent)
    (clone.path / "supabase" / "config.toml").write_text(f'[db.seed]\nsql_paths = ["{text}"]\n')
    here = settings.load(clone.path)
    with pytest.raises(RefusedError, match="was not followed") as caught:
        seeds.find_seeds(here)
    assert caught.value.hint.startswith("promthctl trust")
    assert [wish.value for wish in trust.agree(here).wishes] == [text]
    assert [file.path for file in seeds.find_seeds(here).files] == [secret]


def test_links_within_the_repository_work(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    shared, app = tmp_path / "shared", tmp_path / "apps" / "one"
    shared.mkdir()
    (app / "supabase" / "migrations").mkdir(parents=True)
    (shared / "seed.sql").write_text("select 1;\n")
    (shared / "001_a.sql").write_text("create table a (id int);\n")
    (app / "supabase" / "seed.sql").symlink_to("../../../shared/seed.sql")
    (app / "supabase" / "migrations" / "001_a.sql").symlink_to(shared / "001_a.sql")
    (tmp_path / "link").symlink_to(app)
    for place in (app, tmp_path / "link"):
        project = Project(place)
        assert len(seeds.find_seeds(settings.load(place)).files) == 1
        project.run("migrations", "list", code=None)
        assert "leads out" not in project.run("migrations", "sync", code=None).stderr
    (app / "supabase" / "config.toml").write_text('[db.seed]\nsql_paths = ["../../../shared/*.sql"]\n')
    assert len(seeds.find_seeds(settings.load(app)).files) == 2
