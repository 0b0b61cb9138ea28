import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.pdu import ExceptionResponse, ModbusPDU, ReadHoldingRegistersRequest
from pymodbus.pdu.bit_message import (
    ReadCoilsResponse,
    ReadDiscreteInputsResponse,
    WriteMultipleCoilsRequest,
    WriteMultipleCoilsResponse,
)
from pymodbus.pdu.register_message import WriteSingleRegisterRequest

from edge.motors.modbus_codes import (
    ALL_OFF,
    READ_INPUTS,
    READ_OUTPUTS,
    Answer,
    Function,
    Question,
    Refusal,
    WriteCoil,
    encode,
    find_answer,
    framer,
    pulse,
    set_normal,
)

UNIT = 1
ECHO = Answer()

# The frames of the fact sheet: question, what is sent, what comes back, what it means.
QUESTIONS = {
    "coil 0 on": (Question(Function.WRITE_COIL, 0, 0xFF00), "01050000FF008C3A", "01050000FF008C3A", ECHO),
    "coil 0 off": (Question(Function.WRITE_COIL, 0, 0), "010500000000CDCA", "010500000000CDCA", ECHO),
    "coil 0 toggle": (Question(Function.WRITE_COIL, 0, 0x5500), "010500005500F29A", "010500005500F29A", ECHO),
    "all off": (ALL_OFF, "010500FF0000FDFA", "010500FF0000FDFA", ECHO),
    "pulse output 1, 2.5 s": (pulse(0, 25), "0105020000190DB8", "0105020000190DB8", ECHO),
    "read outputs": (READ_OUTPUTS, "0101000000083DCC", "010101019048", Answer((1, 0, 0, 0, 0, 0, 0, 0))),
    "read inputs": (READ_INPUTS, "01020000000879CC", "01020105618B", Answer((1, 0, 1, 0, 0, 0, 0, 0))),
    "mode 0 of output 1": (set_normal(0), "0106100000008D0A", "0106100000008D0A", ECHO),
    "refused": (Question(Function.WRITE_COIL, 0, 0xFF00), "01050000FF008C3A", "018502C351", Refusal(2)),
}
# The others are only the library's, but they show that it speaks as the sheet does.
REQUESTS: dict[str, tuple[ModbusPDU, str]] = {
    "write mask": (
        WriteMultipleCoilsRequest(address=0, bits=[True] + [False] * 7, dev_id=1),
        "010F0000000801013F55",
    ),
    "set unit 1": (WriteSingleRegisterRequest(address=0x4000, registers=[1], dev_id=0), "0006400000015C1B"),
    "read version": (ReadHoldingRegistersRequest(address=0x8000, count=1, dev_id=1), "010380000001ADCA"),
}
ANSWERS: dict[str, tuple[ModbusPDU, str]] = {
    "write mask": (WriteMultipleCoilsResponse(address=0, count=8, dev_id=1), "010F00000008540D"),
    "read outputs": (ReadCoilsResponse(bits=[True] + [False] * 7, dev_id=1), "010101019048"),
    "read inputs": (ReadDiscreteInputsResponse(bits=[True, False, True], dev_id=1), "01020105618B"),
    "refused": (ExceptionResponse(5, 2, device_id=1), "018502C351"),
}


@pytest.mark.parametrize(("question", "sent", "got", "answer"), QUESTIONS.values(), ids=QUESTIONS)
def test_worked_questions_and_answers(
    question: Question, sent: str, got: str, answer: Answer | Refusal
) -> None:
    assert encode(question, UNIT) == bytes.fromhex(sent)
    assert find_answer(question, UNIT, bytes.fromhex(got)) == answer


@pytest.mark.parametrize(("pdu", "wire"), REQUESTS.values(), ids=REQUESTS)
def test_worked_requests_both_ways(pdu: ModbusPDU, wire: str) -> None:
    board = framer(is_server=True)
    assert board.buildFrame(pdu) == bytes.fromhex(wire)
    _, decoded = board.handleFrame(bytes.fromhex(wire), 0, 0)
    assert decoded is not None
    assert (type(decoded), decoded.dev_id, decoded.address) == (type(pdu), pdu.dev_id, pdu.address)
    assert board.buildFrame(decoded) == bytes.fromhex(wire)


