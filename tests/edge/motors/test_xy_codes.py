import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.motors.xy_codes import (
    ACK,
    FRAME_LIMIT_S,
    POLL,
    PROGRESS,
    RESULTS,
    Command,
    Decoder,
    Frame,
    drive,
    encode,
    next_number,
    sync,
)

# The frames printed in the protocol, or worked out from its rules.
WORKED = {
    "poll": ("FA FB 41 00 40", Frame(Command.POLL)),
    "ack": ("FA FB 42 00 43", Frame(Command.ACK)),
    "drive selection 11": ("FA FB 06 05 01 01 00 00 0B 09", drive(1, 11)),
    "dispensing": ("FA FB 04 04 09 01 00 0B 02", Frame(Command.STATUS, b"\x09\x01\x00\x0b")),
    "success": ("FA FB 04 04 0A 02 00 0B 02", Frame(Command.STATUS, b"\x0a\x02\x00\x0b")),
    "jam": ("FA FB 04 04 0A 03 00 0B 03", Frame(Command.STATUS, b"\x0a\x03\x00\x0b")),
    "sync": ("FA FB 31 01 04 35", sync(4)),
    "check selection": ("FA FB 01 03 03 00 0B 0B", Frame(0x01, b"\x03\x00\x0b")),
    "selection ok": ("FA FB 02 04 08 01 00 0B 05", Frame(0x02, b"\x08\x01\x00\x0b")),
    "buy": ("FA FB 03 03 02 00 0B 08", Frame(0x03, b"\x02\x00\x0b")),
}
frames = st.builds(Frame, st.integers(0, 255), st.binary(max_size=255))


@pytest.mark.parametrize(("wire", "frame"), WORKED.values(), ids=WORKED)
def test_worked_frames_both_ways(wire: str, frame: Frame) -> None:
    assert encode(frame) == bytes.fromhex(wire)
    assert Decoder().feed(bytes.fromhex(wire), 0.0) == [frame]


def test_poll_and_ack_are_the_printed_ones() -> None:
    assert bytes.fromhex("FAFB410040") == POLL
    assert bytes.fromhex("FAFB420043") == ACK


def test_status_codes_say_one_thing_each() -> None:
    assert not PROGRESS.keys() & RESULTS.keys()


def test_packet_numbers_skip_zero() -> None:
    assert [next_number(number) for number in (0, 1, 254, 255)] == [1, 2, 255, 1]


@given(st.lists(frames, max_size=5), st.integers(1, 9))
def test_pieces_make_the_same_frames(sent: list[Frame], size: int) -> None:
    stream = b"".join(map(encode, sent))
    decoder = Decoder()
    got = [frame for at in range(0, len(stream), size) for frame in decoder.feed(stream[at : at + size], 0.0)]
    assert got == sent
    assert decoder.skipped_bytes == 0


@given(st.binary(max_size=40).filter(lambda noise: b"\xfa" not in noise), frames)
def test_noise_before_and_after_hides_no_frame(noise: bytes, frame: Frame) -> None:
    decoder = Decoder()
    assert decoder.feed(noise + encode(frame) + noise, 0.0) == [frame]
    assert decoder.skipped_bytes == 2 * len(noise)


@given(st.binary(max_size=300), frames)
def test_any_noise_hides_a_frame_for_a_moment_only(noise: bytes, frame: Frame) -> None:
    decoder = Decoder()
    decoder.feed(noise, 0.0)
    got: list[Frame] = []
    now_s = 0.0
    for _ in range(len(noise) + 1):  # the time passes, and the board sends again
        now_s += FRAME_LIMIT_S * 1.5
        got += decoder.feed(encode(frame), now_s)
    assert frame in got
    assert len(decoder._buffer) <= 260 + 5


def test_a_frame_hidden_in_a_broken_one_is_found_after_the_time_limit() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\xfa\xfb\x04\xff" + POLL, 0.0) == []
    assert decoder.feed(b"", 0.05) == []
    assert decoder.feed(b"", 0.2) == [Frame(Command.POLL)]


def test_a_wrong_xor_is_no_frame() -> None:
    assert Decoder().feed(POLL[:-1] + b"\x41" + ACK, 0.0) == [Frame(Command.ACK)]
