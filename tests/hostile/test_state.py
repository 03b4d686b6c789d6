"""A `.promthctl` that came with a clone, a copy or an archive decides nothing, and leads nowhere."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from promthctl import process, signatures
from promthctl.errors import PrerequisiteError
from promthctl.keys.seeding import _recorded_dev_user
from promthctl.settings import Settings
from promthctl.state import StateDir
from tests.embedded.test_places import own_data, unprivileged
from tests.embedded.working import assert_works, commit_row, data_directory, database_url, get
from tests.promthctl_runner import Project

__all__ = ["unprivileged"]

CONFIG = '[tool.promthctl]\nmigrations = "sql"\n'
COMMANDS = [
    ("local", "up", "--api-port", "0", "--db-port", "0"),
    ("local", "down"),
    ("local", "down", "--purge", "--yes"),
    ("local", "logs"),
    ("rollback", "--list"),
    ("migrations", "sync"),
    ("migrations", "renumber", "--yes"),
]


def clone(path: Path) -> Project:
    """A project of two migrations."""
    (path / "sql").mkdir(parents=True, exist_ok=True)
    (path / "pyproject.toml").write_text(CONFIG)
    (path / "sql" / "001_a.sql").write_text("create table a (id int);\n")
    (path / "sql" / "003_b.sql").write_text("create table b (id int);\n")
    return Project(path)


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A folder of the user, with a file in it; both are as they were when the test ends."""
    folder = tmp_path / "canary"
    folder.mkdir(mode=0o755)
    (folder / "postgres.log").write_text("mine\n")
    (folder / "postgres.log").chmod(0o644)
    return folder


def untouched(canary: Path) -> bool:
    mine = canary / "postgres.log"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (canary, mine)]
    return modes == [0o755, 0o644] and mine.read_text() == "mine\n" and list(canary.iterdir()) == [mine]


LINKS = {  # what is a link → what it leads to
    ".promthctl": ".",
    ".promthctl/logs": ".",
    ".promthctl/backups": ".",
    ".promthctl/lock": "postgres.log",
    ".promthctl/working": "new",
    ".promthctl/.gitignore": "new",
    ".promthctl/stack.json": "postgres.log",
    ".promthctl/copies.json": "new",
    ".promthctl/.postgres-partial-1": ".",
    ".promthctl/postgres-17": ".",
}


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_follows_a_link(tmp_path: Path, canary: Path, link: str, words: tuple[str, ...]) -> None:
    project = clone(tmp_path / "clone")
    place = project.path / link
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(canary / LINKS[link])
    if "renumber" in words:
        (project.path / "sql" / "003_c.sql").write_text("select 1;\n")
    before = names(project.path / "sql")
    refused = project.run(*words, code=5).stderr
    assert untouched(canary)
    assert f"{place} is a symbolic link" in refused.replace("\n       ", " ") and f"rm {place}" in refused, refused
    assert os.path.lexists(place) and names(project.path / "sql") == before


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["symbolic", "hard", "fifo"])
def test_a_file_is_written_and_read_through_no_link(tmp_path: Path, canary: Path, kind: str) -> None:
    place, mine = tmp_path / "log", canary / "postgres.log"
    for mode in ("ab", "wb"):
        place.unlink(missing_ok=True)
        if kind == "symbolic":
            place.symlink_to(mine)
        elif kind == "hard":
            place.hardlink_to(mine)
        else:
            os.mkfifo(place)
        if kind != "hard":
            with pytest.raises(OSError, match=r"Too many levels|not a regular file"):
                process.read_regular(place)
        with process.open_private(place, mode) as file:
            file.write(b"ours\n")
        assert place.read_text() == "ours\n" and not place.is_symlink() and untouched(canary)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_state_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    project = clone(tmp_path)
    (tmp_path / ".promthctl").mkdir()
    os.chown(tmp_path / ".promthctl", 12345, 12345)
    refused = project.run("local", "up", code=5).stderr
    assert "belongs to another user, number 12345" in refused and "chown -R 0" in refused


