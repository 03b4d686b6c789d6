"""Hosted projects: a loopback Management API stands for Supabase's, a real PostgreSQL for the project's database."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.promthctl_runner import Project
from tests.servers import Server

REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_" + "0123456789" * 4
MIGRATIONS = {
    "001_a.sql": "create table public.a (id int primary key);",
    "002_b.sql": "create table public.b (id int);",
}


@dataclass
class Cloud:
    """What the API answers: path → (status, body). asked: what it was asked, in order."""

    answers: dict[str, tuple[int, object]]
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def cloud(database_url: str) -> Iterator[Cloud]:
    """A project whose pooler is the fresh database."""
    place = urlsplit(database_url)
    pooler = f"postgresql://postgres:[YOUR-PASSWORD]@{place.hostname}:{place.port}{place.path}"
    root = f"/v1/projects/{REF}"
    state = Cloud(
        {
            root: (200, {"id": REF, "name": "Shop", "region": "eu-central-1", "status": "ACTIVE_HEALTHY"}),
            f"{root}/config/database/pooler": (200, [{"database_type": "PRIMARY", "connection_string": pooler}]),
        }
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            authorized = self.headers["Authorization"] == f"Bearer {TOKEN}"
            status, body = state.answers.get(self.path, (404, {})) if authorized else (401, {"message": "Unauthorized"})
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        state.url = f"http://127.0.0.1:{http.server_port}"
        yield state
        http.shutdown()


@pytest.fixture
def shop(make_project: Callable[..., Project], cloud: Cloud, server: Server, tmp_path: Path) -> Project:
    """A project folder set up for the hosted project."""
    profile = tmp_path / "profile.yaml"
    lines = ("name: loopback", f"api_url: {cloud.url}", f"dashboard_url: {cloud.url}")
    profile.write_text("\n".join([*lines, "project_host: localhost", "pooler_host: localhost", ""]))
    project = make_project(
        SUPABASE_PROFILE=str(profile),
        SUPABASE_ACCESS_TOKEN=TOKEN,
        SUPABASE_DB_PASSWORD=server.password,
        HOME=str(tmp_path),
    )
    (project.path / "sql").mkdir()
    for name, sql in MIGRATIONS.items():
        (project.path / "sql" / name).write_text(sql)
    (project.path / "pyproject.toml").write_text('[tool.promthctl]\nmigrations = "sql"\n')
    return project


def tables(database_url: str) -> list[str]:
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
        return [name for (name,) in rows.fetchall()]


def test_a_push_shows_the_project_and_applies_what_is_pending(shop: Project, database_url: str) -> None:
    done = shop.run("push", "--project-ref", REF, "--yes")
    assert done.stderr.startswith(f"Target: hosted project Shop ({REF}, eu-central-1)")
    assert tables(database_url) == ["a", "b"]
    assert "Nothing to do" in shop.run("push", "--project-ref", REF).stdout
    rows = shop.json("migrations", "list", "--project-ref", REF)
    assert [row["applied"] for row in rows] == [True, True]


def test_a_push_without_a_yes_changes_nothing(shop: Project, database_url: str) -> None:
    shop.run("push", "--project-ref", REF, code=5)
    assert tables(database_url) == []
    assert shop.json("push", "--project-ref", REF, "--dry-run")["pending"] == list(MIGRATIONS)
    assert tables(database_url) == []


def test_a_reset_asks_for_the_project_s_name(shop: Project, database_url: str) -> None:
    shop.run("push", "--project-ref", REF, "--yes")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("insert into a values (1)")
        for typed in ("", "postgres\n", f"{REF}\n"):
            shop.run("reset", "--project-ref", REF, "--yes", stdin=typed, code=5)
        assert connection.execute("select count(*) from a").fetchone() == (1,)
    shop.run("reset", "--project-ref", REF, stdin="Shop\n")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from a").fetchone() == (0,)


def test_verify_works_on_it(shop: Project) -> None:
    shop.run("push", "--project-ref", REF, "--yes")
    assert shop.json("verify", "--project-ref", REF, "--only", "tables")["ok"] is True


def test_the_login_of_the_supabase_cli_serves_too(shop: Project, tmp_path: Path) -> None:
    (tmp_path / ".supabase").mkdir()
    (tmp_path / ".supabase" / "access-token").write_text(TOKEN)
    shop.run("push", "--project-ref", REF, "--dry-run", SUPABASE_ACCESS_TOKEN="")


def test_what_is_no_reference_is_refused_before_any_call(shop: Project, cloud: Cloud) -> None:
    for ref in ("", "short", REF.upper(), REF + "x", "../../v1/organizat"):
        shop.run("push", "--project-ref", ref, code=2)
    assert cloud.asked == []


def test_targets_exclude_each_other(shop: Project, database_url: str) -> None:
    shop.run("push", "--project-ref", REF, "--db-url", database_url, code=2)
    shop.run("push", "--project-ref", REF, "--local", code=2)


@pytest.mark.parametrize(
    ("env", "code", "said"),
    [
        ({"SUPABASE_ACCESS_TOKEN": "sbp_" + "f" * 40}, 4, "refuses the access token"),
        ({"SUPABASE_ACCESS_TOKEN": "not-a-token"}, 4, "sbp_"),
        ({"SUPABASE_ACCESS_TOKEN": ""}, 3, "no Supabase access token"),
        ({"SUPABASE_DB_PASSWORD": ""}, 3, "no database password"),
        ({"SUPABASE_DB_PASSWORD": "wrong-password"}, 4, "Cannot connect to hosted project Shop"),
    ],
)
def test_wrong_credentials_are_told_apart(shop: Project, env: dict[str, str], code: int, said: str) -> None:
    done = shop.run("push", "--project-ref", REF, "--yes", code=code, **env)
    assert said in done.stderr
    assert not [value for value in env.values() if value and value in done.stdout + done.stderr]


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("", (404, {}), "There is no project"),
        ("", (500, {}), "HTTP 500"),
        ("", (200, b"<html>a proxy's page</html>"), "does not understand"),
        ("", (200, {"name": "Shop", "status": "INACTIVE"}), "is paused"),
        ("", (200, []), "does not understand"),
        ("/config/database/pooler", (200, []), "does not understand"),
        ("/config/database/pooler", (200, {"message": "text"}), "does not understand"),
        ("/config/database/pooler", (503, {}), "HTTP 503"),
    ],
)
def test_the_api_s_faults_are_told_apart(
    shop: Project, cloud: Cloud, path: str, answer: tuple[int, object], said: str
) -> None:
    cloud.answers[f"/v1/projects/{REF}{path}"] = answer
    assert said in shop.run("push", "--project-ref", REF, "--yes", code=4).stderr


def test_an_api_that_does_not_answer_is_exit_code_4(shop: Project, tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text("api_url: http://127.0.0.1:1\n")
    assert "nothing answers there" in shop.run("push", "--project-ref", REF, code=4).stderr
