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
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self

import aiohttp
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from cloud import twins
from cloud.batch import Line
from cloud.config import InfluxSettings
from cloud.watch import Part, Watch

_log = logging.getLogger(__name__)
_CHUNK_LINES: Final = 2_000  # measured best; and below the megabyte where aiohttp warns
_BACKOFF_FIRST_S: Final = 0.25
_BACKOFF_LIMIT_S: Final = 30.0
_STORED: Final = 204

Sleep = Callable[[float], Awaitable[None]]


class QueryError(Exception):
    """A query was not answered, or not in full; the text says what to do."""


class NoDatabaseError(QueryError):
    """InfluxDB answers, and the database is not there: not yet, or not any more."""


class Verdict(Enum):
    POISON = "poison"  # somewhere in the batch: halve it until the guilty line stands alone
    TOO_LARGE = "too_large"  # halve it
    CONFIGURATION = "configuration"  # keep everything, say what is wrong, try again slowly
    RETRY = "retry"
    AWAY = "away"  # no answer at all; tried again


VERDICTS: Final = {
    200: Verdict.CONFIGURATION,  # something answers that is no InfluxDB
    301: Verdict.CONFIGURATION,
    302: Verdict.CONFIGURATION,
    400: Verdict.POISON,
    401: Verdict.CONFIGURATION,
    403: Verdict.CONFIGURATION,
    404: Verdict.CONFIGURATION,
    413: Verdict.TOO_LARGE,
    405: Verdict.CONFIGURATION,
    422: Verdict.POISON,
}
_TROUBLE: Final = {Verdict.CONFIGURATION, Verdict.RETRY, Verdict.AWAY}  # nothing can be written for now
# 400 too, yet no point is guilty: the database is full up to a limit that its owner set.
_FULL: Final = ("max-series-per-database", "max-values-per-tag")


@dataclass(frozen=True, slots=True)
class Failure:
    verdict: Verdict
    reason: str
    retry_after_s: float = 0.0


Post = Callable[[Sequence[str]], Awaitable[Failure | None]]


def judge(status: int, reason: str, retry_after_s: float = 0.0) -> Failure:
    """What an answer other than 204 asks for; anything unknown is tried again."""
    verdict = VERDICTS.get(status, Verdict.RETRY)
    if verdict is Verdict.POISON and any(limit in reason for limit in _FULL):
        verdict = Verdict.CONFIGURATION
    return Failure(verdict, f"{status} {reason}".strip(), retry_after_s)


async def write_all(lines: Sequence[str], post: Post, sleep: Sleep, rng: random.Random) -> dict[int, str]:
    """Post all lines, for as long as it takes; returns index and reason of those that are refused for good.

    `post` sends some lines: None when they are all in the database. No clock and no network in here.
    """
    refused: dict[int, str] = {}
    waiting = [
        range(start, min(start + _CHUNK_LINES, len(lines))) for start in range(0, len(lines), _CHUNK_LINES)
    ]
    waiting.reverse()
    pause_s = _BACKOFF_FIRST_S
    while waiting:
        part = waiting.pop()
        failure = await post(lines[part.start : part.stop])
        if failure is None:
            pause_s = _BACKOFF_FIRST_S
        elif failure.verdict in {Verdict.POISON, Verdict.TOO_LARGE}:
            middle = len(part) // 2
            if middle:
                waiting += [part[middle:], part[:middle]]
            else:
                refused[part.start] = failure.reason
        else:
            waiting.append(part)
            await sleep(max(failure.retry_after_s, pause_s * rng.uniform(0.5, 1.0)))
            pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)
    return refused


