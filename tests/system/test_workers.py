"""Several cloud processes on one data_dir, killed and stopped under load: nothing lost, nothing doubled."""

import re
import sys
from contextlib import ExitStack, closing
from pathlib import Path

from cloud.store import Store
from cloud.wanted import book
from deploy.demo.fleet import stored
from deploy.demo.machine import Books
from deploy.demo.servers import Broker, Influx
from edge.store.reader import reading
from shared import capture, codec, topics
from shared.messages import PriceList, Status
from tests.backlog import owe_sales
from tests.bench.backlog import Half
from tests.cloud.far_end import Machine
from tests.cloud.records import EPOCH, sale
from tests.cloud.test_health import Observed
from tests.helpers import eventually

NAMES = [f"m{number}" for number in range(10)]
EACH = 1_000
FLEET_SALE = re.compile(rb"vend/v1/m\d/sale")
ONLINE = Status(online=True, since_ns=1, epoch=EPOCH, software="1", tenders={})


def archived(folder: Path) -> dict[str, set[tuple[str, int]]]:
    """Machine and number of every record in the archive, by the process that wrote it."""
    found: dict[str, set[tuple[str, int]]] = {}
    for path in folder.iterdir():
        writer = re.fullmatch(r"\w+\.\w+-(vend-cloud-\w+)-\d{4}\.mqtt\.jsonl", path.name)
        assert writer is not None, path.name
        for message in capture.read(path):
            if message.topic.endswith(topics.SALE.name):
                records = codec.unpack(message.payload)
                assert isinstance(records, tuple)
                found.setdefault(writer[1], set()).update((r["machine"], r["seq"]) for r in records)
    return found


def test_one_killed_and_one_stopped_under_load(tmp_path: Path) -> None:
    books = {name: Books(EACH, owe_sales(tmp_path / name, name, EACH)) for name in NAMES}
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(tmp_path / "mosquitto"))
        influx = stack.enter_context(Influx(tmp_path / "influxd"))

        def started(name: str, *, worker: bool = False) -> Observed:
            made = Observed(tmp_path / "cloud", broker.port, influx.url, influx.database, name, worker=worker)
            return stack.enter_context(made)

        worker, first = started("worker", worker=True), started("first")
        machines = Half(
            [sys.executable, "-m", "tests.bench.uplinks", str(broker.port), str(tmp_path), *NAMES]
        )
        eventually(lambda: "this process publishes prices" in first.log.read_text())
        second = started("second")
        eventually(lambda: "another process has the desk" in second.log.read_text())
        eventually(lambda: worker.answers() and worker.ready()[0] == 200)
        # Each message is one process's, and each process has some.
        with Machine("lone", broker.port) as far:
            for seq in range(1, 7):
                far.send(sale("lone", seq))
            eventually(lambda: far.stored() == set(range(1, 7)))
        taken = [process.figure("messages_total", topic="sale") for process in (first, worker, second)]
        assert sum(taken) == 6
        assert all(taken)
        books["lone"] = Books(6, 6 * 150)

        machines.hears("ready")
        machines.go()
        archive = tmp_path / "cloud" / "data" / "archive"
        eventually(lambda: sum(bool(FLEET_SALE.search(path.read_bytes())) for path in archive.iterdir()) == 3)
        first.kill()
        worker.stop()
        assert sum(b.sales for b in stored(influx.url, influx.database).values()) < EACH * len(
            NAMES
        )  # in the middle
        machines.hears("nothing owed")
        machines.end()

        assert stored(influx.url, influx.database) == books
        for name in NAMES:
            with reading(tmp_path / name / "data") as journal:
                counts = journal.counts()
            assert (counts.owed, counts.parked) == (0, 0)
            assert counts.stored >= EACH
        by_process = archived(archive)
        assert len(by_process) == 3
        assert set().union(*by_process.values()) == {
            (name, seq) for name, kept in books.items() for seq in range(1, kept.sales + 1)
        }

        # The one that waited for the desk has it, with all that belongs to it.
        with Machine("m0", broker.port) as far:
            far.send_raw(ONLINE.model_dump_json().encode(), topics.STATUS)
            eventually(lambda: second.figure("messages_total", topic="status") > 0)
            with closing(Store(tmp_path / "cloud" / "data" / "store.db")) as store:
                assert store.dead_letters(1) == []
                prices = PriceList(version=1, currency="EUR", prices={"A1": 160}).model_dump_json()
                book.put(store.db, 0, (), [book.Message(topics.PRICES.name, "m0", 1, prices)], 1)
            eventually(lambda: far.prices)
