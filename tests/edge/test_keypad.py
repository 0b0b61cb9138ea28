"""The serial keypad: what is typed becomes an event, and nothing else does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import app
from edge.config import EdgeSettings
from edge.keypad import BOUNCE_S, ENDS, FORGET_S, MAX_KEYS, KeypadLink, keypad_thread
from edge.sale.effects import RunMotor
from edge.sale.events import ClaimEntered, DriverEvent, SlotSelected
from edge.serial_port import PortThread
from edge.sim.pty import PtyServer
from shared.settings import SettingsError, load
from tests.edge.threads import Inbox, stop
from tests.helpers import eventually

ITEMS = {"A1": 1, "A11": 2, "B-2": 12, "c3": 55, "ab": 71, "AB": 72, "Ef": 73, "eF": 74}
A1, A11, C3 = SlotSelected("A1"), SlotSelected("A11"), SlotSelected("c3")
PRESS_S = 0.2


def link() -> KeypadLink:
    return KeypadLink(ITEMS, 9600)


def at_once(keypad: KeypadLink, data: bytes, now_s: float = 100.0) -> list[DriverEvent]:
    send, events = keypad.turn(data, now_s)
    assert send == b""
    return events


def pressed(
    keypad: KeypadLink, data: bytes, now_s: float = 100.0, gap_s: float = PRESS_S
) -> list[DriverEvent]:
    """Key by key, with the empty turns between that the thread makes."""
    events: list[DriverEvent] = []
    for at in range(len(data)):
        key_s = now_s + at * gap_s
        events += at_once(keypad, b"", key_s - 0.0005)
        events += at_once(keypad, data[at : at + 1], key_s)
    return events


ENTRIES = [
    (b"A1#", [A1]),
    (b"a1\r", [A1]),
    (b"A1\n", [A1]),
    (b"A1\r\n", [A1]),
    (b"A11#", [A11]),
    (b"1#", [A1]),
    (b"55#", [C3]),
    (b"C3#", [C3]),
    (b"b-2#", [SlotSelected("B-2")]),
    (b"AB#ab#", [SlotSelected("AB"), SlotSelected("ab")]),
    (b"ef#", []),  # two slots could be meant
    (b"1234567890#", [ClaimEntered("1234567890")]),
    (b"1234-567890#", [ClaimEntered("1234567890")]),
    (b"1122334455#", [ClaimEntered("1122334455")]),
    (b"B*A1#", [A1]),
    (b"B\x1bA1#", [A1]),
    (b"B\x08A1#", [A1]),
    (b"B\x7fA1#", [A1]),
    (b"A1*#", []),
    (b"###\r\n", []),
    (b"Z9#", []),
    (b"A1#1#", [A1, A1]),
    (b"A" * MAX_KEYS + b"A1#", [A1]),
    (b"A" * (MAX_KEYS - 2) + b"A1#", []),
    (b"A" * MAX_KEYS + b"1#", [A1]),
    (b"A\xff1#", []),  # not A1: it may have been A11
    (b"\x00A1#A1#", [A1]),
    (b"\x00*A1#", [A1]),
    (b"A1#\x00\xff", [A1]),
    (b"A 1#", []),
]


@pytest.mark.parametrize(("data", "events"), ENTRIES)
def test_an_entry_sent_at_once(data: bytes, events: list[DriverEvent]) -> None:
    assert at_once(link(), data) == events


@pytest.mark.parametrize("gap_s", [PRESS_S, 0.001])
@pytest.mark.parametrize(("data", "events"), ENTRIES)
def test_an_entry_key_by_key(data: bytes, events: list[DriverEvent], gap_s: float) -> None:
    """By hand, and by a keypad that sends the entry as a whole, as fast as the line."""
    assert pressed(link(), data, gap_s=gap_s) == events


def test_what_is_unknown_is_counted() -> None:
    keypad = link()
    assert pressed(keypad, b"Z9#\xff1#" + b"A" * (MAX_KEYS + 1) + b"#") == []
    assert keypad.counts == {"entries_unknown": 3, "bytes_ignored": 1, "entries_too_long": 1}


def test_a_bounce_is_one_key() -> None:
    keypad = link()
    events = (
        pressed(keypad, b"A", 100.0) + pressed(keypad, b"111", 100.2, 0.01) + pressed(keypad, b"#", 100.5)
    )
    assert events == [A1]
    assert keypad.counts == {"keys_bounced": 2}


def test_a_bounce_within_one_read_is_one_key() -> None:
    keypad = link()
    events = pressed(keypad, b"A", 100.0) + at_once(keypad, b"", 100.19) + at_once(keypad, b"11", 100.2)
    assert events + pressed(keypad, b"#", 100.5) == [A1]


def test_the_same_key_twice_is_two_keys() -> None:
    keypad = link()
    assert pressed(keypad, b"A1", 100.0) + pressed(keypad, b"1#", 100.2 + BOUNCE_S + 0.001) == [A11]


def test_keys_that_waited_for_a_late_thread_are_no_bounce() -> None:
    keypad = link()
    assert pressed(keypad, b"A", 100.0) + at_once(keypad, b"11", 101.0) + pressed(keypad, b"#", 101.5) == [
        A11
    ]


def test_an_entry_is_forgotten() -> None:
    keypad = link()
    assert pressed(keypad, b"B", 100.0) + pressed(keypad, b"A1#", 100.0 + FORGET_S + 0.01) == [A1]
    assert keypad.counts == {"entries_forgotten": 1}
    assert pressed(keypad, b"A", 200.0) + pressed(keypad, b"1#", 200.0 + FORGET_S - 0.01) == [A1]


def test_a_port_that_was_away_may_have_lost_keys() -> None:
    keypad = link()
    at_once(keypad, b"B")
    assert keypad.closed("port_lost", 101.0) == keypad.closed("port_missing", 102.0) == []
    keypad.opened(103.0)
    assert at_once(keypad, b"A1#", 103.1) == [A1]


def test_it_performs_nothing_and_is_always_at_rest() -> None:
    keypad = link()
    assert keypad.perform(RunMotor("A1"), 1.0) == []
    assert keypad.at_rest


chunks = st.lists(
    st.tuples(
        st.binary(max_size=40) | st.text("A1bc23-#*\r\n", max_size=40).map(str.encode),
        st.floats(0, 12) | st.just(0.01),
    )
)


@given(chunks)
def test_it_never_raises_and_an_end_makes_at_most_one_event(chunks: list[tuple[bytes, float]]) -> None:
    keypad = link()
    now_s, ends, told = 0.0, 0, 0
    for data, gap_s in chunks:
        now_s += gap_s
        ends += sum(data.count(end) for end in ENDS.encode())
        told += len(at_once(keypad, data, now_s))
        assert told + keypad.counts["entries_unknown"] <= ends
        assert max(len(keypad._typed), len(keypad._sent)) <= MAX_KEYS


@given(
    st.sampled_from(sorted(set(ITEMS) - {"Ef", "eF"})), st.lists(st.integers(1, 5), min_size=3, max_size=3)
)
def test_bounces_never_choose_another_slot(slot: str, bounces: list[int]) -> None:
    keypad = link()
    events: list[DriverEvent] = []
    for at, (key, times) in enumerate(zip(slot.encode(), bounces, strict=False)):
        events += pressed(keypad, bytes([key]) * times, 100.0 + at * PRESS_S, 0.005)
    assert events + pressed(keypad, b"#", 101.0) == [SlotSelected(slot)]


# On a real port


class Sender:
    """The far end: what it is given goes out, byte for byte."""

    def __init__(self) -> None:
        self.waiting = b""

    def turn(self, data: bytes, now_s: float) -> bytes:
        assert data == b""
        del now_s
        out, self.waiting = self.waiting, b""
        return out


@contextmanager
def running(thread: PortThread) -> Iterator[None]:
    thread.start()
    try:
        yield
    finally:
        stop(thread)


@pytest.mark.parametrize("chunk_bytes", [None, 1])
def test_the_thread(tmp_path: Path, chunk_bytes: int | None) -> None:
    keypad, sender, inbox = link(), Sender(), Inbox()
    server = PtyServer(sender, tmp_path / "keypad")
    server.chunk_bytes = chunk_bytes
    thread = keypad_thread(server.path, keypad, inbox.put, inbox.put)
    with running(thread):
        eventually(lambda: thread.counts["port_missing"])
        for entry, event in ((b"A11\r\n", A11), (b"c3#", C3)):
            with server:
                eventually(lambda: _heard(sender, keypad))
                sender.waiting = entry
                assert inbox.until(SlotSelected) == [event]
            keypad.counts.clear()
        eventually(lambda: thread.counts["port_lost"] == 2)


def _heard(sender: Sender, keypad: KeypadLink) -> bool:
    """The thread has the port open: bytes that came before were lost."""
    sender.waiting = sender.waiting or b"?*"
    return keypad.counts["bytes_ignored"] > 0


# Settings

SETTINGS = """
machine = "m1"
currency = "EUR"
data_dir = "data"
status_file = "status.json"
mdb_port = "/dev/mdb"
board_port = "/dev/board"
{keypad}
[[slots]]
slot = "A1"
selection = 1
product = "cola"
price_minor = 150
capacity = 10
par = 8
"""


def settings(tmp_path: Path, keypad: str) -> EdgeSettings:
    path = tmp_path / "edge.toml"
    path.write_text(SETTINGS.format(keypad=keypad))
    return load(EdgeSettings, path)


def test_the_thread_is_built_where_a_keypad_is_named(tmp_path: Path) -> None:
    inbox = Inbox()
    assert app._keypads(settings(tmp_path, ""), inbox.put, inbox.put) == []
    chosen = settings(tmp_path, 'keypad_port = "/dev/keypad"\nkeypad_baudrate = 1200')
    (thread,) = app._keypads(chosen, inbox.put, inbox.put)
    assert (thread.name, thread._path, thread._link.baudrate) == ("keypad", "/dev/keypad", 1200)
    assert thread._link.turn(b"1#", 0.0) == (b"", [A1])


def test_a_rate_that_no_line_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"keypad_baudrate.* 9600"):
        settings(tmp_path, "keypad_baudrate = 9601")