def test_a_record_counts_only_as_it_was_signed_and_where_it_was_made(tmp_path: Path) -> None:
    here, there = StateDir(tmp_path / "here" / ".promthctl"), StateDir(tmp_path / "there" / ".promthctl")
    for state in (here, there):
        state.path.parent.mkdir()
        state.make()
    here.write("a.json", {"x": [1, "é"], "y": 2.5})
    signed = json.loads((here.path / "a.json").read_text())
    assert here.read("a.json") == {"x": [1, "é"], "y": 2.5}
    changes: list[dict[str, Any]] = [
        {"x": [2]},
        {"z": 1},
        {"signature": "0" * 64},
        {"signature": None},
        {"signature": "é"},
        {"made_in": signed["made_in"][:2]},
        {"made_in": [0, 0, "/"]},
    ]
    for change in changes:
        (here.path / "a.json").write_text(json.dumps(signed | change))
        assert not here.has("a.json"), change
    for text in ("", "[]", "3", "null", "{}", "[" * 100_000):
        (here.path / "a.json").write_text(text)
        assert not here.has("a.json"), text[:9]
    here.write("a.json", {"x": 1})
    shutil.copy(here.path / "a.json", here.path / "b.json")  # another name
    shutil.copy(here.path / "a.json", there.path / "a.json")  # another folder
    assert here.has("a.json") and not here.has("b.json") and not there.has("a.json")
    here.path.parent.rename(tmp_path / "moved")
    assert StateDir(tmp_path / "moved" / ".promthctl").read("a.json") == {"x": 1}
    there.path.parent.rename(here.path.parent)  # at the path of the one that was moved
    shutil.copy(tmp_path / "moved" / ".promthctl" / "a.json", here.path)
    assert not here.has("a.json")


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    key, record = tmp_path / "config" / "promthctl" / "state.key", tmp_path / "r.json"
    with pytest.raises(ValueError, match=r"r\.json"):
        signatures.read_signed(record, tmp_path)
    assert not key.exists()  # reading makes none
    signatures.write_signed(record, tmp_path, {"x": 1})
    first = key.read_bytes()
    signatures.write_signed(record, tmp_path, {"x": 2})
    assert key.read_bytes() == first and len(first) == 32 and stat.S_IMODE(key.stat().st_mode) == 0o600
    assert names(key.parent) == ["state.key"]
    key.chmod(0o644)
    with pytest.raises(PrerequisiteError, match="cannot be used") as caught:
        signatures.read_signed(record, tmp_path)
    assert caught.value.hint.startswith(f"rm {key}")
    key.unlink()
    signatures.write_signed(tmp_path / "other.json", tmp_path, {})
    with pytest.raises(ValueError, match=r"r\.json"):  # signed with the key that is gone
        signatures.read_signed(record, tmp_path)


def by_somebody_else(path: Path, monkeypatch: pytest.MonkeyPatch, records: dict[str, dict[str, Any]]) -> None:
    """Records in .promthctl as another user's promthctl signs them; the project's .env names their cache directory."""
    with monkeypatch.context() as other:
        other.setenv("XDG_CONFIG_HOME", str(path / "config"))
        state = StateDir(path / ".promthctl")
        state.make()
        for name, record in records.items():
            state.write(name, record)
    shutil.copy(path / "config" / "promthctl" / "state.key", path)
    (path / ".env").write_text(f"PROMTHCTL_CACHE_DIR={path}\nXDG_CONFIG_HOME={path / 'config'}\n")


STACK = {
    "project": "victim-0123456789ab",
    "data_id": "0" * 32,
    "api_port": 45555,
    "db_port": 45556,
    "postgres": 17,
    "db_password": "chosen-password",
    "internal_password": "chosen-password",
    "jwt_secret": "chosen-secret",
    "anon_key": "chosen-anon-key",
    "service_role_key": "chosen-service-key",
}


def test_the_records_of_a_clone_choose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = clone(tmp_path / "clone")
    person = {"id": "3f0c", "email": "a@example.com", "password": "chosen-password"}
    docker = {"project": "p", "folder": "/", "services": ["db"], "ports": {"db": 1}, "bind": "0.0.0.0", "major": 17}
    records = {"stack.json": STACK, "engine.json": {"engine": "docker"}, "docker.json": docker, "dev-user.json": person}
    by_somebody_else(project.path, monkeypatch, records)
    (project.path / ".env").unlink()
    assert project.run("local", "env", code=4).stdout == ""
    status = project.json("local", "status", code=1)
    assert status["engine"] == "embedded" and status["api_url"] is None
    assert _recorded_dev_user(StateDir(Settings(project.path, {}).state_dir)) is None
    project.run("push", "--dry-run", code=None)
    by_somebody_else(project.path, monkeypatch, records)  # the folder of their key in .env changes nothing
    assert "chosen" not in project.run("local", "env", code=None).stdout


def test_a_clones_list_of_copies_removes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    project = clone(tmp_path / "clone")
    project.run("migrations", "sync")
    mine = project.path / "supabase" / "migrations" / "002_mine.sql"
    mine.write_text("select 1;\n")
    digest = hashlib.sha256(mine.read_bytes()).hexdigest()
    by_somebody_else(project.path, monkeypatch, {"copies.json": {mine.name: digest}})
    (project.path / ".env").unlink()
    project.run("migrations", "sync", code=None)
    assert mine.exists()


