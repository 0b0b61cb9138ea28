"""A network that can fail: a TCP relay on loopback between a client and a server."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Final, Self

_CHUNK_BYTES: Final = 65_536
_CONNECT_LIMIT_S: Final = 2.0
_SEGMENT_S: Final = 0.1  # of a slow line: what it carries at a time


class Link:
    """Relay from `port` to the target, in a thread of its own; call it from any other.

    `cut` closes every connection and resets each new one at once; `black_hole` keeps connections open and
    moves nothing; `restore` undoes both. Each has happened when the call returns. What went into a black hole
    comes out after `restore`, as after a hole in a radio link. `slow` lets so many bytes a second through in
    each direction, and everything so much later; of connections that begin then. `sent_bytes` counts what the
    server was handed from the client, `received_bytes` the other way.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.sent_bytes = 0
        self.received_bytes = 0
        self.connections = 0
        self._is_up = True
        self._bytes_s: float | None = None
        self._latency_s = 0.0
        self._moving = asyncio.Event()
        self._moving.set()
        self._relays: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        self._do(self._cut())

    def black_hole(self) -> None:
        self._do(self._black_hole())

    def slow(self, bytes_s: float, latency_s: float = 0.0) -> None:
        self._bytes_s, self._latency_s = bytes_s, latency_s

    def restore(self) -> None:
        self._do(self._restore())

    def close(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _do(self, action: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(action, self._loop).result()

    # ---- in the thread

    async def _cut(self) -> None:
        self._is_up = False
        relays = list(self._relays)
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _black_hole(self) -> None:
        self._moving.clear()

    async def _restore(self) -> None:
        self._is_up = True
        self._moving.set()

    async def _close(self) -> None:
        self._server.close()
        await self._cut()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: asyncio would log the end of a relay that was cut as an error.
        if not self._is_up:
            writer.transport.abort()
            return
        self.connections += 1
        relay = self._loop.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        ways: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(_CONNECT_LIMIT_S):
                from_server, to_server = await asyncio.open_connection(*self._target)
            ends.append(to_server)
            ways.append(self._loop.create_task(self._pump(reader, to_server, self._count_sent)))
            ways.append(self._loop.create_task(self._pump(from_server, writer, self._count_received)))
            # An end that is gone takes the other along; one that has said all may still listen.
            await asyncio.wait(ways, return_when=asyncio.FIRST_EXCEPTION)
        except OSError:
            pass  # nobody answers there: the client sees its connection closed
        except asyncio.CancelledError:
            for end in ends:
                end.transport.abort()
            raise
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in ends:
                end.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, count: Callable[[int], None]
    ) -> None:
        if self._bytes_s is None:
            await self._copy(source, sink, count)
            return
        slow = asyncio.StreamReader()
        feeding = self._loop.create_task(self._feed(source, slow, self._bytes_s))
        try:
            await self._copy(slow, sink, count)
        finally:
            feeding.cancel()

    async def _feed(self, source: asyncio.StreamReader, slow: asyncio.StreamReader, bytes_s: float) -> None:
        """Hand on what the line carries in a moment, after its latency."""
        try:
            while data := await source.read(max(1, round(bytes_s * _SEGMENT_S))):
                await asyncio.sleep(len(data) / bytes_s)
                self._loop.call_later(self._latency_s, slow.feed_data, data)
        except OSError as error:
            slow.set_exception(error)
        else:
            self._loop.call_later(self._latency_s, slow.feed_eof)

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, count: Callable[[int], None]
    ) -> None:
        while data := await source.read(_CHUNK_BYTES):
            await self._moving.wait()
            sink.write(data)
            await sink.drain()
            count(len(data))
        await self._moving.wait()
        sink.write_eof()

    def _count_sent(self, size: int) -> None:
        self.sent_bytes += size

    def _count_received(self, size: int) -> None:
        self.received_bytes += size
