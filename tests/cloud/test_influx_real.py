"""The real database: what it takes, what it refuses, and that writing again changes nothing."""

import asyncio
from pathlib import Path
from typing import Any

from cloud.batch import digest, settle
from cloud.config import InfluxSettings
from cloud.influx import Influx
from cloud.points import record_line
from deploy.demo.servers import Influx as InfluxServer
from shared.records import parse_record
from tests.cloud.records import START_NS, arrived, boot, sale


def lines_of(machine: str, *seqs: int) -> list[str]:
    return [record_line(parse_record(sale(machine, seq))) for seq in seqs]


async def sales(influx: Influx, machine: str) -> list[dict[str, Any]]:
    return await influx.query(f'SELECT * FROM "sale" WHERE "machine" = \'{machine}\'')


def test_a_record_is_read_back_to_the_nanosecond_and_again_is_the_same_point(
    influx: InfluxSettings, machine: str
) -> None:
    async def run() -> list[dict[str, Any]]:
        async with Influx(influx) as client:
            await client.create_database()
            for _ in range(3):
                assert await client.write(lines_of(machine, 1, 2)) == {}
            return await sales(client, machine)

    rows = asyncio.run(run())
    assert [(row["time"], row["seq"], row["price_minor"]) for row in rows] == [
        (START_NS + 1_000_000, 1, 150),
        (START_NS + 2_000_000, 2, 150),
    ]
    first = rows[0]
    assert (first["tender"], first["slot"], first["link_down"], first["cash_minor"]) == (
        "cash",
        "A1",
        False,
        150,
    )


def test_free_text_comes_back_as_it_was(influx: InfluxSettings, machine: str) -> None:
    text = 'back\\slash, "quotes", comma=equals, ünïcode \\'

    async def run() -> list[dict[str, Any]]:
        async with Influx(influx) as client:
            await client.create_database()
            record = parse_record({**boot(machine, 1), "software": text})
            assert await client.write([record_line(record)]) == {}
            return await client.query(f'SELECT "software" FROM "boot" WHERE "machine" = \'{machine}\'')

    assert [row["software"] for row in asyncio.run(run())] == [text]


def test_the_guilty_point_is_refused_and_its_neighbours_are_there(
    influx: InfluxSettings, machine: str
) -> None:
    messages = [arrived(machine, *(sale(machine, seq) for seq in range(1, 21)))]
    batch = digest(messages)
    lines = [line.text for line in batch.lines]
    lines[4] = lines[4].replace("price_minor=150i", 'price_minor="much"')  # another type than the column has
    lines[11] = lines[11].replace("sale,", "sale,,")

    async def run() -> tuple[dict[int, str], list[dict[str, Any]]]:
        async with Influx(influx) as client:
            await client.create_database()
            await client.write(lines[:1])
            return await client.write(lines), await sales(client, machine)

    refused, rows = asyncio.run(run())
    assert set(refused) == {4, 11}
    assert [row["seq"] for row in rows] == [n for n in range(1, 21) if n not in {5, 12}]
    ((_, receipt),) = settle(batch, refused)
    assert [refusal.seq for refusal in receipt.refused] == [5, 12]
    assert receipt.stored == ((1, 4), (6, 11), (13, 20))


def test_what_is_too_large_for_the_database_arrives_in_pieces(tmp_path: Path) -> None:
    lines = lines_of("m1", *range(1, 101))
    limit = len("\n".join(lines)) // 7

    async def run(url: str) -> tuple[dict[int, str], list[dict[str, Any]]]:
        async with Influx(InfluxSettings(url=url)) as client:
            await client.create_database()
            return await client.write(lines), await sales(client, "m1")

    with InfluxServer(tmp_path / "influxd", f"max-body-size = {limit}") as server:
        refused, rows = asyncio.run(run(server.url))
    assert refused == {}
    assert [row["seq"] for row in rows] == list(range(1, 101))


def test_the_database_is_made_by_the_first_write_and_after_it_was_dropped(tmp_path: Path) -> None:
    async def nap(_pause_s: float) -> None:
        """Try again at once."""

    async def run(settings: InfluxSettings) -> int:
        async with Influx(settings, nap) as client:
            assert await client.write(lines_of("m1", 1)) == {}
            await client.query('DROP DATABASE "fresh"')
            assert await client.write(lines_of("m1", 2)) == {}
            return len(await sales(client, "m1"))

    with InfluxServer(tmp_path / "influxd") as server:
        assert asyncio.run(run(InfluxSettings(url=server.url, database="fresh"))) == 1


def test_killed_in_the_middle_of_a_backlog_it_has_every_point(tmp_path: Path) -> None:
    lines = lines_of("m1", *range(1, 20_001))
    with InfluxServer(tmp_path / "influxd") as server:

        async def strike() -> None:
            for _ in range(3):
                await asyncio.sleep(0.15)  # anywhere in the writing
                server.kill()
                server.start()

        async def nap(_pause_s: float) -> None:
            await asyncio.sleep(0.02)

        async def run() -> list[dict[str, Any]]:
            async with Influx(InfluxSettings(url=server.url, timeout_s=2), nap) as client:
                striking = asyncio.create_task(strike())
                while not striking.done():
                    assert await client.write(lines) == {}
                await striking
                return await client.query('SELECT count("seq") AS n, sum("price_minor") AS v FROM "sale"')

        rows = asyncio.run(run())
    assert (rows[0]["n"], rows[0]["v"]) == (20_000, 20_000 * 150)
