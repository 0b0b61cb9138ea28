"""What drivers tell beside money, for the machine's health: from bytes, as events do not compare it."""

from edge.motors.modbus_rest import LASTING, Rest, Wiring
from edge.sale.events import ChangerReady, DeviceFault, DriverEvent
from edge.sim.changer import TUBE_CAPACITY, SimChanger
from edge.sim.validator import SimValidator
from tests.edge.mdb.bill_rig import BillRig
from tests.edge.mdb.rig import Rig


def lasting(events: list[DriverEvent]) -> dict[str, bool]:
    return {event.code: event.lasts for event in events if isinstance(event, DeviceFault)}


def test_a_changer_says_which_coins_have_a_tube_and_which_tubes_are_full() -> None:
    ready = Rig(SimChanger(tubes=(3, TUBE_CAPACITY, 0, 7))).ready()
    assert ready.fitted == {0, 1, 2, 3}
    assert ready.full == {1}


def test_a_tube_that_became_full_is_told_at_the_next_start_and_a_defective_one_is_not_full() -> None:
    rig = Rig(SimChanger(tubes=(3, TUBE_CAPACITY - 1, 0, 7)))
    assert rig.ready(accept=True).full == frozenset()
    rig.sim.insert(1)
    rig.run(2)
    rig.sim.break_tube_sensor(3)
    rig.sim.reset()
    (ready,) = (event for event in rig.until(ChangerReady) if isinstance(event, ChangerReady))
    assert ready.full == {1}


def test_a_coin_jam_happens_and_an_unplugged_acceptor_lasts() -> None:
    rig = Rig()
    rig.ready()
    rig.sim.report(b"\x0c")
    rig.run(1)
    rig.sim.report_lasting(b"\x06")
    rig.run(1)
    assert lasting(rig.events) == {"coin_jam": False, "acceptor_unplugged": True}


def test_a_validator_says_whether_it_has_a_recycler_also_an_empty_one() -> None:
    assert not BillRig().ready().recycler
    assert BillRig(SimValidator((0, 0, 0, 0))).ready().recycler


def test_a_board_says_which_of_its_faults_last() -> None:
    rest = Rest(Wiring(), {"A1": 1}, still_s=1.0)
    codes = [*sorted(LASTING), "motor_overrun"]
    told = [event for code in codes for event in rest.fault(code)]
    assert lasting(told) == {code: code in LASTING for code in codes}
