"""The books as points in InfluxDB, so that Grafana shows proven, waiting and missing, and what was counted.

`books`: a point a machine and period, of all its journals together. `bag`: one for each counted bag, at the
time when it was collected; counted again, it is overwritten. Written again, a point is the same point.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from cloud.bags import Bag, Counts, collected
from cloud.books import Account, Books
from cloud.influx import QueryError
from cloud.proof import Proof
from cloud.ranges import count
from cloud.report import Report, report

_log = logging.getLogger(__name__)
PERIOD_S: Final = 300
_PROOF_NS: Final = 3_600 * 10**9
_AT_ONCE: Final = 1_000
_LOOK_BACK_NS: Final = 62 * 86_400 * 10**9  # bags that are written again, as they may have been counted


# By machine and epoch: when it was made, and what came out.
Proofs = dict[tuple[str, str], tuple[int, Proof]]


class Database(Protocol):
    async def query(self, influxql: str) -> list[dict[str, Any]]: ...

    async def write(self, lines: Sequence[str]) -> dict[int, str]: ...


def books_line(machine: str, reports: Sequence[Report], at_ns: int) -> str:
    """`balanced`: no total differs. `proven`: records up to the last audit that agrees."""
    point = Point("books").tag("machine", machine)
    point.field("stored", sum(found.account.stored for found in reports))
    point.field("proven", sum(found.proven_to for found in reports))  # a proof ends before what is refused
    for name in ("waiting", "missing", "refused"):
        point.field(name, sum(count(getattr(found.account, name)) for found in reports))
    point.field("balanced", not any(found.proof.differences for found in reports))
    point.field("journals", len(reports))
    return _text(point, at_ns)


def bag_line(bag: Bag) -> str | None:
    if bag.difference_minor is None:
        return None
    point = Point("bag").tag("machine", bag.machine).field("bag", bag.bag).field("currency", bag.currency)
    point.field("expected_minor", bag.expected_minor)
    point.field("counted_minor", bag.counts[-1].amount_minor)
    point.field("difference_minor", bag.difference_minor)
    return _text(point, bag.collected_ns)


def _text(point: Point, at_ns: int) -> str:
    return str(point.time(at_ns, WritePrecision.NS).to_line_protocol())


async def write_figures(
    _connection: object, database: Database, books: Books, counts: Counts, wall_ns: Callable[[], int]
) -> None:
    """For ever, once a period. Trouble is told, and the next period tries again."""
    period_ns = PERIOD_S * 10**9
    proofs: Proofs = {}
    while True:
        try:
            await write_once(database, books, counts, proofs, wall_ns() // period_ns * period_ns)
        except (QueryError, sqlite3.OperationalError) as error:
            _log.warning("the books could not be written this time (%s)", type(error).__name__)
        await asyncio.sleep(PERIOD_S)


async def write_once(database: Database, books: Books, counts: Counts, proofs: Proofs, at_ns: int) -> None:
    lines: list[str] = []
    for machine in books.machines():
        reports = [await _report(database, account, proofs, at_ns) for account in books.accounts(machine)]
        lines.append(books_line(machine, reports, at_ns))
        if len(lines) == _AT_ONCE:
            await database.write(lines)
            lines = []
    bags = await collected(database.query, counts, at_ns - _LOOK_BACK_NS)
    lines += [line for bag in bags if (line := bag_line(bag)) is not None]
    if lines:
        await database.write(lines)


async def _report(database: Database, account: Account, proofs: Proofs, at_ns: int) -> Report:
    """What is stored and missing as it is now, the proof of an hour: no audit comes sooner."""
    journal = (account.machine, account.epoch)
    proved_ns, proof = proofs.get(journal, (0, None))
    if proof is None or at_ns - proved_ns >= _PROOF_NS:
        found = await report(database.query, account)
        proofs[journal] = (at_ns, found.proof)
        return found
    return Report(account, proof)
