"""The local stack's API against web pages of other sites, and against what it need not know."""

from __future__ import annotations

import os

import httpx
import psutil
import pytest

from tests.promthctl_runner import Project
from tests.servers import Stack

_SECRET = "unknown-to-every-list-of-secrets"


@pytest.mark.parametrize(
    "path",
    [
        "/_system/info",
        "/_system/introspect",
        "/_system/%69nfo",
        "/_other",
        "/rest/v1/",
        "/auth/v1/settings",
        "/graphql/v1",
    ],
)
def test_what_is_no_page_needs_a_key(stack: Stack, path: str) -> None:
    assert httpx.get(stack.api_url + path).status_code == 401
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert httpx.get(stack.api_url + path, headers=elsewhere).status_code == 401
    assert httpx.get(stack.api_url + path, headers={"apikey": stack.anon_key}).status_code != 401
    of_its_length = "é".encode("latin-1") + b"x" * (len(stack.anon_key) - 1)
    assert httpx.get(stack.api_url + path, headers={"apikey": of_its_length}).status_code == 401


def test_studio_opens_in_a_browser(stack: Stack) -> None:
    assert "<html" in httpx.get(stack.api_url + "/").text.lower()
    info = httpx.get(stack.api_url + "/_system/info", headers={"sec-fetch-site": "same-origin"}).json()
    assert info["config"]["auth"]["publishable_key"] == stack.anon_key


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
@pytest.mark.parametrize(
    ("origin", "may"),
    [
        ("http://localhost:3000", True),
        ("http://127.0.0.1:5173", True),
        ("http://app.localhost", True),
        ("https://evil.example.com", False),
        ("http://localhost.evil.example.com", False),
        ("http://evil.example.com:3000#localhost", False),
        ("null", False),
    ],
)
@pytest.mark.parametrize("path", ["/rest/v1/agents?limit=1", "/auth/v1/signup", "/_system/info"])
def test_only_pages_of_this_machine_may_read_an_answer(
    stack: Stack, path: str, origin: str, may: bool, method: str
) -> None:
    headers = {"origin": origin, "apikey": stack.anon_key, "access-control-request-method": "POST"}
    answer = httpx.request(method, stack.api_url + path, headers=headers, content=b"" if method != "GET" else None)
    assert answer.headers.get("access-control-allow-origin") == (origin if may else None)


def test_the_server_knows_nothing_of_our_environment(make_project: object) -> None:
    project: Project = make_project(FOREIGN_THING=_SECRET)  # type: ignore[operator]
    (project.path / "supabase").mkdir()
    (project.path / "supabase" / "config.toml").write_text('[auth]\nsite_url = "https://App.Example.com/welcome"\n')
    project.up()
    pid = project.json("local", "status")["services"][1]["pid"]
    server = psutil.Process(pid)
    assert _SECRET not in "".join(server.environ().values())
    if os.geteuid() == 0:
        assert server.uids().effective != 0
    headers = {"origin": "https://app.example.com"}
    answer = httpx.get(project.env()["SUPABASE_URL"] + "/", headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"


@pytest.mark.parametrize("path", ["/functions/v1/hello", "/realtime/v1/websocket?vsn=1.0.0", "/graphql/v1"])
def test_a_service_that_is_not_there_says_which_engine_has_it(stack: Stack, path: str) -> None:
    upgrade = {"upgrade": "websocket", "connection": "Upgrade"} if "websocket" in path else {}
    answer = httpx.get(stack.api_url + path, headers={"apikey": stack.anon_key} | upgrade)
    assert answer.status_code == 501
    assert "--engine docker" in answer.json()["hint"]


@pytest.mark.parametrize("path", ["/%72est/v1/agents", "/rest/v2/agents", "/rest//v1/agents", "/rest/v1%2Fagents"])
def test_no_spelling_of_a_path_reaches_another_rest(stack: Stack, path: str) -> None:
    answer = httpx.get(stack.api_url + path, headers={"apikey": stack.service_role_key})
    assert answer.status_code == 404
