"""The embedded engine's REST and Auth on a database of their own: the server's program on one of the bare server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from promthctl.engines.embedded.api import NODE_OPTIONS
from promthctl.engines.embedded.auth_settings import auth_settings
from promthctl.engines.embedded.program import server_program
from promthctl.engines.embedded.storage_settings import storage_settings
from promthctl.engines.ports import free_port
from promthctl.toolchain import Toolchain

SECRET = "fake-secret-of-a-test-that-signs-tokens"


def token(*, _secret: str = SECRET, **claims: Any) -> str:
    """A JWT that the server takes, or does not."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    made = hmac.new(_secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """Numbers exactly as they were written."""
        return json.loads(self.text, parse_float=Decimal)


@dataclass
class Rest:
    """A running server. db_url: its database, as postgres."""

    port: int
    db_url: str
    anon_key: str
    service_key: str
    pid: int
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def auth(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        """One request to Auth."""
        return self._ask(method, f"/auth/v1{path}", body, key, headers)

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        """One request. body: text as it is, anything else as JSON. headers: content_type="text/csv"."""
        return self._ask(method, f"/rest/v1{path}", body, key, headers)

    def _ask(self, method: str, path: str, body: Any, key: str | None, headers: dict[str, str]) -> Answer:
        sent = {"apikey": key or self.service_key} | {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, str | bytes) else json.dumps(body)
        if data is not None and "content-type" not in sent:
            sent["content-type"] = "application/json"
        self._connection.request(method, path, data.encode() if isinstance(data, str) else data, sent)
        answer = self._connection.getresponse()
        text = answer.read().decode(errors="replace")
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)

    def until(self, method: str, path: str, status: int = 200, **headers: str) -> Answer:
        """Ask until the answer has the status: the server hears of a change of the schema soon, not at once."""
        deadline = time.monotonic() + 20
        while (answer := self.ask(method, path, **headers)).status != status:
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)
        return answer


@contextmanager
def rest_server(
    db_url: str,
    tools: Toolchain,
    *,
    auth: dict[str, Any] | None = None,
    secret: str = SECRET,
    mail_file: Path | None = None,
    storage: dict[str, Any] | None = None,
    folder: Path | None = None,
    signing_keys: list[dict[str, Any]] | None = None,
    **api: Any,
) -> Iterator[Rest]:
    """A server of the database. api, auth: what these tables of config.toml would say, e.g. schemas=["public"]."""
    parts = urlsplit(db_url)
    anon, service = token(_secret=secret, role="anon"), token(_secret=secret, role="service_role")
    port = free_port()
    configuration: dict[str, Any] = {
        "project": "test",
        "program": "test",
        "port": port,
        "db": {
            "host": "127.0.0.1",
            "port": parts.port,
            "database": parts.path[1:],
            "password": parts.password,
        },
        "password": parts.password,
        "jwtSecret": secret,
        "signingKeys": signing_keys or [],
        "anonKey": anon,
        "serviceKey": service,
        "url": f"http://127.0.0.1:{port}",
        "auth": auth_settings({"auth": auth or {}}),
        "storage": storage_settings({"storage": storage or {}}) | {"folder": str(folder)},
        "mailFile": None if mail_file is None else str(mail_file),
        "origins": [],
        "rest": {"enabled": True, "schemas": ["public"], "extraSearchPath": ["extensions"], "maxRows": None} | api,
    }
    server = subprocess.Popen(
        [tools.node, *NODE_OPTIONS, "-"],
        cwd=tools.root,
        env={"PATH": os.defpath, "TZ": "UTC", "PROMTHCTL_API": json.dumps(configuration)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        assert server.stdin is not None
        server.stdin.write(server_program().encode())
        server.stdin.close()
        rest = Rest(port, db_url, anon, service, server.pid)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                # The status makes it listen for changes of the schema.
                rest._connection.request("GET", "/_promthctl/status", headers={"apikey": service})
                if (answer := rest._connection.getresponse()).read() and answer.status == 200:
                    break
            rest._connection.close()
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        yield rest
    finally:
        server.terminate()
        server.wait(timeout=10)
