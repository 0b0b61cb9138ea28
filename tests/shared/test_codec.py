"""msgpack with limits: hostile bytes are one clear error, and what we write we read back."""

import math
import struct
from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import codec

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def nested(levels: int) -> bytes:
    return b"\x91" * levels + b"\x01"


HOSTILE = {
    "empty": b"",
    "never used byte": b"\xc1",
    "truncated string": b"\xa5ab",
    "truncated map": b"\x82\xa1a\x01",
    "truncated array": b"\x93\x01",
    "bytes behind the value": b"\x01\x02",
    "two values": codec.pack({"a": 1}) * 2,
    "array of four thousand million": b"\xdd\xff\xff\xff\xff",
    "map of four thousand million": b"\xdf\xff\xff\xff\xff",
    "string of four gigabytes": b"\xdb\xff\xff\xff\xff",
    "binary of four gigabytes": b"\xc6\xff\xff\xff\xff",
    "array beyond the limit": msgpack.packb([0] * (codec.MAX_ARRAY + 1)),
    "map beyond the limit": msgpack.packb({str(n): 0 for n in range(codec.MAX_MAP + 1)}),
    "string beyond the limit": msgpack.packb("x" * (codec.MAX_STR + 1)),
    "binary beyond the limit": msgpack.packb(b"x" * (codec.MAX_BIN + 1)),
    "string that is not UTF-8": b"\xa2\xff\xfe",
    "lone surrogate": b"\xa3\xed\xa0\x80",
    "integer key": b"\x81\x01\x01",
    "nil key": b"\x81\xc0\x01",
    "array key": b"\x81\x90\x01",
    "map key": b"\x81\x80\x01",
    "500 levels": nested(500),
    "100 000 levels": nested(100_000),
    "100 000 levels of maps": b"\x81\xa1a" * 80_000 + b"\x01",
    "broken timestamp": b"\xd6\xff\x00\x00\x00",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_are_malformed(data: bytes) -> None:
    with pytest.raises(codec.CodecError) as caught:
        codec.unpack(data)
    assert caught.value.code in {"malformed", "too_deep"}
    assert 0 < len(str(caught.value)) <= 200


CODED = {
    "too_large": b"\x00" * (codec.MAX_MESSAGE_BYTES + 1),
    "duplicate_key": b"\x82\xa1a\x01\xa1a\x02",
    "not_finite": b"\xcb" + struct.pack(">d", math.nan),
    "too_deep": nested(codec.MAX_DEPTH + 1),
}


@pytest.mark.parametrize(("code", "data"), CODED.items())
def test_each_trouble_has_its_code(code: str, data: bytes) -> None:
    with pytest.raises(codec.CodecError) as caught:
        codec.unpack(data)
    assert caught.value.code == code


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_found_wherever_they_are(number: float) -> None:
    for value in (number, [number], {"a": number}, {"a": [{"b": number}]}):
        for data in (msgpack.packb(value), msgpack.packb(value, use_single_float=True)):
            with pytest.raises(codec.CodecError) as caught:
                codec.unpack(data)
            assert caught.value.code == "not_finite"


@pytest.mark.parametrize("code", [0, 5, 127, -1, -2])
@pytest.mark.parametrize("size", [0, 1, 4, 8, 12, 16, 300])
def test_ext_types_are_refused(code: int, size: int) -> None:
    kind = bytes([code & 0xFF])
    fixed = {1: b"\xd4", 4: b"\xd6", 8: b"\xd7", 16: b"\xd8"}
    header = fixed[size] + kind if size in fixed else b"\xc8" + struct.pack(">H", size) + kind
    for data in (header + b"\0" * size, b"\x81\xa1a" + header + b"\0" * size):
        with pytest.raises(codec.CodecError) as caught:
            codec.unpack(data)
        assert caught.value.code in {"malformed", "ext_type"}


def test_a_duplicate_key_inside_is_found() -> None:
    with pytest.raises(codec.CodecError) as caught:
        codec.unpack(b"\x91\x81\xa1x" + CODED["duplicate_key"])
    assert caught.value.code == "duplicate_key"


@pytest.mark.parametrize(
    "value",
    [
        (0,) * codec.MAX_ARRAY,
        {str(n): 0 for n in range(codec.MAX_MAP)},
        "x" * codec.MAX_STR,
        b"x" * codec.MAX_BIN,
    ],
)
def test_the_limits_themselves_are_read(value: object) -> None:
    assert codec.unpack(codec.pack(value)) == value


def test_the_deepest_value_is_read() -> None:
    value: object = 1
    for _ in range(codec.MAX_DEPTH):
        value = (value,)
    assert codec.unpack(nested(codec.MAX_DEPTH)) == value


def read_or_refuse(data: bytes) -> None:
    """Anything but CodecError fails the test."""
    with suppress(codec.CodecError):
        codec.unpack(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_one_error(data: bytes) -> None:
    read_or_refuse(data)


@given(VALUES, st.data())
def test_damaged_bytes_are_a_value_or_one_error(value: object, data: st.DataObject) -> None:
    packed = bytearray(codec.pack(value))
    packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(packed))


def depth(value: object) -> int:
    if isinstance(value, tuple):
        return 1 + max(map(depth, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 0


@given(VALUES.filter(lambda value: depth(value) <= codec.MAX_DEPTH))
def test_what_is_written_is_read_back(value: object) -> None:
    read = codec.unpack(codec.pack(value))
    assert read == value
    assert repr(read) == repr(value)  # True is not 1, -0.0 is not 0


@given(st.lists(st.dictionaries(st.text(max_size=5), SCALARS, max_size=4), max_size=40))
def test_joined_records_read_as_a_tuple_of_records(records: list[dict[str, object]]) -> None:
    joined = codec.join([codec.pack(record) for record in records])
    assert codec.unpack(joined) == tuple(records)
    assert joined == codec.pack(records)
