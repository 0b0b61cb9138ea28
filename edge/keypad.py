"""A serial keypad: its link, without I/O, and the thread that owns its port.

- Letters, digits and the hyphen are keys, as in the slots' names; `#`, CR or LF ends an entry, `*`, ESC or
  backspace clears it. Case is no matter, unless two slots differ in nothing else.
- An end makes at most one event: what edge/sale/selection.py knows. An unknown entry is counted, an empty one
  is nothing: CR LF is one end.
- A byte that is no key stays in the entry, which is unknown by it: a key that was garbled must not leave
  another slot's name.
- The same key within BOUNCE_S is one key. It is not when the end follows the last key as fast, or when the
  port was read late: then the entry was sent as a whole, and `A11` has two ones.
- A port that is missing or lost is no fault of the machine: the thread counts it and opens it again; the
  entry is forgotten, for keys may be missing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from math import inf
from string import ascii_letters, digits
from typing import Final

from edge.sale.effects import Effect
from edge.sale.events import DriverEvent
from edge.sale.selection import chosen
from edge.serial_port import PortThread

ENDS: Final = "#\r\n"
CLEARS: Final = "*\x1b\x08\x7f"
KEYS: Final = frozenset(ascii_letters + digits + "-")
NO_KEY: Final = "?"  # stands in an entry for a byte that is no key; no slot's name has it
MAX_KEYS: Final = 16  # one more begins a new entry
BOUNCE_S: Final = 0.030
FORGET_S: Final = 10.0


class KeypadLink:
    """`items`: the number of each slot."""

    at_rest = True  # nothing is ever asked

    def __init__(self, items: Mapping[str, int], baudrate: int) -> None:
        self.baudrate = baudrate
        self._items = dict(items)
        self._typed = ""  # the entry without bounces
        self._sent = ""  # the same entry, each byte of it
        self._last_key = ""
        self._key_s = -inf
        self._turn_s = -inf
        self.counts: Counter[str] = Counter()

    def opened(self, now_s: float) -> None:
        del now_s
        self._forget()

    def closed(self, reason: str, now_s: float) -> list[DriverEvent]:
        del reason, now_s
        return []

    def perform(self, effect: Effect, now_s: float) -> list[DriverEvent]:
        del effect, now_s
        return []

    def turn(self, data: bytes, now_s: float) -> tuple[bytes, list[DriverEvent]]:
        if self._sent and now_s - self._key_s > FORGET_S:
            self.counts["entries_forgotten"] += 1
            self._forget()
        late = now_s - self._turn_s > BOUNCE_S
        self._turn_s = now_s
        events: list[DriverEvent] = []
        for char in data.decode("latin-1"):
            if char in ENDS:
                events += self._end(now_s)
            elif char in CLEARS:
                self._forget()
            else:
                self._press(char, now_s, late=late)
        return b"", events

    def _press(self, char: str, now_s: float, *, late: bool) -> None:
        if char not in KEYS:
            self.counts["bytes_ignored"] += 1
            char = NO_KEY
        bounced = char == self._last_key and now_s - self._key_s <= BOUNCE_S and not late
        self._last_key, self._key_s = char, now_s
        self._sent = _longer(self._sent, char)
        if bounced:
            self.counts["keys_bounced"] += 1
            return
        if len(self._typed) == MAX_KEYS:
            self.counts["entries_too_long"] += 1
        self._typed = _longer(self._typed, char)

    def _end(self, now_s: float) -> list[DriverEvent]:
        entry = self._sent if now_s - self._key_s <= BOUNCE_S else self._typed
        self._forget()
        if not entry:
            return []
        event = chosen(self._as_named(entry), self._items)
        if event is None:
            self.counts["entries_unknown"] += 1
            return []
        return [event]

    def _as_named(self, entry: str) -> str:
        """The slot that is the same but for the case, if there is one such slot and none that is the same."""
        slots = [slot for slot in self._items if slot.lower() == entry.lower()]
        return slots[0] if len(slots) == 1 else entry

    def _forget(self) -> None:
        self._typed = self._sent = self._last_key = ""
        self._key_s = -inf


def _longer(entry: str, char: str) -> str:
    return entry + char if len(entry) < MAX_KEYS else char


def keypad_thread(
    path: str,
    link: KeypadLink,
    emit: Callable[[DriverEvent], None],
    crashed: Callable[[Exception], None],
) -> PortThread:
    return PortThread("keypad", path, link, emit, crashed)
