"""The Supabase CLI's profile: read in one place, the same for the Management API, a project's API and the CLI."""

from __future__ import annotations

from pathlib import Path

import pytest

from promthctl.errors import PromthctlError
from promthctl.hosted import management
from promthctl.hosted.profile import PROFILES, Profile, profile_argument, read_profile
from promthctl.resolve.api import resolve_api
from promthctl.resolve.choice import TargetChoice
from promthctl.settings import Settings
from promthctl.steps import Silent

REF = "abcdefghijklmnopqrst"
MINE = Profile("https://cloud.example.com", "projects.example.com", "pooler.example.com")
FILE = f"name: mine\napi_url: {MINE.api_url}\nproject_host: {MINE.project_host}\npooler_host: {MINE.pooler_host}\n"
QUOTED = f"""\
api_url: "{MINE.api_url}/"   # with a slash
project_host: '{MINE.project_host}'
regions:
  - us-east-1
- eu-central-1
studio_image: |
  x: y
list: [a, b]
pooler_host: {MINE.pooler_host} # p
"""


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    (tmp_path / "proj").mkdir()
    return settings(tmp_path)


def settings(folder: Path, **env: str) -> Settings:
    return Settings(folder / "proj", {"HOME": str(folder / "home"), **env})


def kept_by_login(folder: Path, text: str) -> None:
    (folder / "home" / ".supabase").mkdir(parents=True)
    (folder / "home" / ".supabase" / "profile").write_text(text)


def test_a_file_is_relative_to_the_project_for_everybody_who_reads_it(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`promthctl -C ../proj` with SUPABASE_PROFILE=prof.yaml, from a folder that has another prof.yaml."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "prof.yaml").write_text(FILE.replace("example.com", "example.org"))
    (here.project_dir / "prof.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path / "elsewhere")
    env = {"SUPABASE_PROFILE": "prof.yaml", "SUPABASE_SERVICE_ROLE_KEY": "fake-service-key"}
    asked = settings(tmp_path, **env)
    assert read_profile(asked) == MINE and profile_argument(asked) == str(here.project_dir / "prof.yaml")
    assert MINE.api_url in management.unexpected_answer(asked).what
    through = resolve_api(TargetChoice(project_ref=REF), asked, Silent(), lambda _: None)
    assert through.access.url == f"https://{REF}.{MINE.project_host}"


def test_without_a_choice_it_is_supabase_com(here: Settings, tmp_path: Path) -> None:
    assert read_profile(here) == PROFILES["supabase"] and profile_argument(here) is None
    kept_by_login(tmp_path, "\n")
    assert read_profile(here) == PROFILES["supabase"] and profile_argument(here) is None


@pytest.mark.parametrize("name", ["supabase", "Supabase-Staging", "supabase-local", "SNAP"])
def test_the_names_that_the_cli_knows(here: Settings, tmp_path: Path, name: str) -> None:
    known = PROFILES[name.lower()]
    asked = settings(tmp_path, SUPABASE_PROFILE=name)
    assert read_profile(asked) == known and profile_argument(asked) == name.lower()
    kept_by_login(tmp_path, f"{name}\n")
    assert read_profile(here) == known and profile_argument(here) == name.lower()


def test_the_variable_goes_before_what_the_login_kept(here: Settings, tmp_path: Path) -> None:
    kept_by_login(tmp_path, "snap")
    assert read_profile(settings(tmp_path, SUPABASE_PROFILE="supabase-staging")) == PROFILES["supabase-staging"]


@pytest.mark.parametrize(
    "text",
    [
        FILE,
        f"---\n# ours\n{FILE}",
        FILE.replace("\n", "\r\n"),
        QUOTED,
    ],
    ids=["plain", "with a comment", "of Windows", "quoted and commented"],
)
def test_a_file_in_yaml(tmp_path: Path, here: Settings, text: str) -> None:
    (here.project_dir / "prof.yaml").write_text(text, newline="")
    assert read_profile(settings(tmp_path, SUPABASE_PROFILE="prof.yaml")) == MINE


def test_a_pooler_s_host_may_be_left_out(tmp_path: Path, here: Settings) -> None:
    (here.project_dir / "prof.yaml").write_text("api_url: http://localhost:1\nproject_host: localhost\npooler_host:\n")
    found = read_profile(settings(tmp_path, SUPABASE_PROFILE="prof.yaml"))
    assert found == Profile("http://localhost:1", "localhost", None)


WRONG = {
    "": "no line `api_url: https://…`",
    "project_host: example.com\n": "no line `api_url: https://…`",
    "api_url:\nproject_host: example.com\n": "no line `api_url: https://…`",
    "api_url: ftp://example.com\nproject_host: example.com\n": "no line `api_url: https://…`",
    "#api_url: https://example.com\nproject_host: example.com\n": "no line `api_url: https://…`",
    "api_url: https://example.com\n": "no line `project_host: …`",
    "api_url: https://example.com\nproject_host: https://example.com\n": "no line `project_host: …`",
    f"{FILE}pooler_host: b\n": "line 5 of",
    "api_url: https://example.com\nproject_host: e.com\npooler_host: a/b\n": "pooler_host in",
    'api_url: "https://example.com\n': "line 1 of",
    "api_url: *anchor\n": "line 1 of",
    "name: x\napi_url https://example.com\n": "line 2 of",
    "name: x\n  api_url: https://example.com\n": "line 2 of",
    "{api_url: https://example.com}\n": "line 1 of",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_file_that_is_not_a_profile_is_refused(tmp_path: Path, here: Settings, text: str) -> None:
    (here.project_dir / "prof.yaml").write_text(text)
    refused(settings(tmp_path, SUPABASE_PROFILE="prof.yaml"), WRONG[text], "unset it")


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, here: Settings) -> None:
    asked = settings(tmp_path, SUPABASE_PROFILE="supabase-stagging")
    missing = here.project_dir / "supabase-stagging"
    refused(asked, f"there is no file {missing}", "unset it")
    refused(asked, "supabase, supabase-staging, supabase-local, snap", "unset it")
    (here.project_dir / "folder").mkdir()
    refused(settings(tmp_path, SUPABASE_PROFILE="folder"), "cannot be read: Is a directory", "unset it")
    (here.project_dir / "binary").write_bytes(b"\xff")
    refused(settings(tmp_path, SUPABASE_PROFILE="binary"), "it is not UTF-8 text", "unset it")
    (tmp_path / "home" / ".supabase" / "profile").mkdir(parents=True)
    refused(here, "cannot be read: Is a directory", "remove that file")


def refused(asked: Settings, why: str, remedy: str) -> None:
    """Both of its users end with the same error; nothing falls back silently to supabase.com."""
    key = Settings(asked.project_dir, {**asked.env, "SUPABASE_SERVICE_ROLE_KEY": "fake-service-key"})
    uses = (
        lambda: management.get_json(asked, "token", REF, ""),
        lambda: resolve_api(TargetChoice(project_ref=REF), key, Silent(), lambda _: None),
    )
    for use in uses:
        with pytest.raises(PromthctlError) as caught:
            use()
        assert caught.value.what == "The Supabase CLI's profile cannot be used" and caught.value.exit_code == 2
        assert why in caught.value.why and remedy in caught.value.hint
