"""Cuts what an adapter says into lines of text; used by adapters that speak in lines.

Line ends are CR, LF or both. Empty lines are none. A line that does not end is cut to one byte more than
`max_bytes`, so the buffer is bounded and such a line is too long for every answer.
"""

import re

_LINE_END = re.compile(rb"[\r\n]")


class Lines:
    def __init__(self, max_bytes: int) -> None:
        self._kept_bytes = max_bytes + 1
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        *lines, rest = _LINE_END.split(self._rest + data)
        self._rest = rest[: self._kept_bytes]
        return [line[: self._kept_bytes] for line in lines if line]

    def forget(self) -> None:
        self._rest = b""
