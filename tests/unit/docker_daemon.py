"""A daemon to talk to where none runs: what it answers is said beforehand. The SDK's real client talks to it."""

from __future__ import annotations

import contextlib
import json
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class Stream(bytes):
    """Sent in chunks."""


@dataclass
class FakeDaemon:
    """answers: path without version and query → JSON, bytes, or a function of the whole path. asked: all requests.

    volumes: labels by name, for a daemon that makes, tells and removes them.
    """

    socket: Path
    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    server: str = "Docker/28.2.2 (linux)"
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def answer(self, target: str, method: str = "GET", sent: bytes = b"") -> tuple[int, bytes]:
        self.asked.append(target)
        path, _, query = target.partition("?")
        path = path if not path.startswith("/v1.") else "/" + path.split("/", 2)[2]
        if self.volumes and path.startswith("/volumes"):
            status, told = self._of_volumes(path.removeprefix("/volumes").lstrip("/"), query, method, sent)
            return status, json.dumps(told).encode()
        if path not in self.answers:
            return 404, json.dumps({"message": f"no such object: {path}"}).encode()
        found = self.answers[path]
        if callable(found):
            found = found(target)
        if isinstance(found, tuple):
            return found[0], json.dumps(found[1]).encode()
        return 200, found if isinstance(found, bytes) else json.dumps(found).encode()

    def _of_volumes(self, name: str, query: str, method: str, sent: bytes) -> tuple[int, Any]:
        if method == "POST":
            asked = json.loads(sent)
            self.volumes[asked["Name"]] = asked["Labels"]
            return 201, {"Name": asked["Name"]}
        if name and name not in self.volumes:
            return 404, {"message": f"no such volume: {name}"}
        if method == "DELETE":
            return 204, self.volumes.pop(name) and None
        if name:
            return 200, {"Name": name, "Labels": self.volumes[name]}
        filters = json.loads(query.partition("filters=")[2].partition("&")[0].replace("+", " ") or "{}")
        labels = [wanted.partition("=") for wanted in filters.get("label", ())]
        found = [
            {"Name": one, "Labels": has}
            for one, has in self.volumes.items()
            if all(has.get(key) == value for key, _, value in labels)
            and all(part in one for part in filters.get("name", ()))
        ]
        return 200, {"Volumes": found}


@contextlib.contextmanager
def serving(answers: dict[str, Any] | None = None, server: str = FakeDaemon.server) -> Iterator[FakeDaemon]:
    """A daemon on a socket, at a short path: the system allows about a hundred characters."""
    basics: dict[str, Any] = {"/_ping": b"OK", "/version": {"ApiVersion": "1.41", "Version": "28.2.2"}}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        daemon = FakeDaemon(Path(folder) / "d.sock", basics | (answers or {}), server=server)
        with _listening(daemon):
            yield daemon


@contextlib.contextmanager
def _listening(daemon: FakeDaemon) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = daemon.answer(unquote(self.path), self.command, sent)
            self.send_response_only(status)
            self.send_header("Server", daemon.server)
            self.send_header("Connection", "close")
            self.send_header("Content-Type", "application/json")
            if isinstance(body, Stream):
                self.send_header("Transfer-Encoding", "chunked")
                body = Stream(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True

    with Server(str(daemon.socket), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield
        finally:
            listening.shutdown()
            thread.join()


def stream(*lines: dict[str, Any]) -> Stream:
    """An answer of one JSON object a line, as of a pull."""
    return Stream("".join(json.dumps(line) + "\r\n" for line in lines).encode())
