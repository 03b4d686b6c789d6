"""The local stack's API against web pages of other sites, and against what it need not know."""

from __future__ import annotations

import os
import re

import httpx
import psutil
import pytest

from tests.promthctl_runner import Project
from tests.servers import Stack

_SECRET = "unknown-to-every-list-of-secrets"


@pytest.mark.parametrize(
    "path",
    [
        "/_promthctl/status",
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


ROWS = "/rest/v1/agent_logs?limit=1"
SQL = "/_promthctl/studio/sql"
ASKED = {"text": "select current_user"}
SECRET = "x-studio-secret"


def studio_link(stack: Stack) -> str:
    url: str = stack.project.json("local", "studio")["url"]
    assert url.startswith(f"{stack.api_url}/_promthctl/studio?token=")
    return url


def entered(stack: Stack) -> tuple[httpx.Client, dict[str, str]]:
    """A browser that Studio was opened in, and the headers that its page's requests have."""
    browser = httpx.Client(base_url=stack.api_url)
    answer = browser.get(studio_link(stack))
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 200 and {"HttpOnly", "SameSite=Strict", "Path=/"} < set(cookie.split("; "))
    assert answer.headers["cache-control"] == "no-store" and cookie.split(";")[0] not in answer.text
    found = re.search(r'<meta name="secret" content="([\w-]{43})">', answer.text)
    assert found is not None
    return browser, {"sec-fetch-site": "same-origin", "origin": stack.api_url, SECRET: found[1]}


def test_studio_opens_once_with_a_link(stack: Stack) -> None:
    link = studio_link(stack)
    browser = httpx.Client(base_url=stack.api_url)
    assert "promthctl local studio" in browser.get("/").text and browser.get("/").status_code == 401
    assert browser.head(link).status_code != 200
    assert "<a href" in browser.get(link).text
    page = browser.get("/")
    assert "/_promthctl/studio/main.js" in page.text and page.headers["x-frame-options"] == "DENY"
    assert {"default-src 'none'", "frame-ancestors 'none'"} < set(page.headers["content-security-policy"].split("; "))
    for name in re.findall(r'(?:src|href)="(/_[^"]+)"', page.text):
        assert browser.get(name).status_code == 200 and httpx.get(stack.api_url + name).status_code == 401
    other = httpx.get(link)
    assert other.status_code == 401 and "set-cookie" not in other.headers


def test_studio_serves_nobody_but_its_own_page(stack: Stack) -> None:
    browser, own = entered(stack)
    [result] = browser.post(SQL, json=ASKED, headers=own).json()["results"]
    assert result["rows"] == [["postgres"]]
    assert browser.get("/_promthctl/studio/users", headers=own).status_code == 200
    _, others = entered(stack)
    for name, values in {
        "sec-fetch-site": ("same-site", "cross-site", "none", ""),
        "origin": ("http://127.0.0.1:1", f"https://{own['origin'][7:]}", "null", ""),
        SECRET: ("", "x", others[SECRET]),  # who listens at another port is sent the cookie, and has no secret
    }.items():
        for value in values:
            given = own | {name: value}
            assert browser.post(SQL, json=ASKED, headers=given).status_code == 401, (name, value)
            assert browser.get("/_promthctl/studio/users", headers=given).status_code == 401, (name, value)
    assert browser.post(SQL, json=ASKED, headers={SECRET: own[SECRET]}).status_code == 401
    assert httpx.post(stack.api_url + SQL, json=ASKED, headers=own).status_code == 401
    for host in ("evil.example.com", f"127.0.0.1.evil.example.com:{browser.base_url.port}"):
        assert browser.post(SQL, json=ASKED, headers=own | {"host": host}).status_code == 421
        assert browser.get("/", headers={"host": host}).status_code == 421
    # Other doors than Studio's own stay what they are.
    for path in (ROWS, "/auth/v1/admin/users", "/storage/v1/bucket", "/_promthctl/status", "/graphql/v1", "/pg/query"):
        assert browser.get(path, headers=own).status_code == 401, path
    assert browser.post("/_promthctl/studio", headers=own).status_code == 401
    assert browser.get("/_promthctl/studio/auth/settings", headers=own).status_code == 404
    refused = browser.post(SQL, json=ASKED | {"role": "supabase_admin"}, headers=own).json()
    assert refused["results"] == [] and refused["error"]["message"]


@pytest.mark.parametrize("cookie", ["", "x", "=", "%00", "a" * 5000])
def test_a_made_up_cookie_or_link_opens_nothing(stack: Stack, cookie: str) -> None:
    name = f"promthctl_studio_{httpx.URL(stack.api_url).port}"
    headers = {"sec-fetch-site": "same-origin", "cookie": f"{name}={cookie}; {name}x=1", SECRET: cookie}
    assert httpx.post(stack.api_url + SQL, json=ASKED, headers=headers).status_code == 401
    assert "main.js" not in httpx.get(stack.api_url + "/", headers=headers).text
    link = f"{stack.api_url}/_promthctl/studio?token={cookie}"
    assert httpx.get(link).status_code == 401
    assert httpx.post(link, headers={"apikey": stack.anon_key}).status_code == 403


def test_a_page_that_a_function_makes_has_no_part_in_studio(stack: Stack) -> None:
    headers = {"apikey": stack.service_role_key}
    csv = httpx.get(stack.api_url + ROWS, headers=headers | {"accept": "text/csv"})
    assert "sandbox" in csv.headers["content-security-policy"]
    assert "content-security-policy" not in httpx.get(stack.api_url + ROWS, headers=headers).headers


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
@pytest.mark.parametrize("path", ["/rest/v1/agents?limit=1", "/auth/v1/signup", "/_promthctl/studio/sql"])
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
