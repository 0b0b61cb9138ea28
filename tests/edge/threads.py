"""What the tests with real threads and pseudo-terminals share."""

import queue

from edge.sale.events import DriverEvent
from edge.serial_port import PortThread

LIMIT_S = 20.0


class Inbox:
    """Takes events and crashes from a port thread, and waits for them."""

    def __init__(self) -> None:
        self._events: queue.Queue[DriverEvent | Exception] = queue.Queue()

    def put(self, event: DriverEvent | Exception) -> None:
        self._events.put(event)

    def until(self, *kinds: type[DriverEvent]) -> list[DriverEvent]:
        """The events up to and including the first of one of these kinds."""
        events: list[DriverEvent] = []
        while not events or not isinstance(events[-1], kinds):
            event = self._events.get(timeout=LIMIT_S)
            if isinstance(event, Exception):
                raise event
            events.append(event)
        return events

    def crash(self) -> Exception:
        event = self._events.get(timeout=LIMIT_S)
        assert isinstance(event, Exception)
        return event


def stop(thread: PortThread) -> None:
    thread.stop()
    thread.join(LIMIT_S)
    assert not thread.is_alive()
