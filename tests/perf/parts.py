"""The parts of a cold `local up`, one after another, as a plain script would run them with the same tools."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import psycopg

from promthctl import process, settings, toolchain
from promthctl.engines.embedded import system_user
from promthctl.engines.ports import free_port
from promthctl.steps import Silent
from promthctl.toolchain import node as nodejs
from tests.peers import CACHE

_LITE = ("@supabase/lite@0.10.0", "postgres@3.4.9")  # an API that a script could start; promthctl has its own
_ROLES = "create role anon; create role authenticated; create role service_role bypassrls"


def _lite() -> Path:
    """Supabase Lite's program, installed once beside the clients' suites. Needs the network."""
    home = CACHE / "lite"
    program = home / "node_modules" / "@supabase" / "lite" / "dist" / "cli" / "index.js"
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        npm = nodejs.find_node(settings.load(Path())).npm
        install = [*npm, "install", "--prefix", home, "--ignore-scripts", "--no-audit", "--no-fund", *_LITE]
        subprocess.run(install, check=True, capture_output=True)
    return program


def run_parts() -> float:
    """Seconds for initdb + PostgreSQL ready + Supabase Lite ready + `supabase db push` of the three migrations.

    What a script would have to add (the roles) is done, but not counted.
    """
    here = settings.load(Path())
    tools, user = toolchain.ensure(here, Silent()), system_user.postgres_user(here)
    folder = Path(tempfile.mkdtemp(prefix="parts-"))
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    if user is not None:
        os.chown(data, user.uid, user.gid)
    port, api_port, password = free_port(), free_port(), secrets.token_hex(8)
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o644)
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    running: list[process.ProcessId] = []
    spent = 0.0
    try:
        begin = time.perf_counter()
        initdb = [tools.postgres / "bin" / "initdb", "-D", data, "-U", "postgres", "-N", "--auth=scram-sha-256"]
        _checked(process.run([*initdb, f"--pwfile={folder / 'password'}"], cwd=Path("/"), user=user))
        server = [tools.postgres / "bin" / "postgres", "-D", data, "-c", f"port={port}"]
        server += ["-c", "unix_socket_directories="]
        running.append(_spawn(server, folder, user=user))
        _wait(lambda: "ready" in (data / "postmaster.pid").read_text())
        spent += time.perf_counter() - begin

        with psycopg.connect(url, password=password, autocommit=True) as connection:
            connection.execute(_ROLES)

        lite = _lite()
        begin = time.perf_counter()
        (folder / "config.toml").write_text(
            f'[api]\nport = {api_port}\n[db]\ndriver = "postgres"\n'
            f'url = "postgresql://postgres:{password}@127.0.0.1:{port}/postgres"\n[auth]\nenabled = true\n'
        )
        command = [tools.node, lite, "start", "--config", folder / "config.toml", "--no-admin"]
        running.append(_spawn(command, folder, LITE_TELEMETRY="0"))
        _wait(lambda: urllib.request.urlopen(f"http://127.0.0.1:{api_port}/auth/v1/health", timeout=1).status == 200)

        project = folder / "project"
        shutil.copytree(Path("supabase/migrations"), project / "supabase" / "migrations")
        (project / "supabase" / "config.toml").write_text('project_id = "parts"\n')
        push = [tools.supabase, "db", "push", f"--remote={url}", "--yes", "--workdir", project]
        quiet = {"PGPASSWORD": password, "PGSSLMODE": "disable", "DO_NOT_TRACK": "1"}
        _checked(process.run(push, env=here.child_env(**quiet), cwd=project))
        return spent + time.perf_counter() - begin
    finally:
        for identity in reversed(running):
            identity.end(signal.SIGINT)
        shutil.rmtree(folder, ignore_errors=True)


def _spawn(command: list[str | Path], folder: Path, user: process.RunAs | None = None, **env: str) -> process.ProcessId:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)} | env
    return process.spawn_detached(
        command, record=lambda _: None, log=folder / "log", env=environment, cwd=Path("/"), user=user
    )


def _wait(ready: object) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if callable(ready) and ready():
                return
        except OSError:
            pass
        time.sleep(0.01)
    raise TimeoutError("a part did not become ready")


def _checked(done: process.Completed) -> None:
    if done.code != 0:
        raise RuntimeError(done.stderr)
