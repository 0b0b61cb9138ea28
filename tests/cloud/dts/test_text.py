"""EVA-DTS files, byte by byte as the fact sheet and the standard work them out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.dts import text as dts
from cloud.dts.text import Segment, audit_file, crc

EXAMPLE = """\
DXS*OVM0000001*VA*V0/6*1
ST*001*0001
ID1*VMC0001*OPENVMC*0001***A1
ID4*2*1978
VA1*1500*10*300*2
PA1*12*150
PA2*10*1500*2*300
PA5*20250601*123045*0
EA2*EJB_12*1*1**1
G85*6391
SE*10*0001
DXE*1*1
"""
SEGMENTS = [
    Segment("ID1", ["VMC0001", "OPENVMC", "0001", None, None, "A1"]),
    Segment("ID4", [2, 1978]),
    Segment("VA1", [1500, 10, 300, 2]),
    Segment("PA1", [12, 150, None, None]),
    Segment("PA2", [10, 1500, 2, 300]),
    Segment("PA5", ["20250601", "123045", 0]),
    Segment("EA2", ["EJB_12", 1, 1, None, 1]),
]
texts = st.text(max_size=30)


def test_the_worked_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dts, "MAKER", "OVM")
    assert audit_file("1", SEGMENTS) == EXAMPLE.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    ("data", "low_byte_first"),
    [
        (bytes.fromhex("81 02 40 05 03 01"), "A3 20"),  # DDCMP, in the standard
        (bytes.fromhex("77 FF"), "67 B0"),
        (b"123456789", "3D BB"),
        (b"1234567890RR00L06\x03", "E1 BD"),  # DEX
    ],
)
def test_the_check_is_the_standards(data: bytes, low_byte_first: str) -> None:
    assert crc(data).to_bytes(2, "little") == bytes.fromhex(low_byte_first)


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 10**12), texts), max_size=6), max_size=20))
def test_whatever_is_written_the_file_can_be_read(rows: list[list[str | int | None]]) -> None:
    data = audit_file("machine", [Segment("ID1", row) for row in rows])
    lines = data.decode("ascii").split("\r\n")
    assert [line.split("*")[0] for line in lines] == [
        *("DXS", "ST"),
        *["ID1"] * len(rows),
        *("G85", "SE", "DXE", ""),
    ]
    assert all(char.isprintable() for line in lines for char in line)
    start, end = data.index(b"ST*"), data.index(b"G85*")
    assert int(data[end + 4 : end + 8], 16) == crc(data[start:end])
    assert lines[-3] == f"SE*{len(rows) + 3}*0001"


def test_a_text_keeps_its_asterisk_and_forges_no_segment() -> None:
    assert Segment("ID1", ["a*b\r\nVA1*1", None]).text() == "ID1*a^2A^b^0D^^0A^VA1^2A^1"
