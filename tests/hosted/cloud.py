"""A loopback stand-in for Supabase's cloud: its Management API, and poolers that lead to real databases.

One API serves any number of projects; each has a database of its own. promthctl finds the API through SUPABASE_PROFILE.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from tests.servers import Server

REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_" + "0123456789" * 4
_POLL = 0.01  # seconds that a server may take to notice its end


@dataclass
class Reply:
    """What the API answers. times: how often, before it answers as usual again. drip: seconds between the bytes."""

    status: int
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1_000
    drip: float = 0.0


@dataclass
class CloudProject:
    """A project. pooler: its connection string.

    ttl: how long a temporary role's password is said to hold, late: when the database learns it; both in seconds.
    """

    ref: str
    name: str
    region: str
    database: str
    pooler: str
    status: str = "ACTIVE_HEALTHY"
    ttl: int = 300
    late: float = 0.0

    @property
    def role(self) -> str:
        return f"cli_login_{self.ref}"  # for all databases of one server it cannot be cli_login_postgres


class Cloud:
    """The API. asked: method and path of each request, in order. faults: what it answers instead, by path."""

    def __init__(self, server: Server, url: str) -> None:
        self.url = url
        self.asked: list[str] = []
        self.faults: dict[str, Reply] = {}
        self.projects: dict[str, CloudProject] = {}
        self._server = server
        self._timers: list[threading.Timer] = []

    def add(self, database_url: str, ref: str = REF, name: str = "Shop", region: str = "eu-central-1") -> CloudProject:
        """A project whose pooler leads to that database, on the port that it has."""
        place = urlsplit(database_url)
        pooler = f"postgresql://postgres:[YOUR-PASSWORD]@{place.hostname}:{place.port}{place.path}"
        self.projects[ref] = CloudProject(ref, name, region, place.path.lstrip("/"), pooler)
        return self.projects[ref]

    def environment(self, folder: Path, password: str) -> dict[str, str]:
        """What a project folder needs to reach this cloud; the profile and an empty home are made in `folder`."""
        profile = folder / "profile.yaml"
        lines = ("name: loopback", f"api_url: {self.url}", f"dashboard_url: {self.url}")
        profile.write_text("\n".join([*lines, "project_host: localhost", "pooler_host: localhost", ""]))
        return {
            "SUPABASE_PROFILE": str(profile),
            "SUPABASE_ACCESS_TOKEN": TOKEN,
            "SUPABASE_DB_PASSWORD": password,
            "PGSSLMODE": "disable",  # the database speaks no TLS
            "HOME": str(folder),
        }

    def fault(self, path: str, reply: Reply, ref: str = REF) -> None:
        """Answer so to /v1/projects/REF{path}."""
        self.faults[f"/v1/projects/{ref}{path}"] = reply

    def answer(self, method: str, path: str, authorization: str | None) -> Reply:
        self.asked.append(f"{method} {path}")
        if (fault := self.faults.get(path)) and fault.times > 0:
            fault.times -= 1
            return fault
        if authorization != f"Bearer {TOKEN}":
            return Reply(401, {"message": "Unauthorized"})
        match = re.fullmatch(r"/v1/projects/([a-z]{20})(/.*)?", path)
        project = self.projects.get(match[1]) if match else None
        if match is None or project is None:
            return Reply(404, {"message": "Project not found"})
        if (method, match[2]) == ("GET", None):
            keys = ("ref", "name", "region", "status")
            return Reply(200, {"id": project.ref} | {key: getattr(project, key) for key in keys})
        if (method, match[2]) == ("GET", "/config/database/pooler"):
            return Reply(200, [{"database_type": "PRIMARY", "connection_string": project.pooler}])
        if (method, match[2]) == ("POST", "/cli/login-role"):
            return Reply(201, self._login_role(project))
        return Reply(404, {"message": f"Cannot {method} {path}"})

    def _login_role(self, project: CloudProject) -> dict[str, Any]:
        password = secrets.token_hex(16)
        role = sql.Identifier(project.role)
        change = sql.SQL("alter role {} password {}").format(role, password)
        with psycopg.connect(self._server.url(project.database, "supabase_admin"), autocommit=True) as admin:
            if not admin.execute("select 1 from pg_roles where rolname = %s", (project.role,)).fetchone():
                admin.execute(sql.SQL("create role {} login noinherit in role postgres").format(role))
            statement = change.as_string(admin)
            if not project.late:
                admin.execute(statement.encode())
        if project.late:
            self._timers.append(threading.Timer(project.late, self._execute, (project.database, statement)))
            self._timers[-1].start()
        return {"role": project.role, "password": password, "ttl_seconds": project.ttl}

    def _execute(self, database: str, statement: str) -> None:
        with psycopg.connect(self._server.url(database, "supabase_admin"), autocommit=True) as admin:
            admin.execute(statement.encode())

    def end(self) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()


@contextmanager
def running_cloud(server: Server) -> Iterator[Cloud]:
    """A cloud without projects, whose databases are on that server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = cloud.answer(self.command, self.path, self.headers["Authorization"])
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # the other side may have given up
                for byte in (data[place : place + 1] for place in range(len(data))) if reply.drip else (data,):
                    self.wfile.write(byte)
                    time.sleep(reply.drip)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        cloud = Cloud(server, f"http://127.0.0.1:{http.server_port}")
        threading.Thread(target=http.serve_forever, args=(_POLL,), daemon=True).start()
        try:
            yield cloud
        finally:
            http.shutdown()
            cloud.end()


@contextmanager
def refusing_pooler(message: str, code: str = "XX000") -> Iterator[str]:
    """The connection string of a pooler that speaks no TLS and refuses every connection with a message."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while (size := self._read(4)) and (body := self._read(int.from_bytes(size, "big") - 4)):
                if int.from_bytes(body[:4], "big") in (80877103, 80877104):  # asks for TLS, for GSS
                    self.request.sendall(b"N")
                    continue
                fields = b"".join(f"{key}{text}\0".encode() for key, text in _fields(message, code)) + b"\0"
                self.request.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
                return

        def _read(self, size: int) -> bytes:
            with contextlib.suppress(OSError):
                return bytes(self.request.recv(size, socket.MSG_WAITALL))
            return b""

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
        threading.Thread(target=listener.serve_forever, args=(_POLL,), daemon=True).start()
        try:
            yield f"postgresql://postgres.{REF}:[YOUR-PASSWORD]@127.0.0.1:{listener.server_address[1]}/postgres"
        finally:
            listener.shutdown()


def _fields(message: str, code: str) -> Iterator[tuple[str, str]]:
    """Of an ErrorResponse: https://www.postgresql.org/docs/current/protocol-error-fields.html"""
    yield from (("S", "FATAL"), ("V", "FATAL"), ("C", code), ("M", message))
