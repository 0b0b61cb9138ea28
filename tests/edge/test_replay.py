"""A machine, fed from a capture of what the cloud said."""

import json
import random
from pathlib import Path

from edge.core import Core
from edge.replay import CoreHandler
from edge.sale.state import SlotSetting
from edge.sale.step import Machine
from edge.store.journal import Journal
from shared import codec
from shared.answers import Answers
from shared.messages import PriceList, Receipt
from shared.replay import replay
from tests.tap.messages import message, sales

S = 10**9
SETTING = Machine({"A1": "cola"}, "test", items={"A1": 1})
SLOTS = (SlotSetting("A1", "cola", 10, 10),)
PRICES = PriceList(version=0, currency="EUR", prices={"A1": 150})


def prices(version: int, price_minor: int) -> bytes:
    return json.dumps({"v": 1, "version": version, "currency": "EUR", "prices": {"A1": price_minor}}).encode()


def heard(journal: Journal) -> Answers:
    receipt = Receipt(epoch=journal.epoch, stored=((1, 1),))
    capture = [
        sales("m1", 1, t_ns=1 * S),  # its own word
        message("vend/v1/m2/prices", prices(9, 900), t_ns=2 * S, retain=True),  # another machine's
        message("vend/v1/m1/prices", prices(3, 170), t_ns=3 * S, retain=True),
        message("vend/v1/m1/receipt", codec.pack(receipt.model_dump()), t_ns=4 * S),
        message("vend/v1/m1/prices", b"{", t_ns=5 * S, retain=True),
    ]
    core = Core(journal, SETTING, SLOTS, PRICES, random.Random(1))
    handler = CoreHandler(core)
    answers = replay(capture, handler, after_s=30.0)
    assert core.state.prices.version == 3
    assert journal.owed_from() == 2, "the receipt settled one record"
    return answers


def test_a_machine_hears_its_prices_and_receipts_and_says_so(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.db", "m1") as journal:
        answers = heard(journal)
    reported = answers.on("vend/v1/m1/reported")
    assert reported[-1]["prices"]["prices"] == {"A1": 170}
    assert reported[-1]["refused"]["version"] is None
    assert answers.on("vend/v1/m1/event", kind="applied", price_version=3)
    again = [m.t_ns // S for m in answers.messages if m.topic.endswith("/event") and m.t_ns > 5 * S]
    assert again, "what nobody confirmed is sent again, when its time has come"


def test_the_same_capture_gives_the_same_answers(tmp_path: Path) -> None:
    runs = []
    for name in ("a", "b"):
        with Journal(tmp_path / f"{name}.db", "m1") as journal:
            answers = heard(journal)
            text = str([(m.t_ns, m.topic, m.payload) for m in answers.messages])
            runs.append(text.replace(journal.epoch, "epoch"))
    assert runs[0] == runs[1]
