"""Frames and tables of a Modbus RTU relay and input board (Waveshare "Modbus RTU IO 8CH" and its kind).

The frames, their CRC and their lengths are pymodbus's, of which only framer and PDUs are used; they do no
I/O. Two things are added. The board's pulse is a write of a single coil with a value that Modbus does not
know, so the value is written and read as it is. And as a master knows what answer it waits for, that answer
is looked for at every byte: pymodbus alone would throw a good frame away together with the noise before it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from pymodbus import ModbusException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU, ReadCoilsRequest, ReadHoldingRegistersRequest
from pymodbus.pdu.bit_message import ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import WriteSingleRegisterRequest

OUTPUTS = 8
INPUTS = 8

# Addresses of coils and holding registers (Waveshare's map).
ALL_COILS = 0x00FF  # write-only
PULSE_ON = 0x0200  # + coil: on for the value, in tenths of a second, then off
CONTROL_MODES = 0x1000  # + coil: what the output follows
MODE_NORMAL = 0  # only what it is told here
OFF = 0x0000

EXCEPTION = 0x80
EXCEPTION_BYTES = 5  # unit, function, code, CRC
READ_BYTES = 5  # unit, function, byte count, CRC; and the data
WRITE_BYTES = 8  # the question repeated


class Function(IntEnum):
    """Modbus functions that are used."""

    READ_COILS = 0x01
    READ_INPUTS = 0x02
    READ_REGISTERS = 0x03
    WRITE_COIL = 0x05
    WRITE_REGISTER = 0x06


BITS = {Function.READ_COILS, Function.READ_INPUTS}
WRITES = {Function.WRITE_COIL, Function.WRITE_REGISTER}


class WriteCoil(WriteSingleRegisterRequest):
    """Function 05 with any value; pymodbus's own knows on and off only."""

    function_code = Function.WRITE_COIL


_PDUS: dict[Function, Callable[..., ModbusPDU]] = {
    Function.READ_COILS: ReadCoilsRequest,
    Function.READ_INPUTS: ReadDiscreteInputsRequest,
    Function.READ_REGISTERS: ReadHoldingRegistersRequest,
    Function.WRITE_COIL: WriteCoil,
    Function.WRITE_REGISTER: WriteSingleRegisterRequest,
}


@dataclass(frozen=True, slots=True)
class Question:
    """`value`: how many are read, or what is written."""

    function: Function
    address: int
    value: int

    @property
    def answer_bytes(self) -> int:
        if self.function in WRITES:
            return WRITE_BYTES
        return READ_BYTES + ((self.value + 7) // 8 if self.function in BITS else self.value * 2)


@dataclass(frozen=True, slots=True)
class Answer:
    """`values`: the bits or registers that were read; empty for a write."""

    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """The board answered with a Modbus exception: what was asked was not done."""

    code: int


READ_OUTPUTS = Question(Function.READ_COILS, 0, OUTPUTS)
READ_INPUTS = Question(Function.READ_INPUTS, 0, INPUTS)
READ_MODES = Question(Function.READ_REGISTERS, CONTROL_MODES, OUTPUTS)
ALL_OFF = Question(Function.WRITE_COIL, ALL_COILS, OFF)


def pulse(coil: int, tenths: int) -> Question:
    return Question(Function.WRITE_COIL, PULSE_ON + coil, tenths)


def set_normal(coil: int) -> Question:
    return Question(Function.WRITE_REGISTER, CONTROL_MODES + coil, MODE_NORMAL)


def framer(*, is_server: bool) -> FramerRTU:
    decoder = DecodePDU(is_server)
    decoder.register(WriteCoil)
    return FramerRTU(decoder)


_MASTER = framer(is_server=False)


def encode(question: Question, unit: int) -> bytes:
    argument = "registers" if question.function in WRITES else "count"
    value = [question.value] if question.function in WRITES else question.value
    pdu = _PDUS[question.function](address=question.address, dev_id=unit, **{argument: value})
    return _MASTER.buildFrame(pdu)


def find_answer(question: Question, unit: int, data: bytes) -> Answer | Refusal | None:
    """The first whole answer to this question among these bytes."""
    sizes = {
        bytes([unit, question.function]): question.answer_bytes,
        bytes([unit, question.function | EXCEPTION]): EXCEPTION_BYTES,
    }
    for at in range(len(data)):
        size = sizes.get(data[at : at + 2])
        if size is None or at + size > len(data):
            continue
        try:
            _, pdu = _MASTER.handleFrame(data[at : at + size], unit, 0)
        except ModbusException:  # a right CRC around nonsense
            continue
        if pdu is not None and (answer := _judge(question, pdu)) is not None:
            return answer
    return None


def _judge(question: Question, pdu: ModbusPDU) -> Answer | Refusal | None:
    if pdu.isError():
        return Refusal(pdu.exception_code)
    if question.function in WRITES:
        same = (pdu.address, list(pdu.registers)) == (question.address, [question.value])
        return Answer() if same else None
    values = tuple(map(int, pdu.bits if question.function in BITS else pdu.registers))
    return Answer(values[: question.value]) if len(values) >= question.value else None
