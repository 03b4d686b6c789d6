"""No secret leaves promthctl where it should not: every command is run with known ones, and everything searched.

Searched are standard output and error, also of failures and with --verbose and --json, the arguments of every child
and grandchild, the project's folder with its state, logs and reports, and the database's own files.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import psycopg
import pytest
import typer

from promthctl.engines.embedded import system_user
from promthctl.settings import Settings
from tests.loopback_api import api
from tests.loopback_project import REF, TOKEN, hosted
from tests.promthctl_runner import REPOSITORY, Project
from tests.servers import Server, Stack, fresh_database

# Runs in every Python that promthctl is: tells the arguments of each program it starts.
AUDIT = """
import json, os, sys
def tell(event, arguments):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
        with open(os.environ["PROMTHCTL_TEST_AUDIT"], "a", encoding="utf-8") as file:
            file.write(json.dumps([event, *map(str, arguments[:2])]) + "\\n")
sys.addaudithook(tell)
"""
# Raises what an unforeseen exception could hold, at a place each command comes by.
BUG = """
from promthctl import settings
def load(*given):
    loaded = original(*given)
    raise RuntimeError("unforeseen " + " ".join(loaded.env[name] for name in loaded.env["NAMES"].split(",")))
original, settings.load = settings.load, load
from promthctl.cli import main
main()
"""


@dataclass
class Canaries:
    """Commands run with known secrets, and where these were found. given: what the user gave. own: the stack's."""

    project: Project
    given: dict[str, str]
    audit: Path
    own: dict[str, str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    commands: set[tuple[str, ...]] = field(default_factory=set)

    def run(self, *words: str, stdin: str = "", json: bool = False, **env: str) -> None:
        """Run a command with --verbose, and if wanted with --json; it may fail, it may not leak or break."""
        self.commands |= {words[:1], words[:2]}
        for extra in ["--verbose"] + ["--json"] * json:
            done = self.project.run(*words, extra, code=None, stdin=stdin, **env)
            assert done.returncode in (0, 1, 2, 3, 4, 5), done.stderr
            self.search(done.stdout, f"{words} {extra} stdout")
            self.search(done.stderr, f"{words} {extra} stderr")

    def search(self, text: str, place: str, *, own: bool = True) -> None:
        known = self.given | (self.own if own else {})
        self.found += [f"{name} in {place}" for name, value in known.items() if value in text]

    def search_files(self, root: Path, own: bool, skipped: tuple[str, ...] = ()) -> None:
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.name not in skipped:
                self.search(path.read_bytes().decode("latin-1"), str(path), own=own)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look at the arguments of all processes again and again, and in the end at what the audit wrote."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.2):  # the audit has all of them; this sees those of other programs, too
                for process in psutil.process_iter(["cmdline"]):
                    words = process.info["cmdline"] or []
                    if "promthctl" not in words:  # what the test itself types
                        self.search(" ".join(words), f"arguments {words[:1]}")

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
        lines = self.audit.read_text(encoding="utf-8").splitlines()
        assert len(lines) > 10
        for line in lines:
            self.search(json.loads(line)[2], f"arguments {line[:40]}")


def canary(name: str) -> str:
    return f"canary-{name}-{secrets.token_hex(8)}"


def every_command() -> set[tuple[str, ...]]:
    """The commands of promthctl, as they are typed."""
    from promthctl.cli import Commands, app

    def leaves(group: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        children = getattr(group, "commands", None)
        if not children:
            yield path
        for name, child in (children or {}).items():
            if path == () and name in Commands.lazy:
                module = __import__(f"promthctl.cli.{Commands.lazy[name][0]}", fromlist=["app"])
                child = typer.main.get_command(module.app)
            yield from leaves(child, (*path, name))

    return set(leaves(typer.main.get_command(app), ()))


@pytest.fixture
def canaries(make_project: Callable[..., Project], tmp_path: Path) -> Canaries:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "sitecustomize.py").write_text(AUDIT)
    given = {f"VANCHIN_API_KEY_{n}": canary(f"key-{n:02d}") for n in range(1, 15)}
    given |= {name: canary(name.lower()) for name in ("ENCRYPTION_SECRET", "NEW_SECRET", "SUPABASE_DB_PASSWORD")}
    given |= {"OPENAI_API_KEY": f"sk-{canary('openai')}", "SUPABASE_ACCESS_TOKEN": TOKEN}
    given["replacement"] = f"Canary{secrets.token_hex(20)}"  # a key's length: only that tells it from a name
    endpoints = {f"VANCHIN_ENDPOINT_{n}": f"ep-canary{n}-1234" for n in range(1, 15)}
    environment = {name: value for name, value in given.items() if name != "replacement"} | endpoints
    project = make_project(
        PYTHONPATH=str(tmp_path / "audit"), PROMTHCTL_TEST_AUDIT=str(tmp_path / "argv.jsonl"), HOME=str(tmp_path)
    )
    file = project.path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in environment.items()))
    file.chmod(0o600)
    return Canaries(project, given, tmp_path / "argv.jsonl")


