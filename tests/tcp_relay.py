"""A relay before a database that a test can cut, as when a proxy or a network dies while the server goes on."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Relay:
    """url: the database's, through here. until: asked about each chunk that a client sends, b"" for a new connection;
    True cuts every connection once that chunk has reached the server. closed: True while new connections are refused.
    """

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        assert place.hostname and place.port
        self._server = (place.hostname, place.port)
        # How each is shut: the server gets all that was sent before the end, which a reset would throw away.
        self._open: dict[socket.socket, int] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(f":{place.port}/", f":{self._listener.getsockname()[1]}/")
        self.until: Callable[[bytes], bool] = lambda _: False
        self.closed = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection on both sides; new ones are taken unless `closed`."""
        self.cuts += 1
        for each, how in list(self._open.items()):
            with contextlib.suppress(OSError):
                each.shutdown(how)
            self._open.pop(each, None)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.closed:
                    client.close()
                    continue
                there = socket.create_connection(self._server)
                self._open |= {client: socket.SHUT_RDWR, there: socket.SHUT_WR}
                threading.Thread(target=self._copy, args=(client, there, True), daemon=True).start()
                threading.Thread(target=self._copy, args=(there, client, False), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                with contextlib.nullcontext() if asks else contextlib.suppress(OSError):
                    target.sendall(data)  # what nobody takes any more from a server is read all the same
                if asks and self.until(data):
                    self.cut()
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        if not asks:  # the server has ended: nothing more will come
            for each in (source, target):
                self._open.pop(each, None)
                each.close()


@contextmanager
def relay_to(url: str) -> Iterator[Relay]:
    """A relay to the database of that URL, ended with the block."""
    relay = Relay(url)
    try:
        yield relay
    finally:
        relay.end()
