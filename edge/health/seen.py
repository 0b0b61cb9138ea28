"""What the devices told in this run that the sale need not know: it is lost with the program, and told anew.

Nothing here is money: what lies in tubes and boxes is the sale's own count.
"""

from typing import Final

from edge.health.tubes import TubesSeen
from edge.sale import events as ev
from edge.sale.visit_events import DoorChanged, TemperatureRead

STALE_S: Final = 60.0  # a sensor is read every few seconds; one that is silent has no temperature

Fault = tuple[str, str]  # device and code


class Seen:
    """`door`: None while nobody watches it. `faults`: those that last."""

    def __init__(self) -> None:
        self.door: bool | None = None
        self.tubes = TubesSeen()
        self.recycler = False
        self.faults: dict[Fault, None] = {}  # a set in order
        self._temperatures: dict[str, tuple[int, float]] = {}

    def temperatures(self, now_s: float) -> dict[str, float]:
        """Degrees Celsius by sensor."""
        return {
            sensor: decidegrees / 10
            for sensor, (decidegrees, read_s) in self._temperatures.items()
            if now_s - read_s <= STALE_S
        }

    def heard(self, event: object, now_s: float) -> None:
        self.tubes.heard(event)
        match event:
            case TemperatureRead(sensor, decidegrees):
                self._temperatures[sensor] = decidegrees, now_s
            case DoorChanged(is_open):
                self.door = is_open
            case ev.BoardLost():
                self.door = None
            case ev.DeviceFault(lasts=True):
                self.faults[event.device, event.code] = None
            case ev.DeviceFaultCleared(device, code):
                self.faults.pop((device, code), None)
            case ev.BillsReady():
                self.recycler = event.recycler
            case _:
                pass
