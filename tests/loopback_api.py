"""An OpenAI-compatible API on loopback that answers by the key it gets, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ERRORS = {"unknown": (404, "no such endpoint"), "model": (400, "The model `x` does not exist"), "bad": (400, "bad")}


@dataclass
class Api:
    """asked: (path, headers, JSON body) of each request. busy: the most requests that waited for an answer at a time.

    together: where `together` requests wait for each other before any of them is answered.
    """

    url: str
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    busy: int = 0
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(1))

    def models(self) -> list[str]:
        return sorted(body["model"] for _, _, body in self.asked if body)


@contextmanager
def api(tls: ssl.SSLContext | None = None) -> Iterator[Api]:
    """fake-key-<word>: the word says how it is answered.

    A status, slow, wait, together, drip, redirect, html, unknown, model, bad, or ok.
    """
    lock, now = threading.Lock(), [0]
    leaving = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self.answer(None)

        def answer(self, body: Any) -> None:
            with lock:
                state.asked.append((self.path, dict(self.headers), body))
                now[0] += 1
                state.busy = max(state.busy, now[0])
            key = (self.headers["Authorization"] or "").removeprefix("Bearer ")
            word = key.removeprefix("fake-key-").partition("-")[0]
            try:
                self.delay(word)
            finally:
                with lock:  # before the answer: with it, the asker may send the next request at once
                    now[0] -= 1
            with contextlib.suppress(OSError):  # the asker has gone
                self.reply(word, key)

        def delay(self, word: str) -> None:
            if word == "slow":
                leaving.wait(30)
            if word == "wait":
                time.sleep(0.1)
            if word == "together":
                state.together.wait(60)

        def reply(self, word: str, key: str) -> None:
            if word == "drip":
                self.send_response(200)
                self.end_headers()
                while not leaving.wait(0.05):
                    self.wfile.write(b" ")
                    self.wfile.flush()
                return
            if word == "redirect":
                self.send_response(307)
                self.send_header("Location", f"{state.url}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status, message = ERRORS.get(word, (int(word) if word.isdecimal() else 200, f"Incorrect key: {key}"))
            good = {"object": "list", "data": []} if self.command == "GET" else {"choices": [{"message": {}}]}
            data = json.dumps(good if status == 200 else {"error": {"message": message}}).encode()
            if word == "html":
                data = b"<html>a proxy's page</html>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a handshake the asker broke off

    with Server(("127.0.0.1", 0), Handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        state = Api(f"http{'s' if tls else ''}://127.0.0.1:{http.server_port}")
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield state
        finally:
            leaving.set()
            http.shutdown()
