"""The keys commands on hosted projects: the real Supabase CLI finds the service key, of either generation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from promthctl import settings
from promthctl.errors import TargetError
from promthctl.resolve.api import ApiTarget, resolve_api
from promthctl.resolve.choice import TargetChoice
from promthctl.settings import Settings
from promthctl.steps import Silent
from promthctl.toolchain import Toolchain
from tests.loopback_project import REF, SECRET_KEY, TOKEN, Hosted, hosted, legacy_keys, new_keys
from tests.promthctl_runner import Project
from tests.servers import Stack
from tests.stored_keys import NEW_SECRET, SECRET, Table, stored

__all__ = ["stored"]


@pytest.fixture
def cloud(stack: Stack) -> Iterator[Hosted]:
    with hosted(stack) as running:
        yield running


@pytest.fixture
def shop(tmp_path: Path, cloud: Hosted) -> Project:
    """A folder set up for the hosted project, with a token and without a database password."""
    return Project(
        tmp_path,
        {
            "SUPABASE_PROFILE": cloud.profile(tmp_path),
            "SUPABASE_ACCESS_TOKEN": TOKEN,
            "SUPABASE_URL": cloud.url,
            "HOME": str(tmp_path),
            "ENCRYPTION_SECRET": SECRET,
        },
    )


@pytest.mark.parametrize("generation", ["both", "new", "legacy", "masked"])
def test_the_service_key_of_either_generation_is_found(
    shop: Project, cloud: Hosted, stack: Stack, stored: Table, generation: str
) -> None:
    stored.put(stored.user(), [1, 2])
    cloud.keys = {
        "both": legacy_keys(stack) + new_keys(),
        "new": new_keys(),
        "legacy": legacy_keys(stack),
        "masked": legacy_keys(stack) + new_keys("sb_secret_FAKE···"),  # the token may not reveal it
    }[generation]
    done = shop.run("keys", "list", "--project-ref", REF)
    assert done.stderr.startswith(f"Target: hosted project Shop ({REF}, eu-central-1)")
    assert "Agent 1" in done.stdout and "Agent 2" in done.stdout
    assert set(cloud.given) == {SECRET_KEY if generation in ("both", "new") else stack.service_role_key}
    assert not [key for key in (*cloud.given, TOKEN) if key in done.stdout + done.stderr]


def test_a_service_key_that_is_given_is_used_without_a_token(
    shop: Project, cloud: Hosted, stack: Stack, stored: Table
) -> None:
    stored.put(stored.user(), [1])
    given = {"SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY}
    done = shop.run("keys", "list", "--project-ref", REF, SUPABASE_ACCESS_TOKEN="", **given)
    assert f"Target: hosted project {REF}" in done.stderr and "Agent 1" in done.stdout
    assert cloud.asked == []
    shop.run("keys", "list", "--project-ref", REF, **given)
    assert not [path for path in cloud.asked if "api-keys" in path]


@pytest.mark.parametrize(
    ("keys", "status", "said"),
    [
        ([], 200, "There is no service key"),
        ([{"name": "service_role", "api_key": None, "type": "legacy", "id": "x"}], 200, "There is no service key"),
        ({"message": f"not allowed {SECRET_KEY}"}, 403, "status 403"),
        ({}, 500, "status 500"),
        ([{"name": 5, "api_key": SECRET_KEY}], 200, "The Supabase CLI could not read the keys of hosted project Shop"),
    ],
)
def test_a_project_without_a_key_that_may_be_seen(
    shop: Project, cloud: Hosted, keys: object, status: int, said: str
) -> None:
    cloud.keys, cloud.status = keys, status
    done = shop.run("keys", "list", "--project-ref", REF, code=4)
    assert said in done.stderr and "SUPABASE_SERVICE_ROLE_KEY" in done.stderr
    assert TOKEN not in done.stdout + done.stderr and SECRET_KEY not in done.stdout + done.stderr


def test_without_token_and_key_it_says_so(shop: Project) -> None:
    done = shop.run("keys", "list", "--project-ref", REF, SUPABASE_ACCESS_TOKEN="", code=3)
    assert "There is no Supabase access token" in done.stderr
    shop.run("keys", "list", "--project-ref", "not a reference", SUPABASE_SERVICE_ROLE_KEY=SECRET_KEY, code=2)


def of_project(tmp_path: Path, cloud: Hosted, **environment: str) -> ApiTarget:
    here = settings.load(tmp_path)
    env = {**here.env, "SUPABASE_PROFILE": cloud.profile(tmp_path, "projects.example"), "SUPABASE_ACCESS_TOKEN": TOKEN}
    announced: list[str] = []
    choice = TargetChoice(project_ref=REF)
    found = resolve_api(choice, Settings(tmp_path, env | environment), Silent(), announced.append)
    assert announced == [f"Target: {found.label}"] and not found.local
    return found


def test_a_url_and_key_of_another_place_are_not_used(tmp_path: Path, cloud: Hosted, stack: Stack) -> None:
    """`local env --write .env` puts the local stack's there, another checkout's .env another project's."""
    other = "z" * 20
    for url in (stack.api_url, "http://localhost:54321", f"https://{other}.projects.example"):
        found = of_project(tmp_path, cloud, SUPABASE_URL=url, SUPABASE_SERVICE_ROLE_KEY="another-place-s-key")
        assert (found.access.url, found.access.service_key) == (f"https://{REF}.projects.example", SECRET_KEY)


