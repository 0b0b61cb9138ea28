"""The gauges of the whole fleet, look by look: read the store, ask InfluxDB now and then, write what changed.

The time and the broker's state are arguments. It may be killed at any moment: the next one writes every point
again, over itself.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final, TypeVar

from cloud.figures import Database
from cloud.gauges import ask
from cloud.gauges.fleet import Fleet
from cloud.gauges.rows import Known, Link, Row, link_of, machine_row, slot_rows, tube_rows
from cloud.gauges.usual import HOUR_NS, Recent, Usual
from cloud.influx import QueryError
from cloud.watch import Part, Watch

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_SECOND_NS: Final = 10**9
PERIOD_S: Final = 15.0
LOOK_S: Final = 1.0  # how soon a process that takes the desk begins
RECENT_NS: Final = 60 * _SECOND_NS  # so old the counts of the last day may be
USUAL_NS: Final = HOUR_NS
ASKED_AT_ONCE: Final = 25  # machines whose usual sales are asked for in one look
LINES_AT_ONCE: Final = 2_000  # written in one look; what is left over is written in the next ones
SETTLED_S: Final = 120.0  # after a broker came back, machines need a while to do so as well


@dataclass(frozen=True, slots=True)
class BrokerLink:
    """Whether this process is connected to the broker, and for how long it has been so or not."""

    connected: bool
    for_s: float


ALWAYS: Final = BrokerLink(connected=True, for_s=float(10**9))


@dataclass(frozen=True, slots=True)
class _Look:
    """The state of one look at the fleet: see `Gauges.once`."""

    now_ns: int
    as_of_ns: int
    listening_ns: int
    is_settled: bool
    offset_s: int


class Gauges:
    """`zone`: the operator's, of the rollups. `thread`: where the work is done, so that messages do not wait
    for it; by default the loop's own. `gone`: machines that have no gauges, although they were heard once.
    """

    def __init__(
        self,
        fleet: Fleet,
        zone: tzinfo = UTC,
        thread: Executor | None = None,
        gone: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._fleet = fleet
        self._zone = zone
        self._thread = thread
        self._gone = gone
        self._as_of_ns: int | None = None
        self._links: dict[str, Link] = {}
        self._recent: dict[str, Recent] | None = None
        self._recent_ns = 0
        self._usual: dict[str, tuple[int, Usual]] = {}  # and when it was asked for
        self._made: dict[str, tuple[object, ...]] = {}  # what a machine's slots and tubes were made from
        self._daily: dict[str, list[Row]] = {}  # and these: what is to be written of them
        self._written: dict[tuple[str, ...], Row] = {}

    async def once(
        self, database: Database, now_ns: int, broker: BrokerLink = ALWAYS, *, everything: bool = False
    ) -> int:
        """One look; returns how many points were written. `everything`: ask and write now what is otherwise
        spread over some looks.

        While the broker is away, and until machines had the time to come back, a machine is as it was: nobody
        falls silent, and nobody misses sales. Raises QueryError and sqlite3.OperationalError; waits for an
        InfluxDB that does not take what is written.
        """
        gone = self._gone()
        fleet = [one for one in await self._apart(self._fleet.read) if one.machine not in gone]
        look = self._look(now_ns, broker, max((one.seen_ns for one in fleet), default=0))
        await self._ask(database, [one.machine for one in fleet], look, everything=everything)
        rows = await self._apart(lambda: self._changed(fleet, look))
        if not everything:
            rows = rows[:LINES_AT_ONCE]
        if rows:
            self._tell(await database.write(await self._apart(lambda: [row.text() for row in rows])))
            self._written |= {row.key: row for row in rows}
        return len(rows)

    def _look(self, now_ns: int, broker: BrokerLink, heard_ns: int) -> _Look:
        """`heard_ns`: when anybody was heard last. It is how a process that starts while the broker is away
        knows since when.
        """
        is_settled = broker.connected and broker.for_s >= SETTLED_S
        if is_settled:
            self._as_of_ns = now_ns
        elif self._as_of_ns is None:
            self._as_of_ns = min(now_ns, heard_ns or now_ns)
        since_ns = now_ns - round(broker.for_s * _SECOND_NS)
        offset = datetime.fromtimestamp(now_ns / _SECOND_NS, self._zone).utcoffset()
        return _Look(
            now_ns=now_ns,
            as_of_ns=self._as_of_ns,
            listening_ns=since_ns if broker.connected else now_ns,
            is_settled=is_settled,
            offset_s=round(offset.total_seconds()) if offset else 0,
        )

    async def _apart(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _ask(
        self, database: Database, machines: Sequence[str], look: _Look, *, everything: bool
    ) -> None:
        now_ns = look.as_of_ns
        if everything or self._recent is None or abs(now_ns - self._recent_ns) >= RECENT_NS:
            self._recent = await ask.recent(database.query, now_ns)
            self._recent_ns = now_ns
        asked = {machine: self._usual[machine][0] if machine in self._usual else 0 for machine in machines}
        due = [machine for machine in machines if everything or abs(now_ns - asked[machine]) >= USUAL_NS]
        due.sort(key=lambda machine: asked[machine])
        for start in range(0, len(due) if everything else min(len(due), ASKED_AT_ONCE), ASKED_AT_ONCE):
            found = await ask.usual(database.query, due[start : start + ASKED_AT_ONCE], now_ns)
            self._usual |= {machine: (now_ns, usual) for machine, usual in found.items()}

    def _changed(self, fleet: Sequence[Known], look: _Look) -> list[Row]:
        """All rows that are not as they were written last; those of machines first."""
        rows: list[Row] = []
        for known in fleet:
            usual = self._usual[known.machine][1] if known.machine in self._usual else None
            recent = None if self._recent is None else self._recent.get(known.machine, Recent())
            rows.append(
                machine_row(
                    known,
                    self._link(known, look),
                    usual,
                    recent,
                    now_ns=look.now_ns,
                    as_of_ns=look.as_of_ns,
                    offset_s=look.offset_s,
                )
            )
        changed = [row for row in rows if row != self._written.get(row.key)]
        for known in fleet:
            changed += self._of_the_day(known, look)
        return changed

    def _link(self, known: Known, look: _Look) -> Link | None:
        link = link_of(known, look.as_of_ns, look.listening_ns)
        before = self._links.get(known.machine)
        if before is not None and before.online and not look.is_settled and not (link and link.online):
            return before
        if link is not None:
            self._links[known.machine] = link
        return link

    def _of_the_day(self, known: Known, look: _Look) -> list[Row]:
        """Slots and tubes: made anew only when something they are made from is new."""
        usual = self._usual[known.machine][1] if known.machine in self._usual else None
        made = (known.stock, known.health and known.health.tubes, usual, look.now_ns // (24 * HOUR_NS))
        if self._made.get(known.machine) != made:
            self._made[known.machine] = made
            self._daily[known.machine] = [
                *(slot_rows(known.machine, known.stock, usual, look.now_ns) if known.stock else ()),
                *(tube_rows(known.machine, known.health, usual, look.now_ns) if known.health else ()),
            ]
        left = [row for row in self._daily[known.machine] if row != self._written.get(row.key)]
        self._daily[known.machine] = left
        return left

    def _tell(self, refused: dict[int, str]) -> None:
        if refused:
            _log.error(
                "InfluxDB refuses %s of the gauges, such as: %s", len(refused), next(iter(refused.values()))
            )


async def write_gauges(
    gauges: Gauges,
    database: Database,
    has_desk: Callable[[], bool],
    watch: Watch,
    wall_ns: Callable[[], int],
) -> None:
    """For ever, once a period while this process has the desk, also while the broker is away: the hours that
    begin then have a point of every machine too. Trouble is told, and the next period tries again.
    """
    while True:
        if not has_desk():
            await asyncio.sleep(LOOK_S)
            continue
        broker = BrokerLink(watch.is_well(Part.BROKER), watch.monotonic_s() - watch.broker_since_s())
        try:
            await gauges.once(database, wall_ns(), broker)
        except (QueryError, sqlite3.OperationalError) as error:
            _log.warning("the gauges could not be written this time (%s)", error)
        await asyncio.sleep(PERIOD_S)
