"""What comes of a capture: in a cloud that hears what came up, and in machines that hear what went down.

Without a broker and in virtual time (shared/replay.py). The same capture always gives the same outcome; what
is random in one (the epochs of journals) is not named.
"""

import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

from cloud import database
from cloud.ingest import Ingest
from cloud.points import MEASUREMENTS
from cloud.ranges import merged
from cloud.replay import IngestHandler, Memory, NoArchive
from cloud.store import Store
from deploy.demo.machine import SimulatedMachine
from edge.config import EdgeSettings
from edge.core import Core
from edge.replay import CoreHandler
from edge.store.journal import Journal
from edge.store.kept import Kept
from edge.store.seeded import seed
from shared import codec, topics
from shared.answers import Answers
from shared.capture import Header, Message
from shared.records import RecordError, parse_record
from shared.replay import replay
from shared.settings import load

if TYPE_CHECKING:
    from deploy.demo.network import Link

_FIELD: Final = re.compile(r'(?:^|,)(\w+)=(?:(-?\d+)i|"((?:[^"\\]|\\.)*)")')
_MONEY: Final = {  # measurement and field of each way of money, and whose it is then
    ("cash_in", "value_minor"): "in",
    ("claim_used", "amount_minor"): "redeemed",
    ("sale", "card_minor"): "in",
    ("sale", "paid_minor"): "sold",
    ("payout", "paid_minor"): "paid_out",
    ("owed", "amount_minor"): "owed",
}


def of(messages: Sequence[Message], header: Header, scratch: Path) -> dict[str, Any]:
    machines = sorted({parsed[0] for m in messages if (parsed := topics.parse(m.topic))})
    return {
        "cloud": cloud(messages, scratch),
        "edge": {name: edge(messages, header, name, scratch) for name in machines},
    }


# ---- the cloud ---------------------------------------------------------------------------------------------


def of_kind(memory: Memory, measurement: str, machine: str) -> list[dict[str, Any]]:
    """Points with tags and fields."""
    found = []
    for (series, _), values in memory.points.items():
        name, *tags = series.split(",")
        fields = {key: text or int(number or 0) for key, number, text in _FIELD.findall(values)}
        point = {**dict(tag.split("=", 1) for tag in tags), **fields}
        if (name, point["machine"]) == (measurement, machine):
            found.append(point)
    return found


def cloud(messages: Iterable[Message], scratch: Path) -> dict[str, Any]:
    """Each message a batch of its own, as they came in time."""
    path = scratch / "store.db"
    database.make(path)
    points = Memory()
    with closing(Store(path)) as store:
        answers = replay(messages, IngestHandler(Ingest(NoArchive(), points, store)))
        letters: Counter[str] = Counter()
        for row in store.dead_letters(1_000):
            letters[row["code"]] += row["count"]
        told = {row["machine"]: row for row in store.machines()}
        ranges = defaultdict(list)
        for machine, _, first, last in store.db.execute("SELECT * FROM stored_range ORDER BY epoch, first"):
            ranges[machine].append([first, last])
        return {
            "dead_letters": dict(letters),
            "machines": {
                name: {
                    "stored": ranges[name],
                    "receipts": receipts(answers.messages, name),
                    "sales": _sales(points, name),
                    "money": _money(points, name),
                    "records": _records(points, name),
                    "status": _status(row["status"]),
                    "stock": _stock(row["stock"]),
                    "charged": {
                        f"{slot} {tender}": charged["price_minor"]
                        for (slot, tender), charged in sorted(store.charged(name).items())
                    },
                }
                for name, row in told.items()
                if row["status"]
            },
        }


def receipts(messages: Iterable[Message], machine: str) -> dict[str, Any]:
    """Numbers that were confirmed, and those that were refused with the reason, over all journals."""
    said = Answers(messages).on(topics.RECEIPT.of(machine))
    stored: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for receipt in said:
        stored[receipt["epoch"]] += [(first, last) for first, last in receipt["stored"]]
    refused = {(r["epoch"], one["seq"]): one["reason"] for r in said for one in r["refused"]}
    return {
        "stored": sorted([first, last] for spans in stored.values() for first, last in merged(spans)),
        "refused": {str(seq): reason for (_, seq), reason in sorted(refused.items())},
    }