class Influx:
    """Async context manager. `sleep` is how it waits between tries."""

    def __init__(
        self, settings: InfluxSettings, sleep: Sleep = asyncio.sleep, watch: Watch | None = None
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._watch = watch or Watch()
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
        """All series of one InfluxQL statement, rows as maps with their tags; times in ns.

        Raises QueryError, also where the answer is not the whole one.
        """
        rows = []
        for series in _series(await self._ask(influxql)):
            tags = series.get("tags", {})
            rows += [tags | dict(zip(series["columns"], values, strict=True)) for values in series["values"]]
        return rows

    async def _ask(self, influxql: str) -> object:
        try:
            return await self._client.api_client.call_api(
                "/query",
                "GET",
                query_params=[("db", self._settings.database), ("epoch", "ns"), ("q", influxql)],
                response_type=object,
                auth_settings=[],
                _return_http_data_only=True,
            )
        except ApiException as error:
            raise QueryError(
                f"InfluxDB refuses the query ({error.status} {_words(error)}); check username, secret"
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            words = str(error) or type(error).__name__
            raise QueryError(f"InfluxDB does not answer ({words}); check url, and whether it runs") from None

    async def write(self, lines: Sequence[str]) -> dict[int, str]:
        """Write all lines; returns index and reason of those that the database will never take."""
        return await write_all(lines, self._post, self._sleep, self._rng)

    async def taken(self, lines: Sequence[Line]) -> list[Line]:
        """Of records whose number is stored: those whose number another record has. Waits for an answer."""
        pause_s = _BACKOFF_FIRST_S
        while True:
            try:
                return await twins.taken(lines, self.query)
            except NoDatabaseError:
                return []  # it is made when it is written to
            except QueryError as error:
                _log.warning("%s; nothing is lost, trying again", error)
                self._watch.trouble(Part.INFLUX, str(error))
            await self._sleep(pause_s * self._rng.uniform(0.5, 1.0))
            pause_s = min(_BACKOFF_LIMIT_S, pause_s * 2)

    async def _post(self, lines: Sequence[str]) -> Failure | None:
        began_s = self._watch.monotonic_s()
        failure = await self._send(lines)
        self._watch.wrote(self._watch.monotonic_s() - began_s, failure.verdict.value if failure else "")
        if failure is not None and failure.verdict in _TROUBLE:
            self._watch.trouble(Part.INFLUX, failure.reason)
            await self._tell(failure)
        else:
            self._watch.well(Part.INFLUX)
        return failure

    async def _send(self, lines: Sequence[str]) -> Failure | None:
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
        except ApiException as error:
            return judge(error.status, _words(error), _seconds(error.retry_after))
        except (aiohttp.ClientError, OSError) as error:
            return Failure(Verdict.AWAY, str(error) or type(error).__name__)
        return None if status == _STORED else judge(status, "instead of 204")

    async def _tell(self, failure: Failure) -> None:
        if failure.verdict is Verdict.CONFIGURATION:
            _log.error(
                "InfluxDB refuses (%s): check url, database, username, secret, limits; data is kept",
                failure.reason,
            )
            if failure.reason.startswith("404"):
                await self.create_database()
        else:
            _log.warning("InfluxDB is away (%s); nothing is lost, trying again", failure.reason)

    async def create_database(self) -> None:
        """Make the database where the server is 1.x; 2.x and 3 have buckets made by their own tools."""
        try:
            await self._client.api_client.call_api(
                "/query",
                "POST",
                query_params=[("q", f'CREATE DATABASE "{self._settings.database}"')],
                auth_settings=[],
            )
        except (ApiException, aiohttp.ClientError, OSError) as error:
            _log.info("database %s not created: %s", self._settings.database, type(error).__name__)


def _series(answer: object) -> list[dict[str, Any]]:
    """An error may come with status 200, and so may half of the rows."""
    if not isinstance(answer, dict) or not answer.get("results"):
        raise QueryError("what answers is no InfluxDB; check url")
    result = answer["results"][0]
    if "error" in result:
        kind = NoDatabaseError if "database not found" in str(result["error"]) else QueryError
        raise kind(f"InfluxDB cannot answer: {str(result['error'])[:200]}")
    series: list[dict[str, Any]] = result.get("series", [])
    if any(one.get("partial") for one in series):
        raise QueryError("InfluxDB cuts its answers off; set max-row-limit = 0 in its configuration")
    return series


def _words(error: ApiException) -> str:
    raw: object = error.message  # the async client leaves bytes where the body is not JSON of 2.x
    return (raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)).strip()[:200]


def _seconds(retry_after: object) -> float:
    """A Retry-After header in seconds, within reason; dates and nonsense count as nothing."""
    try:
        return min(_BACKOFF_LIMIT_S, max(0.0, float(str(retry_after))))
    except ValueError:
        return 0.0