@pytest.mark.timeout(600)
def test_no_secret_is_found_anywhere(canaries: Canaries, server: Server) -> None:
    project, run = canaries.project, canaries.run
    with canaries.watching(), fresh_database(server) as other:
        run("local", "up", "--api-port", "0", "--db-port", "0")
        access = project.env()
        canaries.own = {
            "SUPABASE_SERVICE_ROLE_KEY": access["SUPABASE_SERVICE_ROLE_KEY"],
            "the stack's password": str(urlsplit(access["SUPABASE_DB_URL"]).password),
        }
        user = str(uuid4())
        with psycopg.connect(access["SUPABASE_DB_URL"], autocommit=True) as connection:
            connection.execute(
                "insert into auth.users (id, email, created_at, updated_at) values (%s, %s, now(), now())",
                [user, "canary@example.com"],
            )
        with api() as provider:
            url = f"{provider.url}/v1"
            run("seed", "vanchin", "--user", user, "--dry-run")
            run("seed", "vanchin", "--user", user, VANCHIN_BASE_URL=url, json=True)
            run("seed", "keys", "--provider", "openai", "--user", user, OPENAI_BASE_URL=url)
            run("seed", "vanchin", "--user", user, VANCHIN_API_KEY_3="ep-canary3-1234")
            run("seed", "vanchin", "--user", user, "--keys", str(project.path / ".env"))
            run("keys", "list", json=True)
            run("keys", "check", json=True)
            run("keys", "check", "--live", "--allow-host", "127.0.0.1", json=True)
            assert len(provider.asked) >= 15
        run("keys", "replace", "3", stdin=canaries.given["replacement"], json=True)
        run("keys", "replace", canaries.given["replacement"], stdin="x")
        run("keys", "list", "--user", canaries.given["OPENAI_API_KEY"])
        run("keys", "rotate", "--new-secret-env", canaries.given["OPENAI_API_KEY"])
        run("keys", "rotate", "--new-secret-env", "NEW_SECRET", json=True)
        run("keys", "check")  # all fail now: the old secret opens none
        run("keys", "remove", "4")
        run("migrations", "list", json=True)
        run("migrations", "sync")
        password = {"SUPABASE_DB_PASSWORD": server.password}
        canaries.own |= {"the database's password": server.password}
        bare = other.replace(f":{server.password}@", "@")
        run("push", "--db-url", bare, "--dry-run", **password)
        run("push", "--db-url", other, "--yes")
        run("push", "--db-url", bare, "--yes", json=True)  # the wrong password
        run("reset", "--db-url", bare, "--yes", **password)
        run("keys", "list", "--db-url", bare)
        run("verify", "--only", "tables", "--report", "report.html", json=True)
        run("verify", "--only", "tables", "--db-url", bare)
        stack = Stack(project, access)
        with hosted(stack) as cloud:
            profile = {"SUPABASE_PROFILE": cloud.profile(project.path), "SUPABASE_URL": cloud.url}
            canaries.given["sb_secret"] = "sb_secret_FAKEfake0123456789abcdef_01234567"
            run("keys", "list", "--project-ref", REF, json=True, **profile)
            run("keys", "remove", "--all", "--project-ref", REF, "--yes", **profile)
            cloud.status = 403
            run("keys", "list", "--project-ref", REF, **profile)
            run("push", "--project-ref", REF, "--yes", **profile)
        canaries.search_files(project.path, own=False, skipped=(".env",))
        canaries.search_files(project.path / "supabase", own=True)
        canaries.search_files(project.path / ".promthctl" / "logs", own=True)
        run("local", "status", json=True)
        run("local", "logs", json=True)
        run("local", "reset")
        project.run("local", "env")  # prints what it is asked for
        run("local", "env", "--write", ".env.local", json=True)
        for words in sorted(every_command() - canaries.commands):
            run(*words)
        run("local", "down")
    here = Settings(project.path, {})
    keys = {name: value for name, value in canaries.given.items() if "API_KEY" in name or name == "replacement"}
    files = Canaries(project, keys, canaries.audit)
    files.search_files(system_user.data_home(here, here.project_id), own=False)
    assert canaries.found + files.found == []