@pytest.mark.parametrize(("pdu", "wire"), ANSWERS.values(), ids=ANSWERS)
def test_worked_answers_as_a_board_sends_them(pdu: ModbusPDU, wire: str) -> None:
    assert framer(is_server=True).buildFrame(pdu) == bytes.fromhex(wire)
    _, decoded = framer(is_server=False).handleFrame(bytes.fromhex(wire), 0, 0)
    assert type(decoded) is type(pdu)


@pytest.mark.parametrize(
    ("sent", "address", "value"), [("0105020000190DB8", 0x200, 25), ("010500005500F29A", 0, 0x5500)]
)
def test_a_board_reads_the_value_of_a_pulse(sent: str, address: int, value: int) -> None:
    _, request = framer(is_server=True).handleFrame(bytes.fromhex(sent), 0, 0)
    assert isinstance(request, WriteCoil)
    assert (request.address, request.registers) == (address, [value])


@pytest.mark.parametrize(("question", "sent", "got", "answer"), QUESTIONS.values(), ids=QUESTIONS)
def test_answers_byte_by_byte_and_among_noise(
    question: Question, sent: str, got: str, answer: Answer | Refusal
) -> None:
    frame = bytes.fromhex(got)
    assert all(find_answer(question, UNIT, frame[:size]) is None for size in range(len(frame)))
    # Noise that begins as the answer does, and as other answers do.
    for noise in (
        b"\x00",
        frame[:1],
        frame[:2],
        frame[:-1],
        b"\x01\x02\x01",
        b"\x01\x82",
        b"\x01\x05",
        bytes(50),
    ):
        assert find_answer(question, UNIT, noise + frame) == answer
        assert find_answer(question, UNIT, noise + frame + noise) == answer


@pytest.mark.parametrize(("question", "sent", "got", "answer"), QUESTIONS.values(), ids=QUESTIONS)
def test_one_wrong_bit_is_no_answer(
    question: Question, sent: str, got: str, answer: Answer | Refusal
) -> None:
    frame = bytes.fromhex(got)
    for bit in range(len(frame) * 8):
        wrong = bytearray(frame)
        wrong[bit // 8] ^= 1 << bit % 8
        assert find_answer(question, UNIT, bytes(wrong)) is None


def test_answers_to_something_else_are_no_answers() -> None:
    assert find_answer(pulse(0, 25), UNIT, encode(ALL_OFF, UNIT)) is None
    assert find_answer(pulse(0, 25), UNIT, encode(pulse(0, 5), UNIT)) is None
    assert find_answer(READ_INPUTS, UNIT, bytes.fromhex("010101019048")) is None
    assert find_answer(READ_INPUTS, 2, bytes.fromhex("01020105618B")) is None


def test_a_right_crc_around_nonsense_is_no_answer() -> None:
    board = framer(is_server=True)
    half_a_register = board.encode(bytes([Function.READ_REGISTERS, 3, 0, 0, 0]), UNIT, 0)
    assert find_answer(Question(Function.READ_REGISTERS, 0, 2), UNIT, half_a_register + b"\x00") is None
    nothing = board.encode(bytes([Function.READ_INPUTS, 0]), UNIT, 0)
    assert find_answer(READ_INPUTS, UNIT, nothing + b"\x00") is None


@given(st.binary(max_size=30), st.lists(st.booleans(), min_size=8, max_size=8), st.binary(max_size=30))
def test_inputs_are_found_in_any_noise(before: bytes, bits: list[bool], after: bytes) -> None:
    frame = framer(is_server=True).buildFrame(ReadDiscreteInputsResponse(bits=bits, dev_id=UNIT))
    answer = find_answer(READ_INPUTS, UNIT, before.replace(b"\x01", b"") + frame + after)
    assert answer == Answer(tuple(map(int, bits)))
