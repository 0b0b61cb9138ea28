"""What each answer of a database means, and that no line is lost over any of them."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.influx import Failure, Influx, Verdict, judge, write_all
from tests.cloud.http_server import CUT, HANG, RESET, Answer, Script, Server, in_turn, ok, serving

LINES = [f"sale,machine=m1 seq={n}i {n}" for n in range(40)]


class Naps:
    """Sleeps that take no time and are written down."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, pause_s: float) -> None:
        self.seconds.append(pause_s)


def write(script: Script, lines: Sequence[str] = LINES) -> tuple[dict[int, str], Server, Naps]:
    naps = Naps()

    async def run() -> tuple[dict[int, str], Server, Naps]:
        async with serving(script) as server, Influx(server.settings, naps) as influx:
            return await influx.write(lines), server, naps

    return asyncio.run(run())


@pytest.mark.parametrize(
    "answer",
    [
        ok(503, "unavailable"),
        ok(500, json.dumps({"error": "engine: shard is disabled"})),
        ok(429, "slow down"),
        ok(408, "timeout"),
        ok(401, json.dumps({"error": "authorization failed"})),
        ok(403, json.dumps({"code": "forbidden", "message": "no"})),
        ok(404, "404 page not found"),
        ok(405, "no"),
        ok(418, "teapot"),
        ok(200, "<html>a proxy's page</html>"),
        ok(400, "partial write: max-series-per-database limit exceeded: (1000) dropped=40"),
        RESET,
        HANG,
        CUT,
    ],
    ids=str,
)
def test_trouble_loses_nothing(answer: Answer) -> None:
    refused, server, naps = write(in_turn(answer, answer))
    assert refused == {}
    assert sorted(set(server.stored)) == sorted(LINES)
    assert len(naps.seconds) == 2


def test_a_server_that_is_not_there_is_waited_for() -> None:
    async def run() -> int:
        async with serving(in_turn()) as server:
            settings = server.settings
        tries: list[float] = []

        async def nap(pause_s: float) -> None:
            tries.append(pause_s)
            if len(tries) == 12:
                raise InterruptedError

        async with Influx(settings, nap) as influx:
            with pytest.raises(InterruptedError):
                await influx.write(LINES)
        assert tries[0] <= 0.25
        assert 15 <= tries[-1] <= 30, "slower and slower, with a limit"
        return len(tries)

    assert asyncio.run(run()) == 12


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [("7", 7, 7), ("100000", 30, 30), ("Wed, 21 Oct 2026 07:28:00 GMT", 0, 1), ("-5", 0, 1), ("nan", 0, 1)],
)
def test_retry_after_is_honoured_within_reason(header: str, least_s: float, most_s: float) -> None:
    _, _, naps = write(in_turn(ok(429, "", Retry_After=header)))
    assert least_s <= naps.seconds[0] <= most_s


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("guilty", [{0}, {39}, {7, 8}, set(range(0, 40, 3)), set(range(40))], ids=len)
def test_poison_is_found_to_the_line(status: int, guilty: set[int]) -> None:
    poison = {LINES[index] for index in guilty}

    def script(lines: Sequence[str]) -> Answer:
        return ok(status, "partial write: field type conflict") if poison & set(lines) else ok()

    refused, server, naps = write(script)
    assert refused == dict.fromkeys(sorted(guilty), f"{status} partial write: field type conflict")
    assert sorted(server.stored) == sorted(set(LINES) - poison)
    assert naps.seconds == []


def test_every_kth_point_refused_while_the_server_comes_and_goes() -> None:
    turn = iter(range(10**6))

    def script(lines: Sequence[str]) -> Answer:
        if next(turn) % 3 == 1:
            return random.Random(7).choice([RESET, ok(503), CUT])
        return ok(400, "no") if any(LINES.index(line) % 7 == 0 for line in lines) else ok()

    refused, server, _ = write(script)
    assert sorted(refused) == list(range(0, 40, 7))
    assert set(server.stored) >= {line for i, line in enumerate(LINES) if i % 7}


def test_too_large_is_halved_until_it_fits() -> None:
    refused, server, _ = write(lambda lines: ok(413, "too large") if len(lines) > 6 else ok())
    assert refused == {}
    assert sorted(server.stored) == sorted(LINES)
    refused, server, _ = write(lambda lines: ok(413, "too large") if LINES[3] in lines else ok())
    assert refused == {3: "413 too large"}


def test_a_missing_database_is_made() -> None:
    _, server, _ = write(in_turn(ok(404, json.dumps({"error": 'database not found: "vending"'}))))
    assert any(path.startswith("/query?q=CREATE+DATABASE+%22vending%22") for path in server.paths)


def test_large_batches_go_in_requests_of_two_thousand() -> None:
    lines = [f"m f={n}i {n}" for n in range(5_001)]
    _, server, _ = write(in_turn(), lines)
    assert server.requests == [2_000, 2_000, 1_001]
    assert server.stored == lines, "in order"


def test_nothing_to_write_is_no_request() -> None:
    _, server, _ = write(in_turn(), [])
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (400, Verdict.POISON),
        (422, Verdict.POISON),
        (413, Verdict.TOO_LARGE),
        (401, Verdict.CONFIGURATION),
        (403, Verdict.CONFIGURATION),
        (404, Verdict.CONFIGURATION),
        (408, Verdict.RETRY),
        (429, Verdict.RETRY),
        (500, Verdict.RETRY),
        (503, Verdict.RETRY),
        (599, Verdict.RETRY),
        (0, Verdict.RETRY),
    ],
)
def test_verdicts(status: int, verdict: Verdict) -> None:
    assert judge(status, "").verdict is verdict


def _drive(answer: Awaitable[dict[int, str]]) -> dict[int, str]:
    """Run a coroutine that never waits: no event loop, so no clock and no network can be in it."""
    steps = answer.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return dict(done.value)
    raise AssertionError("it waited for something real")


Post = Callable[[Sequence[str]], Awaitable[Failure | None]]


@given(
    count=st.integers(min_value=0, max_value=300),
    guilty=st.sets(st.integers(min_value=0, max_value=299), max_size=20),
    seed=st.integers(),
)
def test_any_poison_in_any_weather_is_found_exactly(count: int, guilty: set[int], seed: int) -> None:
    weather = random.Random(seed)
    lines = [str(n) for n in range(count)]
    stored: set[str] = set()

    async def post(part: Sequence[str]) -> Failure | None:
        if weather.random() < 0.2:
            stored.update(part if weather.random() < 0.5 else ())  # the answer was lost
            return Failure(Verdict.RETRY, "away")
        if weather.random() < 0.1 and len(part) > 1:
            return Failure(Verdict.TOO_LARGE, "large")
        if any(int(line) in guilty for line in part):
            return Failure(Verdict.POISON, "poison")
        stored.update(part)
        return None

    refused = _drive(write_all(lines, post, Naps(), weather))
    assert refused == dict.fromkeys(sorted(guilty & set(range(count))), "poison")
    assert stored >= {line for line in lines if int(line) not in guilty}
