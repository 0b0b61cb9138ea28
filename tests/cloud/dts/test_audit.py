"""A machine's audit file, out of a real InfluxDB that the project's own ingest filled, to the cent."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from cloud.__main__ import main
from cloud.batch import Arrived
from cloud.config import InfluxSettings
from cloud.database import make
from cloud.dts.segments import Figures, Read, Slot, segments
from cloud.dts.text import crc
from cloud.influx import Influx
from cloud.ingest import Ingest
from cloud.store import Store
from shared import topics
from shared.messages import PriceList, Reported, SlotStock, Status, Stock
from tests.cloud.records import EPOCH, START_NS, arrived, boot, sale
from tests.cloud.test_csv import event
from tests.cloud.test_ingest import Parts

EUR = {"currency": "EUR"}


def snapshot(topic: topics.Topic, machine: str, said: Any) -> Arrived:  # noqa: ANN401  # any of three models
    return Arrived(topic.of(machine), said.model_dump_json().encode(), 1, True, START_NS)


def ingest(influx: InfluxSettings, store: Store, *messages: Arrived) -> None:
    async def run() -> None:
        async with Influx(influx) as sink:
            await sink.create_database()
            await Ingest(Parts(), sink, store).process(messages, [{} for _ in messages])

    asyncio.run(run())


@pytest.fixture
def config(tmp_path: Path, influx: InfluxSettings) -> Path:
    path = tmp_path / "cloud.toml"
    path.write_text(
        f'data_dir = "{tmp_path}"\n[influx]\nurl = "{influx.url}"\ndatabase = "{influx.database}"\n'
    )
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    make(tmp_path / "store.db")
    with closing(Store(tmp_path / "store.db")) as opened:
        yield opened


def call(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(config), "dts", *words])


def read(result: Result) -> dict[str, list[str]]:
    """Elements by segment and, where there are several, its first element; the file is checked as a whole."""
    assert result.exit_code == 0, result.stderr
    data = result.stdout_bytes
    lines = data.decode().removesuffix("\r\n").split("\r\n")
    assert lines[-2:] == [f"SE*{len(lines) - 2}*0001", "DXE*1*1"]
    start, end = data.index(b"ST*"), data.index(b"G85*")
    assert lines[-3] == f"G85*{crc(data[start:end]):04X}"
    found: dict[str, list[str]] = {}
    slot = ""
    for line in lines:
        name, *elements = line.split("*")
        slot = elements[0] if name == "PA1" else slot
        key = {"PA1": slot, "PA2": slot, "EA2": elements[0] if elements else ""}.get(name)
        found[f"{name} {key}" if key else name] = elements
    return found


def test_a_machines_day_and_the_next_read(
    config: Path, store: Store, influx: InfluxSettings, machine: str
) -> None:
    prices = PriceList(version=3, currency="EUR", prices={"A1": 150, "A2": 90})
    slots = {"A1": SlotStock(product="cola", count=7, capacity=10, par=10)}
    ingest(
        influx,
        store,
        snapshot(topics.REPORTED, machine, Reported(at_ns=START_NS, prices=prices)),
        snapshot(topics.STOCK, machine, Stock(at_ns=START_NS, slots=slots)),
        snapshot(
            topics.STATUS,
            machine,
            Status(online=True, since_ns=START_NS, epoch=EPOCH, software="0.1.0", tenders={}),
        ),
        arrived(machine, boot(machine, 1), topic=topics.EVENT),
        arrived(
            machine,
            sale(machine, 2),
            sale(machine, 3, slot="A2", price_minor=90, paid_minor=80, tenders=(_by("card", 80),)),
            sale(machine, 4, paid_minor=0, tenders=(_by("test", 0),)),
            sale(machine, 5, paid_minor=0, tenders=(_by("free", 0),)),
        ),
        arrived(machine, *_moves(machine), topic=topics.EVENT),
    )
    first = read(call(config, machine))
    assert first["ID1"][0] == first["ID1"][5] == machine
    assert first["ID4"] == ["2", "1978", "EUR"]
    assert first["VA1"] == ["230", "2", "230", "2"]
    assert (first["VA2"], first["VA3"]) == (["0", "1", "0", "1"], ["0", "1", "0", "1"])
    assert (first["CA2"], first["DA2"]) == (["150", "1", "150", "1"], ["80", "1", "80", "1"])
    assert first["CA3"] == ["1750", "200", "50", "", "1750", "200", "50", "", "1500", "1500", "1000", "1000"]
    assert first["CA4"] == ["80", "30", "80", "30", "500", "500"]
    assert (first["CA10"], first["DA4"]) == (["1100", "1100"], ["700", "700"])
    assert first["PA1 A1"] == ["A1", "150", "cola", "10", "", "", "0", "7"]
    assert first["PA1 A2"] == ["A2", "90", "", "", "", "", "0"]
    assert (first["PA2 A1"], first["PA2 A2"]) == (["1", "150", "1", "150"], ["1", "80", "1", "80"])
    assert first["EA2 EJB_A1"] == ["EJB_A1", "1", "1", "", "0"]
    assert (first["EA2 EAR"][1], first["EA2 EGS"][1]) == ("1", "1")
    assert (first["EA3"][0], first["EA3"][8:], first["EA7"]) == ("0", ["1", "0"], ["1", "1"])

    assert read(call(config, machine, "--reset"))["VA1"] == ["230", "2", "230", "2"]
    ingest(influx, store, arrived(machine, sale(machine, 20)))
    later = read(call(config, machine))
    assert later["VA1"] == ["380", "3", "150", "1"]
    assert later["PA2 A1"] == ["2", "300", "1", "150"]
    assert (later["CA3"][0], later["CA3"][4]) == ("0", "1750")
    assert (later["EA3"][0], later["EA3"][8:]) == ("1", ["3", "1"])
    assert later["EA3"][4:6] != ["", ""]


def _moves(machine: str) -> Iterator[dict[str, Any]]:
    failed = {"slot": "A1", "product": "cola", "price_minor": 150, "tender": "cash", "reason": "jammed"}
    moves: tuple[tuple[str, dict[str, object]], ...] = (
        ("cash_in", _cash(200, "cashbox")),
        ("cash_in", _cash(50, "tube")),
        ("cash_in", {**_cash(500, "stacker"), "medium": "note"}),
        ("cash_in", {**_cash(1_000, "recycler"), "medium": "note"}),
        ("payout", {"wanted_minor": 550, "paid_minor": 550, "paid_notes_minor": 500, "reason": "change"}),
        ("coins_loaded", {"value_minor": 1_100, "coins": 11}),
        ("coins_taken", {"value_minor": 30, "coins": 3}),
        ("revalue", {"amount_minor": 700}),
        ("vend_failed", failed),
        ("fault", {"device": "changer", "code": "offline"}),
        ("door", {"open": True}),
        ("door", {"open": False}),
    )
    for seq, (kind, body) in enumerate(moves, 6):
        yield event(machine, seq, kind, START_NS + seq * 10**6, **body, **EUR)


def _by(tender: str, amount_minor: int) -> dict[str, object]:
    return {"tender": tender, "amount_minor": amount_minor}


def _cash(value_minor: int, route: str) -> dict[str, object]:
    return {"value_minor": value_minor, "medium": "coin", "type": 1, "route": route}


def test_a_machine_that_nobody_knows(config: Path, store: Store, tmp_path: Path) -> None:
    result = call(config, "nobody", "--output", str(tmp_path / "file.dts"))
    assert (result.exit_code, "is the name right" in result.stderr) == (1, True)
    assert not (tmp_path / "file.dts").exists()


sums = st.tuples(st.integers(0, 10**6), st.integers(0, 10**9))


@given(
    st.dictionaries(st.sampled_from(["cash", "card", "free", "test", "mixed"]), sums),
    st.dictionaries(st.sampled_from(["tube", "cashbox", "stacker", "recycler"]), st.integers(0, 10**9)),
)
def test_the_parts_are_the_whole(sold: dict[str, tuple[int, int]], cash_in: dict[str, int]) -> None:
    """CA301 is cash box, tubes and notes; a read directly after a reset has nothing in its interval."""
    now = Figures(sold=sold, cash_in=cash_in)
    assert Figures.of_json(now.as_json()) == now
    slots = (Slot("A1", 100, None, None, None),)
    of = Read("m1", "1", "EUR", START_NS, 1, 0, None, slots)
    found = {segment.name: list(segment.elements) for segment in segments(of, now, now)}
    cash = found["CA3"]
    assert cash[4] == sum(int(cash[n] or 0) for n in (5, 6, 9))
    assert [found["VA1"][2:], found["CA2"][2:], cash[:3], cash[8]] == [[0, 0], [0, 0], [0, 0, 0], 0]
