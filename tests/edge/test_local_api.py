"""The sockets for screens and technicians, with real clients: good ones, bad ones and too many of them."""

import json
import queue
import random
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from edge import local_api, local_server
from edge.config import EdgeSettings, SlotConfig
from edge.core import Core
from edge.local_server import MAX_CONNECTIONS, LocalServer, Routes
from edge.loop import Inbox, RecordsAsked
from edge.sale.events import ClaimEntered, SlotSelected
from edge.sale.state import SlotSetting
from edge.sale.step import Machine as Setting
from edge.status_file import StatusFile
from edge.store.journal import Journal
from edge.store.kept import Kept
from edge.support import nothing_recorded
from edge.support_file import NAME, SupportFile
from shared import codec
from shared.messages import PriceList
from tests.helpers import eventually

ITEMS = {"A1": 11, "12": 99, "B2": 12}
INBOX_EVENTS = 8
LIMIT_S = 20.0


class Machine:
    """The screen's socket of a machine whose loop does not run."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "local.sock"
        self.inbox: Inbox = queue.Queue(INBOX_EVENTS)
        self.status = StatusFile(folder / "status.json")
        self.status.text = '{"phase": "idle"}'
        routes = local_api.screen(self.status, self.inbox, ITEMS)
        self.server = LocalServer("local", self.path, local_api.SCREEN_MODE, routes)

    def curl(self, *words: str, address: str = "/status") -> tuple[int, Any]:
        """Status code and JSON of the answer."""
        command = ["curl", "-sS", "--unix-socket", str(self.path), "-w", "\n%{http_code}", *words]
        done = subprocess.run(
            [*command, f"http://machine{address}"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=True,
        )
        body, code = done.stdout.rsplit("\n", 1)
        return int(code), json.loads(body)

    def select(self, body: str) -> tuple[int, Any]:
        return self.curl("-d", body, address="/selection")

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(LIMIT_S)
        client.connect(str(self.path))
        return client

    def raw(self, data: bytes, *, end: bool = True) -> bytes:
        """All that is answered to these bytes."""
        with self.connect() as client:
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionResetError):
        while data := client.recv(65_536):
            found += data
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    machine.server.start()
    yield machine
    machine.server.stop()
    assert not machine.path.exists()


def answers(machine: Machine) -> bool:
    return machine.curl() == (200, {"phase": "idle"})


# --- reading ----------------------------------------------------------------------------------------------


def test_the_status_is_what_the_loop_published_last(machine: Machine) -> None:
    assert machine.curl() == (200, {"phase": "idle"})
    machine.status.text = '{"phase": "credit"}'
    assert machine.curl() == (200, {"phase": "credit"})


def test_before_the_first_status_the_machine_is_starting(machine: Machine) -> None:
    machine.status.text = ""
    code, said = machine.curl()
    assert (code, said["error"]) == (503, "the machine is starting; try again")


def test_what_is_published_is_the_files_text(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json")
    prices = PriceList(version=1, currency="EUR", prices={"A1": 150})
    with Journal(tmp_path / "journal.db", "m1") as journal:
        slots = (SlotSetting("A1", "cola", 10, 10),)
        status.write(Core(journal, Setting({"A1": "cola"}, "test"), slots, prices, random.Random(1)))
    assert (tmp_path / "status.json").read_text() == status.text
    assert json.loads(status.text)["stock"] == {"A1": 10}


def test_only_its_owner_and_group_may_connect(machine: Machine) -> None:
    assert stat.S_IMODE(machine.path.stat().st_mode) == 0o660


# --- selecting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "event"),
    [
        ("A1", SlotSelected("A1")),
        (" A1 ", SlotSelected("A1")),
        ("11", SlotSelected("A1")),
        ("12", SlotSelected("12")),  # a name goes before another slot's number
        ("99", SlotSelected("12")),
        ("0012483920", ClaimEntered("0012483920")),
        ("0012-483920", ClaimEntered("0012483920")),
        ("0012 483920", ClaimEntered("0012483920")),
    ],
)
def test_what_was_typed_becomes_an_event(
    machine: Machine, typed: str, event: SlotSelected | ClaimEntered
) -> None:
    code, said = machine.select(json.dumps({"text": typed}))
    assert code == 202
    assert said["accepted"] == ({"slot": event.slot} if isinstance(event, SlotSelected) else {"claim": True})
    assert machine.inbox.get_nowait() == event
    assert machine.inbox.empty()


@pytest.mark.parametrize(
    "typed", ["Z9", "a1", "13", "1-1", "123456789", "00124839201", "٠٠١٢٤٨٣٩٢٠", "²", "-", "💰"]
)
def test_what_is_no_selection_is_refused_with_what_to_type(machine: Machine, typed: str) -> None:
    code, said = machine.select(json.dumps({"text": typed}))
    assert code == 422
    assert "type a slot such as A1, its number such as 11, or a claim code" in said["error"]
    assert machine.inbox.empty()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "A1",
        "{",
        "[]",
        "null",
        "{}",
        '{"text": 11}',
        '{"text": ""}',
        '{"text": "AAAAAAAAAAAAAAAAA"}',
        "[" * 900,
    ],
)
def test_a_body_that_is_none_is_refused_with_what_to_send(machine: Machine, body: str) -> None:
    code, said = machine.select(body)
    assert code == 400
    assert said["error"].endswith('send {"text": "A1"}')
    assert machine.inbox.empty()


def test_an_inbox_that_is_half_full_takes_no_selection(machine: Machine) -> None:
    for _ in range(INBOX_EVENTS // 2 - 1):
        machine.inbox.put(SlotSelected("A1"))
    assert machine.select('{"text": "A1"}')[0] == 202
    assert machine.select('{"text": "A1"}') == (503, {"error": "the machine is busy; try again"})
    assert machine.inbox.qsize() == INBOX_EVENTS // 2  # the other half is the devices'
    assert answers(machine)
    machine.inbox.get()
    assert machine.select('{"text": "A1"}')[0] == 202


# --- bad clients ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "address", "code", "sentence"),
    [
        ((), "/", 404, "ask GET /status, POST /selection"),
        ((), "/selection", 405, "ask GET /status, POST /selection"),
        (("-d", "{}"), "/status", 405, "ask GET /status, POST /selection"),
        (("-X", "PUT"), "/status", 501, "Unsupported method"),
        (("-X", "POST"), "/selection", 411, "Content-Length"),
        (("-H", "Transfer-Encoding: chunked", "-d", "{}"), "/selection", 411, "Content-Length"),
        (("-d", "x" * 1025), "/selection", 413, "at most 1024 bytes"),
        (("-H", "X: " + "x" * 9_000), "/status", 413, "at most 8192 bytes"),
        ((), "/status?a=1", 200, ""),
        ((), "/status?" + "a=1&b=1&c=1&d=1&e=1", 400, "cannot be read"),
    ],
)
def test_requests_that_are_refused(
    machine: Machine, words: tuple[str, ...], address: str, code: int, sentence: str
) -> None:
    found, said = machine.curl(*words, address=address)
    assert found == code
    assert sentence in said.get("error", "")
    assert answers(machine)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\0" * 100,
        bytes(range(256)),
        b"GET /status HTTP/9.9\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /status HTTP/1.1\r\nbroken header\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"POST /selection HTTP/1.1\r\nContent-Length: -5\r\n\r\n{}",
        b"POST /selection HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n{}",
        b"POST /selection HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        b'POST /selection HTTP/1.1\r\nContent-Length: 14\r\n\r\n{"text": "\xff"}',
        b"x" * 8192,
        b"x" * 100_000,
        b"\n".join([b"x"] * 1_000),
    ],
)
def test_garbage_ends_its_own_connection_only(machine: Machine, data: bytes) -> None:
    with suppress(BrokenPipeError):  # it may be refused before all of it is sent
        answer = machine.raw(data)
        assert (
            answer == b""
            or answer.startswith((b"HTTP/1.0 4", b"HTTP/1.0 5", b"HTTP/1.0 2"))
            or b"{" in answer
        )
    assert machine.inbox.empty()
    assert answers(machine)


def test_half_a_request_is_no_selection(machine: Machine) -> None:
    answer = machine.raw(b'POST /selection HTTP/1.1\r\nContent-Length: 14\r\n\r\n{"text": ')
    assert b"9 of 14 bytes came" in answer
    assert machine.inbox.empty()


def test_a_client_that_says_nothing_is_let_go(machine: Machine) -> None:
    with machine.connect() as client:
        assert b"send the whole request within 2 s" in read_all(client)
    assert answers(machine)


def test_a_client_that_drips_has_no_more_time_than_others(machine: Machine) -> None:
    pace = threading.Event()
    began_s = monotonic()
    with machine.connect() as client, suppress(OSError):
        client.sendall(b"GET /status HTTP/1.1\r\n")
        while monotonic() - began_s < LIMIT_S:
            client.sendall(b"x")
            pace.wait(0.1)
    assert monotonic() - began_s < LIMIT_S / 2


def test_the_sentence_reaches_a_client_that_sends_a_huge_body(machine: Machine) -> None:
    head = b"POST /selection HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
    assert b"at most 1024 bytes" in machine.raw(head + b"x" * 1_000_000)
    assert answers(machine)


def test_a_client_that_does_not_read_is_let_go(tmp_path: Path) -> None:
    huge = "x" * 4_000_000

    def answer(_query: object, _body: bytes) -> local_server.Answer:
        return HTTPStatus.OK, huge

    server = LocalServer("local", tmp_path / "socket", 0o600, {("GET", "/"): answer})
    server.start()
    threads = threading.active_count()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "socket"))
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            eventually(lambda: threading.active_count() > threads)
            eventually(lambda: threading.active_count() == threads)
    finally:
        server.stop()


def test_too_many_clients_are_told_so_and_the_next_ones_are_served(machine: Machine) -> None:
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(machine.connect())
        assert machine.raw(b"", end=False).startswith(b"HTTP/1.0 503 ")
    eventually(lambda: machine.curl()[0] == 200)


def test_a_client_that_lingers_after_its_answer_takes_nobodys_place(machine: Machine) -> None:
    with ExitStack() as stack:
        for _ in range(2 * MAX_CONNECTIONS):
            client = stack.enter_context(machine.connect())
            client.sendall(b"GET /status HTTP/1.1\r\n\r\n")
            assert read_all(client).endswith(b'{"phase": "idle"}\n')


def test_a_mistake_of_ours_is_answered_and_the_next_client_is_served(tmp_path: Path) -> None:
    def broken(_query: object, _body: bytes) -> local_server.Answer:
        raise ZeroDivisionError

    routes: Routes = {("GET", "/broken"): broken}
    machine = Machine(tmp_path)
    machine.server = LocalServer("local", machine.path, 0o660, routes)
    machine.server.start()
    for _ in range(2 * MAX_CONNECTIONS):
        code, said = machine.curl(address="/broken")
        assert (code, said["error"]) == (500, "a mistake of the machine; see its log")
    machine.server.stop()


# --- the socket itself ------------------------------------------------------------------------------------


def test_the_socket_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(machine.path))
    machine.server.start()
    assert answers(machine)
    machine.server.stop()


@pytest.mark.parametrize("name", ["x" * 200, "missing/local.sock", "file"])
def test_without_a_socket_the_machine_goes_on(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("somebody's")
    server = LocalServer("local", tmp_path / name, 0o660, {})
    server.start()
    server.stop()
    assert (tmp_path / "file").read_text() == "somebody's"


# --- the technician's -------------------------------------------------------------------------------------


def settings(folder: Path) -> EdgeSettings:
    slot = SlotConfig(slot="A1", selection=11, product="cola", price_minor=150, capacity=9, par=9)
    return EdgeSettings(
        machine="m1",
        currency="EUR",
        data_dir=folder,
        status_file=folder / "status.json",
        mdb_port="",
        board_port="",
        slots=[slot],
    )


class Technician(Machine):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        routes = local_api.technician(
            self.inbox, SupportFile(settings(folder), nothing_recorded), folder / NAME
        )
        self.server = LocalServer("technician", self.path, local_api.TECHNICIAN_MODE, routes)


@pytest.fixture
def technician(tmp_path: Path) -> Iterator[Technician]:
    technician = Technician(tmp_path)
    technician.server.start()
    yield technician
    technician.server.stop()


def test_records_come_from_the_loop(technician: Technician) -> None:
    kept = [Kept(3, "parked", "bad_body", codec.pack({"kind": "fault"})), Kept(4, "owed", None, b"\xc1")]

    def loop() -> None:
        asked = technician.inbox.get(timeout=LIMIT_S)
        assert isinstance(asked, RecordsAsked)
        assert (asked.first, asked.last) == (3, 9)
        asked.answer(kept)

    thread = threading.Thread(target=loop)
    thread.start()
    code, said = technician.curl(address="/records?from=3&to=9")
    thread.join()
    assert code == 200
    assert said["records"] == [
        {"seq": 3, "state": "parked", "refused": "bad_body", "record": {"kind": "fault"}},
        {"seq": 4, "state": "owed", "refused": None, "record": None},
    ]
    assert Kept.from_json(said["records"][0]) == kept[0]
    assert stat.S_IMODE(technician.path.stat().st_mode) == 0o600


def test_a_loop_that_does_not_answer_is_not_waited_for(technician: Technician) -> None:
    code, said = technician.curl(address="/records?from=1&to=1")
    assert (code, said["error"]) == (503, "the machine does not answer now; try again")


@pytest.mark.parametrize(
    "query",
    ["", "?from=1", "?from=0&to=1", "?from=a&to=b", "?from=2&to=1", "?from=1&to=501", "?from=-1&to=3"],
)
def test_questions_that_are_refused(technician: Technician, query: str) -> None:
    code, said = technician.curl(address=f"/records{query}")
    assert code == 400
    assert "record" in said["error"]
    assert technician.inbox.empty()


def test_a_full_inbox_is_not_waited_for(technician: Technician) -> None:
    for _ in range(INBOX_EVENTS):
        technician.inbox.put(SlotSelected("A1"))
    assert technician.curl(address="/records?from=1&to=1")[0] == 503


@pytest.mark.parametrize("query", ["", "?minutes=0", "?minutes=1441", "?minutes=ten"])
def test_a_report_is_of_some_minutes(technician: Technician, query: str) -> None:
    code, said = technician.curl(address=f"/support{query}")
    assert code == 400
    assert "minutes" in said["error"]