def test_a_clones_journal_moves_nothing(tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = clone(tmp_path / "clone")
    todo = {"write": {"../canary/new": "eA=="}, "remove": ["../canary/postgres.log"], "moved": []}
    by_somebody_else(project.path, monkeypatch, {"unfinished.json": todo})
    (project.path / ".env").unlink()
    for words in (("migrations", "renumber", "--yes"), ("migrations", "sync"), ("local", "up")):
        refused = project.run(*words, code=5).stderr
        assert untouched(canary) and f"rm {project.path}/.promthctl/unfinished.json" in refused, refused
    (project.path / ".promthctl" / "unfinished.json").unlink()
    project.run("migrations", "renumber", "--yes")


# with databases


pytestmark = pytest.mark.usefixtures("tools")


def test_the_record_of_another_project_reaches_neither_its_stack_nor_its_data(
    make_project: Callable[..., Project],
) -> None:
    victim, hostile = make_project("victim"), make_project("hostile")
    victim.up()
    user, pids, record = commit_row(victim), victim.pids(), victim.record()
    shutil.copytree(victim.path / ".promthctl", hostile.path / ".promthctl")
    assert hostile.run("local", "env", code=4).stdout == ""
    hostile.run("local", "down", "--purge", "--yes")
    shutil.copytree(victim.path / ".promthctl", hostile.path / ".promthctl", dirs_exist_ok=True)
    told = hostile.up().stderr
    assert "was not made for this folder" in told and hostile.record()["project"] != record["project"], told
    hostile.run("local", "down", "--purge", "--yes")
    assert victim.pids() == pids
    assert_works(victim, user)


def test_of_a_copy_and_a_moved_original_each_has_its_own(make_project: Callable[..., Project]) -> None:
    """`cp -a a b; mv a c; mv b a`: the copy is now where the original was."""
    a, b, c = (make_project(name) for name in "abc")
    a.up()
    user, data = commit_row(a), data_directory(a)
    a.run("local", "down")
    shutil.copytree(a.path, b.path, dirs_exist_ok=True)
    c.path.rmdir()
    a.path.rename(c.path)
    b.run("local", "down", "--purge", "--yes")
    assert data.exists()
    c.up()
    shutil.copytree(c.path, a.path)  # the copy at the old path, with the record of what runs
    assert a.json("local", "down", "--purge", "--yes")["stopped"] is False
    assert data.exists()
    a.up()
    with psycopg.connect(database_url(a)) as connection:
        assert connection.execute("select count(*) from auth.users where id = %s", (user,)).fetchone() == (0,)
    a.run("local", "down", "--purge", "--yes")
    assert data.exists()
    assert get(c, "/rest/v1/prompts?select=user_id") == [{"user_id": user}]
    c.run("local", "down", "--purge", "--yes")
    assert not data.exists()
    c.path.rename(c.path.with_name("gone"))
    c.path.mkdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="others have their data in the project")
def test_data_with_the_mark_of_another_project_is_neither_used_nor_removed(project: Project, tmp_path: Path) -> None:
    project.up()
    user, data = commit_row(project), data_directory(project)
    project.run("local", "down")
    (tmp_path / "other").mkdir()
    signatures.claim(data, tmp_path / "other", "0" * 32)
    for words in (("local", "up"), ("local", "down", "--purge", "--yes")):
        refused = project.run(*words, code=5).stderr
        assert f"rm {data / signatures.OWNER}" in refused, refused
    assert (data / "PG_VERSION").exists()
    (data / signatures.OWNER).unlink()  # as the error says: only root can have put it there
    project.up()
    assert_works(project, user)


def test_a_log_that_is_a_link_is_refused_before_anything_starts(project: Project, canary: Path) -> None:
    project.up()
    project.run("local", "down")
    log = project.path / ".promthctl" / "logs" / "postgres.log"
    log.unlink()
    log.symlink_to(canary / "postgres.log")
    assert "mine" not in project.run("local", "logs", "postgres", code=None).stdout
    project.up()
    assert untouched(canary) and not log.is_symlink()


def test_a_database_in_the_project_is_moved_out_only_when_that_is_agreed(unprivileged: Project, tmp_path: Path) -> None:
    """It may have come with a clone, or a `git pull` may have replaced its files: they can run programs."""
    config = Path(unprivileged.extra["PROMTHCTL_CACHE_DIR"]) / "config"
    unprivileged.extra["XDG_CONFIG_HOME"] = str(config)
    unprivileged.up()
    project = unprivileged.record()["project"]
    unprivileged.run("local", "down")
    own, inside = own_data(unprivileged), unprivileged.path / ".promthctl" / "postgres-17"
    shutil.copytree(own, inside)  # what a pull brings is left alone where there is a database
    canary = tmp_path / "canary"
    (inside / "postgresql.auto.conf").write_text(f"archive_mode = on\narchive_command = 'touch {canary}'\n")
    subprocess.run(["chown", "-R", "--reference", str(unprivileged.path), str(inside)], check=True)
    unprivileged.up()
    unprivileged.run("local", "down")
    assert "archive" not in (own / "postgresql.auto.conf").read_text()
    shutil.rmtree(own)
    assert "promthctl trust" in unprivileged.run("local", "up", code=5).stderr
    assert unprivileged.leftovers() == [] and not own.exists() and not canary.exists()
    (inside / "postgresql.auto.conf").write_text("")
    assert "postgres-17" in unprivileged.run("trust", "--yes").stdout
    unprivileged.run("local", "up")
    assert own.exists() and not inside.exists() and unprivileged.record()["project"] == project
    unprivileged.run("local", "down")
    shutil.copytree(own, inside)
    unprivileged.run("local", "down", "--purge", "--yes")
    assert not own.parent.exists() and not inside.exists()
