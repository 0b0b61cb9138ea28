"""A database that misbehaves to order, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cloud.config import InfluxSettings

RESET = "reset"
HANG = "hang"
CUT = "cut"  # the answer is lost after the write: what happened is unknown

Answer = tuple[int, str, dict[str, str]] | str
Script = Callable[[Sequence[str]], Answer]


def ok(status: int = 204, text: str = "", **headers: str) -> Answer:
    return status, text, headers


@dataclass
class Server:
    """`script` answers each write; lines of answered 204s and of cut answers are `stored`."""

    script: Script
    port: int = 0
    stored: list[str] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)  # lines in each write
    paths: list[str] = field(default_factory=list)

    @property
    def settings(self) -> InfluxSettings:
        return InfluxSettings(url=f"http://127.0.0.1:{self.port}", database="vending", timeout_s=0.3)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = head[0].split()[1]
        self.paths.append(path)
        if not path.startswith("/write"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return True
        lines = body.decode().split("\n")
        self.requests.append(len(lines))
        answer = self.script(lines)
        if isinstance(answer, str):
            if answer == CUT:
                self.stored += lines
                writer.write(b"HTTP/1.1 20")
                await writer.drain()
            elif answer == HANG:
                await reader.read()  # until the client gives up
            return False
        status, text, extra = answer
        if status == 204:
            self.stored += lines
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in extra.items())
        length = "" if status == 204 else f"Content-Length: {len(text.encode())}\r\n"
        writer.write(f"HTTP/1.1 {status} Reason\r\n{more}{length}\r\n{text}".encode())
        return True


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    server = Server(script)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield server


def in_turn(*answers: Answer) -> Script:
    """These answers, then success for ever."""
    left = list(answers)
    return lambda _lines: left.pop(0) if left else ok()
