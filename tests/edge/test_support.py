"""A machine's bug report: replayed it is in the same trouble; it tells nothing secret; it can be shrunk."""

import json
import queue
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.config import CommandKey, CommandsConfig, EdgeSettings, SlotConfig
from edge.core import Core
from edge.link_events import Connected, Inbound, Publish
from edge.loop import Loop, Retention
from edge.mdb.frame import Block, Data
from edge.mdb.recording import Exchange, lines
from edge.recent import LIMIT_BYTES, Recent
from edge.replay import CoreHandler, reported
from edge.sale import events as ev
from edge.sale.state import State
from edge.status_file import StatusFile
from edge.store.journal import Journal
from edge.store.kept import Kept
from edge.support_file import NAME, SupportFile
from edge.technician import support as report
from edge.technician.trouble import EXIT_JOURNAL, CommandError
from shared import codec, topics
from shared.capture import CaptureError, Header, Message, read, read_header
from shared.capture.rotation import new
from shared.clock import SystemClock
from shared.decoded import decode
from shared.messages import PriceList, Receipt, Refusal
from shared.replay import replay
from shared.settings import MqttSettings
from shared.shrink import shrink
from shared.supervisor import Supervisor
from shared.tap.contract import Coverage
from tests.helpers import docs_example

CARD = "4929123456781234"
SECRET = "hunter2-of-the-broker"
PUBLIC = "ab" * 32


class Ports:
    """Bus, board and broker at once: nothing of it is carried out."""

    def submit(self, _effect: object) -> None: ...

    def publish(self, _message: Publish) -> None: ...

    def drop(self) -> None: ...


class Machine:
    def __init__(self, folder: Path, journal: Journal) -> None:
        self.settings = EdgeSettings(
            machine="m1",
            currency="EUR",
            data_dir=folder,
            status_file=folder / "status.json",
            mdb_port="/dev/secret-port",
            board_port="",
            mqtt=MqttSettings.model_validate({"host": "broker.example", "password": SECRET}),
            commands=CommandsConfig(keys=(CommandKey(name="desk", role="operator", public_key=PUBLIC),)),
            slots=[SlotConfig(slot="A1", selection=11, product="cola", price_minor=150, capacity=9, par=9)],
        )
        self.journal = journal
        self.core = Core(
            journal,
            self.settings.machine_setting("test", journal.claim_key),
            self.settings.slot_settings(),
            self.settings.price_list(),
            random.Random(1),
        )
        ports = Ports()
        self.loop = Loop(
            *(self.core, queue.Queue(), ports, ports, ports, SystemClock(), folder),
            StatusFile(self.settings.status_file),
            Retention(400, 500_000),
            Supervisor(None),
        )
        for event in (
            ev.Booted("boot"),
            ev.BoardReady(),
            ev.ChangerReady((50, 100, 200), (0, 9, 9)),
            Connected(session_present=False, max_packet_bytes=None),
        ):
            self.loop._handle(event)

    def hear(self, topic: topics.Topic, payload: bytes) -> None:
        self.loop._handle(Inbound(topic.of("m1"), payload))

    def prices(self, version: int, **prices: int) -> None:
        wanted = PriceList(version=version, currency="EUR", prices=prices)
        self.hear(topics.PRICES, wanted.model_dump_json().encode())

    def receipt(self, stored: tuple[tuple[int, int], ...], refused: tuple[int, ...] = ()) -> None:
        told = tuple(Refusal(seq=seq, reason="bad_body") for seq in refused)
        receipt = Receipt(epoch=self.journal.epoch, stored=stored, refused=told)
        self.hear(topics.RECEIPT, codec.pack(receipt.model_dump()))

    def write(self) -> Path:
        told = Exchange(1.0, Block(0x12), Data(bytes.fromhex("03ffff" + CARD + "0000")))
        support = SupportFile(self.settings, lambda now_s: lines([told], now_s))
        path = self.settings.data_dir / NAME
        support.write(self.loop._picture(), 10, path)
        return path


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """After a jam whose coins do not come out, a refused record and a list that it cannot take."""
    with Journal(tmp_path / "journal.db", "m1") as journal:
        machine = Machine(tmp_path, journal)
        machine.prices(3, A1=100)
        machine.loop._handle(ev.CoinIn(2, 200, ev.Route.TUBE, 10))
        machine.loop._handle(ev.SlotSelected("A1"))
        machine.loop._handle(ev.VendEnded("A1", ev.VendResult.JAMMED))
        machine.loop._handle(ev.Lever())
        machine.loop._handle(ev.PayoutEnded((0, 9, 10)))
        machine.loop._handle(ev.PayoutEnded((0, 9, 10)))
        machine.receipt(((1, 4),), refused=(5,))
        machine.prices(4, A1=180, Z9=90)
        yield machine


def test_it_is_in_the_same_trouble_again(machine: Machine, tmp_path: Path) -> None:
    kinds = [one.record().body.kind for one in _kept(machine.journal)]  # type: ignore[union-attr]
    assert {"vend_failed", "owed"} <= set(kinds)
    path = machine.write()
    with reported(path, _folder(tmp_path)) as again:
        assert again.state.prices.version == 0, "it begins before the first message"
        assert {k.state for k in _kept(again.journal)} == {"owed"}, "and before the first receipt"
        answers = replay(read(path), CoreHandler(again))
        assert again.state.prices == machine.core.state.prices
        assert again.state.prices.version == 3
        before = _kept(machine.journal)
        after = again.journal.between(1, machine.journal.last_seq)
        assert [(k.seq, k.state, k.refused) for k in after] == [(k.seq, k.state, k.refused) for k in before]
        assert {k.state for k in after} == {"owed", "stored", "parked"}
    (refused,) = {json.dumps(r["refused"]) for r in answers.on("vend/v1/m1/reported") if r["refused"]}
    assert "slot Z9 does not exist" in refused
    about = read_header(path).about
    assert about["now"]["totals"]["owed_minor"] == machine.core.state.totals.owed_minor > 0
    assert about["journal"]["parked"] == 1


