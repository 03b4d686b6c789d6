"""What a hosted project's cloud can refuse, break or keep waiting: each has its own message and exit code."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from promthctl import database
from promthctl.database import connection
from promthctl.errors import PromthctlError
from promthctl.hosted import management
from promthctl.hosted.project import find_project
from promthctl.resolve.database import resolve_named
from promthctl.settings import NamedTarget, Settings
from tests.hints import told as told_by
from tests.hosted.cloud import REF, TOKEN, Cloud, CloudProject, Reply, refusing_pooler
from tests.promthctl_runner import Project

POOLER = "/config/database/pooler"
LOGIN_ROLE = "/cli/login-role"


@pytest.fixture
def shop_cloud(cloud: Cloud) -> CloudProject:
    """The project Shop, whose database nothing listens for."""
    return cloud.add("postgresql://postgres@127.0.0.1:1/postgres")


@pytest.fixture
def here(cloud: Cloud, shop_cloud: CloudProject, tmp_path: Path) -> Settings:
    """Settings that reach the cloud."""
    return Settings(tmp_path, cloud.environment(tmp_path, "not-a-secret"))


@contextlib.contextmanager
def fails(code: int) -> Iterator[list[str]]:
    """The three parts of the error that the block ends with."""
    told: list[str] = []
    with pytest.raises(PromthctlError) as caught:
        yield told
    error = caught.value
    told.append(f"{error.what}\n{error.why}\n{error.hint}")
    assert error.exit_code == code and TOKEN not in told[0] and error.hint


def resolve(settings: Settings) -> None:
    """Find the project and connect to it; nobody is there to type a password."""
    target = resolve_named(NamedTarget(project_ref=REF), settings, lambda _: None)
    with database.connect(target):
        pass


@pytest.mark.parametrize(
    ("env", "code", "said"),
    [
        ({"SUPABASE_ACCESS_TOKEN": "sbp_" + "f" * 40}, 4, "the token is wrong or has expired"),
        ({"SUPABASE_ACCESS_TOKEN": "not-a-token"}, 4, "it is not sbp_ and forty hexadecimal digits"),
        ({"SUPABASE_ACCESS_TOKEN": ""}, 3, "no Supabase access token"),
        ({"SUPABASE_DB_PASSWORD": "wrong-password"}, 4, "check SUPABASE_DB_PASSWORD, or reset"),
        ({"SUPABASE_PROFILE": "missing.yaml"}, 2, "profile cannot be used"),
        ({"PGSSLMODE": ""}, 4, "it offers no encrypted connection"),
    ],
)
def test_wrong_credentials_are_told_apart(shop: Project, env: dict[str, str], code: int, said: str) -> None:
    done = shop.run("push", "--project-ref", REF, "--yes", code=code, **env)
    assert said in done.stderr
    assert not [value for value in env.values() if len(value) > 12 and value in done.stdout]


API_FAULTS = {
    "an unknown reference": ("", Reply(404), "There is no project"),
    "an expired token": ("", Reply(401, {"message": "JWT expired"}), "HTTP 401 (JWT expired)"),
    "a token without rights": ("", Reply(403, {"message": "Forbidden resource"}), "does not permit that on project"),
    "too many requests": ("", Reply(429, headers={"Retry-After": "60"}), "it asks us to wait 60 seconds"),
    "too many requests, twice": ("", Reply(429, headers={"Retry-After": "0"}), "received too many requests"),
    "a broken API": ("", Reply(500, {"message": "Internal server error"}), "HTTP 500 (Internal server error)"),
    "a broken gateway": (POOLER, Reply(503, b"<html>"), "HTTP 503"),
    "a proxy's page": ("", Reply(200, b"<html>a proxy's page</html>"), "does not understand"),
    "a proxy's log-in": ("", Reply(302, headers={"Location": "https://login.invalid"}), "HTTP 302"),
    "a list": ("", Reply(200, []), "does not understand"),
    "a paused project": ("", Reply(200, {"name": "Shop", "status": "INACTIVE"}), "is paused"),
    "a project being restored": ("", Reply(200, {"name": "Shop", "status": "RESTORING"}), "is not ready"),
    "no pooler": (POOLER, Reply(200, []), "does not understand"),
    "a strange pooler": (POOLER, Reply(200, {"message": "text"}), "does not understand"),
}


@pytest.mark.parametrize("fault", API_FAULTS)
def test_the_api_s_faults_are_told_apart(here: Settings, cloud: Cloud, fault: str) -> None:
    path, reply, said = API_FAULTS[fault]
    cloud.fault(path, reply)
    with fails(4) as told:
        resolve(here)
    assert said in told[0]


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (Reply(403, {"message": "Forbidden resource"}), 3, "there is no temporary role (it answered HTTP 403"),
        (Reply(400, {"message": "permission denied to alter role"}), 3, "permission denied to alter role"),
        (Reply(201, {"role": "x"}), 4, "does not understand"),
        (Reply(500), 4, "HTTP 500"),
    ],
)
def test_why_there_is_no_temporary_role_is_told(
    here: Settings, cloud: Cloud, reply: Reply, code: int, said: str
) -> None:
    cloud.fault(LOGIN_ROLE, reply)
    with fails(code) as told:
        resolve(Settings(here.project_dir, {**here.env, "SUPABASE_DB_PASSWORD": ""}))
    assert said in told[0]


def test_a_short_rate_limit_is_waited_out(here: Settings, cloud: Cloud) -> None:
    cloud.fault("", Reply(429, headers={"Retry-After": "1"}, times=1))
    assert find_project(REF, here).name == "Shop"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://api.invalid"])
def test_an_api_out_of_reach_is_told(here: Settings, tmp_path: Path, url: str) -> None:
    (tmp_path / "profile.yaml").write_text(f"api_url: {url}\nproject_host: localhost\n")
    with fails(4) as told:
        resolve(here)
    assert f"Management API at {url} cannot be reached" in told[0] and "nothing answers there" in told[0]


@pytest.mark.parametrize("drip", [0.05, 30.0])
def test_an_api_that_answers_slowly_is_given_up(
    here: Settings, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, drip: float
) -> None:
    monkeypatch.setattr(management, "_SECONDS", 0.5)
    cloud.fault("", Reply(200, b"{" + b" " * 400 + b"}", drip=drip))
    with fails(4) as told:
        resolve(here)
    assert "did not answer within" in told[0]


REFUSALS = {
    "Tenant or user not found": "the pooler does not know this project or user",
    "(ENOTFOUND) tenant/user postgres.abc not found": "the pooler does not know this project or user",
    "SSL connection is required": "it accepts encrypted connections only",
    "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size": "are taken",
    "Max client connections reached": "all its connections are taken",
    "sorry, too many clients already": "all its connections are taken",
    "Address not in tenant allow_list: {127, 0, 0, 1}": "network restrictions",
    "Circuit breaker open: too many authentication failures, new connections are temporarily blocked": "two minutes",
    "the database system is starting up": "it is not ready",
}


@pytest.mark.parametrize("message", REFUSALS)
def test_what_the_pooler_says_is_explained(here: Settings, shop_cloud: CloudProject, message: str) -> None:
    with refusing_pooler(message) as shop_cloud.pooler, fails(4) as told:
        resolve(here)
    assert REFUSALS[message] in told[0] and message in told[0]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("127.0.0.1:1", "refused"),
        ("pooler.invalid:5432", "check the host"),
        ("[fe80::1]:5432", "has an IPv6 address only"),  # of no interface: nothing is sent
    ],
)
def test_a_pooler_out_of_reach_is_told(here: Settings, shop_cloud: CloudProject, place: str, said: str) -> None:
    shop_cloud.pooler = f"postgresql://postgres.{REF}:[YOUR-PASSWORD]@{place}/postgres"
    with fails(4) as told:
        resolve(here)
    assert f"Cannot connect to hosted project Shop ({REF}" in told[0] and said in told[0]


def test_a_pooler_that_says_nothing_is_given_up(
    here: Settings, shop_cloud: CloudProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_CONNECT_SECONDS", 2)  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as mute, fails(4) as told:
        shop_cloud.pooler = f"postgresql://postgres.{REF}@127.0.0.1:{mute.getsockname()[1]}/postgres"
        resolve(here)
    assert "timeout" in told[0]


def test_the_password_that_the_hint_asks_for_helps(here: Settings, cloud: Cloud) -> None:
    cloud.fault(LOGIN_ROLE, Reply(403, {"message": "Forbidden resource"}))
    with pytest.raises(PromthctlError) as raised:
        resolve(Settings(here.project_dir, {**here.env, "SUPABASE_DB_PASSWORD": ""}))
    assert "export SUPABASE_DB_PASSWORD" in told_by("resolve/database.py · _with_password", raised.value).hint
    assert resolve_named(NamedTarget(project_ref=REF), here, lambda _: None).password == "not-a-secret"
