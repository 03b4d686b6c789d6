"""A cloned project does not decide where the user's credentials go, or which programs run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.loopback_api import api
from tests.promthctl_runner import Project

REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_" + "0" * 40
PROFILE = "api_url: {url}\nproject_host: projects.example\n"


@pytest.fixture
def clone(tmp_path: Path) -> Project:
    """A project of somebody else; the user's own configuration is beside it."""
    path = tmp_path / "clone"
    (path / "supabase" / "migrations").mkdir(parents=True)
    (path / "supabase" / "config.toml").write_text("project_id = 'clone'\n")
    (path / "supabase" / "migrations" / "001_a.sql").write_text("create table a ();\n")
    home = {"HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "home" / ".config")}
    return Project(path, {**home, "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache")})


def program(path: Path, canary: Path) -> None:
    path.write_text(f"#!{sys.executable}\nopen({str(canary)!r}, 'w')\nprint('3.1.0')\n")
    path.chmod(0o755)


def test_a_profile_of_the_clone_does_not_get_the_token(clone: Project) -> None:
    with api() as listener:
        (clone.path / "evil.yaml").write_text(PROFILE.format(url=listener.url))
        (clone.path / ".env").write_text("SUPABASE_PROFILE=evil.yaml\n")
        words = ("push", "--project-ref", REF, "--dry-run")
        refused = clone.run(*words, code=5, SUPABASE_ACCESS_TOKEN=TOKEN)
        assert "send your Supabase access token" in refused.stderr and "next: promthctl trust" in refused.stderr
        home = Path(clone.extra["HOME"]) / ".supabase"
        home.mkdir(parents=True)
        (home / "access-token").write_text(TOKEN)
        clone.run(*words, code=5)
        assert listener.asked == []
        clone.run("trust", "--yes")
        clone.run(*words, code=None, SUPABASE_ACCESS_TOKEN=TOKEN)
        asked = len(listener.asked)
        assert asked > 0
        (clone.path / "evil.yaml").write_text(PROFILE.format(url=listener.url) + "# changed\n")
        clone.run(*words, code=5, SUPABASE_ACCESS_TOKEN=TOKEN)  # the agreement was to another file
        assert len(listener.asked) == asked
        (clone.path / ".env").write_text(f"SUPABASE_PROFILE=evil.yaml\nSUPABASE_ACCESS_TOKEN={TOKEN}\n")
        clone.run(*words, code=None)  # its own token may go there
        assert len(listener.asked) > asked


def test_plain_http_gets_no_credential(clone: Project) -> None:
    (clone.path / "plain.yaml").write_text(PROFILE.format(url="http://api.example"))
    profile = {"SUPABASE_PROFILE": str(clone.path / "plain.yaml"), "SUPABASE_ACCESS_TOKEN": TOKEN}
    assert "not https" in clone.run("push", "--project-ref", REF, "--dry-run", code=2, **profile).stderr
    own = {"SUPABASE_URL": "http://api.example", "SUPABASE_SERVICE_ROLE_KEY": "fake-service-key"}
    refused = clone.run("keys", "list", "--db-url", "postgresql://u@db.example/x", code=2, **own)
    assert "plain http" in refused.stderr


