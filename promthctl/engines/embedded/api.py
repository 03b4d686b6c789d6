"""The API server: server.mjs on the toolchain's Node.js, started, watched and asked over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from promthctl import process
from promthctl.engines.embedded.records import EmbeddedStack
from promthctl.errors import PromthctlError
from promthctl.process import ProcessId
from promthctl.settings import Settings
from promthctl.toolchain import Toolchain

_READY_SECONDS = 60.0
_ASK_SECONDS = 5.0


@dataclass(frozen=True)
class ServerStatus:
    """What the server says of itself. applied: the versions in the migration history.

    current: it runs this promthctl's server.mjs, not that of an earlier version.
    """

    pid: int
    applied: tuple[str, ...]
    current: bool


def start(
    stack: EmbeddedStack,
    tools: Toolchain,
    settings: Settings,
    log: Path,
    record: Callable[[ProcessId], None],
) -> ProcessId:
    """Start the server; it answers 503 until the database is up."""
    configuration = {
        "project": stack.project,
        "program": _fingerprint(),
        "port": stack.api_port,
        "db": {
            "host": "127.0.0.1",
            "port": stack.db_port,
            "database": "postgres",
            "password": stack.internal_password,
        },
        "jwtSecret": stack.jwt_secret,
        "anonKey": stack.anon_key,
        "serviceKey": stack.service_role_key,
        "siteUrl": f"http://127.0.0.1:{stack.api_port}",
    }
    with as_file(files(__package__) / "server.mjs") as script:
        # The program comes on standard input, so that its bare imports resolve in the toolchain's folder.
        return process.spawn_detached(
            [tools.node, "--input-type=module", "-", _marker(stack.project)],
            record=record,
            log=log,
            env=settings.child_env(PROMTHCTL_API=json.dumps(configuration), LITE_TELEMETRY="0", DO_NOT_TRACK="1"),
            cwd=tools.root,
            stdin=script,
        )


def wait(server: ProcessId, stack: EmbeddedStack, log: Path) -> ServerStatus:
    """Return the first good answer; raise with the last log lines when the server ended instead."""
    deadline = time.monotonic() + _READY_SECONDS
    while (answer := ask_status(stack)) is None:
        if not server.alive() or time.monotonic() > deadline:
            raise PromthctlError(
                "The API server did not start",
                "\n".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-6:]),
                "promthctl local logs api, then promthctl local up",
            )
        time.sleep(0.01)
    return answer


def ask_status(stack: EmbeddedStack) -> ServerStatus | None:
    """The server's own status, None while this project's server does not answer at its port."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", stack.api_port, timeout=_ASK_SECONDS)
    with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException, ValueError, KeyError, TypeError):
        connection.request("GET", "/_promthctl/status", headers={"apikey": stack.service_role_key})
        response = connection.getresponse()
        body = json.loads(response.read())
        if response.status == 200 and body["project"] == stack.project:
            return ServerStatus(int(body["pid"]), tuple(body["applied"]), body.get("program") == _fingerprint())
    return None


def find_server(project: str) -> ProcessId | None:
    """The server of a project, found by its command line when its record is lost."""
    found = process.find_processes(lambda argv, _: argv[-1] == _marker(project) and "--input-type=module" in argv)
    return found[0] if found else None


def stop(server: ProcessId) -> None:
    server.end(signal.SIGTERM, grace=5.0)


def _marker(project: str) -> str:
    return f"promthctl-api:{project}"


def _fingerprint() -> str:
    """A hash of the program that a server started now would run."""
    return hashlib.sha256((files(__package__) / "server.mjs").read_bytes()).hexdigest()[:16]
