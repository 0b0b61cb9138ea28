"""A machine of today without its devices: what it hears and says as messages."""

import random
from typing import Any, Final

from edge.commands import Authority
from edge.core import Core
from edge.link_events import Command, Connected
from edge.sale import events as ev
from edge.sale.state import SlotSetting
from edge.sale.step import Machine, ProductGroup
from edge.store.journal import Journal
from shared.clock import Now
from shared.messages import PriceList
from tests.signing import KEYS, NS

SLOTS = (SlotSetting("A1", "cola", 10, 10), SlotSetting("B1", "milk", 8, 6))
ONLINE: Final = Connected(session_present=False, max_packet_bytes=None)


class Edge:
    """Switched on and connected. `said`: all that it wanted to be done so far."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        machine = Machine(
            {"A1": "cola", "B1": "milk"},
            "test",
            items={"A1": 1, "B1": 2},
            slots={slot.slot: slot for slot in SLOTS},
            groups={"fresh": ProductGroup(("B1",), "board", 0, 80, 600.0)},
        )
        prices = PriceList(version=0, currency="EUR", prices={"A1": 150, "B1": 90})
        authority = Authority(KEYS, own_clock=True)
        self.core = Core(journal, machine, SLOTS, prices, random.Random(1), 0.0, authority=authority)
        self.now_s = 1.0
        self.said: list[Command] = []
        self.hear(ev.Booted(), ONLINE)

    def hear(self, *events: Any) -> None:  # noqa: ANN401  # whatever the core takes
        for event in events:
            self.now_s += 1.0
            now = Now(1_790_000_000 * NS + round(self.now_s * NS), self.now_s, "synced", "boot")
            self.said += self.core.handle(event, now)
