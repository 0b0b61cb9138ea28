"""The supervisor is told that an event loop turns, by a task of that loop, while the work is not stuck."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from shared.supervisor import TURNED_EVERY_S, Supervisor


def _never() -> bool:
    return False


@asynccontextmanager
async def supervised(supervisor: Supervisor, is_stuck: Callable[[], bool] = _never) -> AsyncIterator[None]:
    """While the block runs. `is_stuck`: whether the loop turns and the work does not."""
    telling = asyncio.create_task(_tell(supervisor, is_stuck))
    try:
        yield
    finally:
        telling.cancel()
        supervisor.stopping()


async def _tell(supervisor: Supervisor, is_stuck: Callable[[], bool]) -> None:
    supervisor.ready()
    while True:
        if not is_stuck():
            supervisor.turned(time.monotonic())
        await asyncio.sleep(TURNED_EVERY_S)
