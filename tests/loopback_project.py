"""A hosted project on loopback: a Management API that knows it, and its own API, which is a local stack's."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import Stack

REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_" + "0123456789" * 4
SECRET_KEY = "sb_secret_FAKEfake0123456789abcdef_01234567"


@dataclass
class Hosted:
    """management: its URL; keys: what it answers for the project's keys; asked: the paths it was asked.

    url: the project's API, which takes the stack's JWT and SECRET_KEY; given: the keys it was sent.
    """

    management: str
    url: str
    keys: object
    status: int = 200
    asked: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)

    def profile(self, folder: Path, project_host: str = "127.0.0.1") -> str:
        """A profile for the Supabase CLI that names this Management API."""
        file = folder / "profile.yaml"
        lines = ("name: loopback", f"api_url: {self.management}", f"dashboard_url: {self.management}")
        file.write_text("\n".join([*lines, f"project_host: {project_host}", "pooler_host: localhost", ""]))
        return str(file)


@contextmanager
def hosted(stack: Stack) -> Iterator[Hosted]:
    project = {"id": REF, "name": "Shop", "region": "eu-central-1", "status": "ACTIVE_HEALTHY"}
    pooler = f"postgresql://postgres.{REF}:[YOUR-PASSWORD]@aws-0-x.pooler.localhost:6543/postgres"

    class Quiet(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def send(self, status: int, data: bytes, content_type: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Management(Quiet):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self.send(401, b'{"message": "Unauthorized"}')
                return
            root = f"/v1/projects/{REF}"
            answers = {
                root: (200, project),
                f"{root}/config/database/pooler": (
                    200,
                    [{"database_type": "PRIMARY", "connection_string": pooler}],
                ),
                f"{root}/api-keys?reveal=true": (state.status, state.keys),
            }
            status, body = answers.get(self.path, (404, {}))
            self.send(status, json.dumps(body).encode())

    class Gateway(Quiet):
        """As Supabase's: a key of the new generation becomes the JWT that stands behind it."""

        def forward(self) -> None:
            key = self.headers["apikey"] or ""
            state.given.append(key)
            if key not in (SECRET_KEY, stack.service_role_key):
                self.send(401, b'{"message": "Invalid API key"}')
                return
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            kept = ("content-type", "prefer", "accept")
            headers = {name: value for name, value in self.headers.items() if name.lower() in kept}
            headers |= {"apikey": stack.service_role_key, "Authorization": f"Bearer {stack.service_role_key}"}
            behind = http.client.HTTPConnection(urlsplit(stack.api_url).netloc)
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            self.send(answer.status, answer.read(), answer.headers["Content-Type"] or "text/plain")
            behind.close()

        do_GET = do_POST = do_PATCH = do_DELETE = forward

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Management) as management,
        ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as gateway,
    ):
        places = [f"http://127.0.0.1:{server.server_port}" for server in (management, gateway)]
        state = Hosted(*places, keys=legacy_keys(stack) + new_keys())
        for server in (management, gateway):
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield state
        finally:
            management.shutdown()
            gateway.shutdown()


def legacy_keys(stack: Stack) -> list[object]:
    return [
        {"name": "anon", "api_key": stack.anon_key, "id": "anon", "type": "legacy"},
        {"name": "service_role", "api_key": stack.service_role_key, "id": "service_role", "type": "legacy"},
    ]


def new_keys(secret: str = SECRET_KEY) -> list[object]:
    template = {"secret_jwt_template": {"role": "service_role"}}
    return [
        {"name": "default", "api_key": "sb_publishable_FAKEfake0123456789", "id": "1", "type": "publishable"},
        {"name": "default", "api_key": secret, "id": "2", "type": "secret", **template},
    ]
