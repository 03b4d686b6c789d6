"""`self check-update` against a package index on loopback."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from promthctl import __version__
from promthctl.doctor import updates
from tests.hints import told
from tests.promthctl_runner import Project

NEWER, ASKED = "9.1.0", "promthctl self check-update"
FILES = [f"promthctl-{version}-py3-none-any.whl" for version in (__version__, NEWER, "9.0", "10.0rc1")]
JSON = json.dumps({"files": [{"filename": name} for name in FILES]}).encode()
YANKED = json.dumps({"files": [{"filename": name, "yanked": NEWER in name} for name in FILES]}).encode()
HTML = "".join(f'<a href="x">{name}</a>\n' for name in FILES).encode()


@contextmanager
def index(answer: bytes, code: int = 200) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Its address, and the path and Authorization of each request."""
    asked: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization")))
            self.send_response(code)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}/simple", asked
        finally:
            server.shutdown()


@pytest.mark.parametrize(("answer", "newest"), [(JSON, NEWER), (HTML, NEWER), (YANKED, "9.0")])
def test_the_newest_release_is_told_with_what_installs_it(project: Project, answer: bytes, newest: str) -> None:
    with index(answer) as (address, asked):
        result = project.json("self", "check-update", PIP_INDEX_URL=f"http://{address}/")
        shown = project.run("self", "check-update", PIP_INDEX_URL=f"http://{address}/").stdout
    assert (result["newest"], result["installed"]) == (newest, __version__)
    assert result["command"].endswith(f"install promthctl=={newest}") and result["command"] in shown
    assert f"http://{address}" in shown and "PIP_INDEX_URL" in shown
    assert asked == [("/simple/promthctl/", None)] * 2


def test_the_same_version_is_as_new(project: Project) -> None:
    with index(json.dumps({"files": [{"filename": FILES[0]}]}).encode()) as (address, _):
        told_now = project.run("self", "check-update", UV_DEFAULT_INDEX=f"http://{address}", PIP_INDEX_URL="").stdout
    assert f"promthctl {__version__} is as new" in told_now and "UV_DEFAULT_INDEX" in told_now


def test_credentials_are_sent_and_not_shown(project: Project) -> None:
    with index(JSON) as (address, asked):
        done = project.run("self", "check-update", PIP_INDEX_URL=f"http://me:made-up-word@{address}")
    assert "made-up-word" not in done.stdout + done.stderr
    assert asked[0][1] == f"Basic {base64.b64encode(b'me:made-up-word').decode()}"


def test_a_project_does_not_choose_the_index(project: Project) -> None:
    with index(JSON) as (address, asked), index(JSON) as (other, wrong):
        (project.path / ".env").write_text(f"UV_DEFAULT_INDEX=http://{other}\nPIP_INDEX_URL=http://{other}\n")
        project.run("self", "check-update", UV_INDEX_URL=f"http://{address}")
    assert len(asked) == 1 and wrong == []


def test_no_other_command_asks(project: Project) -> None:
    with index(JSON) as (address, asked):
        for words in (("--version",), ("local", "status"), ("doctor",), ("cache", "list"), ()):
            project.run(*words, code=None, PIP_INDEX_URL=f"http://{address}")
    assert asked == []


def test_an_index_that_does_not_answer_is_named(project: Project) -> None:
    failed = project.run("self", "check-update", code=4, PIP_INDEX_URL="http://127.0.0.1:1/simple")
    error = told("doctor/updates.py · _no_answer", failed.stderr)
    assert "http://127.0.0.1:1/simple (PIP_INDEX_URL)" in error.why
    ask_as_told(project, error.hint)


def test_an_address_that_is_none_is_refused(project: Project) -> None:
    failed = project.run("self", "check-update", code=2, PIP_INDEX_URL="file:///nowhere/simple")
    ask_as_told(project, told("doctor/updates.py · _ask", failed.stderr).hint)


def ask_as_told(project: Project, hint: str) -> None:
    assert hint.endswith(f"PIP_INDEX_URL=URL {ASKED}")
    with index(JSON) as (address, asked):
        project.run("self", "check-update", PIP_INDEX_URL=f"http://{address}")
    assert asked


def test_the_files_of_pip_are_asked_where_no_variable_says_it(project: Project) -> None:
    file = project.path / "pip.conf"
    with index(JSON) as (address, asked):
        file.write_text(f"[global]\nindex-url = http://{address}\n")
        empty = dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"), "")
        result = project.json("self", "check-update", **empty, PIP_CONFIG_FILE=str(file))
    assert asked and (result["index"], result["named_by"]) == (f"http://{address}", "pip's configuration")


@pytest.mark.parametrize(("answer", "code"), [(b"", 404), (b'{"files": []}', 200), (b"<html>", 200)])
def test_an_index_without_promthctl_is_said(project: Project, answer: bytes, code: int) -> None:
    with index(answer, code) as (address, _):
        failed = project.run("self", "check-update", code=1, PIP_INDEX_URL=f"http://{address}")
    assert "lists no release" in told("doctor/updates.py · check_update", failed.stderr).why


def test_the_default_is_what_pip_says_of_itself() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--help"], capture_output=True, text=True, check=True
    )
    assert updates._default().startswith("https://") and updates._default() in told.stdout
