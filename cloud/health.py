"""Health over HTTP on loopback: /metrics for Prometheus, /ready with what is wrong, /live.

/live answers while the process turns; /ready is 200 while it does its work, else 503 with every reason.
Nothing here changes anything, and nothing of it is secret.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from cloud.metrics import CONTENT_TYPE
from cloud.watch import Watch
from shared.settings import SettingsError

_STOP_LIMIT_S: Final = 1.0


@asynccontextmanager
async def serving(listen: tuple[str, int] | None, watch: Watch) -> AsyncIterator[None]:
    """While the block runs; not at all without an address. Raises SettingsError for one that is taken."""
    if listen is None:
        yield
        return
    runner = web.AppRunner(
        _application(watch), access_log=None, handle_signals=False, shutdown_timeout=_STOP_LIMIT_S
    )
    await runner.setup()
    try:
        await _start(runner, *listen)
        yield
    finally:
        await runner.cleanup()


async def _start(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise SettingsError(
            f"health.listen: {host} port {port} cannot be used ({why}); every process needs its own, such as"
            f" VEND_CLOUD_HEALTH__LISTEN=127.0.0.1:{port + 1}"
        ) from None


def _application(watch: Watch) -> web.Application:
    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=watch.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def ready(_request: web.Request) -> web.Response:
        found = readiness(watch)
        return web.json_response(found, status=200 if found["ready"] else 503)

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/ready", ready), web.get("/live", live)])
    return application


def readiness(watch: Watch) -> dict[str, Any]:
    """What /ready answers: the reasons in words, and the same by part."""
    now_s = watch.monotonic_s()
    troubles = watch.troubles()
    return {
        "ready": not troubles,
        "words": "; ".join(f"{t.part}: {t.words}" for t in troubles) or "all is well",
        "troubles": [
            {"part": t.part, "words": t.words, "for_s": round(now_s - t.since_s, 1)} for t in troubles
        ],
    }
