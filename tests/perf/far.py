"""A server that is further away than it is: a relay on loopback that holds everything back for a while."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def far(port: int, seconds: float, turns: list[str] | None = None) -> Iterator[int]:
    """The port of a relay to that port of this machine; what is sent through it takes that long, each way.

    turns: gets one entry each time that a client speaks after the server did, which is a round trip.
    """
    loop = asyncio.new_event_loop()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, who: str, last: list[str]) -> None:
        while data := await source.read(1 << 16):
            if turns is not None and who == "client" != last[0]:
                turns.append(who)
            last[0] = who
            loop.call_later(seconds, target.write, data)  # of one delay, so the order stays
        loop.call_later(seconds, target.close)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * seconds)  # connecting takes a round trip too
        there, beyond = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            last = ["server"]
            await asyncio.gather(copy(reader, beyond, "client", last), copy(there, writer, "server", last))

    server = loop.run_until_complete(asyncio.start_server(relay, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