def _kept(journal: Journal) -> list[Kept]:
    return journal.between(1, journal.last_seq)


def test_nothing_secret_is_in_it(machine: Machine) -> None:
    claims = [
        one.record().body.claim  # type: ignore[union-attr]
        for one in _kept(machine.journal)
        if one.record().body.kind == "owed"  # type: ignore[union-attr]
    ]
    assert claims
    path = machine.write()
    text = path.read_text()
    everything = text + "".join(repr(decode(m.topic, m.payload).value) for m in read(path))
    secrets = (CARD, SECRET, "broker.example", "secret-port", PUBLIC, machine.journal.claim_key.hex())
    for secret in (*secrets, *claims):
        assert secret not in everything, secret
    assert claims[0][:5] + "000000" in everything, "which claim it was is left"
    assert path.stat().st_mode & 0o077 == 0


def test_it_is_a_capture_that_keeps_the_contract(machine: Machine) -> None:
    coverage = Coverage(keeps_retained=True)
    for message in read(machine.write()):
        coverage.add(message)
    assert [v.why for v in coverage.violations] == []
    assert coverage.seen["event owed"] >= 1
    assert coverage.seen["prices"] == 2


def test_it_shrinks_to_the_message_that_made_the_trouble(machine: Machine, tmp_path: Path) -> None:
    path = machine.write()
    header, numbers = read_header(path), iter(range(10_000))

    def refuses(messages: Any) -> bool:  # noqa: ANN401  # a sequence of messages
        folder = tmp_path / f"try-{next(numbers)}"
        folder.mkdir()
        part = folder / "part.mqtt.jsonl"
        _write(part, header, messages)
        with reported(part, folder) as again:
            said = replay(messages, CoreHandler(again)).on("vend/v1/m1/reported")
        return any(one["refused"] and "Z9" in one["refused"]["reason"] for one in said)

    small = shrink(list(read(path)), refuses)
    assert [m.topic for m in small] == ["vend/v1/m1/prices"]
    assert b"Z9" in small[0].payload


def _write(path: Path, header: Header, messages: list[Message]) -> None:
    writer = new(path, header)
    writer.append(messages)
    writer.close()


def test_a_machine_that_is_stopped_has_its_records_left(machine: Machine, tmp_path: Path) -> None:
    states = [one.state for one in _kept(machine.journal)]
    machine.journal.close()
    out = tmp_path / "stopped.mqtt.jsonl"
    report.write(machine.settings, 10, out)
    with reported(out, _folder(tmp_path)) as again:
        assert again.state.prices == machine.core.state.prices
        assert [one.state for one in _kept(again.journal)] == states
    for name, words in (("stopped.mqtt.jsonl", "is there already"), ("a.mqtt.jsonl.gz", "name it")):
        with pytest.raises(CommandError, match=words):
            report.write(machine.settings, 10, tmp_path / name)


def test_a_machine_that_runs_and_does_not_answer_is_left_alone(machine: Machine, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nobody answers at .* the machine is running") as error:
        report.write(machine.settings, 10, tmp_path / "out.mqtt.jsonl")
    assert error.value.exit_status == EXIT_JOURNAL
    assert not (tmp_path / "out.mqtt.jsonl").exists()


def _folder(parent: Path) -> Path:
    folder = parent / "again"
    folder.mkdir()
    return folder


def test_the_example_of_the_docs_works(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "again").mkdir()
    monkeypatch.chdir(tmp_path)
    machine.write().rename("lobby-7.mqtt.jsonl")
    names: dict[str, Any] = {}
    exec(docs_example("edge.replay"), names)
    names["test_the_list_is_refused_again"](tmp_path / "again")


def test_another_file_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "other.mqtt.jsonl"
    _write(path, Header(1, "vend-tap"), [])
    with pytest.raises(CaptureError, match="no file of `vend-edge support`"), reported(path, tmp_path):
        pass


# ---- what is remembered ------------------------------------------------------------------------------------


def _state(number: int) -> State:
    return State(prices=PriceList(version=number, currency="EUR", prices={"A1": 150}), stock={"A1": 1})


def test_the_last_messages_and_the_state_before_them() -> None:
    recent = Recent(_state(0), limit_bytes=8_000)
    for number in range(1, 101):
        message = Publish("vend/v1/m1/health", b"x" * 500, 1, retain=True, content_type="j")
        recent.said(message, _state(number), number, float(number))
        kept = recent.messages()
        assert kept[-1].at_ns == number
        assert [m.at_ns for m in kept] == list(range(kept[0].at_ns, number + 1)), "without a hole"
        first = kept[0].at_ns
        assert recent.before.prices.version == (0 if first == 1 else first)
    assert 2 <= len(kept) <= 6


def test_what_it_holds_is_bounded() -> None:
    recent = Recent(_state(0))
    tracemalloc.start()
    for number in range(5_000):
        message = Inbound("vend/v1/m1/prices", bytes(number % 3_000))
        recent.heard(message, _state(1), number, float(number))
    recent.heard(Inbound("vend/v1/m1/prices", bytes(1_000_000)), _state(2), 1, 1.0)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < LIMIT_BYTES * 1.5