@pytest.mark.parametrize("url", [f"https://{REF}.projects.example", "https://api.shop.example"])
def test_the_project_s_own_url_or_domain_is_used_with_its_key(tmp_path: Path, cloud: Hosted, url: str) -> None:
    found = of_project(tmp_path, cloud, SUPABASE_URL=url, SUPABASE_SERVICE_ROLE_KEY="its-own-key")
    assert (found.access.url, found.access.service_key) == (url, "its-own-key")


def test_a_paused_project_is_told_before_its_keys_are_asked_for(tmp_path: Path, cloud: Hosted) -> None:
    with pytest.raises(TargetError):
        of_project(tmp_path, cloud, SUPABASE_ACCESS_TOKEN="sbp_" + "f" * 40)
    assert not [path for path in cloud.asked if "api-keys" in path]


@pytest.mark.parametrize(
    "words", [("remove", "--all"), ("remove", "1"), ("replace", "1"), ("rotate", "--new-secret-env", "NEW_SECRET")]
)
def test_what_changes_a_hosted_project_asks_first(
    shop: Project, cloud: Hosted, stored: Table, words: tuple[str, ...]
) -> None:
    stored.put(stored.user(), [1])
    before = stored.rows()
    given = {"SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY, "NEW_SECRET": NEW_SECRET}
    shop.run("keys", *words, "--project-ref", REF, code=5, stdin="fake-replacement-key", **given)
    assert stored.rows() == before
    shop.run("keys", *words, "--project-ref", REF, "--yes", stdin="fake-replacement-key", **given)
    assert stored.rows() != before


def test_any_database_s_api_must_be_named(shop: Project, cloud: Hosted, stack: Stack, stored: Table) -> None:
    stored.put(stored.user(), [1])
    elsewhere = "postgresql://postgres@db.example.com:5432/postgres"
    key = {"SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY}
    done = shop.run("keys", "list", "--db-url", stack.db_url, code=3)
    assert "SUPABASE_SERVICE_ROLE_KEY is not set" in done.stderr
    assert "and SUPABASE_SERVICE_ROLE_KEY are not" in shop.run(
        "keys", "list", "--db-url", elsewhere, code=3, SUPABASE_URL=""
    ).stderr  # fmt: skip
    assert "an API on this machine" in shop.run("keys", "list", "--db-url", elsewhere, code=5, **key).stderr
    done = shop.run("keys", "list", "--db-url", stack.db_url, **key)
    assert f"through {cloud.url}" in done.stderr and "Agent 1" in done.stdout
    shop.run("keys", "list", "--db-url", stack.db_url, code=2, SUPABASE_URL="ftp//wrong", **key)


def test_a_named_target_is_shown_as_production(shop: Project, cloud: Hosted, stored: Table) -> None:
    (shop.path / "pyproject.toml").write_text(
        f'[tool.promthctl.targets.live]\nproject_ref = "{REF}"\nproduction = true\n'
    )
    done = shop.run("keys", "list", "--target", "live", SUPABASE_SERVICE_ROLE_KEY=SECRET_KEY)
    label = f"hosted project Shop ({REF}, eu-central-1), through {cloud.url}"
    assert done.stderr.splitlines()[0] == f"Target: {label} · PRODUCTION"
    shop.run("keys", "list", "--target", "live", "--local", code=2)


# Which Supabase CLI is asked, and of which cloud


def recording(cli: Path, folder: Path) -> Path:
    """A program that notes its arguments and its profile in folder/runs, then is that CLI."""
    program = folder / "recording-supabase"
    program.write_text(f"""#!/bin/sh
echo "$SUPABASE_PROFILE $*" >>'{folder}/runs'
exec '{cli}' "$@"
""")
    program.chmod(0o755)
    return program


@pytest.fixture(params=["v3", "v2"])
def recorder(request: pytest.FixtureRequest, tools: Toolchain, tmp_path: Path) -> tuple[Path, str]:
    """Each line of the Supabase CLI, as a program that records how it is run, and its option for a project."""
    if request.param == "v3":
        return recording(tools.supabase, tmp_path), "--remote"
    return recording(request.getfixturevalue("supabase_v2"), tmp_path), "--project-ref"


@pytest.mark.parametrize("command", ["keys list", "seed vanchin --demo"])
def test_the_cli_that_is_named_gives_the_key(
    shop: Project, cloud: Hosted, stored: Table, recorder: tuple[Path, str], tmp_path: Path, command: str
) -> None:
    program, option = recorder
    user = stored.user()
    for_whom = ["--user", f"{user[:8]}@example.com", "--yes"] if "seed" in command else []
    shop.run(*command.split(), *for_whom, "--project-ref", REF, "--supabase-cli", str(program))
    assert set(cloud.given) == {SECRET_KEY}
    (run,) = [line for line in (tmp_path / "runs").read_text().splitlines() if "--version" not in line]
    assert f"projects api-keys {option}={REF} --reveal " in run


@pytest.mark.parametrize("command", ["keys list", "seed vanchin --demo --user a@example.com"])
def test_a_cli_that_is_missing_is_not_replaced_by_another(
    shop: Project, cloud: Hosted, tmp_path: Path, command: str
) -> None:
    missing = tmp_path / "nowhere" / "supabase"
    done = shop.run(*command.split(), "--project-ref", REF, "--supabase-cli", str(missing), code=3)
    assert f"{missing} cannot be used" in done.stderr and "--supabase-cli pinned" in done.stderr
    assert not [path for path in cloud.asked if "api-keys" in path]


def test_a_profile_beside_the_project_is_found_from_anywhere(
    shop: Project, cloud: Hosted, tools: Toolchain, stored: Table, tmp_path: Path
) -> None:
    """A path in SUPABASE_PROFILE is relative to the project; `run` works in another folder."""
    recorder = recording(tools.supabase, tmp_path)
    stored.put(stored.user(), [1])
    (shop.path / ".env").write_text("SUPABASE_PROFILE=profile.yaml\n")
    del shop.extra["SUPABASE_PROFILE"]
    shop.extra["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    shop.run("trust", "--yes")
    done = shop.run("keys", "list", "--project-ref", REF, "--supabase-cli", str(recorder))
    assert "Agent 1" in done.stdout
    assert f"{shop.path / 'profile.yaml'} projects api-keys" in (tmp_path / "runs").read_text()
