"""Many machines in one process, without devices: journal, core, loop and uplink are the edge's own.

Arguments: broker port, folder, machine names. Says `ready`, waits for a line, says `nothing owed` in the end.
"""

import queue
import random
import sys
import threading
from pathlib import Path

from deploy.demo.machine import SLOTS
from edge.core import Core
from edge.link_events import Publish
from edge.loop import Inbox, Loop, Retention, Stop
from edge.sale.effects import Effect
from edge.sale.state import SlotSetting
from edge.sale.step import Machine
from edge.status_file import StatusFile
from edge.store.journal import Journal
from edge.uplink import Uplink
from shared import topics
from shared.clock import SystemClock
from shared.messages import PriceList
from shared.settings import MqttSettings
from shared.supervisor import Supervisor


class NoPort:
    def submit(self, effect: Effect) -> None:
        """No device is there."""


class Watched(Loop):
    """Ends when the machine owes nothing."""

    def _housekeeping(self) -> None:
        super()._housekeeping()
        if not self._core.journal.counts.owed:
            self._inbox.put(Stop())


def machine(folder: Path, name: str, port: int, ready: threading.Barrier) -> None:
    inbox: Inbox = queue.Queue(4_096)
    slots = [SlotSetting(slot, product, 10, 10) for slot, (_, product, _) in SLOTS.items()]
    prices = PriceList(version=0, currency="EUR", prices={s: price for s, (_, _, price) in SLOTS.items()})
    with Journal(folder / name / "data" / "journal.db", name) as journal:
        setting = Machine({s.slot: s.product for s in slots}, "bench")
        core = Core(journal, setting, slots, prices, random.Random())
        will = Publish(topics.STATUS.of(name), b"", 1, retain=True, content_type="")
        uplink = Uplink(MqttSettings(port=port), name, lambda: will, inbox.put, _raise)
        files = (folder / name / "data", StatusFile(folder / name / "status.json"))
        rest = (Retention(400, 500_000), Supervisor(None))
        loop = Watched(core, inbox, NoPort(), NoPort(), uplink, SystemClock(), *files, *rest)
        ready.wait()
        uplink.start()
        loop.run()
        uplink.stop()


def _raise(error: BaseException) -> None:
    raise error


def main() -> None:
    port, folder, names = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    ready = threading.Barrier(len(names) + 1, action=lambda: None)
    threads = [threading.Thread(target=machine, args=(folder, name, port, ready)) for name in names]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    ready.wait()
    for thread in threads:
        thread.join()
    print("nothing owed", flush=True)


if __name__ == "__main__":
    main()
