"""InfluxDB on the path that 1.x, 2.x and 3 share: `/write`, InfluxQL on `/query`, Basic authentication.

Contract: `write` returns when every line is in the database or is known to be refused for good; it waits and
tries again for ever in between. Sending a line again writes the same point. Only 204 is success (measured:
the client's own batching writer drops points silently, so it is not used). Status codes mean different
things in each generation: VERDICTS is that table.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, Final, Self

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync

from cloud.config import InfluxSettings

_log = logging.getLogger(__name__)
_CHUNK_LINES: Final = 5_000  # measured best
_BACKOFF_FIRST_S: Final = 0.25
_BACKOFF_LIMIT_S: Final = 30.0

Sleep = Callable[[float], Awaitable[None]]


class Verdict(Enum):
    POISON = "poison"  # somewhere in the batch: halve it until the guilty line stands alone
    TOO_LARGE = "too large"  # halve it
    CONFIGURATION = "configuration"  # keep everything, say what is wrong, try again slowly
    RETRY = "retry"


VERDICTS: Final = {
    400: Verdict.POISON,
    401: Verdict.CONFIGURATION,
    403: Verdict.CONFIGURATION,
    404: Verdict.CONFIGURATION,
    413: Verdict.TOO_LARGE,
    422: Verdict.POISON,
}


class Influx:
    """Async context manager. `sleep` is how it waits between tries."""

    def __init__(self, settings: InfluxSettings, sleep: Sleep = asyncio.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._rng = random.Random()  # noqa: S311  # jitter, not secrets

    async def __aenter__(self) -> Self:
        settings = self._settings
        secret = settings.secret.get_secret_value() if settings.secret else ""
        self._client = InfluxDBClientAsync(
            settings.url,
            token=f"{settings.username or ''}:{secret}",
            org="-",
            auth_basic=True,
            timeout=round(settings.timeout_s * 1000),
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.close()

    async def query(self, influxql: str) -> list[dict[str, Any]]:
        """All series of one InfluxQL statement, rows as maps with their tags; times in ns."""
        answer = await self._client.api_client.call_api(
            "/query",
            "GET",
            query_params=[("db", self._settings.database), ("epoch", "ns"), ("q", influxql)],
            response_type=object,
            auth_settings=[],
            _return_http_data_only=True,
        )
        rows = []
        for series in answer["results"][0].get("series", ()):
            tags = series.get("tags", {})
            rows += [tags | dict(zip(series["columns"], values, strict=True)) for values in series["values"]]
        return rows

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        """Write all lines; returns index and reason of those that the database will never take."""
        refused: dict[int, str] = {}
        waiting = [
            list(range(start, min(start + _CHUNK_LINES, len(lines))))
            for start in range(0, len(lines), _CHUNK_LINES)
        ]
        pause_s = _BACKOFF_FIRST_S
        while waiting:
            part = waiting.pop()
            failure = await self._post([lines[index] for index in part])
            if failure is None:
                pause_s = _BACKOFF_FIRST_S
                continue
            verdict, reason, retry_after_s = failure
            if verdict in {Verdict.POISON, Verdict.TOO_LARGE}:
                if len(part) == 1:
                    refused[part[0]] = reason
                else:
                    middle = len(part) // 2
                    waiting += [part[middle:], part[:middle]]
                continue
            waiting.append(part)
            await self._sleep(max(retry_after_s, pause_s * self._rng.uniform(0.5, 1.0)))
            pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)
        return refused

    async def _post(self, lines: Sequence[str]) -> tuple[Verdict, str, float] | None:
        """One request. None is success; else what to do, why, and how long the server asks to wait."""
        try:
            _, status, _ = await self._client.api_client.call_api(
                "/write",
                "POST",
                query_params=[("db", self._settings.database), ("precision", "ns")],
                header_params={"Content-Type": "text/plain; charset=utf-8"},
                body="\n".join(lines).encode(),
                auth_settings=[],
                _return_http_data_only=False,
            )
        except InfluxDBError as error:
            return await self._judge(error)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            _log.warning("InfluxDB does not answer (%s); nothing is lost, trying again", reason)
            return Verdict.RETRY, reason, 0.0
        if status == 204:
            return None
        return Verdict.RETRY, f"status {status}", 0.0

    async def _judge(self, error: InfluxDBError) -> tuple[Verdict, str, float]:
        raw: object = getattr(error, "message", None) or error
        reason = (raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)).strip()[:200]
        status = int(getattr(error, "status", 0) or 0)
        verdict = VERDICTS.get(status, Verdict.RETRY)
        if verdict is Verdict.CONFIGURATION:
            _log.error(
                "InfluxDB refuses (%s: %s): check url, database, username, secret; data is kept",
                status,
                reason,
            )
            if status == 404:
                await self.create_database()
        elif verdict is Verdict.RETRY:
            _log.warning("InfluxDB: %s %s; trying again", status, reason)
        return verdict, reason, _seconds(getattr(error, "retry_after", None))

    async def create_database(self) -> None:
        """Make the database where the server is 1.x; 2.x and 3 have buckets made by their own tools."""
        try:
            await self._client.api_client.call_api(
                "/query",
                "POST",
                query_params=[("q", f'CREATE DATABASE "{self._settings.database}"')],
                auth_settings=[],
            )
        except (InfluxDBError, aiohttp.ClientError, OSError, TimeoutError) as error:
            _log.info("database %s not created: %s", self._settings.database, type(error).__name__)


def _seconds(retry_after: object) -> float:
    """A Retry-After header in seconds, within reason; dates and nonsense count as nothing."""
    try:
        return min(_BACKOFF_LIMIT_S, max(0.0, float(str(retry_after))))
    except ValueError:
        return 0.0
