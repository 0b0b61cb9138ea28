"""The lines of the maker's manual. What every adapter must do is in test_adapters.py."""

import pytest

from edge.mdb.adapters.adapter import AdapterValue, BlockAnswer, Noise, Pushed
from edge.mdb.adapters.wafer import WaferAdapter
from edge.mdb.frame import Ack, Block, Data, Silence
from edge.sale.events import CoinIn, Route
from edge.sim.bus import Fault, VirtualBus
from edge.sim.changer import SimChanger
from edge.sim.wafer import OWN_POLL_INTERVAL_S, SimWafer
from tests.edge.mdb.rig import Rig

POLL, SETUP = Block(0x0B), Block(0x09)
CNY = "03 11 56 05 01 00 03 01 02" + " 00" * 14
SENT = {
    b"\x09": SETUP,
    b"\x0c\xff\xff\xff\xff": Block(0x0C, b"\xff" * 4),
    b"\x0d\x23": Block(0x0D, b"\x23"),
}
LINES: list[tuple[str, AdapterValue]] = [
    (CNY + " 76", BlockAnswer(Data(bytes.fromhex(CNY)))),
    ((CNY + " 76").replace(" ", ""), BlockAnswer(Data(bytes.fromhex(CNY)))),
    ("00", BlockAnswer(Ack())),
    ("ff", BlockAnswer(Silence())),
    ("08 51 00", Pushed(0x08, b"\x51\0")),
    ("085100", Pushed(0x08, b"\x51\0")),
    ("30 91", Pushed(0x30, b"\x91")),
    ("10 03 01 F4", Pushed(0x10, b"\x03\x01\xf4")),
]
NOISE = [" ", "5", "53 0", "53", "53 0a", "zz", CNY + " 77", "08", "08" + " 00" * 36, "hello"]


@pytest.mark.parametrize(("sent", "block"), SENT.items())
def test_blocks_go_out_without_check_byte(sent: bytes, block: Block) -> None:
    assert WaferAdapter().encode(block) == sent


@pytest.mark.parametrize("awaited", [POLL, SETUP])
@pytest.mark.parametrize(("line", "value"), LINES)
def test_lines(line: str, value: AdapterValue, awaited: Block) -> None:
    adapter = WaferAdapter()
    adapter.encode(awaited)
    assert adapter.feed(line.encode() + b"\r\n") == [value]


@pytest.mark.parametrize("line", NOISE)
def test_what_answers_nothing_is_noise(line: str) -> None:
    assert WaferAdapter().feed(line.encode() + b"\r\n") == [Noise(line.encode())]


def test_a_line_that_reads_both_ways_is_an_answer_only_where_one_with_data_is_awaited() -> None:
    line = b"08 53 5B\r\n"  # a coin, 91 in its tube; or 08 53 and its check byte
    adapter = WaferAdapter()
    assert adapter.feed(line) == [Pushed(0x08, b"\x53\x5b")]
    adapter.encode(POLL)
    assert adapter.feed(line) == [Pushed(0x08, b"\x53\x5b")]
    adapter.encode(SETUP)
    assert adapter.feed(line + line) == [BlockAnswer(Data(b"\x08\x53")), Pushed(0x08, b"\x53\x5b")]


def test_the_simulator_pushes_what_its_own_polls_bring() -> None:
    changer = SimChanger()
    far_end = SimWafer(VirtualBus([changer]))
    assert far_end.turn(b"", 0.0) == b"08 0B\r\n"  # it has just been switched on
    assert far_end.turn(bytes.fromhex("0c003f0000"), 0.01) == b"00\r\n"
    changer.insert(3)
    assert far_end.turn(b"", OWN_POLL_INTERVAL_S + 0.01) == b"08 53 0A\r\n"
    assert far_end.turn(b"\x33", OWN_POLL_INTERVAL_S + 0.02) == b""  # nobody has this address


@pytest.mark.parametrize("coin", [3, 5], ids=["to tube", "to cashbox"])
def test_a_coin_told_again_to_the_boxs_own_poll_is_credited_once(coin: int) -> None:
    rig = Rig(adapter="wafer")
    rig.ready(accept=True)
    rig.run(0.5)
    while rig.credited_minor() == 0:
        rig.bus.fault_next[0x0B] = Fault.ACK_LOST
        if not rig.sim.truth().inserted:
            rig.sim.insert(coin)
        rig.step()
    rig.bus.fault_next.clear()
    rig.run(2)
    assert rig.credited_minor() == rig.sim.truth().taken_minor()


def test_coins_pushed_while_an_answer_is_awaited_are_all_credited() -> None:
    rig = Rig(adapter="wafer")
    rig.ready(accept=True)
    rig.run(0.5)
    rig.bus.fault_next[0x0B] = Fault.ANSWER_LOST
    for _ in range(3):
        rig.sim.insert(5)
    assert rig.run(3) == [CoinIn(5, 200, Route.CASHBOX, 0)] * 3


def test_what_is_pushed_for_a_device_without_a_driver_is_counted() -> None:
    rig = Rig(adapter="wafer")
    rig.ready()
    rig.adapter.say(b"30 91")
    assert rig.run(1) == []
    assert rig.dialogue.counts["pushed_stray"] == 1
