"""What a stock Mosquitto client writes, for who has nothing of ours at hand. Pure.

    mosquitto_sub -V 5 --retain-as-published -q 2 -t 'vend/v1/#' -F '%U %q %r %t %x' > jam.txt

Time, QoS, retained, topic and the payload in hex. Topics may have spaces and hex digits cannot, so a line has
one meaning; an empty payload leaves a space at the end. MQTT 5 properties are not in it.
"""

import re
from typing import Final

from shared.capture.message import Message

SOURCE: Final = "mosquitto_sub"
_LINE: Final = re.compile(rb"(\d{1,12})\.(\d{9}) ([012]) ([01]) (.+) ((?:[0-9A-Fa-f]{2})*)\r?\n?")


def is_line(line: bytes) -> bool:
    return _LINE.fullmatch(line) is not None


def parse(line: bytes, started_at_ns: int | None) -> Message:
    """`started_at_ns`: None in the first line, whose time it is then. Raises ValueError."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("not what mosquitto_sub -F '%U %q %r %t %x' writes")
    at_ns = int(match[1]) * 10**9 + int(match[2])
    return Message(
        t_ns=0 if started_at_ns is None else at_ns - started_at_ns,
        at_ns=at_ns,
        dir="in",
        topic=match[5].decode(),
        qos=int(match[3]),
        retain=match[4] == b"1",
        payload=bytes.fromhex(match[6].decode("ascii")),
    )
