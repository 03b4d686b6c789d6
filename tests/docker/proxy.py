"""A socket before the daemon's own that a test can cut, as when the daemon stops in the middle of something."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Proxy:
    """host: what DOCKER_HOST says to come through here."""

    def __init__(self, folder: Path, daemon: str) -> None:
        self.host = f"unix://{folder}/docker.sock"
        self._daemon = daemon
        self._open: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "docker.sock"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection and take no more; the socket's file stays, as that of a daemon that was killed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                there = socket.socket(socket.AF_UNIX)
                there.connect(self._daemon)
                self._open |= {caller, there}
                for source, target in ((caller, there), (there, caller)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def before(daemon: str) -> Iterator[Proxy]:
    """daemon: the path of its socket."""
    folder = Path(tempfile.mkdtemp(prefix="promthctl-proxy-"))  # short: a socket's path has at most 107 bytes
    proxy = Proxy(folder, daemon)
    try:
        yield proxy
    finally:
        proxy.cut()
        shutil.rmtree(folder)
