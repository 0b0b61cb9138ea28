"""What went over the bus last, for whoever helps from afar: readable, bounded, and without anybody's card."""

from itertools import count

import pytest

from edge.mdb.frame import Ack, Block, Data, Reply, Silence
from edge.mdb.recording import KEPT, Exchange, lines, remembered
from edge.technician.decode import decode

POLL, DISPENSE, CARD = Block(0x0B), Block(0x0D, b"\x23"), Block(0x12)


def recorded(*exchanges: tuple[Block, Reply]) -> tuple[Exchange, ...]:
    known: tuple[Exchange, ...] = ()
    for number, (block, reply) in enumerate(exchanges):
        known = remembered(known, Exchange(10.0 + number, block, reply))
    return known


def test_it_is_what_the_technicians_bench_reads() -> None:
    known = recorded((POLL, Data(b"\x53\x0a")), (POLL, Ack()), (DISPENSE, Ack()), (POLL, Silence()))
    said = lines(known, 20.0)
    assert said == (
        *("# 10.0 s ago", "R,0B", "p,530a"),
        *("# 8.0 s ago", "R,0D,23", "p,ack"),
        *("# 7.0 s ago", "R,0B", "p,nack"),
    )
    read = [line.text for line in decode("\n".join(said).encode() + b"\n") if line.protocol]
    assert read == [
        *("R,0B  ask changer: poll", "p,530a  coin type 3 to the tube (10 in its tube)"),
        *("R,0D,23  ask changer: dispense 23", "p,ack  acknowledged, nothing to report"),
        *("R,0B  ask changer: poll", "p,nack  no answer"),
    ]


def test_it_is_bounded_and_what_is_said_again_and_again_is_kept_once() -> None:
    assert len(recorded(*[(POLL, Data(b"\x02"))] * 50)) == 1
    numbers = count()
    many = recorded(*[(POLL, Data(bytes([next(numbers) % 250]))) for _ in range(3 * KEPT)])
    assert len(many) == KEPT
    assert many[-1].reply == Data(bytes([(3 * KEPT - 1) % 250]))


@pytest.mark.parametrize(
    ("reply", "kept"),
    [
        ("0301f4ffffffff000000", "0301f400000000000000"),
        ("000301f41234567800aabb", "000301f400000000000000"),
        ("030001f4aabbccdd0011" + "656e197802ffff", "030001" + "00" * 14),
        ("060a0704", "060a0704"),
        ("0301f4", "0301f4"),
    ],
)
def test_a_card_is_nobodys(reply: str, kept: str) -> None:
    (_, _, answer) = lines(recorded((CARD, Data(bytes.fromhex(reply)))), 10.0)
    assert answer == f"p,{kept}"
