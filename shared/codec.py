"""msgpack with limits: bytes from anywhere become plain maps and lists, or one clear error.

Size is checked first, so that nothing large is ever built. Measured on msgpack 1.2.4: without limits a 1 MB
array of empty maps costs 72 MB; repeated map keys, NaN, 500 levels and unknown ext types are accepted.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgpack

MAX_MESSAGE_BYTES: Final = 256 * 1024
MAX_ARRAY: Final = 1_024
MAX_MAP: Final = 1_024
MAX_STR: Final = 1_024
MAX_BIN: Final = 1_024
MAX_DEPTH: Final = 8


class CodecError(ValueError):
    """Bytes that are no message of ours; `code` is stable, the text is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def join(packed: Sequence[bytes]) -> bytes:
    """One array of values that are packed already: a record's bytes are made once and never again."""
    header: bytes = msgpack.Packer().pack_array_header(len(packed))
    return header + b"".join(packed)


def _pairs(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Any]:
    listed = list(pairs)
    result = dict(listed)
    if len(result) != len(listed):
        raise CodecError("duplicate_key", "a map names the same key twice")
    return result


def _no_ext(code: int, _data: bytes) -> object:
    raise CodecError("ext_type", f"ext type {code} is not used here")


def _check(value: object, room: int) -> None:
    if room < 0:
        raise CodecError("too_deep", f"nested more than {MAX_DEPTH} levels")
    if isinstance(value, tuple):
        for item in value:
            _check(item, room - 1)
    elif isinstance(value, dict):
        for item in value.values():
            _check(item, room - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise CodecError("not_finite", "NaN and infinity are not numbers here")


def unpack(data: bytes) -> object:
    """Decode one value: maps with string keys, tuples, str, bytes, int, float, bool, None.

    Raises CodecError for everything else, whatever the bytes are.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise CodecError("too_large", f"{len(data)} bytes; at most {MAX_MESSAGE_BYTES} are read")
    try:
        value: object = msgpack.unpackb(
            data,
            use_list=False,
            strict_map_key=True,
            max_array_len=MAX_ARRAY,
            max_map_len=MAX_MAP,
            max_str_len=MAX_STR,
            max_bin_len=MAX_BIN,
            max_ext_len=0,
            ext_hook=_no_ext,
            object_pairs_hook=_pairs,
        )
        _check(value, MAX_DEPTH)
    except CodecError:
        raise
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException, RecursionError) as error:
        # msgpack raises all of these for hostile bytes; each means the same to us.
        raise CodecError("malformed", f"not msgpack within the limits: {error}"[:200]) from None
    return value
