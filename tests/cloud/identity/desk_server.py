"""The join desk behind real HTTPS, in a thread of its own."""

import asyncio
import ssl
import threading
from pathlib import Path
from typing import Self

from aiohttp import web

from cloud.identity import own
from cloud.identity.authority import Use
from cloud.identity.issue import Desk
from shared.topics import SIGNER_USER
from tests.cloud.identity.rig import NOW_NS


def server_tls(desk: Desk, folder: Path, *hosts: str, now_ns: int = NOW_NS) -> ssl.SSLContext:
    """With a certificate of this authority."""
    issued, key = own.make(desk, SIGNER_USER, Use.BOTH, hosts, now_ns)
    path = folder / f"{issued.serial}.pem"
    path.write_bytes(issued.pem.encode() + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


class DeskServer:
    def __init__(self, application: web.Application, tls: ssl.SSLContext) -> None:
        self._application, self._tls = application, tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._runner = web.AppRunner(application, access_log=None)
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def _start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        self.port = self._runner.addresses[0][1]

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
