"""A Modbus RTU relay and input board that behaves, with spiral motors, home switches and a drop sensor on it.

Waveshare's map: coils, pulses by a timer of the board, inputs, control modes, unit address. It answers one
request after the other, and nothing to a wrong CRC or another unit. What fell is in `truth()`; the hands may
come from another thread.
"""

import random
from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from threading import Lock

from pymodbus import ModbusException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsResponse,
    ReadDiscreteInputsResponse,
    WriteMultipleCoilsResponse,
)
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse

from edge.motors.modbus import DEFAULT_WIRING
from edge.motors.modbus_codes import ALL_COILS, CONTROL_MODES, INPUTS, OUTPUTS, PULSE_ON, framer
from edge.motors.modbus_rest import Wiring
from edge.sim.bus import Fault
from edge.sim.motors import BoardTruth, Outcome
from edge.sim.spiral import SimSpiral

ON, TOGGLE = 0xFF00, 0x5500
TOGGLE_ALL = 0x01FF
UNIT_ADDRESS, VERSION = 0x4000, 0x8000
BROADCAST = 0
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2
PAUSE_S = 0.05  # half a request older than this is forgotten


class SimModbusBoard:
    """stock: products in the spiral at each output. Faults are planned by exchange; the first is 0."""

    def __init__(
        self,
        stock: Mapping[int, int],
        wiring: Wiring = DEFAULT_WIRING,
        *,
        turn_s: float = 2.5,
        home_turns: float = 0.08,
        fall_s: float = 0.3,
        drop_probability: float = 1.0,
        seed: int = 0,
    ) -> None:
        self._lock = Lock()
        self._wiring = wiring
        rng = random.Random(seed)  # noqa: S311  # chance, not secrets
        self.spirals = {
            output: SimSpiral(
                count,
                rng,
                turn_s=turn_s,
                home_turns=home_turns,
                fall_s=fall_s,
                drop_probability=drop_probability,
            )
            for output, count in stock.items()
        }
        self._on_until_s = [-inf] * OUTPUTS
        self._registers = {VERSION: 200} | {CONTROL_MODES + coil: 0 for coil in range(OUTPUTS)}
        self._framer = framer(is_server=True)
        self._buffer = b""
        self._heard_s = self._now_s = -inf
        self._answers: deque[tuple[float, bytes]] = deque()
        self._answer_free_s = -inf
        self.drop_s = 0.3  # how long the light curtain tells one product
        self.answer_s = 0.02  # a question and its answer on the wire
        self.blocked = False  # something lies in the light curtain
        self.silent = False
        self.door_open = False
        self.fault_at: dict[int, Fault] = {}
        self.doubled_at: set[int] = set()  # the exchanges whose answer comes a second time, when all is over
        self.exchanges = 0
        self.most_running = 0

    # The hands

    def plan(self, output: int, outcome: Outcome) -> None:
        """What this motor does from now on, until it is mended."""
        with self._lock:
            self.spirals[output].outcome = outcome

    def mend(self, output: int) -> None:
        with self._lock:
            self.silent = False
            self._on_until_s[output - 1] = -inf
            self.spirals[output].mend()

    def power_cycle(self) -> None:
        with self._lock:
            self._on_until_s = [-inf] * OUTPUTS
            self._answers.clear()
            self._buffer = b""

    def truth(self) -> BoardTruth:
        with self._lock:
            spirals = self.spirals.items()
            return BoardTruth(
                {output: spiral.starts for output, spiral in spirals if spiral.starts},
                {output: spiral.drops for output, spiral in spirals if spiral.drops},
                {output: spiral.stock for output, spiral in spirals},
            )

    def running(self) -> list[int]:
        """The outputs that are on."""
        with self._lock:
            return [coil + 1 for coil in range(OUTPUTS) if self._is_on(coil)]

    # The line

    def turn(self, data: bytes, now_s: float) -> bytes:
        with self._lock:
            self._advance(now_s)
            if now_s - self._heard_s > PAUSE_S:
                self._buffer = b""
            if data:
                self._heard_s = now_s
                self._buffer += data
                self._take_requests()
            out = b""
            while self._answers and self._answers[0][0] <= now_s:
                out += self._answers.popleft()[1]
            return out

    def _take_requests(self) -> None:
        while len(self._buffer) > 1:
            if self._buffer[1] not in self._functions:
                self._buffer = self._buffer[1:]
                continue
            try:
                used, request = self._framer.handleFrame(self._buffer, 0, 0)
            except ModbusException:
                used, request = len(self._buffer), None
            if not used:
                return
            self._buffer = self._buffer[used:]
            if request is not None and request.dev_id in {BROADCAST, self._wiring.unit}:
                self._exchange(request)

    def _exchange(self, request: ModbusPDU) -> None:
        fault, doubled = self.fault_at.get(self.exchanges), self.exchanges in self.doubled_at
        self.exchanges += 1
        if self.silent or fault is Fault.COMMAND_LOST:
            return
        answer = self._functions[request.function_code](self, request)
        if isinstance(answer, int):
            answer = ExceptionResponse(request.function_code, answer)
        if self.silent or fault is Fault.ANSWER_LOST or request.dev_id == BROADCAST:
            return
        answer.dev_id = self._wiring.unit
        self._answer_free_s = max(self._now_s, self._answer_free_s) + self.answer_s
        frame = self._framer.buildFrame(answer)
        self._answers.append((self._answer_free_s, frame))
        if doubled:
            self._answer_free_s += self.answer_s / 2
            self._answers.append((self._answer_free_s, frame))

    # What is asked: each gives an answer, or the code of an exception

    def _read_coils(self, request: ModbusPDU) -> ModbusPDU | int:
        if request.address + request.count > OUTPUTS:
            return ILLEGAL_ADDRESS
        bits = [self._is_on(coil) for coil in range(OUTPUTS)]
        return ReadCoilsResponse(bits=bits[request.address :][: request.count])

    def _read_inputs(self, request: ModbusPDU) -> ModbusPDU | int:
        if request.address + request.count > INPUTS:
            return ILLEGAL_ADDRESS
        return ReadDiscreteInputsResponse(bits=self._inputs()[request.address :][: request.count])

    def _read_registers(self, request: ModbusPDU) -> ModbusPDU | int:
        registers = self._registers | {UNIT_ADDRESS: self._wiring.unit}
        addresses = range(request.address, request.address + request.count)
        if not registers.keys() >= set(addresses):
            return ILLEGAL_ADDRESS
        return ReadHoldingRegistersResponse(registers=[registers[at] for at in addresses])

    def _write_coil(self, request: ModbusPDU) -> ModbusPDU | int:
        address, value = request.address, request.registers[0]
        if address in {ALL_COILS, TOGGLE_ALL}:
            for coil in range(OUTPUTS):
                self._switch(coil, TOGGLE if address == TOGGLE_ALL else value)
        elif PULSE_ON <= address < PULSE_ON + OUTPUTS:
            self._turn_on(address - PULSE_ON, self._now_s + value / 10)
        elif address < OUTPUTS:
            self._switch(address, value)
        else:
            return ILLEGAL_ADDRESS
        return request

    def _write_coils(self, request: ModbusPDU) -> ModbusPDU | int:
        if request.address + request.count > OUTPUTS:
            return ILLEGAL_ADDRESS
        for coil, bit in enumerate(request.bits, request.address):
            self._switch(coil, ON if bit else 0)
        return WriteMultipleCoilsResponse(address=request.address, count=request.count)

    def _write_register(self, request: ModbusPDU) -> ModbusPDU | int:
        if request.address not in self._registers:
            return ILLEGAL_ADDRESS
        self._registers[request.address] = request.registers[0]
        return request

    _functions: Mapping[int, Callable[["SimModbusBoard", ModbusPDU], ModbusPDU | int]] = {
        0x01: _read_coils,
        0x02: _read_inputs,
        0x03: _read_registers,
        0x05: _write_coil,
        0x06: _write_register,
        0x0F: _write_coils,
    }

    # Outputs, motors, inputs

    def _is_on(self, coil: int) -> bool:
        return self._now_s < self._on_until_s[coil]

    def _switch(self, coil: int, value: int) -> None:
        if value == ON or (value == TOGGLE and not self._is_on(coil)):
            self._turn_on(coil, inf)
        else:
            self._on_until_s[coil] = -inf

    def _turn_on(self, coil: int, until_s: float) -> None:
        spiral = self.spirals.get(coil + 1)
        if spiral is not None and not self._is_on(coil):
            spiral.starts += 1
        if spiral is not None and spiral.outcome is Outcome.SILENT:
            self.silent = True
        self._on_until_s[coil] = until_s
        self.most_running = max(self.most_running, sum(map(self._is_on, range(OUTPUTS))))

    def _advance(self, now_s: float) -> None:
        for output, spiral in self.spirals.items():
            welded = spiral.outcome is Outcome.MOTOR_STUCK and spiral.starts > 0
            until_s = now_s if welded else min(now_s, self._on_until_s[output - 1])
            if until_s > self._now_s > -inf:
                spiral.move(self._now_s, until_s)
        self._now_s = now_s

    def _inputs(self) -> list[bool]:
        wiring = self._wiring
        inputs = [False] * INPUTS
        for terminal in {wiring.home_inputs[output - 1] for output in self.spirals}:
            switches = [s for o, s in self.spirals.items() if wiring.home_inputs[o - 1] == terminal]
            at_home = all(spiral.home_switch(self._now_s) for spiral in switches)  # in series
            inputs[terminal - 1] = at_home == wiring.home_level
        seen = self.blocked or any(s.falling(self._now_s, self.drop_s) for s in self.spirals.values())
        inputs[wiring.drop_input - 1] = seen == wiring.drop_level
        if wiring.door_input is not None:
            inputs[wiring.door_input - 1] = self.door_open == wiring.door_level
        return inputs
