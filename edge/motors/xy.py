"""The XY board's link, protocol V3.0 (frames: edge/motors/xy_codes.py), without I/O.

The board is the master: it polls every 200 ms, and each of its frames is answered by one of ours, a POLL by
an ACK or by one command. Answers are due within 100 ms, so after a delay only the last frame is answered; the
board sends again what it got no answer to, and we do the same, each at most 5 times, with the same number.

- A motor run that was certainly never written to the board ends with NOT_STARTED. One that was written but
  not acknowledged is in doubt and ends with nothing here; if it ran after all, the board's status tells.
- A drive in doubt is not sent to a board that has started anew: the board forgot the number by which it would
  know a resend, and the motor may have run.
- One run at a time: the next is refused until the last one's end is told, or RUN_LIMIT_S have passed. A run
  that could not be written by then is not started any more.
- A status is VendEnded whoever started the motor: it may have been the process before this one.
- The first command to a board is always SYNC. A drive therefore never carries the number of the command
  before it, which after a restart of this process could be the last drive of the process before.
- Door and temperature are asked for at a free poll, if the settings say so (edge/motors/xy_cabinet.py).
- A frame that repeats the last one within the board's resend time is acknowledged and not told again.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from edge.motors.xy_cabinet import XyCabinet
from edge.motors.xy_codes import (
    ACK,
    NUMBERLESS,
    PROGRESS,
    RESULTS,
    Command,
    Decoder,
    Frame,
    ask_machine,
    drive,
    encode,
    next_number,
    sync,
)
from edge.sale.effects import Effect, RunMotor
from edge.sale.events import (
    BoardLost,
    BoardReady,
    DeviceFault,
    DriverEvent,
    SlotSelected,
    VendEnded,
    VendResult,
)

BAUDRATE = 57600
SILENT_S = 2.0  # ten missed polls
MAX_SENDS = 6  # once, and 5 resends
RESEND_WINDOW_S = 3.0  # 5 resends in the slowest rhythm that is seen with 200 ms polls, and some
RUN_LIMIT_S = 15.0  # a motor board gives up by then
CANCELLED = 0  # the selection of a keypad entry that was taken back


@dataclass(slots=True)
class _Sending:
    """The one command that is on its way; slot is None for SYNC."""

    frame: Frame
    slot: str | None
    sends: int = 0


class XyLink:
    baudrate = BAUDRATE
    at_rest = True  # what the board was not acknowledged it tells again

    def __init__(self, selections: Mapping[str, int], *, machine_status: bool = False) -> None:
        self._selections = dict(selections)
        self._slots = {selection: slot for slot, selection in selections.items()}
        self._decoder = Decoder()
        self._number = 0
        self._sending: _Sending | None = None
        self._wanted: str | None = None  # the slot of a run that is not written yet
        self._run: tuple[str, float] | None = None  # the run whose end is awaited, and until when
        self._sync_wanted = True
        self._ready: bool | None = None  # what the last event said; None before the first
        self._silent_from_s = inf
        self._synced_s = -inf
        self._last_data: tuple[Frame, float] | None = None
        self.counts: Counter[str] = Counter()
        self._cabinet = XyCabinet(self.counts) if machine_status else None

    @property
    def next_wake_s(self) -> float:
        return self._silent_from_s

    def opened(self, now_s: float) -> None:
        self._decoder.forget()
        self._sync_wanted = True
        self._silent_from_s = now_s + SILENT_S

    def closed(self, reason: str, now_s: float) -> list[DriverEvent]:
        del now_s
        self._silent_from_s = inf
        return self._lose(reason)

    def perform(self, effect: Effect, now_s: float) -> list[DriverEvent]:
        match effect:
            case RunMotor(slot):
                running = self._run is not None and now_s <= self._run[1]
                if not self._ready or slot not in self._selections or running:
                    self.counts["drives_refused"] += 1
                    return [VendEnded(slot, VendResult.NOT_STARTED)]
                self._wanted, self._run = slot, (slot, now_s + RUN_LIMIT_S)
            case _:
                pass
        return []

    def turn(self, data: bytes, now_s: float) -> tuple[bytes, list[DriverEvent]]:
        """Take the bytes that came until now, say what to answer and what happened."""
        events: list[DriverEvent] = []
        frames = self._decoder.feed(data, now_s)
        for frame in frames:
            self._silent_from_s = now_s + SILENT_S
            events += self._take(frame, now_s)
        if self._run is not None and now_s > self._run[1]:
            events += self._end_unwritten()
        if now_s > self._silent_from_s:
            self._silent_from_s = inf
            return b"", events + self._lose("silent")
        if not frames or frames[-1].command == Command.ACK:
            return b"", events
        if frames[-1].command != Command.POLL:
            return ACK, events
        events += self._give_up()
        return self._answer_poll(now_s), events

    # What the board says

    def _take(self, frame: Frame, now_s: float) -> list[DriverEvent]:
        if frame.command == Command.ACK:
            return self._on_ack(now_s)
        if frame.command in NUMBERLESS or self._is_resend(frame, now_s):
            return []
        text = frame.text[1:]
        match frame.command:
            case Command.STATUS if len(text) >= 3:
                return self._on_status(text[0], self._slots.get(text[1] << 8 | text[2]))
            case Command.SELECTED if len(text) >= 2:
                return self._on_selected(text[0] << 8 | text[1])
            case Command.MACHINE if self._cabinet is not None:
                return self._cabinet.take(text)
            case Command.SYNC:
                self._on_board_started(now_s)
            case _:
                self.counts["frames_ignored"] += 1
        return []

    def _is_resend(self, frame: Frame, now_s: float) -> bool:
        if self._last_data is not None:
            last, at_s = self._last_data
            if frame == last and now_s - at_s <= RESEND_WINDOW_S:
                self.counts["frames_repeated"] += 1
                return True
        self._last_data = (frame, now_s)
        return False

    def _on_ack(self, now_s: float) -> list[DriverEvent]:
        done, self._sending = self._sending, None
        if done is None:
            self.counts["acks_stray"] += self._cabinet is None or not self._cabinet.acknowledged()
        elif done.slot is None:
            self._sync_wanted = False
            self._synced_s = now_s
            if not self._ready:
                self._ready = True
                return [BoardReady()]
        return []

    def _on_status(self, status: int, slot: str | None) -> list[DriverEvent]:
        if status in PROGRESS:
            return []
        if slot is None:
            self.counts["selections_unknown"] += 1
            return []
        if status not in RESULTS:
            return [DeviceFault("board", f"vend_status_{status:02x}", lasts=False)]
        if self._run is not None and self._run[0] == slot:
            self._run = None
        return [VendEnded(slot, RESULTS[status])]

    def _on_selected(self, selection: int) -> list[DriverEvent]:
        if selection == CANCELLED:
            return []
        if selection not in self._slots:
            self.counts["selections_unknown"] += 1
            return []
        return [SlotSelected(self._slots[selection])]

    def _on_board_started(self, now_s: float) -> None:
        if self._sending is not None and self._sending.slot is not None:
            self.counts["drives_in_doubt"] += 1
            self._sending = None
        # Soon after our own SYNC it is the board's answer; to sync again would never end.
        if now_s - self._synced_s > RESEND_WINDOW_S:
            self._sync_wanted = True
            if self._wanted is None:
                self._run = None  # it stopped with the board

    # What we say

    def _give_up(self) -> list[DriverEvent]:
        if self._sending is None or self._sending.sends < MAX_SENDS:
            return []
        given_up, self._sending = self._sending, None
        if given_up.slot is None:
            self.counts["syncs_unacknowledged"] += 1  # harmless, so it goes on with a new number
            return []
        self.counts["drives_in_doubt"] += 1
        return [DeviceFault("board", "drive_unacknowledged", lasts=False)]

    def _answer_poll(self, now_s: float) -> bytes:
        if self._sending is None:
            if self._sync_wanted:
                self._number = next_number(self._number)
                self._sending = _Sending(sync(self._number), None)
            elif self._wanted is not None:
                self._number = next_number(self._number)
                slot, self._wanted = self._wanted, None
                self._sending = _Sending(drive(self._number, self._selections[slot]), slot)
            else:
                return self._ask_machine(now_s)
        self._sending.sends += 1
        return encode(self._sending.frame)

    def _ask_machine(self, now_s: float) -> bytes:
        running = self._run is not None and now_s <= self._run[1]
        if self._cabinet is None or running or not self._cabinet.due(now_s):
            return ACK
        self._cabinet.asked(now_s)
        self._number = next_number(self._number)
        return encode(ask_machine(self._number))

    def _end_unwritten(self) -> list[DriverEvent]:
        if self._wanted is None:
            return []
        slot, self._wanted, self._run = self._wanted, None, None
        return [VendEnded(slot, VendResult.NOT_STARTED)]

    def _lose(self, reason: str) -> list[DriverEvent]:
        events = self._end_unwritten()
        if self._sending is not None and self._sending.slot is not None:
            self.counts["drives_in_doubt"] += 1
        self._sending, self._sync_wanted = None, True
        if self._cabinet is not None:
            self._cabinet.lost()
        if self._ready is not False:
            events.append(BoardLost(reason))
        self._ready = False
        return events
