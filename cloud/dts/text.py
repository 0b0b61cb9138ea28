"""EVA-DTS 6.1 audit files: segments of text with a count and a check, as other vending systems import them.

Pure. The check is verified on the standard's own bytes. What an importer cannot read in a text (an asterisk,
a line end) is written as ^hex^.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

MAKER: Final = "VLK"  # three letters that EVA gives out; ours are not registered
_VERSION: Final = "V0/6"  # 6.0 and later
_LINE_END: Final = "\r\n"
_SET: Final = "0001"  # one transaction set a file
_POLYNOMIAL: Final = 0xA001  # x16 + x15 + x2 + 1, reflected

Element = str | int | None


@dataclass(frozen=True, slots=True)
class Segment:
    """`elements` in the standard's order; None where one is not known. Money is integer minor units."""

    name: str
    elements: Sequence[Element]

    def text(self) -> str:
        """Empty elements at the end may be left out, and are."""
        return "*".join([self.name, *map(_element, self.elements)]).rstrip("*")


def audit_file(communication_id: str, segments: Iterable[Segment]) -> bytes:
    """A whole file. `communication_id`: seven characters that tell the sender from the maker's others."""
    head = Segment("DXS", [f"{MAKER}{communication_id:0>7.7}", "VA", _VERSION, 1]).text()
    data = [Segment("ST", ["001", _SET]).text(), *(segment.text() for segment in segments)]
    checked = "".join(line + _LINE_END for line in data)
    tail = [
        f"G85*{crc(checked.encode('ascii')):04X}",
        f"SE*{len(data) + 2}*{_SET}",  # from ST to SE, both included
        "DXE*1*1",
    ]
    return (head + _LINE_END + checked + "".join(line + _LINE_END for line in tail)).encode("ascii")


def crc(data: bytes) -> int:
    """CRC-16 of DTS, DEX and DDCMP: begins at 0; low byte first on a wire, high byte first in G85."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ _POLYNOMIAL * (value & 1)
    return value


def _element(value: Element) -> str:
    if value is None:
        return ""
    return "".join(_character(c) for c in str(value))


def _character(character: str) -> str:
    if character.isascii() and character.isprintable() and character not in "*^":
        return character
    return f"^{ord(character):02X}^" if ord(character) < 0x100 else "?"
