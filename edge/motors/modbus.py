"""The link to a Modbus RTU relay and input board with one relay a motor, without I/O (edge/motors/board.py).

- The motor's rules are edge/motors/spiral.py; frames are edge/motors/modbus_codes.py; this file asks.
- A drive is a pulse of PULSE_TENTHS that is renewed while the motor is wanted on. The board itself ends it:
  a motor stops within that time of the last word of a process that died, or of a line that was cut.
- A pulse whose answer was lost is sent again: as long as we watch the home switch and say off, one pulse more
  is no second turn. What a run did is not known any more once the board was silent for SILENT_S or the port
  was lost: a run of which any pulse was sent then ends with nothing, and never with NOT_STARTED.
- At each start of the link, after each run and after each trouble: all outputs off, control modes normal, and
  the outputs read back. No motor runs before that, and one at a time; a second RunMotor is NOT_STARTED.
- This board remembers no run: what the process before did not hear is never told.
- The board has no keypad: no SlotSelected comes from here.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from edge.motors.modbus_codes import (
    ALL_OFF,
    MODE_NORMAL,
    OUTPUTS,
    READ_INPUTS,
    READ_MODES,
    READ_OUTPUTS,
    Answer,
    Function,
    Question,
    Refusal,
    pulse,
    set_normal,
)
from edge.motors.modbus_line import BARRIER, ModbusLine
from edge.motors.modbus_rest import Rest, Wiring
from edge.motors.spiral import RUNS_ON, Spiral, Timing
from edge.sale.effects import Effect, RunMotor
from edge.sale.events import (
    BoardLost,
    BoardReady,
    DriverEvent,
    VendEnded,
    VendResult,
)

BAUDRATE = 9600
POLL_S = 0.2
RESTART_S = 1.0
SILENT_S = 1.0
PULSE_TENTHS = 5
RENEW_S = 0.2
MAX_PULSES_MISSED = 3
START = (ALL_OFF, READ_MODES, READ_OUTPUTS, READ_INPUTS)


@dataclass(slots=True)
class _Run:
    slot: str
    output: int
    spiral: Spiral
    output_on: bool = False  # it may be: a pulse was sent, and no off was acknowledged since
    pulses: int = 0
    renew_s: float = -inf
    pulses_missed: int = 0  # in a row


DEFAULT_WIRING = Wiring()
DEFAULT_TIMING = Timing()


class ModbusLink:
    baudrate = BAUDRATE

    def __init__(
        self, selections: Mapping[str, int], wiring: Wiring = DEFAULT_WIRING, timing: Timing = DEFAULT_TIMING
    ) -> None:
        """selections: the output (1 to 8) of each slot's motor. ValueError for one without a home switch."""
        if not all(1 <= output <= min(OUTPUTS, len(wiring.home_inputs)) for output in selections.values()):
            raise ValueError("a slot's selection must be an output that the wiring has a home switch for")
        self._outputs = dict(selections)
        self._wiring = wiring
        self._timing = timing
        self._line = ModbusLine(wiring.unit)
        self._steps: deque[Question] = deque()
        self._run: _Run | None = None
        self._rest = Rest(wiring, self._outputs, timing.return_home_s)
        self._ready: bool | None = None  # what the last event said; None before the first
        self._next_ask_s = -inf
        self._silent_from_s = inf
        self.counts: Counter[str] = Counter()

    @property
    def at_rest(self) -> bool:
        return self._run is None

    def opened(self, now_s: float) -> None:
        self._line.forget()
        self._restart(now_s)
        self._silent_from_s = now_s + SILENT_S

    def closed(self, reason: str, now_s: float) -> list[DriverEvent]:
        return self._lose(reason, now_s)

    def perform(self, effect: Effect, now_s: float) -> list[DriverEvent]:
        match effect:
            case RunMotor(slot):
                refused = VendEnded(slot, VendResult.NOT_STARTED)
                if not self._ready or self._run is not None or slot not in self._outputs:
                    self.counts["drives_refused"] += 1
                    return [refused]
                if self._rest.moving(now_s):
                    return [*self._rest.fault(RUNS_ON), refused]
                spiral = Spiral(self._timing, off_home=slot in self._rest.off_home)
                self._run = _Run(slot, self._outputs[slot], spiral)
                self._next_ask_s = now_s
            case _:
                pass
        return []

    def turn(self, data: bytes, now_s: float) -> tuple[bytes, list[DriverEvent]]:
        """Take the bytes that came until now, say what to ask and what happened."""
        events: list[DriverEvent] = []
        match self._line.feed(data, now_s):
            case (question, Answer(values)):
                self._silent_from_s = now_s + SILENT_S
                events += self._take(question, values, now_s)
            case (question, Refusal(code)):
                self._silent_from_s = now_s + SILENT_S
                events += self._refused(question, code, now_s)
            case (question, None):
                events += self._missed(question, now_s)
            case _:
                pass
        if now_s > self._silent_from_s:
            self._silent_from_s = inf
            events += self._lose("silent", now_s)
        return self._ask(now_s), events

    # What is asked

    def _ask(self, now_s: float) -> bytes:
        if not self._line.may_ask(now_s):
            return b""
        if self._line.in_doubt:
            return self._line.ask(BARRIER, now_s)
        if now_s < self._next_ask_s:
            return b""
        if self._steps:
            return self._line.ask(self._steps[0], now_s)
        if self._run is not None:
            return self._line.ask(self._run_question(self._run, now_s), now_s)
        return self._line.ask(READ_INPUTS, now_s)

    def _run_question(self, run: _Run, now_s: float) -> Question:
        if run.output_on and not run.spiral.motor_on:
            return ALL_OFF
        if run.spiral.motor_on and now_s >= run.renew_s:
            run.output_on, run.renew_s = True, now_s + RENEW_S
            run.pulses += 1
            return pulse(run.output - 1, PULSE_TENTHS)
        return READ_INPUTS

    def _restart(self, at_s: float) -> None:
        self._steps = deque(START)
        self._next_ask_s = at_s

    # What is answered

    def _take(self, question: Question, values: tuple[int, ...], now_s: float) -> list[DriverEvent]:
        if self._steps:
            return self._take_step(question, values, now_s) if question == self._steps[0] else []
        if question == READ_INPUTS:
            return self._take_inputs(values, now_s)
        if self._run is not None:
            if question == ALL_OFF:
                self._run.output_on = False
            self._run.pulses_missed = 0
            self._run.spiral.acknowledged(now_s)
        return []

    def _take_step(self, step: Question, values: tuple[int, ...], now_s: float) -> list[DriverEvent]:
        self._steps.popleft()
        if step == READ_MODES:
            linked = [coil for coil, mode in enumerate(values) if mode != MODE_NORMAL]
            self._steps.extendleft(map(set_normal, linked))
        elif step == READ_OUTPUTS and any(values):
            return self._lose("output_on", now_s)
        if self._steps or self._ready:
            return []
        self._ready = True
        return [BoardReady()]

    def _take_inputs(self, inputs: tuple[int, ...], now_s: float) -> list[DriverEvent]:
        run = self._run
        if run is None:
            self._next_ask_s = now_s + POLL_S
            return self._rest.watch(inputs, now_s)
        run.spiral.sample(
            home=self._wiring.home(inputs, run.output), drop=self._wiring.drop(inputs), now_s=now_s
        )
        ending = run.spiral.ending
        if ending is None:
            return []
        events = self._rest.fault(ending.fault) if ending.fault else []
        return events + self._end_run(run, ending.result, now_s)

    def _refused(self, question: Question, code: int, now_s: float) -> list[DriverEvent]:
        if self._steps and question == self._steps[0] == READ_MODES:
            return self._take_step(question, (), now_s)  # a board without modes
        run = self._run
        if run is not None and question.function is Function.WRITE_COIL and question != ALL_OFF:
            result = VendResult.NOT_STARTED if run.pulses == 1 else None
            return self._rest.fault("drive_refused") + self._end_run(run, result, now_s)
        return self._lose(f"refused_{code}", now_s)

    def _missed(self, question: Question, now_s: float) -> list[DriverEvent]:
        run = self._run
        if run is None or question.function is not Function.WRITE_COIL or question == ALL_OFF:
            return []
        run.pulses_missed += 1
        run.renew_s = now_s
        if run.pulses_missed < MAX_PULSES_MISSED:
            return []
        return self._rest.fault("drive_unacknowledged") + self._end_run(run, None, now_s)

    # What becomes of it

    def _end_run(self, run: _Run, result: VendResult | None, now_s: float) -> list[DriverEvent]:
        self._run = None
        # One that is lost in the middle of a turn goes on from there the next time.
        off_home = run.spiral.off_home or (run.pulses > 0 and run.spiral.ending is None)
        self._rest.left(run.slot, off_home=off_home, runs_on=run.spiral.runs_on, now_s=now_s)
        if run.pulses:
            self._restart(now_s)
        if result is None:
            self.counts["runs_in_doubt"] += 1
            return []
        return [VendEnded(run.slot, result)]

    def _lose(self, reason: str, now_s: float) -> list[DriverEvent]:
        events: list[DriverEvent] = []
        if self._run is not None:
            events += self._end_run(self._run, None if self._run.pulses else VendResult.NOT_STARTED, now_s)
        self._restart(now_s + RESTART_S)
        self._rest.lost()
        self._silent_from_s = inf
        if self._ready is not False:
            events.append(BoardLost(reason))
        self._ready = False
        return events
