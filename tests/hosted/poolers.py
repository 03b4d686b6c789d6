"""A real PgBouncer before a test's server, in any of its modes: the Debian package pgbouncer, https://www.pgbouncer.org."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import psycopg
import pytest

from promthctl.engines.ports import free_port
from tests.servers import Server

REQUIRED = "PROMTHCTL_REQUIRE_PGBOUNCER"
Mode = Literal["session", "transaction", "statement"]


def pgbouncer() -> str:
    """The program. Skips the test where it is not installed; fails it where it has to run, as in .ci/run."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        why = "pgbouncer is not installed: apt-get install pgbouncer"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{why} ({REQUIRED}=1)", pytrace=False)
        pytest.skip(why)
    return found


@contextmanager
def pooler(folder: Path, server: Server, mode: Mode, *lines: str) -> Iterator[Server]:
    """A pooler of `server` in that mode, as the server that it looks like. lines: more of its [pgbouncer] section."""
    program, port = pgbouncer(), free_port()
    users = folder / "users.txt"
    users.write_text(f'"postgres" "{server.password}"\n')
    config = folder / "pgbouncer.ini"
    own = ["listen_addr = 127.0.0.1", f"listen_port = {port}", "unix_socket_dir =", f"pool_mode = {mode}"]
    own += ["auth_type = scram-sha-256", f"auth_file = {users}", *lines]
    if os.geteuid() == 0:  # which it refuses to stay
        own.append("user = nobody")
    config.write_text("\n".join(["[databases]", f"* = host=127.0.0.1 port={server.port}", "[pgbouncer]", *own, ""]))
    with (folder / "pgbouncer.log").open("w") as log:
        running = subprocess.Popen([program, str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        behind = Server(port, server.password)
        _wait(behind, running, folder / "pgbouncer.log")
        yield behind
    finally:
        running.kill()
        running.wait()


def _wait(behind: Server, running: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert running.poll() is None, log.read_text()
        try:
            psycopg.connect(behind.url("postgres")).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"pgbouncer does not answer: {log.read_text()}")