def test_the_search_finds_what_it_should(canaries: Canaries) -> None:
    """Each way of the search on a secret that is really there."""
    value = canaries.given["ENCRYPTION_SECRET"]
    canaries.search(f"x {value} y", "text")
    canaries.search_files(canaries.project.path, own=False)
    sleep = "import time; time.sleep(1)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{sleep}', sys.argv[1]])"
    canaries.audit.write_text('["", "", ""]\n' * 11)
    with canaries.watching():
        environment = canaries.project.environment()
        subprocess.run([sys.executable, "-c", program, value], env=environment, check=True)
    places = {re.sub(r"[\[/].*", "", found.partition(" in ")[2]).strip() for found in canaries.found}
    assert places == {"text", "", "arguments"}
    assert sum(value in line for line in canaries.audit.read_text().splitlines()) == 1


def test_an_unforeseen_exception_shows_no_secret(canaries: Canaries) -> None:
    names = ",".join(name for name in canaries.given if name not in ("replacement", "NEW_SECRET"))
    command = [sys.executable, "-c", BUG, "-C", str(canaries.project.path), "migrations", "list", "--verbose"]
    done = subprocess.run(
        command,
        env=canaries.project.environment(NAMES=names),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "promthctl has a bug" in done.stderr and "unforeseen ****" in done.stderr
    canaries.search(done.stdout + done.stderr, "the traceback")
    assert canaries.found == []


def wide(root: Path) -> list[str]:
    """What others than its owner can read under a folder."""
    paths = [root, *root.rglob("*")]
    return [str(path) for path in paths if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_files_with_secrets_are_for_their_owner_alone_also_where_they_were_not(running: Project) -> None:
    state = running.path / ".promthctl"
    running.run("seed", "vanchin", "--demo", ENCRYPTION_SECRET=canary("secret"))
    assert wide(state) == []
    report, env = running.path / "report.html", running.path / ".env.local"
    for file in (report, env):
        file.write_text("")
    for path in (state, *state.rglob("*"), report, env):
        path.chmod(0o777 if path.is_dir() else 0o666)
    running.up()
    running.run("verify", "--only", "tables", "--report", "report.html")
    running.run("local", "env", "--write", ".env.local")
    assert wide(state) + wide(report) + wide(env) == []
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_an_env_file_others_may_read_is_warned_about_once_and_only_with_secrets(project: Project) -> None:
    file = project.path / ".env"
    said = f"warning: {file} can be read by other users of this machine: chmod 600 {file}"

    def warnings() -> int:
        return project.run("migrations", "list", code=None).stderr.count(said)

    assert warnings() == 0  # there is none
    file.write_text("PROMTHCTL_CACHE_DIR=\nENCRYPTION_SECRET=\n")
    file.chmod(0o644)
    assert warnings() == 0
    file.write_text("ENCRYPTION_SECRET=fake-secret-of-a-test\n")
    assert warnings() == 1
    file.chmod(0o640)
    assert warnings() == 1
    file.chmod(0o600)
    assert warnings() == 0
