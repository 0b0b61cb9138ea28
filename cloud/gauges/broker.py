"""What Mosquitto says of itself below `$SYS`, every ten seconds by default: the table of what is read.

The broker's rights are written from it (cloud/identity/rights.py): these topics and no others, because `$SYS`
has also what an attacker would like to know. Checked with Mosquitto 2.0.11, which has no count of queued
messages: its store holds those and the retained ones.
"""

from contextlib import suppress
from typing import Final

from shared.fields import MAX_INT

CONNECTED: Final = "$SYS/broker/clients/connected"
STORED: Final = "$SYS/broker/store/messages/count"
RETAINED: Final = "$SYS/broker/retained messages/count"
DROPPED: Final = "$SYS/broker/publish/messages/dropped"
RECEIVED: Final = "$SYS/broker/load/messages/received/1min"
TOPICS: Final = (CONNECTED, STORED, RETAINED, DROPPED, RECEIVED)


class BrokerFigures:
    """The last word on each topic of one connection."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def hear(self, topic: str, payload: bytes) -> bool:
        """Whether the message was one of these. What is no number is not believed."""
        if topic not in TOPICS:
            return False
        self._said.pop(topic, None)
        with suppress(ValueError):
            number = float(payload[:32])
            if 0.0 <= number <= MAX_INT:
                self._said[topic] = number
        return True

    @property
    def is_whole(self) -> bool:
        return len(self._said) == len(TOPICS)

    def forget(self) -> None:
        """The connection is gone; nothing is known any more."""
        self._said.clear()

    def fields(self) -> dict[str, int | float]:
        """Empty while nothing was heard. `received_rate`: messages a second, over the last minute."""
        fields: dict[str, int | float] = {
            name: int(self._said[topic])
            for name, topic in (("clients", CONNECTED), ("stored_messages", STORED), ("dropped", DROPPED))
            if topic in self._said
        }
        if STORED in self._said and RETAINED in self._said:
            fields["queued_messages"] = max(0, int(self._said[STORED] - self._said[RETAINED]))
        if RECEIVED in self._said:
            fields["received_rate"] = round(self._said[RECEIVED] / 60, 2)
        return fields