def _sales(points: Memory, machine: str) -> dict[str, dict[str, int]]:
    sales: dict[str, dict[str, int]] = {}
    for point in of_kind(points, "sale", machine):
        row = sales.setdefault(point["tender"], {"count": 0, "paid_minor": 0})
        row["count"] += 1
        row["paid_minor"] += point["paid_minor"]
    return sales


def _money(points: Memory, machine: str) -> dict[str, int]:
    money = dict.fromkeys(_MONEY.values(), 0)
    for (measurement, name), what in _MONEY.items():
        money[what] += sum(point.get(name, 0) for point in of_kind(points, measurement, machine))
    return money


def _records(points: Memory, machine: str) -> dict[str, int]:
    rows = ((kind, len(of_kind(points, kind, machine))) for kind in MEASUREMENTS)
    return {kind: count for kind, count in rows if count}


def _status(text: str) -> dict[str, Any]:
    status = json.loads(text)
    tenders = {tender: able["reason"] or able["available"] for tender, able in status["tenders"].items()}
    return {"online": status["online"], "owed": status["owed"], "parked": status["parked"], **tenders}


def _stock(text: str | None) -> dict[str, int]:
    return {slot: left["count"] for slot, left in json.loads(text)["slots"].items()} if text else {}


# ---- a machine ---------------------------------------------------------------------------------------------


def edge(messages: Sequence[Message], header: Header, machine: str, scratch: Path) -> dict[str, Any]:
    """Its journal has the records that it sent, all owed; then it hears what was said to it."""
    kept = records(messages, machine)
    epoch = kept[0][1]
    folder = scratch / machine
    folder.mkdir()
    seed(folder / "journal.db", machine, epoch, [one for one, _ in kept])
    settings = _settings(machine, folder, str(header.about["command_keys"]))
    with Journal(folder / "journal.db", machine) as journal:
        core = Core(
            journal,
            settings.machine_setting("test", journal.claim_key),
            settings.slot_settings(),
            settings.price_list(),
            random.Random(1),
            authority=settings.commands.authority(),
        )
        answers = replay(messages, CoreHandler(core))
        states = Counter(row.state for row in journal.between(1, kept[-1][0].seq))
        return {
            "records": dict(states),
            "in_force": in_force(answers.messages, machine),
            "replies": replies(answers.messages, machine),
            "locked": core.state.cabinet.locked,
            "epoch_is_kept": journal.epoch == epoch,
        }


def records(messages: Iterable[Message], machine: str) -> list[tuple[Kept, str]]:
    """What a machine sent of its journal, each record once, with its epoch."""
    found: dict[tuple[str, int], Kept] = {}
    for message in messages:
        if message.topic in {topics.SALE.of(machine), topics.EVENT.of(machine)}:
            try:
                for raw in cast("tuple[object, ...]", codec.unpack(message.payload)):
                    header = parse_record(raw).header
                    found.setdefault(
                        (header.epoch, header.seq), Kept(header.seq, "owed", None, codec.pack(raw))
                    )
            except (codec.CodecError, RecordError, TypeError):
                continue  # poison
    first = next(iter(found))[0]
    return [(found[key], first) for key in sorted(found) if key[0] == first]


def in_force(messages: Iterable[Message], machine: str) -> dict[str, Any]:
    """By the machine's last word."""
    said = Answers(messages).on(topics.REPORTED.of(machine))[-1]
    return {
        "prices": said["prices"]["prices"],
        "price_version": said["prices"]["version"],
        "refused": said["refused"],
        "config_version": said["config_version"],
        "config_refused": said["config_refused"],
    }


def replies(messages: Iterable[Message], machine: str) -> list[str]:
    return [
        f"{r['outcome']} {r['code']}" for r in Answers(messages).on(topics.REPLY.of(machine)) if "code" in r
    ]


def _settings(machine: str, folder: Path, command_keys: str) -> EdgeSettings:
    """Those of a simulated machine, which is not switched on."""
    network = cast("Link", SimpleNamespace(port=1883))
    simulated = SimulatedMachine(machine, folder, network, command_keys=command_keys)
    simulated.config.write_text(simulated._settings())
    return load(EdgeSettings, simulated.config)