@pytest.mark.parametrize("target", [("--project-ref", REF), ("--db-url", "postgresql://u@127.0.0.2:1/x")])
def test_an_address_of_the_clone_does_not_get_the_users_key(clone: Project, target: tuple[str, str]) -> None:
    with api() as listener:
        url = listener.url.replace("127.0.0.1", "127.0.0.2")  # not this machine's own stack
        (clone.path / ".env").write_text(f"SUPABASE_URL={url}\n")
        mine = {"SUPABASE_SERVICE_ROLE_KEY": "fake-service-key", "SUPABASE_ACCESS_TOKEN": TOKEN}
        refused = clone.run("keys", "list", *target, code=5, **mine)
        assert f"SUPABASE_URL = {url}" in refused.stderr and listener.asked == []


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[tool.promthctl]\nsupabase_cli = "./cli"\n'},
        {".env": "PROMTHCTL_SUPABASE_CLI=./cli\n"},
        {".env": "PROMTHCTL_CACHE_DIR=.\n"},
        {".env": "PATH=.\nHOME=.\nPROMTHCTL_CACHE_DIR=./cache\n"},
        {".env": "DOCKER_HOST=tcp://127.0.0.1:9\nPROMTHCTL_ENGINE=docker\n"},
    ],
)
def test_a_program_of_the_clone_does_not_run(clone: Project, tmp_path: Path, files: dict[str, str]) -> None:
    for name in ("cli", "node", "npm"):
        program(clone.path / name, tmp_path / "canary")
    for name, content in files.items():
        (clone.path / name).write_text(content)
    commands = [("local", "up"), ("push", "--db-url", "postgresql://u@127.0.0.1:1/x", "--dry-run"), ("verify",)]
    engine = {"PROMTHCTL_ENGINE": "docker"} if "DOCKER" in str(files) else {}
    codes = [clone.run(*words, code=None, **engine).returncode for words in commands]
    assert 5 in codes and 0 not in codes
    assert not (tmp_path / "canary").exists()
    assert [one["code"] for one in clone.errors("trust", code=5)] == ["refused.confirmation"]  # nobody was asked
    assert all(wish["agreed"] for wish in clone.json("trust", "--yes")["wishes"])
    assert not any(wish["agreed"] for wish in clone.json("trust", "--remove")["wishes"])


def test_a_database_of_the_clone_does_not_get_the_users_password(clone: Project) -> None:
    target = '[tool.promthctl.targets.{}]\ndb_url = "postgresql://postgres@{}/postgres"\n'
    hosts = {"evil": "db.evil.example", "ours": "db.abcdefghijklmnopqrst.supabase.co", "here": "127.0.0.1:1"}
    (clone.path / "pyproject.toml").write_text("".join(target.format(name, host) for name, host in hosts.items()))
    for variable in ("PGPASSWORD", "SUPABASE_DB_PASSWORD"):
        refused = clone.run("push", "--target", "evil", "--dry-run", code=5, **{variable: "fake-password"})
        assert "send the database password of your environment to db.evil.example" in refused.stderr
        assert "fake-password" not in refused.stderr
    clone.run("push", "--target", "evil", "--dry-run", code=4)  # without one there is nothing to send
    for known in ("ours", "here"):
        clone.run("push", "--target", known, "--dry-run", code=4, PGPASSWORD="fake-password")
    clone.run("trust", "--yes", PGPASSWORD="fake-password")
    clone.run("push", "--target", "evil", "--dry-run", code=4, PGPASSWORD="fake-password")


def test_the_everyday_case_needs_no_agreement(clone: Project) -> None:
    with api() as listener:
        (clone.path / ".env").write_text(
            f"SUPABASE_URL={listener.url}\nSUPABASE_SERVICE_ROLE_KEY=fake-service-key\nVANCHIN_BASE_URL=\nPATH=x\n"
        )
        assert clone.json("trust") == {
            "project": str(clone.path),
            "path": str(Path(clone.extra["XDG_CONFIG_HOME"]) / "promthctl" / "trusted.json"),
            "wishes": [],
        }
        done = clone.run("keys", "list", "--db-url", "postgresql://u@127.0.0.1:1/x", code=None)
        assert "promthctl trust" not in done.stderr and len(listener.asked) > 0


def test_what_was_agreed_to_is_kept_for_its_owner_alone(clone: Project) -> None:
    (clone.path / ".env").write_text("PROMTHCTL_CACHE_DIR=cache\n")
    path = Path(clone.json("trust", "--yes")["path"])
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    (agreed,) = json.loads(path.read_text()).values()
    assert len(agreed) == 1
    path.write_text("not JSON")
    assert clone.json("trust", code=5) is None
