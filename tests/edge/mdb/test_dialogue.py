from math import inf

from edge.mdb.adapters.qibixx import QibixxAdapter
from edge.mdb.dialogue import Dialogue
from edge.mdb.frame import Ack, Silence
from edge.sale.events import ChangerLost, ChangerReady, CoinIn, PayoutEnded, Route
from edge.sim.qibixx import SimQibixx
from tests.edge.mdb.rig import Asker, Rig


def opened(*peripherals: Asker) -> Dialogue:
    """A dialogue whose adapter has started; the first block is on its way."""
    dialogue = Dialogue(QibixxAdapter(), peripherals)
    dialogue.opened(0.0)
    assert dialogue.turn(b"", 0.0) == (b"\nV\n", [])
    assert dialogue.turn(b"v,4.0.0.0,16df464a\n", 0.0) == (b"M,1\n", [])
    assert dialogue.turn(b"m,ACK\n", 0.0) == (b"F,RESPTIMEOUT,20\n", [])
    return dialogue


def test_peripherals_are_asked_in_turn_and_only_when_they_want() -> None:
    first, second, third = Asker(0x0B), Asker(0x33), Asker(0x12)
    dialogue = opened(first, second, third)
    asked = [dialogue.turn(b"f,ACK\n", 0.0)[0]]
    third.next_wake_s = inf
    asked += [dialogue.turn(b"p,ACK\n", 0.0)[0] for _ in range(4)]
    assert asked == [b"R,0B\n", b"R,33\n", b"R,0B\n", b"R,33\n", b"R,0B\n"]
    first.next_wake_s, second.next_wake_s = 0.7, 0.5
    assert dialogue.turn(b"p,ACK\n", 0.0) == (b"", [])
    assert dialogue.next_wake_s == 0.5
    assert dialogue.turn(b"", 0.6)[0] == b"R,33\n"


def test_one_block_at_a_time_and_no_answer_is_given_up_before_the_barrier() -> None:
    asker = Asker(0x0B)
    dialogue = opened(asker)
    dialogue.turn(b"f,ACK\n", 0.0)
    assert dialogue.turn(b"", 0.1) == (b"", [])
    assert dialogue.turn(b"", 0.13) == (b"\nV\n", [])  # 20 ms + 100 ms have passed
    assert asker.heard == []
    dialogue.turn(b"v,4.0.0.0,16\n", 0.2)
    assert asker.heard == [Silence()]
    assert dialogue.counts["answers_missing"] == 1


def test_a_late_answer_belongs_to_the_block_asked_before_the_barrier() -> None:
    asker = Asker(0x0B)
    dialogue = opened(asker)
    dialogue.turn(b"f,ACK\n", 0.0)
    dialogue.turn(b"", 0.13)
    dialogue.turn(b"p,ACK\n", 0.2)
    assert asker.heard == [Ack()]
    assert dialogue.turn(b"v,4.0.0.0,16\np,53ff\n", 0.2)[0] == b"M,1\n"
    assert asker.heard == [Ack()]
    assert dialogue.counts == {"answers_missing": 1, "answers_late": 1, "answers_stray": 1}


def test_an_adapter_that_refuses_is_lost_and_started_again() -> None:
    dialogue = opened(Asker(0x0B))
    assert dialogue.turn(b"f,NACK\n", 1.0) == (b"", [ChangerLost("adapter_refused")])
    assert dialogue.next_wake_s == 3.0
    assert dialogue.turn(b"", 3.0)[0] == b"\nV\n"


def test_an_adapter_that_is_silent_is_lost_and_started_again() -> None:
    dialogue = Dialogue(QibixxAdapter(), [Asker(0x0B)])
    assert dialogue.next_wake_s == inf
    dialogue.opened(0.0)
    dialogue.turn(b"", 0.0)
    assert dialogue.turn(b"", 1.1) == (b"", [ChangerLost("adapter_silent")])
    assert dialogue.turn(b"", 3.2)[0] == b"\nV\n"


def test_a_coin_whose_answer_was_late_is_credited() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.run(0.5)
    rig.sim.insert(5)
    rig.answers_held = True
    assert rig.run(0.6) == []
    rig.answers_held = False
    assert rig.run(1) == [CoinIn(5, 200, Route.CASHBOX, 0)]
    assert rig.dialogue.counts["answers_late"] == 1
    assert rig.dialogue.counts["answers_stray"] == 0


def test_a_dispense_whose_answer_was_late_is_paid_once() -> None:
    rig = Rig()
    rig.ready()
    rig.order(0, 0, 0, 2)
    while not rig.dispensed():
        rig.step()
    rig.answers_held = True
    assert rig.run(0.6) == []
    rig.answers_held = False
    rig.until(PayoutEnded)
    assert rig.dispensed() == 1
    assert rig.sim.truth().paid == {3: 2}


def test_lines_that_nobody_asked_for_disturb_nothing() -> None:
    rig = Rig()
    rig.ready(accept=True)
    rig.adapter.say(b"d,STATUS,IDLE")
    rig.adapter.say(b"x,80,1234,530a")
    rig.adapter.say(b"\xff\xfe garbage")
    rig.sim.insert(3)
    assert rig.run(2) == [CoinIn(3, 50, Route.TUBE, 10)]
    assert rig.dialogue.counts["noise"] == 3


def test_an_adapter_that_lost_its_power_on_an_open_port_is_started_again() -> None:
    rig = Rig()
    rig.ready()
    assert isinstance(rig.adapter, SimQibixx)
    rig.adapter.power_cycle()
    assert [type(event) for event in rig.run(30)] == [ChangerLost, ChangerReady]
    assert rig.dialogue.counts["bus_deaf"] >= 1


def test_an_adapter_unplugged_and_plugged_in_again() -> None:
    rig = Rig()
    rig.ready(accept=True)
    assert rig.dialogue.closed("port_lost", rig.now_s) == [ChangerLost("port_lost")]
    assert rig.dialogue.closed("port_missing", rig.now_s) == []
    assert rig.run(5) == []
    rig.sim.insert(4)
    rig.dialogue.opened(rig.now_s)
    assert [type(event) for event in rig.until(ChangerReady)] == [CoinIn, ChangerReady]
    rig.run(0.5)
    assert rig.sim.truth().enabled_mask == 0x003F
