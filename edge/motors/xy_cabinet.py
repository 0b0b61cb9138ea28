"""Door and temperature from an XY board's machine status, asked for while nothing else is to be said.

The protocol names the fields of this frame in their order, but neither their sizes nor their values. What is
taken for granted here is to be checked on each new kind of board, and is off unless the settings ask for it:
one byte a field, the temperature in whole degrees with a sign, 1 for an open door and 0 for a closed one, 0
for a temperature controller in order. Whatever does not fit is counted and not told: the sale takes a
temperature that it does not hear for a bad one.

A question that gets lost is not repeated, the next one comes soon enough.
"""

from collections import Counter
from math import inf
from typing import Final

from edge.sale.events import DriverEvent
from edge.sale.visit_events import DoorChanged, TemperatureRead

ASK_INTERVAL_S: Final = 5.0
SENSOR: Final = "board"
FIELDS: Final = ("bill_validator", "coin_changer", "card_reader", "controller", "temperature", "door")
_DOOR: Final = {0: False, 1: True}


class XyCabinet:
    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._door: bool | None = None  # as it was told last
        self._ask_s = -inf
        self._unacknowledged = False

    def due(self, now_s: float) -> bool:
        return now_s >= self._ask_s

    def asked(self, now_s: float) -> None:
        self._ask_s, self._unacknowledged = now_s + ASK_INTERVAL_S, True

    def acknowledged(self) -> bool:
        """Whether an ACK that nothing else waited for is that of the last question."""
        was, self._unacknowledged = self._unacknowledged, False
        return was

    def lost(self) -> None:
        """The board is gone: what its door is like is told again."""
        self._door, self._ask_s = None, -inf

    def take(self, text: bytes) -> list[DriverEvent]:
        """What a machine status says; its text is without the packet number."""
        if len(text) < len(FIELDS):
            self._counts["statuses_short"] += 1
            return []
        status = dict(zip(FIELDS, text, strict=False))
        events: list[DriverEvent] = []
        if status["controller"]:
            self._counts["temperatures_refused"] += 1
        else:
            degrees = status["temperature"] - (status["temperature"] & 0x80) * 2
            events.append(TemperatureRead(SENSOR, degrees * 10))
        door = _DOOR.get(status["door"])
        if door is None:
            self._counts["doors_unknown"] += 1
        elif door is not self._door:
            self._door = door
            events.append(DoorChanged(door))
        return events
